package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-jose/go-jose/v4"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
	"fhirgate/upstream/budget"
	"fhirgate/upstream/tokens"
)

func stateOf(t *testing.T, c *Client) State {
	t.Helper()
	s, err := c.State(t.Context())
	require.NoError(t, err)
	return s
}

func TestWhatIsSeenOfAHospital(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	once := func(cfg *Config) { cfg.Resilience.Retries = -1 }
	for name, tc := range map[string]struct {
		change   func(*Config)
		token    http.HandlerFunc
		answer   http.HandlerFunc
		answered bool
		issue    fhir.IssueCode // "" = no failure
		cause    string
	}{
		"an answer":               {change: once, answered: true},
		"not found":               {once, nil, status(404), true, "", ""},
		"refused again":           {once, nil, status(401), true, "", ""},
		"throttled":               {once, nil, status(429), true, "", ""},
		"failed":                  {once, nil, status(500), false, fhir.IssueException, "status 500"},
		"not available":           {once, nil, status(503), false, fhir.IssueTransient, "status 503"},
		"its own gateway is slow": {once, nil, status(504), false, fhir.IssueTimeout, "status 504"},
		"silent": {
			func(cfg *Config) { once(cfg); cfg.Timeouts.FirstByte = time.Millisecond }, nil,
			func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, false, fhir.IssueTimeout, "timed out",
		},
		"breaks off": {once, nil, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, fhir.IssueTransient, "connection broken off"},
		"no login":   {once, status(500), nil, false, fhir.IssueTransient, "login refused: status 500 of the token endpoint"},
		"refused login": {
			once, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"canary"}`)
			}, nil, false, fhir.IssueTransient, "login refused: status 401 of the token endpoint, error invalid_client",
		},
		"private address": {
			func(cfg *Config) { once(cfg); open(cfg); cfg.PrivateNetwork = false }, nil, nil, false, fhir.IssueSecurity,
			"the hospital's host name leads to a private address, which its route does not allow (upstream.private_network)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			h.set(tc.token, tc.answer)
			c := h.client(t, tc.change)
			none := stateOf(t, c)
			require.True(t, none.LastAnswer.IsZero() && none.LastFailure.IsZero() && none.FailureIssue == "")
			before := time.Now()
			if resp, err := get(t, c, h.URL+"/fhir/Patient/1"); err == nil {
				_ = resp.Body.Close()
			}
			s := stateOf(t, c)
			require.Equal(t, "closed", s.Breaker)
			require.Equal(t, tc.answered, s.LastAnswer.After(before))
			require.Equal(t, tc.issue != "", s.LastFailure.After(before))
			require.Equal(t, tc.issue, s.FailureIssue)
			require.Equal(t, tc.cause, s.FailureCause)
		})
	}
}

// What a caller breaks off, and what the gateway itself refuses, says nothing of
// the hospital.
func TestWhatIsNoFailureOfAHospital(t *testing.T) {
	h := newHospital(t)
	ctx, cancel := context.WithCancel(t.Context())
	h.set(nil, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	c := h.client(t, nil)
	_, err := do(ctx, t, c, http.MethodGet, h.URL+"/fhir/Patient/1", nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = do(ctx, t, c, http.MethodGet, h.URL+"/fhir/Patient/1", nil)
	require.ErrorIs(t, err, context.Canceled)
	s := stateOf(t, c)
	require.True(t, s.LastAnswer.IsZero() && s.LastFailure.IsZero(), "%+v", s)

	h.set(nil, nil)
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	c = h.client(t, func(cfg *Config) {
		open(cfg)
		cfg.Budget.Shared = budget.New(client, "h", budget.Limits{Requests: 1, Per: time.Hour, MaxWait: -1}, budget.WithReserve(0))
	})
	h.revoke()
	resp, err := get(t, c, h.URL+"/fhir/Patient/1")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	_, err = get(t, c, h.URL+"/fhir/Patient/1")
	refusal(t, err, http.StatusTooManyRequests)
	s = stateOf(t, c)
	require.False(t, s.LastAnswer.IsZero())
	require.True(t, s.LastFailure.IsZero(), "%+v", s)
}

// Looking at a budget counts nothing.
func TestTheBudgetOfAHospital(t *testing.T) {
	h := newHospital(t)
	store := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: store.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	c := h.client(t, func(cfg *Config) {
		cfg.Budget.Shared = budget.New(client, "h", budget.Limits{Requests: 9, Per: time.Hour, Concurrency: 3}, budget.WithReserve(0))
	})
	for used := range 3 {
		for range 3 {
			require.Equal(t, &budget.State{Used: used, Limit: 9, Concurrency: 3}, stateOf(t, c).Budget)
		}
		resp, err := get(t, c, h.URL+"/fhir/Patient/1")
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	require.Nil(t, stateOf(t, h.client(t, nil)).Budget)
	store.SetError("store is away")
	_, err := c.State(t.Context())
	require.Error(t, err)
}

// A token is told of by its times, never by its value, and looking for it fetches
// none.
func TestTheTokenOfAHospital(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	cache, err := tokens.New(client, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: bytes.Repeat([]byte("k"), 32), KeyID: "k"}}})
	require.NoError(t, err)
	t.Cleanup(cache.Close)
	for name, change := range map[string]func(*Config){
		"shared":    func(cfg *Config) { cfg.Auth.Tokens = cache },
		"one's own": func(*Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			c := h.client(t, change)
			require.Equal(t, &tokens.State{}, stateOf(t, c).Token)
			require.Zero(t, h.tokens.Load())
			require.NoError(t, c.CheckLogin(t.Context()))
			s := stateOf(t, c)
			require.True(t, s.Token.Held)
			require.WithinDuration(t, time.Now().Add(time.Hour), s.Token.Expires, time.Minute)
			if name == "shared" {
				require.WithinDuration(t, time.Now(), s.Token.Obtained, time.Minute)
			}
		})
	}
	h := newHospital(t)
	require.Nil(t, stateOf(t, h.client(t, open)).Token)
}

// A failed login is remembered for a moment, and calls meanwhile do not hide why.
func TestTheCauseOfALoginThatIsRemembered(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	cache, err := tokens.New(client, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: bytes.Repeat([]byte("k"), 32), KeyID: "k"}}})
	require.NoError(t, err)
	t.Cleanup(cache.Close)
	h := newHospital(t)
	h.set(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_client"}`)
	}, nil)
	c := h.client(t, func(cfg *Config) { cfg.Auth.Tokens = cache })
	require.Error(t, c.CheckLogin(t.Context()))
	require.ErrorIs(t, c.CheckLogin(t.Context()), tokens.ErrRemembered)
	require.EqualValues(t, 1, h.tokens.Load())
	require.Equal(t, "login refused: status 400 of the token endpoint, error invalid_client", stateOf(t, c).FailureCause)

	other := h.client(t, func(cfg *Config) { cfg.Auth.Tokens = cache })
	require.ErrorIs(t, other.CheckLogin(t.Context()), tokens.ErrRemembered)
	require.Equal(t, "login refused", stateOf(t, other).FailureCause)
}

