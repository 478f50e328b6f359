package developer_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/credentials"
	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
	"fhirgate/portal/web/developer"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// gateway stands for a gateway: it keeps records of keys in memory.
type gateway struct {
	mutex  sync.Mutex
	away   bool
	keys   map[string]*record.Key
	errors map[string][]adminapi.CallError
	calls  int // of any method
	made   int
	refuse string // what Create and Update refuse, if anything
	gone   string // a plan that there is not any more
}

func newGateway() *gateway {
	return &gateway{keys: map[string]*record.Key{}, errors: map[string][]adminapi.CallError{}}
}

// enter is the beginning of every call.
func (g *gateway) enter() (func(), error) {
	g.mutex.Lock()
	g.calls++
	if g.away {
		g.mutex.Unlock()
		return func() {}, fmt.Errorf("%w: in this test", adminapi.ErrUnreachable)
	}
	return g.mutex.Unlock, nil
}

func (g *gateway) Plans(context.Context) ([]adminapi.Plan, error) {
	leave, err := g.enter()
	defer leave()
	return []adminapi.Plan{
		{ID: "off", Name: "Not in use", Hospitals: []string{"harbor"}},
		{ID: "practice", Name: "Practice", Active: true, Environments: []string{"sandbox"}, Hospitals: []string{"harbor", "lakeside"}, Scopes: []string{"system/Patient.rs", "user/Observation.rs?category=laboratory", "system/*.read"}, Rate: 100, Per: adminapi.Duration(time.Second), Burst: 500, Quota: 100000, QuotaPeriod: adminapi.Duration(24 * time.Hour)},
		{ID: "ward", Name: "Ward", Active: true, Environments: []string{"production"}, Hospitals: []string{"harbor", "pier"}, Scopes: []string{"system/Patient.r"}, OnBehalfOf: true, Purpose: true, QuotaPeriod: adminapi.Duration(time.Hour)},
	}, err
}

func (g *gateway) Hospitals(context.Context) ([]adminapi.Hospital, error) {
	leave, err := g.enter()
	defer leave()
	var all []adminapi.Hospital
	for _, id := range []string{"harbor", "lakeside", "pier"} {
		all = append(all, adminapi.Hospital{ID: id, Name: strings.ToUpper(id[:1]) + id[1:] + " Hospital", Environment: "sandbox", Interactions: map[string][]string{"Patient": {"read"}, "system": {"batch"}}})
	}
	return all, err
}

func (g *gateway) Create(_ context.Context, wanted adminapi.NewKey) (*adminapi.IssuedKey, error) {
	leave, err := g.enter()
	defer leave()
	if err != nil {
		return nil, err
	}
	if g.refuse != "" {
		return nil, &adminapi.Refusal{Status: http.StatusUnprocessableEntity, Text: g.refuse}
	}
	now := time.Now().UTC().Truncate(time.Second)
	key := &record.Key{ID: wanted.ID, Name: wanted.Name, Plan: wanted.Plan, Kind: wanted.Kind, Created: now, Hospitals: wanted.Hospitals, JWKS: wanted.JWKS, JWKSURL: wanted.JWKSURL}
	for _, text := range wanted.AllowFrom {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, &adminapi.Refusal{Status: http.StatusUnprocessableEntity, Text: "not a network"}
		}
		key.AllowFrom = append(key.AllowFrom, prefix)
	}
	if wanted.Life > 0 {
		key.Expires = now.Add(time.Duration(wanted.Life))
	}
	issued := &adminapi.IssuedKey{Key: key, TokenURL: "https://gw.example/oauth/token"}
	if !wanted.NoSecret {
		issued.Secret = g.addSecret(key)
	}
	g.keys[key.ID] = key
	return issued, nil
}

func (g *gateway) addSecret(key *record.Key) string {
	g.made++
	secret := fmt.Sprintf("secret-number-%d-Zq%02d", g.made, g.made)
	key.Secrets = append(key.Secrets, record.Secret{Hash: fmt.Sprintf("hash%d", g.made), Hint: secret[len(secret)-4:], Created: time.Now().UTC().Truncate(time.Second)})
	return secret
}

