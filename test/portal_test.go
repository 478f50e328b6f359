package test

import (
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"fhirgate/portal/store/storetest"
)

// portal is a gateway with its portal.
type portal struct {
	*gateway
	home string   // URL of the portal
	env  []string // of every process of it
}

// onBothDatabases runs a scenario with SQLite and with a real PostgreSQL.
func onBothDatabases(t *testing.T, scenario func(t *testing.T, postgres bool)) {
	t.Run("sqlite", func(t *testing.T) { scenario(t, false) })
	t.Run("postgres", func(t *testing.T) { scenario(t, true) })
}

// portalSettings are those of a portal at a port of its own, and the environment
// that they need.
func portalSettings(t *testing.T, postgres bool, more map[string]any) (settings map[string]any, home string, env []string) {
	t.Helper()
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	home = "http://localhost:" + port
	settings = map[string]any{"listen": address, "public_url": home}
	if postgres {
		settings["database_url"] = map[string]any{"env": "PORTAL_TEST_DATABASE"}
		env = []string{"PORTAL_TEST_DATABASE=" + storetest.Postgres(t)}
	}
	for name, value := range more {
		settings[name] = value
	}
	return settings, home, env
}

// startPortal starts a gateway with a portal of these settings over the usual
// ones.
func startPortal(t *testing.T, postgres bool, more map[string]any) *portal {
	t.Helper()
	settings, home, env := portalSettings(t, postgres, more)
	p := &portal{home: home, env: env, gateway: startGateway(t, options{settings: map[string]any{"portal": settings}, env: env})}
	p.awaitPortal()
	return p
}

