package test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

// apart is a gateway and a portal apart from it, with a meddler between them, and
// what there must be before keys are made.
type apart struct {
	*gateway
	t        *testing.T
	portal   *portalApart
	meddler  *meddler
	database string // URL of PostgreSQL; "" = SQLite
	api      *adminapi.Client
	called   int64 // calls at the gateway that counted

	dev, admin   *plainBrowser
	app, request string
	signing      jose.JSONWebKey
}

// newApart joins what runs already.
func newApart(t *testing.T, g *gateway, p *portalApart, m *meddler, database string) *apart {
	return &apart{
		gateway: g, t: t, portal: p, meddler: m, database: database,
		api: adminapi.NewClient(g.admin, strings.TrimSpace(g.read("data/admin-secret"))),
	}
}

// startApart starts everything, with a developer, an administrator, an app and an
// access that is approved.
func startApart(t *testing.T, postgres bool) *apart {
	t.Helper()
	g := startGateway(t, options{grumbles: true, settings: map[string]any{"trusted_proxies": []string{"127.0.0.1/32"}}})
	m := newMeddler(t)
	m.target = g.admin
	settings, database := map[string]any{}, ""
	var env []string
	if postgres {
		database = storetest.Postgres(t)
		settings["database_url"] = map[string]any{"env": "PORTAL_TEST_DATABASE"}
		env = []string{"PORTAL_TEST_DATABASE=" + database}
	}
	p := newPortalApart(t, g, m.url, settings, env...)
	p.run()
	a := newApart(t, g, p, m, database)
	a.prepare()
	return a
}

// startTogether starts a gateway with a portal in one process.
func startTogether(t *testing.T) *apart {
	t.Helper()
	m := newMeddler(t)
	settings, home := portalAt(t, m.url, nil)
	g := prepare(t, options{settings: map[string]any{"trusted_proxies": []string{"127.0.0.1/32"}, "portal": settings}})
	m.target = g.admin
	p := &portalApart{t: t, command: []string{"serve"}, dir: g.dir, conf: g.conf, home: home}
	p.run()
	g.process = p.process
	g.waitReady()
	a := newApart(t, g, p, m, "")
	a.prepare()
	return a
}

// prepare makes what there must be before keys are made.
func (a *apart) prepare() {
	a.t.Helper()
	a.dev, a.admin = a.portal.join("dev@pacs.example", false), a.portal.join("ada@pacs.example", true)
	a.app = a.dev.newApp("Worklist")
	a.request = a.newRequest()
	a.signing = newSigningKey(a.t, jose.ES384)
}

// newRequest asks for another access, which is approved at once.
func (a *apart) newRequest() string {
	a.t.Helper()
	a.dev.ask(a.app)
	return a.requestOf(a.app)
}

// restart starts the gateway again after it was ended.
func (a *apart) restart() {
	a.t.Helper()
	a.gateway.process = serve(a.t, a.gateway.conf)
	a.waitReady()
}

// records opens the portal's store beside the portal.
func (a *apart) records(use func(ctx context.Context, s *store.Store)) {
	a.t.Helper()
	key, err := os.ReadFile(a.portal.file("data/portal-acts-key"))
	require.NoError(a.t, err)
	o := store.Options{Postgres: a.database, ActsKey: []byte(strings.TrimSpace(string(key)))}
	if a.database == "" {
		o.SQLite = a.portal.file("data/portal.db")
	}
	s, err := store.Open(a.t.Context(), o)
	require.NoError(a.t, err)
	defer s.Close()
	use(a.t.Context(), s)
}

// requestOf returns the newest request of an app, which is approved.
func (a *apart) requestOf(app string) (id string) {
	a.t.Helper()
	a.records(func(ctx context.Context, s *store.Store) {
		found, err := s.RequestsOfApp(ctx, path.Base(app))
		require.NoError(a.t, err)
		newest := slices.IndexFunc(found, func(r store.AccessRequest) bool { return r.State == store.RequestApproved && r.ID != a.request })
		require.GreaterOrEqual(a.t, newest, 0, "no request is approved")
		id = found[newest].ID
	})
	return id
}

// credentials returns all records.
func (a *apart) credentials() []store.Credential {
	a.t.Helper()
	var all []store.Credential
	a.records(func(ctx context.Context, s *store.Store) {
		for number := 1; ; number++ {
			list, err := s.Credentials(ctx, store.CredentialFilter{}, store.Page{Number: number, Size: 200})
			require.NoError(a.t, err)
			if all = append(all, list.Items...); len(all) >= list.Total {
				return
			}
		}
	})
	return all
}

// credential returns the record of an id.
func (a *apart) credential(id string) store.Credential {
	a.t.Helper()
	all := a.credentials()
	found := slices.IndexFunc(all, func(c store.Credential) bool { return c.ID == id })
	require.GreaterOrEqual(a.t, found, 0)
	return all[found]
}

