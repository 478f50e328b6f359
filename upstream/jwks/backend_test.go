package jwks_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-jose/go-jose/v4"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
	"fhirgate/sandbox"
	"fhirgate/upstream"
	"fhirgate/upstream/jwks"
)

// TestBackendLoginWithARotatedKey has upstream log in to simulated hospitals
// that fetch our set from its URL: before, while and after a key is replaced,
// each time with a new token and a FHIR call. The rings' clock is a fake one.
func TestBackendLoginWithARotatedKey(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	var ahead atomic.Int64
	rings, err := jwks.Open(jwks.Options{
		Redis: client, SealKeys: envelope.NewSet(),
		Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	require.NoError(t, err)
	for name, make := range map[string]func(sandbox.Options) *sandbox.Hospital{"epic": sandbox.NewEpic, "oracle": sandbox.NewOracle} {
		t.Run(name, func(t *testing.T) {
			_, err := rings.Create(t.Context(), jwks.New{Name: name, Alg: jose.ES384})
			require.NoError(t, err)
			fetched := 0
			public := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fetched++
				require.NoError(t, rings.Serve(w, r))
			}))
			defer public.Close()
			hospital := make(sandbox.Options{KeysURL: public.URL + jwks.RingPath(name)})
			require.NoError(t, hospital.Start("127.0.0.1:0"))
			defer hospital.Close()
			base, err := url.Parse(hospital.BaseURL())
			require.NoError(t, err)

			used := map[string]bool{}
			call := func() {
				t.Helper()
				key, err := rings.Signer(name).SigningKey(t.Context())
				require.NoError(t, err)
				used[key.Key.(jose.JSONWebKey).KeyID] = true
				c, err := upstream.New(upstream.Config{BaseURL: base, PrivateNetwork: true, Auth: upstream.Auth{
					Kind: "smart-backend", TokenURL: hospital.TokenURL(), ClientID: "fhirgate", Keys: rings.Signer(name), Scope: []string{"system/Patient.rs"},
				}})
				require.NoError(t, err)
				defer c.Close()
				read, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base.String()+"/Patient/"+hospital.IDs("Patient")[0], nil)
				require.NoError(t, err)
				answer, err := c.Do(read)
				require.NoError(t, err)
				defer answer.Body.Close()
				require.Equal(t, http.StatusOK, answer.StatusCode)
			}
			call()
			_, err = rings.Rotate(t.Context(), name, 0)
			require.NoError(t, err)
			call()
			require.Len(t, used, 1)
			ahead.Add(int64(jwks.DefaultAfter + time.Second))
			call()
			require.Len(t, used, 2, "both keys have logged in")
			require.Equal(t, 2, fetched, "the hospital looks an unknown kid up once")
		})
	}
}