func TestTheCertificatesOfAHospital(t *testing.T) {
	authority := newAuthority(t)
	named := func(name string, life time.Duration) tls.Certificate {
		return authority.issue(t, func(c *x509.Certificate) {
			c.Subject, c.NotAfter = pkix.Name{CommonName: name}, time.Now().Add(life)
		})
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fhir/Binary/elsewhere" {
			http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
		}
	}))
	elsewhere := httptest.NewUnstartedServer(http.NotFoundHandler())
	for s, name := range map[*httptest.Server]string{server: "fhir.hospital.example", elsewhere: "files.example"} {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{named(name, 2*time.Hour)}}
		s.StartTLS()
		t.Cleanup(s.Close)
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority.cert)
	base, err := url.Parse(server.URL + "/fhir")
	require.NoError(t, err)
	ours := named("gateway", 3*time.Hour)
	c, err := New(Config{
		BaseURL: base, PrivateNetwork: true, RedirectHosts: []string{strings.TrimPrefix(elsewhere.URL, "https://")},
		TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{ours}},
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	s := stateOf(t, c)
	require.Equal(t, "gateway", s.OwnCertificate.Subject.CommonName)
	require.Nil(t, s.ServerCertificate, "there was no handshake yet")
	for range 2 {
		for _, path := range []string{"/fhir/Patient/1", "/fhir/Binary/elsewhere?to=" + url.QueryEscape(elsewhere.URL+"/x")} {
			resp, err := get(t, c, server.URL+path)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, "fhir.hospital.example", stateOf(t, c).ServerCertificate.Subject.CommonName)
		}
	}
	require.Nil(t, stateOf(t, newHospital(t).client(t, nil)).OwnCertificate)
}
