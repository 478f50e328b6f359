package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
	"fhirgate/upstream/tokens"
)

// A person who looks at a hospital reads why it failed, and neither an address nor
// what was sent or answered.
func TestFailuresInWords(t *testing.T) {
	dial := func(err error) error {
		return &url.Error{Op: "Get", URL: "https://fhir.example/Patient?name=canary", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	for want, err := range map[string]error{
		"connection refused":                              dial(syscall.ECONNREFUSED),
		"name not found":                                  dial(&net.DNSError{Err: "no such host", Name: "canary.example", IsNotFound: true}),
		"the name servers did not tell its address":       dial(&net.DNSError{Err: "server misbehaving", Name: "canary.example", IsTemporary: true}),
		"no way to its address":                           dial(syscall.EHOSTUNREACH),
		"timed out: no connection":                        dial(syscall.ETIMEDOUT),
		"TLS: it does not speak TLS":                      tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"},
		"TLS: it refused the handshake (bad certificate)": &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")},
		"connection broken off":                           fmt.Errorf("canary: %w", io.ErrUnexpectedEOF),
		"no HTTP as it should be":                         errors.New(`malformed HTTP response "canary"`),
	} {
		require.Equal(t, want, callReason(err))
		login := loginReason(fhir.NewError(http.StatusBadGateway, fhir.IssueTransient, "no login").Because(tell(err)))
		require.NotContains(t, login, "canary")
		require.True(t, strings.HasPrefix(login, "login failed"), login)
	}
	require.Equal(t, "login refused", loginReason(errors.Join(tokens.ErrPermanent, errors.New("canary"))))
	require.Equal(t, "login failed", loginReason(errors.New("canary")))
	require.Equal(t, "the token is refused", loginReason(fhir.NewError(http.StatusBadGateway, fhir.IssueTransient, "the token is refused")))
}

func TestCertificatesThatFailInWords(t *testing.T) {
	ours := newAuthority(t)
	for want, leaf := range map[string]func(*x509.Certificate){
		"TLS: certificate of an unknown authority":  nil,
		"TLS: certificate expired or not valid yet": func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) },
		"TLS: certificate of another name":          func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"canary.example"} },
		"TLS: certificate not valid":                func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} },
	} {
		t.Run(want, func(t *testing.T) {
			issuer := ours
			if leaf == nil {
				issuer, leaf = newAuthority(t), func(*x509.Certificate) {}
			}
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{issuer.issue(t, leaf)}}
			server.StartTLS()
			t.Cleanup(server.Close)
			pool := x509.NewCertPool()
			pool.AddCert(ours.cert)
			base, err := url.Parse(server.URL + "/fhir")
			require.NoError(t, err)
			c, err := New(Config{BaseURL: base, PrivateNetwork: true, TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}})
			require.NoError(t, err)
			t.Cleanup(c.Close)
			_, err = get(t, c, server.URL+"/fhir/Patient/1")
			require.Error(t, err)
			require.Equal(t, want, stateOf(t, c).FailureCause)
		})
	}
}

// A person's own question goes past an open breaker, once, and speaks neither for
// nor against the hospital there.
func TestAProbeGoesPastTheBreaker(t *testing.T) {
	h := newHospital(t)
	h.set(nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	c := h.client(t, func(cfg *Config) {
		open(cfg)
		cfg.Resilience = Resilience{Retries: -1, Breaker: Breaker{Calls: 1, Pause: time.Hour}}
	})
	resp, err := get(t, c, h.URL+"/fhir/metadata")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	_, err = get(t, c, h.URL+"/fhir/metadata")
	refusal(t, err, http.StatusServiceUnavailable)
	require.EqualValues(t, 1, h.calls.Load())
	for i := range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL+"/fhir/metadata", nil)
		require.NoError(t, err)
		resp, err = c.Probe(r)
		require.NoError(t, err)
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
		require.EqualValues(t, 2+i, h.calls.Load())
	}
	require.Equal(t, "open", c.BreakerState())
}