func (g *gateway) key(id string) (*record.Key, error) {
	if key, known := g.keys[id]; known {
		return key, nil
	}
	return nil, &adminapi.Refusal{Status: http.StatusNotFound, Text: "there is no such key"}
}

func (g *gateway) List(context.Context) ([]*record.Key, error) { return nil, nil }

func (g *gateway) Show(_ context.Context, id string) (*record.Key, error) {
	leave, err := g.enter()
	defer leave()
	if err != nil {
		return nil, err
	}
	return g.key(id)
}

func (g *gateway) Update(_ context.Context, id string, changes adminapi.KeyChanges) (*record.Key, error) {
	leave, err := g.enter()
	defer leave()
	if err != nil {
		return nil, err
	}
	if g.refuse != "" {
		return nil, &adminapi.Refusal{Status: http.StatusUnprocessableEntity, Text: g.refuse}
	}
	key, err := g.key(id)
	if err != nil {
		return nil, err
	}
	if changes.Name != nil {
		key.Name = *changes.Name
	}
	if changes.AllowFrom != nil {
		key.AllowFrom = nil
		for _, text := range *changes.AllowFrom {
			key.AllowFrom = append(key.AllowFrom, netip.MustParsePrefix(text))
		}
	}
	if changes.JWKS != nil {
		key.JWKS, key.JWKSURL = changes.JWKS, ""
	}
	if changes.JWKSURL != nil {
		key.JWKS, key.JWKSURL = nil, *changes.JWKSURL
	}
	return key, nil
}

func (g *gateway) Rotate(_ context.Context, id string, rotation adminapi.Rotation) (*adminapi.IssuedKey, error) {
	leave, err := g.enter()
	defer leave()
	if err != nil {
		return nil, err
	}
	key, err := g.key(id)
	if err != nil {
		return nil, err
	}
	for i := range key.Secrets {
		key.Secrets[i].Until = time.Now().UTC().Truncate(time.Second).Add(time.Duration(rotation.Grace))
	}
	return &adminapi.IssuedKey{Key: key, Secret: g.addSecret(key)}, nil
}

func (g *gateway) Revoke(_ context.Context, id string) (*record.Key, error) {
	leave, err := g.enter()
	defer leave()
	if err != nil {
		return nil, err
	}
	key, err := g.key(id)
	if err == nil {
		key.Revoked = time.Now()
	}
	return key, err
}

func (g *gateway) WithdrawSecret(_ context.Context, id, hash string) (*record.Key, error) {
	key, err := g.key(id)
	if err == nil {
		key.Secrets = slices.DeleteFunc(key.Secrets, func(s record.Secret) bool { return s.Hash == hash })
	}
	return key, err
}

func (g *gateway) KeyLimits(_ context.Context, id string) (*adminapi.Limits, error) {
	leave, err := g.enter()
	defer leave()
	if err != nil {
		return nil, err
	}
	key, err := g.key(id)
	if err == nil && g.gone != "" && key.Plan == g.gone {
		return nil, &adminapi.Refusal{Status: http.StatusConflict, Text: "the key's plan does not exist any more"}
	}
	return &adminapi.Limits{Burst: 500, BurstLeft: 480, Quota: 100000, QuotaLeft: 87655, QuotaResets: time.Now().Add(3 * time.Hour)}, err
}

func (g *gateway) KeyErrors(_ context.Context, id string) ([]adminapi.CallError, error) {
	leave, err := g.enter()
	defer leave()
	if err != nil {
		return nil, err
	}
	_, err = g.key(id)
	return g.errors[id], err
}

// inviter stands for the one that sends mail.
type inviter struct {
	store   *store.Store
	mailed  bool
	problem error
}