// newestOf returns the newest record of an app, by the acts: several are made in
// one second.
func (a *apart) newestOf(app string) (newest store.Credential) {
	a.t.Helper()
	a.records(func(ctx context.Context, s *store.Store) {
		acts, err := s.Acts(ctx, store.ActFilter{Name: "credential.create"}, store.Page{Size: 200})
		require.NoError(a.t, err)
		for _, act := range acts.Items {
			if newest, err = s.Credential(ctx, act.Subject); err == nil && newest.AppID == path.Base(app) {
				return
			}
		}
		require.Fail(a.t, "the app has no credential")
	})
	return newest
}

// issued is a credential whose secret somebody has seen.
type issued struct{ id, secret string }

// issue makes a credential, which must succeed.
func (a *apart) issue(v *plainBrowser, app, request, kind string) issued {
	a.t.Helper()
	page, err := v.send(http.MethodPost, app+"/keys/new", v.issueForm(app, request, kind))
	require.NoError(a.t, err)
	require.Equal(a.t, http.StatusOK, page.status, "%s", page)
	return issued{a.newestOf(app).ID, page.secret()}
}

// calls makes a real call with a key and returns its status. Each comes from an
// address of its own: wrong keys are slowed down by address.
func (a *apart) calls(secret string) int {
	a.t.Helper()
	status := a.ask(http.MethodGet, somewhere, "", "Authorization", "Bearer "+secret)
	if status == http.StatusOK {
		a.called++
	}
	return status
}

// tokens asks for a token of a client, by its secret or what it has signed, and
// returns the status.
func (a *apart) tokens(form url.Values) int {
	a.t.Helper()
	form.Set("grant_type", "client_credentials")
	return a.ask(http.MethodPost, "/oauth/token", form.Encode(), "Content-Type", formType)
}

func (a *apart) ask(method, target, body, header, value string) int {
	a.t.Helper()
	r, err := http.NewRequest(method, a.url+target, strings.NewReader(body))
	require.NoError(a.t, err)
	r.Header.Set(header, value)
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.18.%d.%d", rand.IntN(256), rand.IntN(256)))
	answer, err := plainHTTP.Do(r)
	require.NoError(a.t, err)
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

// requireInStep waits until the records and the gateway agree.
func (a *apart) requireInStep(what string) {
	a.t.Helper()
	var wrong string
	for end := time.Now().Add(45 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if wrong = a.difference(); wrong == "" {
			return
		}
	}
	require.FailNow(a.t, what+": the records and the gateway do not agree", "%s\n%s", wrong, a.portal.output())
}

// difference tells the first thing in which the records and the gateway differ: by
// the states, and by real calls with every secret that there ever was.
func (a *apart) difference() string {
	a.t.Helper()
	records := make(map[string]store.Credential)
	for _, c := range a.credentials() {
		records[c.KeyID] = c
		if strings.HasSuffix(string(c.State), "ing") {
			return fmt.Sprintf("%s is %s", c.ID, c.State)
		}
	}
	keys, err := a.api.List(a.t.Context())
	require.NoError(a.t, err)
	active := make(map[string]bool)
	for _, key := range keys {
		if key.Status(time.Now()) != "active" {
			continue
		}
		active[key.ID] = true
		if c := records[key.ID]; c.State != store.CredentialActive {
			return fmt.Sprintf("key %s works, and its record says %q", key.ID, c.State)
		} else if told, held := hashes(c), hashesOf(key); !slices.Equal(told, held) {
			return fmt.Sprintf("key %s has the secrets %v, and its record says %v", key.ID, held, told)
		}
	}
	for id, c := range records {
		if c.State == store.CredentialActive && !active[id] {
			return fmt.Sprintf("key %s does not work, and its record says %q", id, c.State)
		}
	}
	for _, g := range a.meddler.secrets() {
		want := http.StatusUnauthorized
		if c := records[g.keyID]; c.State == store.CredentialActive && hinted(c, g.secret) != nil {
			want = http.StatusOK
		}
		if got := a.tries(g); got != want {
			return fmt.Sprintf("a secret of key %s is answered by %d, and should be by %d", g.keyID, got, want)
		}
	}
	return ""
}

// tries makes a real call with a secret.
func (a *apart) tries(g given) int {
	a.t.Helper()
	if g.kind == string(record.KindClient) {
		return a.tokens(url.Values{"client_id": {g.keyID}, "client_secret": {g.secret}})
	}
	return a.calls(g.secret)
}

// hinted returns what a record tells of a secret, nil when it does not know it.
func hinted(c store.Credential, secret string) *store.SecretHint {
	for _, hint := range c.Hints {
		if strings.HasSuffix(secret, hint.Hint) && !record.Ended(hint.Until, time.Now()) {
			return &hint
		}
	}
	return nil
}

func hashes(c store.Credential) []string {
	var all []string
	for _, hint := range c.Hints {
		all = append(all, hint.Hash)
	}
	return all
}

func hashesOf(key *record.Key) []string {
	var all []string
	for _, secret := range key.Secrets {
		all = append(all, secret.Hash)
	}
	return all
}
