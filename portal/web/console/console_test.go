package console_test

import (
	"context"
	"fmt"
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
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/credentials"
	"fhirgate/portal/identity"
	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
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
	server  *httptest.Server
	options store.Options
}

func newPortal(t *testing.T) *portal {
	t.Helper()
	options := storetest.Options(t, storetest.SQLite)
	p := &portal{Store: storetest.OpenWith(t, options), gateway: newFakeGateway(), inviter: &fakeInviter{}, options: options}
	p.pages = console.New(console.Options{
		Store: p.Store, Gateway: p.gateway, Credentials: fakeCredentials{p.Store, p.gateway}, Inviter: p.inviter,
	})
	templates, err := ui.NewTemplates(page.Templates(), console.Templates())
	require.NoError(t, err)
	kit := &page.Kit{
		Store: p.Store, Sessions: page.NewSessions(p.Sessions(), false), Templates: templates,
		Log: slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelError})),
	}
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

// fakeGateway answers what it was told to, or nothing at all.
type fakeGateway struct {
	away      bool
	plans     []adminapi.Plan
	hospitals []adminapi.Hospital
	problems  []string
	check     adminapi.Check
	reloads   int
	errors    []adminapi.CallError
	keys      map[string]*record.Key
}

func newFakeGateway() *fakeGateway {
	now := time.Now()
	return &fakeGateway{
		plans: []adminapi.Plan{{
			ID: "trial", Name: "Trial plan", Active: true, Environments: []string{"sandbox"}, Hospitals: []string{"north", "south"},
			Scopes: []string{"system/Patient.rs", "fhirgate/raw"}, Rate: 60, Per: adminapi.Duration(time.Minute), Burst: 20,
			Quota: 10000, QuotaPeriod: adminapi.Duration(30 * 24 * time.Hour), Purpose: true,
		}},
		hospitals: []adminapi.Hospital{
			{
				ID: "north", Name: "North <General>", Vendor: "oracle", Environment: "sandbox", TimeZone: "Europe/Berlin",
				Interactions: map[string][]string{"Patient": {"read", "search-type"}, "system": {"batch"}},
				Operations:   map[string][]string{"Patient": {"everything"}}, VendorRules: 12, OwnRules: 1,
				Breaker: "closed", LastAnswer: now.Add(-time.Minute), Auth: "smart-backend",
				Token:  &adminapi.Token{Obtained: now.Add(-2 * time.Minute), Expires: now.Add(3 * time.Minute)},
				Budget: &adminapi.Budget{Requests: 250, Per: adminapi.Duration(time.Minute), Left: 50, Concurrency: 8},
				Certificates: []adminapi.Certificate{
					{Role: "server", Subject: "CN=north.example", NotAfter: now.Add(5 * 24 * time.Hour)},
					{Role: "client", Subject: "CN=gate", NotAfter: now.Add(20 * 24 * time.Hour)},
				},
				KeyRing: &adminapi.RingState{Name: "pacs", KeyID: "kid-1", Expires: now.Add(90 * 24 * time.Hour)},
			},
			{
				ID: "south", Name: "South", Environment: "sandbox", TimeZone: "UTC", Breaker: "open",
				LastAnswer: now.Add(-time.Hour), LastFailure: now.Add(-time.Minute), FailureIssue: "timeout",
			},
			{ID: "west", Name: "West", Environment: "production", TimeZone: "UTC", Breaker: "closed"},
		},
		check: adminapi.Check{Reachable: true, Status: 200, Took: adminapi.Duration(120 * time.Millisecond)},
		errors: []adminapi.CallError{
			{At: now, RequestID: "REQ-1", Consumer: "key_1", Hospital: "north", Interaction: "read", Type: "Patient", Status: 404},
			{At: now, RequestID: "REQ-2", Hospital: "south", Interaction: "read", Type: "Patient", Status: 503, Issue: "transient"},
		},
		keys: map[string]*record.Key{},
	}
}

// answered returns the error of a call while the gateway is away.
func (g *fakeGateway) answered() error {
	if g.away {
		return fmt.Errorf("%w at http://gateway", adminapi.ErrUnreachable)
	}
	return nil
}