func (i *inviter) InviteToTeam(ctx context.Context, by store.By, invitation store.Invitation) (string, bool, error) {
	if i.problem != nil {
		return "", false, i.problem
	}
	invitation.Expires = time.Now().Add(time.Hour)
	if _, _, err := i.store.InviteToTeam(ctx, by, invitation); err != nil || i.mailed {
		return "", i.mailed, err
	}
	return "https://portal.example/invitation/token-of-the-link", false, nil
}

// site is a portal with the developers' pages, a team and its members.
type site struct {
	t       testing.TB
	store   *store.Store
	gateway *gateway
	inviter *inviter
	pages   *developer.Pages
	server  *httptest.Server
	users   map[string]store.User // owner, member, viewer, other (a member, too), outsider, admin
	team    store.Team
	ahead   time.Duration // how far the pages' clock goes ahead
}

func newSite(t testing.TB, autoApprove ...string) *site {
	t.Helper()
	s := &site{t: t, store: storetest.Open(t, storetest.SQLite), gateway: newGateway(), users: map[string]store.User{}}
	s.inviter = &inviter{store: s.store}
	log := slog.New(slog.DiscardHandler)
	s.pages = developer.New(developer.Options{
		Store: s.store, Gateway: s.gateway, Credentials: credentials.New(s.store, s.gateway, log), Inviter: s.inviter,
		PublicURL: "https://gw.example/", AutoApprove: autoApprove, Now: func() time.Time { return time.Now().Add(s.ahead) },
	})
	templates, err := ui.NewTemplates(page.Templates(), developer.Templates())
	require.NoError(t, err)
	kit := &page.Kit{Store: s.store, Sessions: page.NewSessions(s.store.Sessions(), false), Templates: templates, Log: log, Version: "test"}
	routes := append(s.pages.Routes(), page.Route{Method: "GET", Path: "/sign-in/{user}", Access: page.Public, Handle: func(r *page.Request) error {
		return r.SignIn(s.users[r.PathValue("user")], true)
	}})
	s.server = httptest.NewServer(kit.Handler(routes))
	t.Cleanup(s.server.Close)
	for _, name := range []string{"owner", "member", "viewer", "other", "outsider", "admin"} {
		role := store.RoleDeveloper
		if name == "admin" {
			role = store.RoleAdmin
		}
		user, err := s.store.CreateUser(t.Context(), store.System, store.User{Email: name + "@pacs.example", Name: "The " + name, Role: role})
		require.NoError(t, err)
		s.users[name] = user
	}
	admin := s.users["admin"].ID
	require.NoError(t, s.store.SetTOTP(t.Context(), store.System, admin, []byte("sealed")))
	require.NoError(t, s.store.ConfirmTOTP(t.Context(), store.System, admin, nil))
	s.users["admin"], err = s.store.User(t.Context(), admin)
	require.NoError(t, err)
	s.team, err = s.store.CreateTeam(t.Context(), s.by("owner"), "Radiology")
	require.NoError(t, err)
	for name, role := range map[string]store.TeamRole{"member": store.TeamMember, "viewer": store.TeamViewer, "other": store.TeamMember} {
		storetest.Join(t, s.store, s.by("owner"), s.team.ID, s.users[name].ID, role)
	}
	return s
}

func (s *site) by(user string) store.By { return store.By{UserID: s.users[user].ID, Name: user} }

// app makes an app of the team.
func (s *site) app(name string) store.App {
	s.t.Helper()
	app, err := s.store.CreateApp(s.t.Context(), s.by("member"), store.App{TeamID: s.team.ID, Name: name})
	require.NoError(s.t, err)
	return app
}

// request makes a request for access that waits.
func (s *site) request(app store.App) store.AccessRequest {
	s.t.Helper()
	request, err := s.store.CreateRequest(s.t.Context(), s.by("member"), store.AccessRequest{AppID: app.ID, Plan: "practice", Hospitals: []string{"harbor", "lakeside"}, Purpose: "Show worklists to radiologists"})
	require.NoError(s.t, err)
	return request
}

