package upstream

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
	"fhirgate/internal/logbuffer"
)

func TestPrivateAddressesAreRefused(t *testing.T) {
	h := newHospital(t)
	_, port, err := net.SplitHostPort(h.Listener.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		t.Run(host, func(t *testing.T) {
			origin := "http://" + host + ":" + port
			_, err := get(t, h.client(t, func(cfg *Config) { cfg.PrivateNetwork, cfg.Auth = false, Auth{} }), origin+"/fhir/Patient/1")
			require.Equal(t, fhir.IssueSecurity, refusal(t, err, http.StatusBadGateway).Code)
			_, err = get(t, h.client(t, func(cfg *Config) { cfg.PrivateNetwork = false }), origin+"/fhir/Patient/1")
			refusal(t, err, http.StatusBadGateway)
		})
	}
	require.Zero(t, h.calls.Load()+h.tokens.Load(), "nothing may be sent")
}

func open(cfg *Config) { cfg.Auth = Auth{} }

// listen serves one answer a connection as it is, and returns its origin.
func listen(t *testing.T, answer string, linger time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, answer)
				time.Sleep(linger)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// An answer that is not HTTP, as after a wrong Content-Length, is quoted by
// net/http in its errors: none of it may be told.
func TestBrokenAnswersAreNotQuoted(t *testing.T) {
	h := newHospital(t)
	for name, answer := range map[string]string{
		"not HTTP":         `{"resourceType":"Patient","id":"canary"}` + "\r\n\r\n",
		"broken status":    "HTTP/1.1 canary OK\r\n\r\n",
		"broken header":    "HTTP/1.1 200 OK\r\nname canary\r\n\r\n",
		"two lengths":      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\ncanary",
		"broken length":    "HTTP/1.1 200 OK\r\nContent-Length: canary\r\n\r\n",
		"unknown transfer": "HTTP/1.1 200 OK\r\nTransfer-Encoding: canary\r\n\r\n",
		"nothing":          "",
	} {
		t.Run(name, func(t *testing.T) {
			origin := listen(t, answer, 0)
			_, err := get(t, h.client(t, open), origin+"/fhir/Patient/1?name=canary")
			refused := refusal(t, err, http.StatusBadGateway)
			require.Equal(t, fhir.IssueTransient, refused.Code)
		})
	}
	t.Run("broken chunk", func(t *testing.T) {
		origin := listen(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\n", 0)
		resp, err := get(t, h.client(t, open), origin+"/fhir/Patient/1")
		require.NoError(t, err)
		_, err = io.ReadAll(resp.Body)
		require.Error(t, err)
		quiet(t, err)
	})
	t.Run("nobody listens", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, l.Close())
		_, err = get(t, h.client(t, open), "http://"+l.Addr().String()+"/fhir/Patient/1")
		refusal(t, err, http.StatusBadGateway)
	})
	t.Run("no such name", func(t *testing.T) {
		_, err := get(t, h.client(t, open), "http://no-such-host.invalid/fhir/Patient/1")
		var refused *fhir.Error
		require.ErrorAs(t, err, &refused)
		require.Contains(t, []int{502, 504}, refused.Status)
		quiet(t, err)
	})
}

func TestTimeouts(t *testing.T) {
	h := newHospital(t)
	t.Run("first byte", func(t *testing.T) {
		release := make(chan struct{})
		h.set(nil, func(http.ResponseWriter, *http.Request) { <-release })
		defer close(release)
		c := h.client(t, func(cfg *Config) { cfg.Auth, cfg.Timeouts.FirstByte = Auth{}, 50*time.Millisecond })
		_, err := get(t, c, h.URL+"/fhir/Patient/1")
		require.Equal(t, fhir.IssueTimeout, refusal(t, err, http.StatusGatewayTimeout).Code)
	})
	t.Run("TLS handshake", func(t *testing.T) {
		silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
		require.NoError(t, err)
		defer silent.Close()
		c := h.client(t, func(cfg *Config) { cfg.Auth, cfg.Timeouts.Connect = Auth{}, 50*time.Millisecond })
		_, err = get(t, c, "https://"+silent.Addr().String()+"/fhir/Patient/1")
		refusal(t, err, http.StatusGatewayTimeout)
	})
	half := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	t.Run("idle", func(t *testing.T) {
		h.set(nil, half)
		resp, err := get(t, h.client(t, open), h.URL+"/fhir/Patient/1")
		require.NoError(t, err)
		got, err := io.ReadAll(resp.Body)
		require.ErrorIs(t, err, errIdle)
		require.Equal(t, "half", string(got))
	})
	t.Run("a slow caller is not a silent hospital", func(t *testing.T) {
		large := bytes.Repeat([]byte("x"), 8<<20)
		h.set(nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(large) })
		resp, err := get(t, h.client(t, open), h.URL+"/fhir/Patient/1")
		require.NoError(t, err)
		_, err = io.ReadFull(resp.Body, make([]byte, 1000))
		require.NoError(t, err)
		time.Sleep(600 * time.Millisecond) // twice the idle time
		rest, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Len(t, rest, len(large)-1000)
	})
	t.Run("a steady trickle is not idle", func(t *testing.T) {
		h.set(nil, func(w http.ResponseWriter, _ *http.Request) {
			for range 6 {
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(100 * time.Millisecond)
			}
		})
		resp, err := get(t, h.client(t, open), h.URL+"/fhir/Patient/1")
		require.NoError(t, err)
		got, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Len(t, got, 6)
	})
}

