package oauth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/internal/envelope"
	"fhirgate/policies/smart"
)

const (
	issuer   = "https://gateway.example"
	tokenURL = issuer + "/oauth/token"
	base     = issuer + "/fhir"
	secret   = "fg_a+b%c/secret"
)

var (
	rsaKey   = must(rsa.GenerateKey(rand.Reader, 2048))
	ecKey    = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	otherKey = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	caller   = netip.MustParseAddr("192.0.2.1") // of httptest.NewRequest
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// records are Clients in memory.
type records struct {
	mu       sync.Mutex
	clients  map[string]*Client
	external map[string]*Client // by issuer and subject
	revoked  map[string]time.Time
	asked    []string // ids for which Secret was called
	err      error    // of every call
	slowed   bool
}

func (r *records) Client(_ context.Context, id string) (*Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil, r.err
	}
	if c := r.clients[id]; c != nil {
		return c, nil
	}
	return nil, facade.ErrUnknownKey
}

func (r *records) Secret(_ context.Context, id, shown string, _ netip.Addr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, id)
	switch {
	case r.err != nil:
		return r.err
	case r.slowed:
		return &facade.SlowedError{After: 1500 * time.Millisecond}
	case r.clients[id] == nil || shown != secret:
		return facade.ErrUnknownKey
	default:
		return nil
	}
}

func (r *records) External(_ context.Context, issuer, subject string) (*Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil, r.err
	}
	if c := r.external[issuer+" "+subject]; c != nil {
		return c, nil
	}
	return nil, facade.ErrUnknownKey
}

func (r *records) RevokeToken(_ context.Context, jti string, until time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.revoked[jti] = until
	}
	return r.err
}

func (r *records) TokenRevoked(_ context.Context, jti string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.revoked[jti].IsZero(), r.err
}

// lab is a Redis with the servers that a test opens on it.
type lab struct {
	t       testing.TB
	redis   *miniredis.Miniredis
	seal    jose.JSONWebKeySet
	clock   *clock
	records *records
	plan    []string
	failed  atomic.Int32
	slowed  time.Duration
	log     bytes.Buffer
	logger  *slog.Logger
}

func newLab(t testing.TB) *lab {
	l := &lab{
		t: t, redis: miniredis.RunT(t), seal: envelope.NewSet(),
		clock: &clock{now: time.Date(2026, 3, 7, 10, 0, 0, 700_000_000, time.UTC)},
		plan:  []string{"system/*.rs", "system/DocumentReference.cru", "user/Patient.rs"},
	}
	l.logger = slog.New(slog.NewTextHandler(&l.log, nil))
	set := must(CheckJWKS(keySet(publicKey("rsa-1", "RS384", rsaKey.Public()), publicKey("ec-1", "", ecKey.Public()))))
	l.records = &records{
		clients:  map[string]*Client{"key_a": {KeyID: "key_a", PlanID: "night", Name: "Night shift", JWKS: &set}},
		external: map[string]*Client{},
		revoked:  map[string]time.Time{},
	}
	return l
}

// server opens the server as a node of its own.
func (l *lab) server(change ...func(*Options)) *Server {
	l.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: l.redis.Addr(), MaxRetries: -1, DialTimeout: time.Second})
	l.t.Cleanup(func() { _ = client.Close() })
	o := Options{
		PublicURL: issuer + "/", Redis: client, SealKeys: l.seal, Clients: l.records,
		Plans: func(id string) (*smart.Scopes, bool) { return must(smart.Parse(l.plan)), id == "night" },
		Address: func(r *http.Request) netip.Addr {
			return netip.MustParseAddrPort(r.RemoteAddr).Addr()
		},
		Failed: func(from netip.Addr) {
			require.Equal(l.t, caller, from)
			l.failed.Add(1)
		},
		Slowed: func(netip.Addr) (time.Duration, bool) { return l.slowed, l.slowed > 0 },
		Log:    l.logger,
		Now:    l.clock.Now,
	}
	for _, f := range change {
		f(&o)
	}
	return must(New(o))
}

