package gateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/gateway/adminapi"
	"fhirgate/internal/envelope"
	"fhirgate/upstream/jwks"
)

// ringBench is an admin client and the public root on the same rings.
type ringBench struct {
	client *adminapi.Client
	root   *root
}

func newRingBench(t *testing.T) *ringBench {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	rings, err := jwks.Open(jwks.Options{Redis: client, SealKeys: envelope.NewSet(), Folder: t.TempDir()})
	require.NoError(t, err)
	api := &admin{secret: adminTestSecret, metrics: http.NotFoundHandler(), rings: rings, public: "https://fhir.example/"}
	server := httptest.NewServer(api.handler())
	t.Cleanup(server.Close)
	return &ringBench{
		client: adminapi.NewClient(server.URL, adminTestSecret),
		root:   &root{ready: func() bool { return true }, rings: rings},
	}
}

func (b *ringBench) get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.root.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestRingsByTheAdminAPI(t *testing.T) {
	b, ctx := newRingBench(t), t.Context()
	ring, err := b.client.CreateRing(ctx, adminapi.NewRing{Name: "pacs-2026", Alg: "ES384"})
	require.NoError(t, err)
	require.Equal(t, "https://fhir.example/.well-known/jwks/pacs-2026.json", ring.URL)
	first := ring.Keys[0].KID
	ring, err = b.client.RotateRing(ctx, "pacs-2026", adminapi.RingRotation{})
	require.NoError(t, err)
	require.Len(t, ring.Keys, 2)
	all, err := b.client.Rings(ctx)
	require.NoError(t, err)
	require.Equal(t, []adminapi.Ring{*ring}, all)

	for name, mistake := range map[string]struct {
		do   func() error
		want string
	}{
		"taken":    {func() error { _, err := b.client.CreateRing(ctx, adminapi.NewRing{Name: "pacs-2026"}); return err }, "there is a ring of this name"},
		"invalid":  {func() error { _, err := b.client.CreateRing(ctx, adminapi.NewRing{Name: "Pacs"}); return err }, "name of a ring"},
		"rotating": {func() error { _, err := b.client.RotateRing(ctx, "pacs-2026", adminapi.RingRotation{}); return err }, ring.Keys[1].KID},
		"no ring":  {func() error { _, err := b.client.RotateRing(ctx, "none", adminapi.RingRotation{}); return err }, "no ring of this name"},
		"no set":   {func() error { _, err := b.client.ExportSet(ctx, "none"); return err }, "no ring of this name"},
		"no key": {func() error {
			_, err := b.client.RetireKey(ctx, "pacs-2026", adminapi.KeyRetirement{KID: "x"})
			return err
		}, "no key of this kid"},
		"the last": {func() error {
			_, err := b.client.RetireKey(ctx, "pacs-2026", adminapi.KeyRetirement{KID: first})
			return err
		}, "rotate and wait"},
		"odd ring": {func() error { _, err := b.client.RotateRing(ctx, "../keys", adminapi.RingRotation{}); return err }, "no ring of this name"},
		"wrong after": {func() error {
			_, err := b.client.RotateRing(ctx, "pacs-2026", adminapi.RingRotation{After: 1})
			return err
		}, "must be published for"},
	} {
		require.ErrorContains(t, mistake.do(), mistake.want, name)
	}

	ring, err = b.client.RetireKey(ctx, "pacs-2026", adminapi.KeyRetirement{KID: first, Force: true})
	require.NoError(t, err)
	require.Equal(t, jwks.Retired, ring.Keys[0].State)
	require.Equal(t, jwks.Active, ring.Keys[1].State)
	_, err = b.client.CreateRing(ctx, adminapi.NewRing{Name: "other", Alg: "ES256"})
	require.NoError(t, err)

	one, err := b.client.ExportSet(ctx, "pacs-2026")
	require.NoError(t, err)
	require.Equal(t, ring.Keys[1].KID, gjson.GetBytes(one, "keys.0.kid").Str)
	require.Equal(t, string(one), b.get("/.well-known/jwks/pacs-2026.json").Body.String(), "what is exported is what is served")
	both, err := b.client.ExportSet(ctx, "")
	require.NoError(t, err)
	require.Len(t, gjson.GetBytes(both, "keys").Array(), 2)
	require.NotContains(t, string(both), `"d"`)
}

func TestKeysAreServedWithoutAKey(t *testing.T) {
	b := newRingBench(t)
	answer := b.get("/.well-known/jwks.json")
	require.Equal(t, http.StatusOK, answer.Code)
	require.JSONEq(t, `{"keys":[]}`, answer.Body.String())
	require.Equal(t, "application/json", answer.Header().Get("Content-Type"))

	for _, path := range []string{"/.well-known/jwks/none.json", "/.well-known/jwks/", "/.well-known/other"} {
		answer := b.get(path)
		require.Equal(t, http.StatusNotFound, answer.Code, path)
		require.Contains(t, answer.Body.String(), "OperationOutcome")
		require.NotEmpty(t, answer.Header().Get("X-Request-Id"))
	}
	w := httptest.NewRecorder()
	b.root.ServeHTTP(w, httptest.NewRequest(http.MethodPost, jwks.SetPath, strings.NewReader("{}")))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
}