func TestACallerThatLeavesIsFollowed(t *testing.T) {
	h := newHospital(t)
	left := make(chan struct{})
	h.set(nil, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "late") {
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
		left <- struct{}{}
	})
	c := h.client(t, func(cfg *Config) { cfg.Auth, cfg.Timeouts = Auth{}, Timeouts{} })
	for _, when := range []string{"early", "late"} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		resp, err := do(ctx, t, c, http.MethodGet, h.URL+"/fhir/"+when, nil)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		require.ErrorIs(t, err, context.Canceled, when)
		select {
		case <-left:
		case <-time.After(5 * time.Second):
			t.Fatal("the hospital was not told: " + when)
		}
	}
}

func TestARedirectThatNeverEndsIsRefused(t *testing.T) {
	h := newHospital(t)
	h.set(nil, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	_, err := get(t, h.client(t, open), h.URL+"/fhir/Patient/1")
	require.ErrorContains(t, err, "redirects again and again")
	require.EqualValues(t, 1+maxRedirects, h.calls.Load())
}

func TestFixedHeadersAreSent(t *testing.T) {
	h := newHospital(t)
	var got http.Header
	h.set(nil, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	c := h.client(t, func(cfg *Config) { cfg.Auth, cfg.Headers = Auth{}, map[string]string{"epic-client-id": "abc"} })
	_, err := get(t, c, h.URL+"/fhir/Patient/1")
	require.NoError(t, err)
	require.Equal(t, "abc", got.Get("Epic-Client-Id"))
	require.Empty(t, got.Get("Authorization"))
}

func TestTrustIsCheckedAndKeysMustFit(t *testing.T) {
	h := newHospital(t)
	_, err := New(Config{Auth: Auth{Kind: "magic"}})
	require.Error(t, err)
	for name, auth := range map[string]Auth{
		"no key":          {Key: ""},
		"not a key":       {Key: "-----BEGIN CANARY-----\nAAAA\n-----END CANARY-----"},
		"a public JWK":    {Key: publicJWK(t)},
		"RSA with ES384":  {Key: rsaPEM(t), Alg: "ES384"},
		"P-256 and ES384": {Key: ecPEM(t, "P-256"), Alg: "ES384"},
		"unknown alg":     {Key: rsaPEM(t), Alg: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			auth.Kind, auth.ClientID, auth.TokenURL = "smart-backend", "fhirgate", h.URL+"/token"
			_, err := New(Config{Auth: auth})
			require.Error(t, err)
			require.NotContains(t, err.Error(), "AAAA")
			require.NotContains(t, err.Error(), "PRIVATE")
		})
	}
}

// net/http logs the bytes that a hospital sends beyond its Content-Length, by
// the log package: whoever uses a Client must keep that away from people. This
// test tells when the standard library does it no more.
func TestBytesBeyondTheLengthGoToTheStandardLog(t *testing.T) {
	var logged logbuffer.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	h := newHospital(t)
	origin := listen(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}canary", 200*time.Millisecond)
	resp, err := get(t, h.client(t, open), origin+"/fhir/Patient/1")
	require.NoError(t, err)
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "{}", string(got))
	require.NoError(t, resp.Body.Close())
	require.Eventually(t, func() bool { return strings.Contains(logged.String(), "canary") }, 2*time.Second, 10*time.Millisecond)
}