// awaitPortal waits until the portal answers.
func (p *portal) awaitPortal() {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		answer, err := http.Get(p.home + "/healthz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, 20*time.Second, 20*time.Millisecond, "the portal does not answer")
}

// command runs fhirgate with the portal's configuration and returns what it
// prints.
func (p *portal) command(args ...string) string {
	p.t.Helper()
	cmd := exec.Command(binary, append(args, "-c", p.conf)...)
	cmd.Env = append(cmd.Environ(), p.env...)
	out, err := cmd.CombinedOutput()
	require.NoError(p.t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

const testPassword = "seven gray pelicans by the pier"

// person is somebody with an account, at a browser.
type person struct {
	*browser
	email, totp string
}

// join makes an account by an invitation's link; an administrator sets up a
// second factor on the way. looked names the pages that are kept.
func (p *portal) join(link, email, name string, admin bool) *person {
	p.t.Helper()
	who := &person{browser: openBrowser(p.t, p.home), email: email}
	who.open(link)
	who.fill("name", name, "password", testPassword)
	who.press("Make the account")
	if admin {
		who.fill("current", testPassword)
		who.press("Show the QR code")
		who.totp = strings.ReplaceAll(who.text("code.mono"), " ", "")
		who.fill("code", who.code(0))
		who.press("Confirm")
		who.press("I have kept them")
	}
	home := "/"
	if admin {
		home = "/console"
	}
	require.Equal(p.t, home, who.path())
	return who
}

// code returns the code of the second factor, some steps of thirty seconds from
// now: each is taken once.
func (w *person) code(steps int) string {
	w.t.Helper()
	code, err := totp.GenerateCode(w.totp, time.Now().Add(time.Duration(steps)*30*time.Second))
	require.NoError(w.t, err)
	return code
}

// administrator makes the first administrator.
func (p *portal) administrator() *person {
	p.t.Helper()
	return p.join(p.command("portal", "invite", "--admin", "ada@pacs.example"), "ada@pacs.example", "Ada Admin", true)
}

// invite has an administrator invite a developer, who makes an account.
func (p *portal) invite(admin *person, email, name string) *person {
	p.t.Helper()
	admin.open("/console/users/invite")
	admin.fill("email", email)
	admin.choose("role", "developer")
	admin.press("Invite")
	return p.join(admin.text(".secret-value"), email, name, false)
}

// ask has a developer make an app and ask for access to harbor.
func (w *person) ask(app string) {
	w.t.Helper()
	w.askUnder("trial", app)
}

// askUnder is ask for another plan.
func (w *person) askUnder(plan, app string) {
	w.t.Helper()
	w.open("/apps/new")
	w.fill("name", app)
	if script[bool](w.browser, `Boolean(document.querySelector("main [name=team_name]"))`) {
		w.fill("team_name", "Screening "+app)
	}
	w.press("Create app")
	w.press("Ask for access")
	w.open(w.path() + "?plan=" + plan)
	w.choose("hospitals", "harbor")
	w.fill("purpose", "Pull the day's appointments for the screening worklist")
	w.press("Ask for access")
	w.sees("Pull the day's appointments")
}

// approve has an administrator approve the request of an app.
func (w *person) approve(app string) {
	w.t.Helper()
	w.open("/console/requests")
	w.press(app)
	w.fill("approve_reason", "Fits the agreement with Harbor")
	w.press("Approve")
	w.sees("Approved")
}

// makeKey has a developer make an API key for the app that is shown, and returns
// it.
func (w *person) makeKey() string {
	w.t.Helper()
	w.press("New key under this access")
	w.press("Make the key")
	secret := w.text(".secret-value")
	require.Regexp(w.t, `^fg_[0-9A-Za-z]{43}$`, secret)
	return secret
}

// calls asks harbor for today's appointments with a key, and returns the status.
func (p *portal) calls(secret string) int {
	p.t.Helper()
	status, err := p.status(secret)
	require.NoError(p.t, err)
	return status
}

// status is calls for other goroutines than the test's.
func (p *portal) status(secret string) (int, error) {
	request, err := http.NewRequest("GET", p.url+"/fhir/harbor/Appointment?date="+time.Now().UTC().Format(time.DateOnly), nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+secret)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// TestFromInvitationToFirstCall is the whole way of a developer, on both
// databases: invited, an app, a request that an administrator approves, a key, a
// 200 from the hospital, the chart that shows the calls, revocation.
func TestFromInvitationToFirstCall(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, postgres bool) {
		t.Parallel()
		p := startPortal(t, postgres, nil)
		admin := p.administrator()
		dev := p.invite(admin, "dev@pacs.example", "Dev Eloper")
		dev.ask("Worklist")
		app := dev.path()
		admin.approve("Worklist")

		dev.open(app)
		secret := dev.makeKey()
		for range 7 {
			require.Equal(t, 200, p.calls(secret))
		}
		require.NotContains(t, p.output(), secret, "a log has the secret")

		usage := app + "/usage"
		require.Eventually(t, func() bool {
			dev.open(usage)
			return script[bool](dev.browser, `[...document.querySelectorAll('main table tr')].some(r => r.textContent.trim().split(/\s+/).includes('7'))`)
		}, 30*time.Second, 500*time.Millisecond, "the usage page does not show seven calls")

		dev.open(app)
		dev.press(strings.TrimSpace(dev.text("main tbody th a, main tbody td a")))
		dev.click("Revoke")
		dev.fill("reason", "the laptop was lost")
		dev.press("Revoke")
		dev.sees("Revoked")
		require.Eventually(t, func() bool { return p.calls(secret) == 401 }, time.Second, 20*time.Millisecond, "a revoked key works on")
		require.NotContains(t, script[string](dev.browser, `document.documentElement.outerHTML`), secret)
		require.Contains(t, p.command("portal", "acts", "verify"), "intact")
	})
}

// TestPortalRotationUnderTraffic rotates a key in the browser, ten times, while
// programs call with it, some with the secret of before and some with the new one:
// no call fails.
func TestPortalRotationUnderTraffic(t *testing.T) {
	p := startPortal(t, false, map[string]any{"auto_approve": []string{"e2e"}})
	dev := p.join(p.command("portal", "invite", "dev@pacs.example"), "dev@pacs.example", "Dev Eloper", false)
	dev.askUnder("e2e", "Worklist")
	var newest, before atomic.Value
	newest.Store(dev.makeKey())
	before.Store(newest.Load())
	dev.press("Done")
	credential := dev.path()

	var made, failed atomic.Int64
	var programs sync.WaitGroup
	stop := make(chan struct{})
	for _, secret := range []*atomic.Value{&newest, &newest, &before} {
		programs.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				made.Add(1)
				if status, err := p.status(secret.Load().(string)); err != nil || status != 200 {
					failed.Add(1)
				}
			}
		})
	}
	const rotations = 10
	for range rotations {
		dev.open(credential)
		dev.press("Rotate")
		dev.choose("grace", "1h")
		dev.press("Rotate")
		before.Store(newest.Load())
		newest.Store(dev.text(".secret-value"))
	}
	close(stop)
	programs.Wait()
	t.Logf("%d rotations in the browser during %d calls: %d failed", rotations, made.Load(), failed.Load())
	require.Zero(t, failed.Load())
	require.Greater(t, made.Load(), int64(rotations))
}