// post sends a form.
func post(s http.Handler, path string, f url.Values, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func basicAuth(id, secret string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) }
}

// credentialsForm is a request for a token, with more parameters as pairs.
func credentialsForm(pairs ...string) url.Values {
	f := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}

func withAssertion(assertion string, pairs ...string) url.Values {
	return credentialsForm(append(pairs, "client_assertion_type", assertionType, "client_assertion", assertion)...)
}

// granted returns a token's answer.
func granted(t testing.TB, w *httptest.ResponseRecorder) (token, scope string) {
	t.Helper()
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var a struct {
		Token   string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int    `json:"expires_in"`
		Scope   string `json:"scope"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a))
	require.Equal(t, "Bearer", a.Type)
	require.Positive(t, a.Expires)
	require.LessOrEqual(t, a.Expires, 300)
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Equal(t, "no-cache", w.Header().Get("Pragma"))
	return a.Token, a.Scope
}

// refused checks that an answer is a refusal in the form of RFC 6749.
func refused(t testing.TB, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	var a struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	require.Equal(t, status, w.Code, w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a))
	require.Equal(t, code, a.Error, a.Description)
	require.Regexp(t, `^[ -!#-\[\]-~]+$`, a.Description, "RFC 6749 section 5.2")
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Equal(t, "no-cache", w.Header().Get("Pragma"))
	require.Equal(t, status == http.StatusUnauthorized, w.Header().Get("WWW-Authenticate") != "")
	require.Equal(t, status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests, w.Header().Get("Retry-After") != "")
}

// token obtains a token by secret.
func (l *lab) token(s *Server, scope string) string {
	l.t.Helper()
	token, _ := granted(l.t, post(s, TokenPath, credentialsForm("scope", scope), basicAuth("key_a", secret)))
	return token
}

// assertion is a JWT that a test bends.
type assertion struct {
	alg    jose.SignatureAlgorithm
	key    any // private
	header map[string]any
	claims map[string]any
}

// assertion returns one that is right.
func (l *lab) assertion() *assertion {
	now := l.clock.Now()
	return &assertion{
		alg: jose.ES384, key: ecKey,
		header: map[string]any{"kid": "ec-1", "typ": "JWT"},
		claims: map[string]any{
			"iss": "key_a", "sub": "key_a", "aud": tokenURL, "jti": rand.Text(),
			"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		},
	}
}

func (a *assertion) sign() string {
	o := &jose.SignerOptions{}
	for name, value := range a.header {
		o.WithHeader(jose.HeaderKey(name), value)
	}
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: a.alg, Key: a.key}, o))
	return must(jwt.Signed(signer).Claims(a.claims).Serialize())
}

func publicKey(kid, alg string, key crypto.PublicKey) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: alg, Use: "sig"}
}

func keySet(keys ...jose.JSONWebKey) []byte {
	return must(json.Marshal(jose.JSONWebKeySet{Keys: keys}))
}

// site is a web server that a test bends, with pages that may change.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	pages map[string]func(http.ResponseWriter, *http.Request)
	calls map[string]int
}

func newSite(t testing.TB, start func(http.Handler) *httptest.Server) *site {
	s := &site{pages: map[string]func(http.ResponseWriter, *http.Request){}, calls: map[string]int{}}
	s.Server = start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		page := s.pages[r.URL.Path]
		s.calls[r.URL.Path]++
		s.mu.Unlock()
		if page == nil {
			http.NotFound(w, r)
			return
		}
		page(w, r)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelError)
	t.Cleanup(s.Close)
	return s
}

func (s *site) show(path string, page func(http.ResponseWriter, *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = page
}

func (s *site) showJSON(path, cacheControl string, data []byte) {
	s.show(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", cacheControl)
		_, _ = w.Write(data)
	})
}

func (s *site) called(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[path]
}

var errStore = errors.New("the store is down")

func body(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }
