package upstream

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkRead compares a read of 3 KB through a Client, with its login, retry
// policy, breaker and bounds, with one over a bare http.Transport. The server is
// in the same process and counts in both.
func BenchmarkRead(b *testing.B) {
	body := `{"resourceType":"Patient","id":"1","name":[{"family":"` + strings.Repeat("x", 3000) + `"}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer","expires_in":3600}`)
			return
		}
		w.Header().Set("Content-Type", "application/fhir+json")
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	base, err := url.Parse(server.URL + "/fhir")
	require.NoError(b, err)
	client, err := New(Config{
		BaseURL: base, PrivateNetwork: true,
		Auth: Auth{Kind: "client_secret_post", TokenURL: server.URL + "/token", ClientID: "c", ClientSecret: "s"},
	})
	require.NoError(b, err)
	defer client.Close()
	bare := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	defer bare.CloseIdleConnections()

	for name, send := range map[string]func(*http.Request) (*http.Response, error){
		"client":    client.Do,
		"transport": bare.RoundTrip,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+"/fhir/Patient/1", nil)
				require.NoError(b, err)
				resp, err := send(r)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
}
