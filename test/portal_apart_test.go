package test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

// portalApart is a portal in a process of its own, with a folder of its own.
type portalApart struct {
	*process
	t       *testing.T
	command []string
	dir     string
	conf    string
	home    string // its URL
	env     []string
}

// portalAt are the settings of a portal that reaches the admin API at a URL.
func portalAt(t *testing.T, adminURL string, more map[string]any) (settings map[string]any, home string) {
	t.Helper()
	all := map[string]any{"admin_url": adminURL, "auto_approve": []string{"e2e"}, "try_plan": "e2e"}
	maps.Copy(all, more)
	settings, home, _ = portalSettings(t, false, all)
	return settings, home
}

// newPortalApart writes the configuration of a portal for a gateway that has none,
// whose admin API is at a URL. It does not start it.
func newPortalApart(t *testing.T, g *gateway, adminURL string, more map[string]any, env ...string) *portalApart {
	t.Helper()
	settings, home := portalAt(t, adminURL, more)
	p := &portalApart{t: t, command: []string{"portal"}, dir: t.TempDir(), home: home, env: env}
	p.conf = p.file("portal.conf")
	(&gateway{t: t, conf: p.conf}).writeConf(strings.TrimPrefix(g.url, "http://"),
		map[string]any{"public_url": g.url, "data_dir": p.file("data"), "portal": settings}, nil)
	require.NoError(t, os.MkdirAll(p.file("data"), 0o700))
	require.NoError(t, os.WriteFile(p.file("data/admin-secret"), []byte(g.read("data/admin-secret")), 0o600))
	return p
}

func (p *portalApart) file(name string) string { return filepath.Join(p.dir, name) }

// run starts the portal, at first or again, and waits until it answers.
func (p *portalApart) run() {
	p.t.Helper()
	p.process = start(p.t, p.env, append(p.command, "-c", p.conf)...)
	p.t.Cleanup(p.process.kill)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if answer, err := http.Get(p.home + "/healthz"); err == nil {
			answer.Body.Close()
			return
		}
		select {
		case <-p.ended:
			require.FailNow(p.t, "the portal ended instead of getting ready", p.output())
		default:
		}
	}
	require.FailNow(p.t, "the portal is not ready after 30 s", p.output())
}

// tells runs a command of fhirgate with the portal's configuration.
func (p *portalApart) tells(args ...string) (string, error) {
	cmd := exec.Command(binary, append(args, "-c", p.conf)...)
	cmd.Env = append(cmd.Environ(), p.env...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// plainBrowser is somebody at a browser without scripts.
type plainBrowser struct {
	t    *testing.T
	home string
	http *http.Client
}

// visit is a page that came back.
type visit struct {
	status int
	body   string
	next   string // where it leads, when it is a redirect
}

// String is the page's text as far as it tells what happened.
func (p visit) String() string {
	_, text, _ := strings.Cut(p.body, "<main")
	words := strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, " "))
	return fmt.Sprint(p.status, " ", strings.Join(words[:min(len(words), 60)], " "))
}

