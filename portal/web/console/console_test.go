package console_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/credentials"
	"fhirgate/portal/identity"
	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
	"fhirgate/portal/trail"
	"fhirgate/portal/web/console"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// What the console is served with in earnest.
var (
	_ console.Gateway     = (*adminapi.Client)(nil)
	_ console.Credentials = (*credentials.Service)(nil)
	_ console.Inviter     = (*identity.Inviter)(nil)
)

// portal is the console on a real store, with a gateway that is made up.
type portal struct {
	*store.Store
	gateway *fakeGateway
	inviter *fakeInviter
	pages   *console.Pages
	trail   *trail.Verifier // does nothing until the test has it run
	server  *httptest.Server
	options store.Options
}

func newPortal(t *testing.T) *portal {
	t.Helper()
	options := storetest.Options(t, storetest.SQLite)
	p := &portal{Store: storetest.OpenWith(t, options), gateway: newFakeGateway(), inviter: &fakeInviter{}, options: options}
	log := slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelError}))
	p.trail = trail.New(trail.Options{Store: p.Store, Log: log})
	p.pages = console.New(console.Options{
		Store: p.Store, Gateway: p.gateway, Credentials: fakeCredentials{p.Store, p.gateway}, Inviter: p.inviter, Trail: p.trail,
	})
	templates, err := ui.NewTemplates(page.Templates(), console.Templates())
	require.NoError(t, err)
	kit := &page.Kit{Store: p.Store, Sessions: page.NewSessions(p.Sessions(), false), Templates: templates, Log: log}
	enter := page.Route{Method: http.MethodPost, Path: "/enter/{user}", Access: page.Public, Handle: func(r *page.Request) error {
		user, err := p.User(r.Context(), r.PathValue("user"))
		if err != nil {
			return err
		}
		if err := r.SignIn(user, true); err != nil {
			return err
		}
		return r.Redirect("/entered")
	}}
	p.server = httptest.NewServer(kit.Handler(append(p.pages.Routes(), enter)))
	t.Cleanup(p.server.Close)
	return p
}

// testLog shows what the portal logs as errors.
type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func by(u store.User) store.By { return store.By{UserID: u.ID, Name: u.Email} }

// user makes a user; an administrator has a second factor unless bare.
func (p *portal) user(t *testing.T, name string, role store.Role, bare bool) store.User {
	t.Helper()
	user := store.User{Email: name + "@example.org", Name: name, Role: role, PasswordHash: "hash"}
	if role == store.RoleAdmin && !bare {
		user.TOTP, user.TOTPSince = []byte("sealed"), time.Now()
	}
	made, err := p.CreateUser(t.Context(), store.System, user)
	require.NoError(t, err)
	return made
}

// browser is somebody's browser, which does not follow redirects.
type browser struct {
	t      *testing.T
	base   string
	client *http.Client
}

// answer is what a browser got.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// as returns the browser of a user, or of nobody (the zero user).
func (p *portal) as(t *testing.T, user store.User) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	b := &browser{t: t, base: p.server.URL, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if user.ID != "" {
		require.Equal(t, http.StatusSeeOther, b.post("/enter/"+user.ID).Status)
	}
	return b
}

func (b *browser) get(path string, header ...string) answer {
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.base+path, nil)
	require.NoError(b.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return b.do(r)
}

// post sends a form: name, value, name, value, …
func (b *browser) post(path string, values ...string) answer {
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.base+path, strings.NewReader(page.NewForm(values...).Values.Encode()))
	require.NoError(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

func (b *browser) do(r *http.Request) answer {
	got, err := b.client.Do(r)
	require.NoError(b.t, err)
	defer func() { _ = got.Body.Close() }()
	body, err := io.ReadAll(got.Body)
	require.NoError(b.t, err)
	return answer{got.StatusCode, got.Header, string(body)}
}

// page gets a page that must be there.
func (b *browser) page(path string) string {
	b.t.Helper()
	got := b.get(path)
	require.Equal(b.t, http.StatusOK, got.Status, "%s: %s", path, got.Body)
	return got.Body
}

// has asserts that a page shows a text, without printing the page.
func has(t *testing.T, body, text string) {
	t.Helper()
	require.True(t, strings.Contains(body, text), "the page does not contain %q", text)
}

func hasNot(t *testing.T, body, text string) {
	t.Helper()
	require.False(t, strings.Contains(body, text), "the page contains %q", text)
}

// done asserts that a form was taken and where it led to, and returns that page.
func (b *browser) done(got answer, path string) string {
	b.t.Helper()
	require.Equal(b.t, http.StatusSeeOther, got.Status, got.Body)
	require.Equal(b.t, path, got.Header.Get("Location"))
	return b.page(path)
}

// acts returns the names of the last acts, newest first.
func (p *portal) acts(t *testing.T, n int) []string {
	t.Helper()
	list, err := p.Acts(t.Context(), store.ActFilter{}, store.Page{Size: n})
	require.NoError(t, err)
	var names []string
	for _, act := range list.Items {
		names = append(names, act.Name)
	}
	return names
}

// app makes an app in a new team of a user.
func (p *portal) app(t *testing.T, user store.User, name string) store.App {
	t.Helper()
	team, err := p.CreateTeam(t.Context(), by(user), "team of "+name)
	require.NoError(t, err)
	app, err := p.CreateApp(t.Context(), by(user), store.App{TeamID: team.ID, Name: name, Description: "shows images"})
	require.NoError(t, err)
	return app
}

// asked makes a request of an app.
func (p *portal) asked(t *testing.T, user store.User, app store.App) store.AccessRequest {
	t.Helper()
	request, err := p.CreateRequest(t.Context(), by(user), store.AccessRequest{
		AppID: app.ID, Plan: "trial", Hospitals: []string{"north", "south"}, Purpose: "to <show> worklists",
	})
	require.NoError(t, err)
	return request
}

// credential makes an active credential under an approved request.
func (p *portal) credential(t *testing.T, user store.User, request store.AccessRequest, keyID string, expires time.Time) store.Credential {
	t.Helper()
	c, err := p.BeginCredential(t.Context(), by(user), store.Credential{
		AppID: request.AppID, RequestID: request.ID, KeyID: keyID, Name: "name of " + keyID, Kind: "key", Plan: "trial",
		Hospitals: []string{"north"}, Origin: store.OriginPortal,
	})
	require.NoError(t, err)
	_, err = p.FinishCredential(t.Context(), c.ID, expires, []store.SecretHint{{Hash: "hash-" + keyID, Hint: "wxyz", Created: time.Now()}})
	require.NoError(t, err)
	return c
}

// path fills the parameters of a route.
func path(route page.Route, ids map[string]string) string {
	filled := route.Path
	for name, id := range ids {
		filled = strings.ReplaceAll(filled, "{"+name+"}", url.PathEscape(id))
	}
	return filled
}
