package upstream

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authorityOfTest signs certificates.
type authorityOfTest struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authorityOfTest {
	t.Helper()
	a := &authorityOfTest{key: ecKey(t, "P-256")}
	a.cert = &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "authority of a test"},
		NotBefore:             time.Now().Add(-48 * time.Hour),
		NotAfter:              time.Now().Add(48 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return a
}

// issue returns a certificate for 127.0.0.1, valid now, with what change makes
// of it.
func (a *authorityOfTest) issue(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		NotBefore:    time.Now().Add(-24 * time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(leaf)
	}
	key := ecKey(t, "P-256")
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authorityOfTest) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func newTLSHospital(t *testing.T, cfg *tls.Config) *hospital {
	t.Helper()
	h := &hospital{fhir: failing(nil, 200)}
	h.Server = httptest.NewUnstartedServer(h)
	h.TLS = cfg
	h.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	h.StartTLS()
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	return h
}

func withoutLogin(cfg *Config) { cfg.Auth, cfg.Resilience.Retries = Auth{}, -1 }

func TestServerCertificates(t *testing.T) {
	ours := newAuthority(t)
	for name, tc := range map[string]struct {
		leaf  func(*x509.Certificate)
		trust *tls.Config
		want  any // the type of the error inside; nil = the hospital answers
	}{
		"of an authority that the route trusts": {nil, &tls.Config{RootCAs: ours.pool()}, nil},
		"of an authority that nobody trusts":    {nil, nil, new(x509.UnknownAuthorityError)},
		"of another authority than the route's": {nil, &tls.Config{RootCAs: newAuthority(t).pool()}, new(x509.UnknownAuthorityError)},
		"expired": {
			func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) },
			&tls.Config{RootCAs: ours.pool()}, new(x509.CertificateInvalidError),
		},
		"of another host": {
			func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example"} },
			&tls.Config{RootCAs: ours.pool()}, new(x509.HostnameError),
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTLSHospital(t, &tls.Config{Certificates: []tls.Certificate{ours.issue(t, tc.leaf)}})
			c := h.client(t, func(cfg *Config) {
				withoutLogin(cfg)
				cfg.TLS = tc.trust
			})
			resp, err := get(t, c, h.URL+"/fhir/Patient/1")
			if tc.want == nil {
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, resp.StatusCode)
				return
			}
			refusal(t, err, http.StatusBadGateway)
			require.ErrorAs(t, err, tc.want)
			require.Zero(t, h.calls.Load(), "nothing is sent to a server that is not the hospital")
		})
	}
}

func TestMutualTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	h := newTLSHospital(t, &tls.Config{
		Certificates: []tls.Certificate{theirs.issue(t, nil)},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    ours.pool(),
	})
	for name, tc := range map[string]struct {
		certificates []tls.Certificate
		ok           bool
	}{
		"the gateway's certificate":       {[]tls.Certificate{ours.issue(t, nil)}, true},
		"none":                            {nil, false},
		"one of an authority not trusted": {[]tls.Certificate{newAuthority(t).issue(t, nil)}, false},
		"one that has expired":            {[]tls.Certificate{ours.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h.calls.Store(0)
			c := h.client(t, func(cfg *Config) {
				withoutLogin(cfg)
				cfg.TLS = &tls.Config{RootCAs: theirs.pool(), Certificates: tc.certificates}
			})
			resp, err := get(t, c, h.URL+"/fhir/Patient/1")
			if !tc.ok {
				refusal(t, err, http.StatusBadGateway)
				require.Zero(t, h.calls.Load())
				return
			}
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, resp.StatusCode)
		})
	}
}

// forwarder is an outbound proxy that notes what it is asked for.
type forwarder struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // method and target
	auth []string // Proxy-Authorization
}

func newForwarder(t *testing.T) *forwarder {
	t.Helper()
	f := &forwarder{}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, r.Method+" "+r.RequestURI)
	f.auth = append(f.auth, r.Header.Get("Proxy-Authorization"))
	f.mu.Unlock()
	if r.Method != http.MethodConnect {
		(&httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}}).ServeHTTP(w, r)
		return
	}
	hospital, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	gateway, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = hospital.Close()
		return
	}
	_, _ = io.WriteString(gateway, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(hospital, gateway)
		_ = hospital.Close()
	}()
	_, _ = io.Copy(gateway, hospital)
	_ = gateway.Close()
}

func (f *forwarder) url(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(f.URL)
	require.NoError(t, err)
	u.User = url.UserPassword("fhirgate", secret)
	return u
}

func TestOutboundProxy(t *testing.T) {
	authority := newAuthority(t)
	secure := newTLSHospital(t, &tls.Config{Certificates: []tls.Certificate{authority.issue(t, nil)}})
	plain := newHospital(t)
	plain.set(nil, failing(nil, 200))
	for name, tc := range map[string]struct {
		h    *hospital
		seen string
	}{
		"a tunnel to https": {secure, "CONNECT " + secure.Listener.Addr().String()},
		"plain http":        {plain, "GET " + plain.URL + "/fhir/Patient/1"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := newForwarder(t)
			c := tc.h.client(t, func(cfg *Config) {
				withoutLogin(cfg)
				cfg.Proxy = proxy.url(t)
				cfg.TLS = &tls.Config{RootCAs: authority.pool()}
			})
			resp, err := get(t, c, tc.h.URL+"/fhir/Patient/1")
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.EqualValues(t, 1, tc.h.calls.Load())
			proxy.mu.Lock()
			defer proxy.mu.Unlock()
			require.Equal(t, []string{tc.seen}, proxy.seen)
			require.Equal(t, []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("fhirgate:"+secret))}, proxy.auth)
		})
	}
}

func TestAProxyThatIsAwayIsA502(t *testing.T) {
	h, proxy := newHospital(t), newForwarder(t)
	c := h.client(t, func(cfg *Config) {
		withoutLogin(cfg)
		cfg.Proxy = proxy.url(t)
	})
	proxy.Close()
	_, err := get(t, c, h.URL+"/fhir/Patient/1")
	refusal(t, err, http.StatusBadGateway)
	require.Zero(t, h.calls.Load(), "the hospital is never called around the proxy")
}