// send asks for a page, with a form when there is one.
func (v *plainBrowser) send(method, path string, form url.Values) (visit, error) {
	r, err := http.NewRequest(method, v.home+path, strings.NewReader(form.Encode()))
	if err != nil {
		return visit{}, err
	}
	if form != nil {
		r.Header.Set("Content-Type", formType)
	}
	answer, err := v.http.Do(r)
	if err != nil {
		return visit{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return visit{answer.StatusCode, string(body), answer.Header.Get("Location")}, err
}

// get asks for a page that must come.
func (v *plainBrowser) get(path string) visit {
	v.t.Helper()
	page, err := v.send(http.MethodGet, path, nil)
	require.NoError(v.t, err)
	return page
}

// post sends a form that must be answered by this status. pairs are names and
// values.
func (v *plainBrowser) post(status int, path string, pairs ...string) visit {
	v.t.Helper()
	page, err := v.send(http.MethodPost, path, formOf(pairs...))
	require.NoError(v.t, err)
	require.Equal(v.t, status, page.status, "%s: %s", path, page)
	return page
}

func formOf(pairs ...string) url.Values {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return form
}

// find returns what the group of a pattern matches in a page.
func (p visit) find(t *testing.T, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(p.body)
	require.NotNil(t, found, "%s is not in %s", pattern, p)
	return found[1]
}

// shownSecret is a secret on a page.
const shownSecret = `class="secret-value"[^>]*>([^<]+)<`

// secret returns the secret that a page shows, "" when it shows none.
func (p visit) secret() string {
	if found := regexp.MustCompile(shownSecret).FindStringSubmatch(p.body); found != nil {
		return found[1]
	}
	return ""
}

// join makes an account by an invitation; an administrator sets up a second
// factor.
func (p *portalApart) join(email string, admin bool) *plainBrowser {
	p.t.Helper()
	args := []string{"portal", "invite", email}
	if admin {
		args = append(args, "--admin")
	}
	link, err := p.tells(args...)
	require.NoError(p.t, err, link)
	jar, err := cookiejar.New(nil)
	require.NoError(p.t, err)
	v := &plainBrowser{t: p.t, home: p.home, http: &http.Client{
		Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	v.post(http.StatusSeeOther, strings.TrimPrefix(link, p.home), "name", "Some Body", "password", testPassword)
	if admin {
		shown := v.post(http.StatusOK, "/account/totp", "current", testPassword).find(p.t, `<code class="mono">([^<]+)</code>`)
		code, err := totp.GenerateCode(strings.ReplaceAll(shown, " ", ""), time.Now())
		require.NoError(p.t, err)
		v.post(http.StatusOK, "/account/totp/confirm", "code", code)
	}
	return v
}

// at returns the same plainBrowser at another portal: cookies are of a host, whatever
// its port.
func (v *plainBrowser) at(p *portalApart) *plainBrowser {
	other := *v
	other.home = p.home
	return &other
}

// newApp makes an app and returns its path.
func (v *plainBrowser) newApp(name string) string {
	v.t.Helper()
	return v.post(http.StatusSeeOther, "/apps/new", "name", name, "team_name", "Team of "+name).next
}

// ask asks for access of an app, which is approved at once.
func (v *plainBrowser) ask(app string) {
	v.t.Helper()
	v.post(http.StatusSeeOther, app+"/request", "plan", "e2e", "hospitals", "harbor", "purpose", "Pull the day's appointments for the screening worklist")
}

// issueForm is the form for a new credential under a request.
func (v *plainBrowser) issueForm(app, request, kind string, more ...string) url.Values {
	v.t.Helper()
	form := v.get(app + "/keys/new?request=" + request + "&make=" + kind)
	return formOf(append([]string{"request", request, "make", kind, "life", "30", "once", form.find(v.t, `name="once" value="([^"]+)"`)}, more...)...)
}

// rotateForm is the form of a rotation.
func (v *plainBrowser) rotateForm(credential, grace string) url.Values {
	v.t.Helper()
	form := v.get("/credentials/" + credential + "/rotate")
	return formOf("grace", grace, "once", form.find(v.t, `name="once" value="([^"]+)"`))
}

// TestPortalApart runs two portals on one PostgreSQL database.
func TestPortalApart(t *testing.T) {
	t.Parallel()
	g := startGateway(t, options{settings: map[string]any{"trusted_proxies": []string{"127.0.0.1/32"}}})
	held := newMeddler(t)
	held.target = g.admin
	database := storetest.Postgres(t)
	settings := map[string]any{"database_url": map[string]any{"env": "PORTAL_TEST_DATABASE"}}
	first := newPortalApart(t, g, held.url, settings, "PORTAL_TEST_DATABASE="+database)
	first.run()
	settings["keys_file"], settings["acts_key_file"] = first.file("data/portal-keys"), first.file("data/portal-acts-key")
	second := newPortalApart(t, g, g.admin, settings, first.env...)
	second.run()
	a := newApart(t, g, first, held, database)

	// A session and a credential of the one are good at the other.
	dev := first.join("dev@pacs.example", false)
	app := dev.newApp("Worklist")
	dev.ask(app)
	request := a.requestOf(app)
	secret := a.issue(dev.at(second), app, request, "key").secret
	require.Equal(t, http.StatusOK, a.calls(secret))
	admin := first.join("ada@pacs.example", true)
	require.Equal(t, http.StatusOK, admin.at(second).get("/console").status)
	admin.at(second).post(http.StatusSeeOther, "/account/sessions")

	// What is in the making at the one for longer than the other waits between two
	// looks is not broken off.
	for range 6 {
		require.Equal(t, http.StatusOK, a.calls(secret))
	}
	rotated := a.newestOf(app)
	answers := held.hold(t, "POST", 2)
	forms := map[string]url.Values{
		app + "/keys/new": dev.issueForm(app, request, "key"),
	}
	forms["/credentials/"+rotated.ID+"/rotate"] = dev.rotateForm(rotated.ID, "24h")
	var made sync.Map
	var group sync.WaitGroup
	for path, form := range forms {
		group.Go(func() {
			page, err := dev.send(http.MethodPost, path, form)
			made.Store(path, fmt.Sprint(page.status, " ", page.secret(), " ", err))
		})
	}
	answers.arrived()
	time.Sleep(7 * time.Second)
	answers.release()
	group.Wait()
	made.Range(func(path, told any) bool {
		require.Regexp(t, `^200 fg_\w{43} <nil>$`, told, path)
		require.Equal(t, http.StatusOK, a.calls(strings.Fields(told.(string))[1]))
		return true
	})
	a.requireInStep("two portals")

	// One that starts takes all that is in the making for broken off: its maker
	// learns of it, and no key is left.
	answers = held.hold(t, "POST", 1)
	form := dev.issueForm(app, request, "key")
	group.Go(func() {
		page, err := dev.send(http.MethodPost, app+"/keys/new", form)
		made.Store("late", fmt.Sprint(page.status, " ", page.secret(), " ", err))
	})
	answers.arrived()
	third := newPortalApart(t, g, g.admin, settings, first.env...)
	third.run()
	answers.release()
	group.Wait()
	told, _ := made.Load("late")
	require.Equal(t, "409  <nil>", told)
	a.requireInStep("a third portal")

	// All of them collect usage, and none doubles it.
	calls := a.called
	require.Eventually(t, func() bool { return a.usage() == calls }, 30*time.Second, 200*time.Millisecond, "usage is not what was called")
	for _, p := range []*portalApart{first, second, third} {
		require.NoError(t, p.stop())
		require.Empty(t, p.logged("ERROR"))
	}
	require.Equal(t, calls, a.usage())
}

// TestPortalApartRefuses starts a portal with settings that cannot work: it says
// what is wrong, and ends.
func TestPortalApartRefuses(t *testing.T) {
	t.Parallel()
	g := startGateway(t, options{})
	help, err := exec.Command(binary, "portal", "--help").CombinedOutput()
	require.NoError(t, err)
	require.Contains(t, string(help), "fhirgate portal -c /etc/fhirgate/")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()

	for name, c := range map[string]struct {
		settings map[string]any
		env      string
		change   func(p *portalApart)
		want     string
	}{
		"no section": {change: func(p *portalApart) { p.conf = g.conf }, want: `no section "portal"`},
		"no secret": {
			change: func(p *portalApart) { require.NoError(t, os.Remove(p.file("data/admin-secret"))) },
			want:   "the secret of the gateway's admin API",
		},
		"no database": {
			settings: map[string]any{"database_url": map[string]any{"env": "PORTAL_TEST_DATABASE"}},
			env:      "PORTAL_TEST_DATABASE=postgres://portal:quite-secret@127.0.0.1:1/portal", want: "the portal's store",
		},
		"no folder":  {settings: map[string]any{"database": "/proc/none/portal.db"}, want: "the portal's store"},
		"port taken": {settings: map[string]any{"listen": taken.Addr().String()}, want: "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPortalApart(t, g, g.admin, c.settings, c.env)
			if c.change != nil {
				c.change(p)
			}
			p.process = start(t, p.env, append(p.command, "-c", p.conf)...)
			t.Cleanup(p.kill)
			require.Error(t, p.wait(20*time.Second))
			require.NotEqual(t, -1, p.cmd.ProcessState.ExitCode(), "it ends by itself")
			require.Contains(t, p.output(), c.want)
			require.NotContains(t, p.output(), "quite-secret")
			require.NotContains(t, p.output(), "goroutine")
			t.Log(strings.TrimSpace(p.output()))
			if name == "no secret" {
				entries, err := os.ReadDir(p.file("data"))
				require.NoError(t, err)
				require.Empty(t, entries, "nothing was begun")
			}
		})
	}
}

// TestPortalWithoutGateway uses pages while the gateway is away: they say so, and
// nothing is lost.
func TestPortalWithoutGateway(t *testing.T) {
	t.Parallel()
	a := startApart(t, false)
	secrets := map[string]string{}
	ids := map[string]string{}
	for _, name := range []string{"kept", "rotated", "revoked"} {
		made := a.issue(a.dev, a.app, a.request, "key")
		secrets[name], ids[name] = made.secret, made.id
	}
	issuing := a.dev.issueForm(a.app, a.request, "key")
	rotating := a.dev.rotateForm(ids["rotated"], "none")
	a.crash()

	away := "The gateway does not answer"
	for _, path := range []string{"/", "/apps", a.app, "/credentials/" + ids["kept"], "/usage", "/docs", "/teams"} {
		require.Equal(t, http.StatusOK, a.dev.get(path).status, path)
	}
	for _, path := range []string{"/console", "/console/consumers", "/console/consumers/" + ids["kept"], "/console/requests", "/console/audit"} {
		require.Equal(t, http.StatusOK, a.admin.get(path).status, path)
	}
	for path, form := range map[string]url.Values{a.app + "/keys/new": issuing, "/credentials/" + ids["rotated"] + "/rotate": rotating, "/try": formOf("hospital", "harbor")} {
		page, err := a.dev.send(http.MethodPost, path, form)
		require.NoError(t, err)
		require.Equal(t, http.StatusServiceUnavailable, page.status, path)
		require.Contains(t, page.body, away, path)
		require.Empty(t, page.secret())
	}
	noted := a.dev.post(http.StatusSeeOther, "/credentials/"+ids["revoked"]+"/revoke", "reason", "leaked")
	require.Contains(t, a.dev.get(noted.next).body, "The revocation is noted")
	require.Equal(t, store.CredentialFailed, a.newestOf(a.app).State)

	// It starts without the gateway too.
	require.NoError(t, a.portal.stop())
	a.portal.run()
	require.Equal(t, http.StatusOK, a.dev.get(a.app).status)
	a.restart()
	a.requireInStep("the gateway is back")
	require.Equal(t, http.StatusOK, a.calls(secrets["kept"]))
	require.Equal(t, http.StatusOK, a.calls(secrets["rotated"]))
	require.Equal(t, http.StatusUnauthorized, a.calls(secrets["revoked"]))
	require.NotEmpty(t, a.issue(a.dev, a.app, a.request, "key").secret)
	a.portal.signal(syscall.SIGTERM)
	require.NoError(t, a.portal.wait(15*time.Second))
}

// usage returns how many calls of today the portal knows of.
func (a *apart) usage() int64 {
	var total int64
	a.records(func(ctx context.Context, s *store.Store) {
		today := store.DayOf(time.Now())
		used, err := s.Usage(ctx, store.UsageQuery{From: today, To: today})
		require.NoError(a.t, err)
		total = used.Total
	})
	return total
}