var errNoSuch = &adminapi.Refusal{Status: http.StatusNotFound, Text: "there is no such record"}

func (g *fakeGateway) Plans(context.Context) ([]adminapi.Plan, error) {
	if g.away {
		return nil, g.answered()
	}
	return g.plans, nil
}

func (g *fakeGateway) Hospitals(context.Context) ([]adminapi.Hospital, error) {
	if g.away {
		return nil, g.answered()
	}
	return g.hospitals, nil
}

func (g *fakeGateway) Hospital(_ context.Context, id string) (*adminapi.Hospital, error) {
	if g.away {
		return nil, g.answered()
	}
	for _, h := range g.hospitals {
		if h.ID == id {
			return &h, nil
		}
	}
	return nil, errNoSuch
}

func (g *fakeGateway) CheckHospital(ctx context.Context, id string) (*adminapi.Check, error) {
	if _, err := g.Hospital(ctx, id); err != nil {
		return nil, err
	}
	return &g.check, nil
}

func (g *fakeGateway) HospitalErrors(context.Context, string) ([]adminapi.CallError, error) {
	return g.errors, g.answered()
}

func (g *fakeGateway) Show(_ context.Context, id string) (*record.Key, error) {
	if g.away {
		return nil, g.answered()
	}
	if g.keys[id] == nil {
		return nil, errNoSuch
	}
	return g.keys[id], nil
}

func (g *fakeGateway) KeyLimits(ctx context.Context, id string) (*adminapi.Limits, error) {
	if _, err := g.Show(ctx, id); err != nil {
		return nil, err
	}
	return &adminapi.Limits{Plan: "trial", Burst: 20, BurstLeft: 19, Quota: 10000, QuotaLeft: 7500}, nil
}

func (g *fakeGateway) KeyErrors(context.Context, string) ([]adminapi.CallError, error) {
	if g.away {
		return nil, g.answered()
	}
	return g.errors, nil
}

func (g *fakeGateway) LastReload(context.Context) (*adminapi.Reloading, error) {
	if g.away {
		return nil, g.answered()
	}
	return &adminapi.Reloading{At: time.Now(), Taken: len(g.problems) == 0, Problems: g.problems, Hospitals: 3, Plans: 1}, nil
}

func (g *fakeGateway) Reload(context.Context) (*adminapi.Loaded, error) {
	g.reloads++
	if g.away {
		return nil, g.answered()
	}
	if len(g.problems) > 0 {
		return nil, &adminapi.Refusal{Status: http.StatusUnprocessableEntity, Text: strings.Join(g.problems, "\n")}
	}
	return &adminapi.Loaded{Hospitals: 3, Plans: 1}, nil
}

// fakeCredentials does what happens in SQL, and minds whether the gateway is there.
type fakeCredentials struct {
	store   *store.Store
	gateway *fakeGateway
}

func (c fakeCredentials) Revoke(ctx context.Context, by store.By, id, reason string) error {
	if err := c.store.BeginRevocation(ctx, by, id, reason); err != nil {
		return err
	}
	if err := c.gateway.answered(); err != nil {
		return err
	}
	_, err := c.store.FinishRevocation(ctx, id)
	return err
}

func (c fakeCredentials) EndAccess(ctx context.Context, by store.By, id, reason string) error {
	if err := c.store.EndAccess(ctx, by, id, reason); err != nil {
		return err
	}
	return c.gateway.answered()
}

// fakeInviter invites by a link, which it mails when told so.
type fakeInviter struct {
	mails   bool
	refusal error
	asked   []store.Invitation
}

func (i *fakeInviter) Invite(_ context.Context, _ store.By, invitation store.Invitation) (string, bool, error) {
	i.asked = append(i.asked, invitation)
	switch {
	case i.refusal != nil:
		return "", false, i.refusal
	case i.mails:
		return "", true, nil
	default:
		return "https://portal.example/invitation/token-of-it", false, nil
	}
}

// path fills the parameters of a route.
func path(route page.Route, ids map[string]string) string {
	filled := route.Path
	for name, id := range ids {
		filled = strings.ReplaceAll(filled, "{"+name+"}", url.PathEscape(id))
	}
	return filled
}
