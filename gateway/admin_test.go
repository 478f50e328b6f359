package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/engine"
	"fhirgate/gateway/keys"
	"fhirgate/internal/strict"
	"fhirgate/policies"
)

func replaceOnce(t *testing.T, text, old, new string) string {
	t.Helper()
	require.Equal(t, 1, strings.Count(text, old), old)
	return strings.Replace(text, old, new, 1)
}

// noTyk takes every key.
type noTyk struct{}

func (noTyk) CreateKey(context.Context, string, engine.Session) error { return nil }
func (noTyk) UpdateKey(context.Context, string, engine.Session) error { return nil }
func (noTyk) DeleteKey(context.Context, string) error                 { return engine.ErrNoKey }

// adminBench is an admin API on a store of its own.
type adminBench struct {
	server *httptest.Server
	store  *miniredis.Miniredis
	reload error
}

const adminTestSecret = "the-secret-of-this-install"

func newAdminBench(t *testing.T) *adminBench {
	b := &adminBench{store: miniredis.RunT(t)}
	client := redis.NewClient(&redis.Options{Addr: b.store.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	snapshot := &facade.Snapshot{Plans: map[string]*policies.Plan{"trial": {ID: "trial", Active: true}, "old": {ID: "old"}}}
	api := &admin{
		secret:   adminTestSecret,
		keeper:   keys.NewKeeper(noTyk{}, client),
		snapshot: func() *facade.Snapshot { return snapshot },
		reload:   func(context.Context) error { return b.reload },
		metrics:  http.NotFoundHandler(),
		public:   "https://fhirgate.example",
	}
	b.server = httptest.NewServer(api.handler())
	t.Cleanup(b.server.Close)
	return b
}

func (b *adminBench) call(t *testing.T, method, path, body string, authorization ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, b.server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	if authorization == nil {
		authorization = []string{"Bearer " + adminTestSecret}
	}
	r.Header["Authorization"] = authorization
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if resp.StatusCode == http.StatusUnauthorized {
		require.NotEmpty(t, resp.Header.Get("WWW-Authenticate"))
	}
	if resp.StatusCode >= 400 {
		require.Contains(t, string(text), "OperationOutcome")
	}
	return resp.StatusCode, string(text)
}

// Every call of the admin API wants the secret, and says nothing without it.
func TestTheAdminAPIWantsItsSecret(t *testing.T) {
	b := newAdminBench(t)
	for _, call := range []string{
		"POST /admin/keys", "GET /admin/keys", "GET /admin/keys/key_1", "POST /admin/keys/key_1/rotate", "DELETE /admin/keys/key_1", "PATCH /admin/keys/key_1", "POST /admin/reload", "HEAD /admin/keys",
		"DELETE /admin/keys/key_1/secrets/x", "GET /admin/reload", "GET /admin/about", "GET /admin/plans", "GET /admin/hospitals", "GET /admin/hospitals/x", "POST /admin/hospitals/x/check",
	} {
		method, path, _ := strings.Cut(call, " ")
		for name, authorization := range map[string][]string{
			"none": {}, "empty": {""}, "scheme alone": {"Bearer"}, "no scheme": {adminTestSecret}, "another": {"Bearer x"}, "longer": {"Bearer " + adminTestSecret + "x"},
			"shorter": {"Bearer " + adminTestSecret[1:]}, "basic": {"Basic " + adminTestSecret}, "second": {"Bearer x", "Bearer " + adminTestSecret},
		} {
			t.Run(call+" "+name, func(t *testing.T) {
				r, err := http.NewRequest(method, b.server.URL+path, strings.NewReader(`{"name":"x","plan":"trial"}`))
				require.NoError(t, err)
				r.Header["Authorization"] = authorization
				resp, err := http.DefaultClient.Do(r)
				require.NoError(t, err)
				defer resp.Body.Close()
				require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
				require.NotEmpty(t, resp.Header.Get("WWW-Authenticate"))
			})
		}
	}
	require.Empty(t, b.store.Keys(), "nothing may have been done")
}

func TestTheAdminAPIRefuses(t *testing.T) {
	b := newAdminBench(t)
	for name, tc := range map[string]struct {
		call, body string
		status     int
		says       string
	}{
		"not JSON":         {"POST /admin/keys", `{`, 400, "the body is not the JSON that this call takes"},
		"empty":            {"POST /admin/keys", ``, 400, ""},
		"unknown field":    {"POST /admin/keys", `{"name":"x","plan":"trial","admin":true}`, 400, `unknown field`},
		"broken duration":  {"POST /admin/keys", `{"name":"x","plan":"trial","life":"soon"}`, 400, `24h`},
		"negative life":    {"POST /admin/keys", `{"name":"x","plan":"trial","life":"-1h"}`, 400, "not negative"},
		"unknown plan":     {"POST /admin/keys", `{"name":"x","plan":"trail"}`, 422, `did you mean`},
		"inactive plan":    {"POST /admin/keys", `{"name":"x","plan":"old"}`, 422, "the plan is not active"},
		"no plan":          {"POST /admin/keys", `{"name":"x"}`, 422, ""},
		"no name":          {"POST /admin/keys", `{"plan":"trial"}`, 422, "needs a name"},
		"name too long":    {"POST /admin/keys", `{"name":"` + strings.Repeat("x", 101) + `","plan":"trial"}`, 422, ""},
		"body too large":   {"POST /admin/keys", `{"name":"` + strings.Repeat("x", 100_000) + `"}`, 400, ""},
		"unknown kind":     {"POST /admin/keys", `{"name":"x","plan":"trial","kind":"robot"}`, 422, "one of key, client, external and certificate"},
		"broken network":   {"POST /admin/keys", `{"name":"x","plan":"trial","allow_from":["example.org"]}`, 422, "neither an address nor a network"},
		"key of no secret": {"POST /admin/keys", `{"name":"x","plan":"trial","no_secret":true}`, 422, "has a secret"},
		"no JWK set":       {"POST /admin/keys", `{"name":"x","plan":"trial","kind":"client","jwks":{"keys":[]}}`, 422, "1 to 20 keys"},
		"changes none":     {"PATCH /admin/keys/key_none", `{"name":"y"}`, 404, ""},
		"changes its id":   {"PATCH /admin/keys/key_none", `{"id":"key_other"}`, 400, "unknown field"},
		"changes its plan": {"PATCH /admin/keys/key_none", `{"plan":"trail"}`, 422, "did you mean"},
		"changes networks": {"PATCH /admin/keys/key_none", `{"allow_from":["192.0.2.7/24"]}`, 422, "192.0.2.0/24 is the network"},
		"no such key":      {"GET /admin/keys/key_none", ``, 404, "no key of this id"},
		"rotates none":     {"POST /admin/keys/key_none/rotate", `{}`, 404, ""},
		"revokes none":     {"DELETE /admin/keys/key_none", ``, 404, ""},
		"unknown path":     {"GET /admin/nothing", ``, 404, "no such call"},
		"unknown method":   {"PUT /admin/keys", `{}`, 404, ""},
		"dots in the path": {"GET /admin/keys/..%2f..%2fx", ``, 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			method, path, _ := strings.Cut(tc.call, " ")
			status, text := b.call(t, method, path, tc.body)
			require.Equal(t, tc.status, status, text)
			require.Contains(t, text, tc.says)
		})
	}
}

func TestTheAdminAPIAndItsClient(t *testing.T) {
	b := newAdminBench(t)
	client := adminapi.NewClient(b.server.URL, adminTestSecret)
	ctx := t.Context()
	made, err := client.Create(ctx, adminapi.NewKey{Name: "PACS", Plan: "trial"})
	require.NoError(t, err)
	require.True(t, engine.ValidToken(made.Secret))
	shown, err := client.Show(ctx, made.ID)
	require.NoError(t, err)
	require.Equal(t, made.Key, shown)
	text, err := json.Marshal(shown)
	require.NoError(t, err)
	require.NotContains(t, string(text), made.Secret, "a secret is shown once")
	rotated, err := client.Rotate(ctx, made.ID, adminapi.Rotation{})
	require.NoError(t, err)
	require.NotEqual(t, made.Secret, rotated.Secret)
	_, err = client.Revoke(ctx, made.ID)
	require.NoError(t, err)
	_, err = client.Rotate(ctx, made.ID, adminapi.Rotation{})
	require.EqualError(t, err, "the key is revoked")
	all, err := client.List(ctx)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "revoked", all[0].Status(all[0].Revoked))

	b.reload = strict.Problems{{File: "routes/x.yaml", Line: 3, Column: 1, Text: "wrong"}}
	status, said := b.call(t, "POST", "/admin/reload", "")
	require.Equal(t, 422, status)
	require.Contains(t, said, "routes/x.yaml:3:1: wrong")
	b.reload = errors.New("Tyk is away")
	status, _ = b.call(t, "POST", "/admin/reload", "")
	require.Equal(t, 503, status)
	b.reload = nil
	status, _ = b.call(t, "POST", "/admin/reload", "")
	require.Equal(t, 200, status)

	b.store.SetError("store is away")
	status, _ = b.call(t, "GET", "/admin/keys", "")
	require.Equal(t, 503, status)
}