// approved makes a request that is approved.
func (s *site) approved(app store.App, ends time.Time) store.AccessRequest {
	s.t.Helper()
	request := s.request(app)
	require.NoError(s.t, s.store.Approve(s.t.Context(), s.by("admin"), request.ID, "fine", ends))
	return request
}

// credential makes an API key under a request.
func (s *site) credential(request store.AccessRequest, name string, life time.Duration) store.Credential {
	s.t.Helper()
	service := credentials.New(s.store, s.gateway, slog.New(slog.DiscardHandler))
	issued, err := service.Issue(s.t.Context(), s.by("member"), credentials.Wanted{RequestID: request.ID, Name: name, Kind: "key", Life: life})
	require.NoError(s.t, err)
	return issued.Credential
}

// reader is somebody with a browser.
type reader struct {
	site   *site
	client *http.Client
}

func (s *site) as(user string) *reader {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	r := &reader{site: s, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	r.get("/sign-in/" + user)
	return r
}

// answer is what a reader got.
type answer struct {
	status int
	body   string // of a page, what is in its main part
	whole  string
	header http.Header
}

// mainOf cuts what surrounds a page off.
func mainOf(whole string) string {
	_, body, found := strings.Cut(whole, "<main")
	if !found {
		return whole
	}
	body, _, _ = strings.Cut(body, "</main>")
	return body
}

func (r *reader) do(method, path string, form url.Values, header ...string) answer {
	r.site.t.Helper()
	request, err := http.NewRequestWithContext(r.site.t.Context(), method, r.site.server.URL+path, strings.NewReader(form.Encode()))
	require.NoError(r.site.t, err)
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	got, err := r.client.Do(request)
	require.NoError(r.site.t, err)
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	require.NoError(r.site.t, err)
	return answer{status: got.StatusCode, body: mainOf(string(body)), whole: string(body), header: got.Header}
}

func (r *reader) get(path string) answer {
	r.site.t.Helper()
	return r.do(http.MethodGet, path, nil)
}

// ok gets a page that must be there.
func (r *reader) ok(path string) string {
	r.site.t.Helper()
	got := r.get(path)
	require.Equal(r.site.t, http.StatusOK, got.status, "%s: %s", path, got.body)
	return got.body
}

// post sends a form: name, value, name, value, …
func (r *reader) post(path string, values ...string) answer {
	r.site.t.Helper()
	return r.do(http.MethodPost, path, page.NewForm(values...).Values)
}

// sent posts a form that must be taken, and returns where it leads.
func (r *reader) sent(path string, values ...string) string {
	r.site.t.Helper()
	got := r.post(path, values...)
	require.Equal(r.site.t, http.StatusSeeOther, got.status, got.body)
	return got.header.Get("Location")
}

// refused posts a form with a mistake, which must be told beside a field.
func (r *reader) refused(field, text, path string, values ...string) string {
	r.site.t.Helper()
	got := r.post(path, values...)
	require.Equal(r.site.t, http.StatusUnprocessableEntity, got.status, got.body)
	require.Contains(r.site.t, got.body, text)
	if field != "" {
		_, beside, _ := strings.Cut(got.body, `id="field-`+field+`-error">`)
		beside, _, _ = strings.Cut(beside, "</p>")
		require.Contains(r.site.t, beside, text, "beside the field %s", field)
	}
	return got.body
}

var onceField = regexp.MustCompile(`name="once" value="([^"]+)"`)

// once opens a form that counts a single time and returns its mark.
func (r *reader) once(path string) string {
	r.site.t.Helper()
	found := onceField.FindStringSubmatch(r.ok(path))
	require.NotNil(r.site.t, found, path)
	return found[1]
}

// storeCredential is a credential of no app, as the portal makes one for itself.
func storeCredential(name string) store.Credential {
	return store.Credential{KeyID: "key_" + name, Name: name, Kind: "key", Plan: "practice", Origin: store.OriginPortal}
}
