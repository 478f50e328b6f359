package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fhirgate/upstream"
	"fhirgate/upstream/tokens/oidc"
)

var scope = []string{"system/Patient.rs", "system/Encounter.rs"}

// hospital is a FHIR server that asks the OAuth server about each token.
type hospital struct {
	*httptest.Server
	oauth *oidc.Server

	mu     sync.Mutex
	tokens []string // accepted, each once
}

func newHospital(t *testing.T, oauth *oidc.Server) *hospital {
	h := &hospital{oauth: oauth}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *hospital) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/fhir/.well-known/smart-configuration" {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": h.oauth.Issuer, "token_endpoint": h.oauth.TokenURL,
			"grant_types_supported": []string{"client_credentials"}, "capabilities": []string{"client-confidential-asymmetric"},
		})
		return
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	about, err := h.oauth.Introspect(r.Context(), token)
	if err != nil || !about.Active {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.tokens) == 0 || h.tokens[len(h.tokens)-1] != token {
		h.tokens = append(h.tokens, token)
	}
	_ = json.NewEncoder(w).Encode(about)
}

func (h *hospital) seen() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.tokens...)
}

// client returns the gateway's client of the hospital.
func (h *hospital) client(t *testing.T, auth upstream.Auth) *upstream.Client {
	t.Helper()
	base, err := url.Parse(h.URL + "/fhir")
	require.NoError(t, err)
	auth.Scope = scope
	if auth.TokenURL == "" {
		auth.TokenURL = h.oauth.TokenURL
	}
	c, err := upstream.New(upstream.Config{BaseURL: base, Auth: auth, PrivateNetwork: true})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// call reads from the hospital and returns what it knows of the token.
func (h *hospital) call(t *testing.T, c *upstream.Client) oidc.Introspection {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL+"/fhir/Patient/1", nil)
	require.NoError(t, err)
	resp, err := c.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	var about oidc.Introspection
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&about))
	return about
}

// pair is a private key as the gateway has it, and its public half.
type pair struct {
	private string
	key     jose.JSONWebKey
	public  jose.JSONWebKey
}

func newPair(t *testing.T, alg, kid string) pair {
	t.Helper()
	var key any
	var err error
	if strings.HasPrefix(alg, "RS") {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384()}[alg], rand.Reader)
	}
	require.NoError(t, err)
	jwk := jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: alg, Use: "sig"}
	text, err := json.Marshal(jwk)
	require.NoError(t, err)
	return pair{private: string(text), key: jwk, public: jwk.Public()}
}

const secret = "s3cret with: odd/characters+&%"

func TestEachWayToLogIn(t *testing.T) {
	auths := map[string]upstream.Auth{
		"basic": {Kind: "client_secret_basic", ClientSecret: secret},
		"post":  {Kind: "client_secret_post", ClientSecret: secret},
	}
	clients := []oidc.Client{
		oidc.SecretClient("basic", "client_secret_basic", secret),
		oidc.SecretClient("post", "client_secret_post", secret),
	}
	for _, alg := range []string{"RS256", "RS384", "ES256", "ES384"} {
		key := newPair(t, alg, "key-"+alg)
		clients = append(clients, oidc.KeyClient(alg, alg, key.public))
		auths[alg] = upstream.Auth{Kind: "smart-backend", Key: key.private, Alg: alg}
	}
	h := newHospital(t, oidc.Start(t, time.Minute, clients...))
	for id, auth := range auths {
		auth.ClientID = id
		for _, place := range []string{h.oauth.TokenURL, "discover"} {
			t.Run(id+" "+place[:4], func(t *testing.T) {
				auth.TokenURL = place
				c := h.client(t, auth)
				require.NoError(t, c.CheckLogin(t.Context()))
				about := h.call(t, c)
				assert.Equal(t, id, about.ClientID)
				assert.ElementsMatch(t, scope, strings.Fields(about.Scope))
			})
		}
	}
}

func TestTokenThatEnds(t *testing.T) {
	key := newPair(t, "ES384", "key")
	h := newHospital(t, oidc.Start(t, 2*time.Second, oidc.KeyClient("pacs", "ES384", key.public)))
	c := h.client(t, upstream.Auth{Kind: "smart-backend", ClientID: "pacs", Key: key.private})
	first := h.call(t, c)
	h.call(t, c)
	require.Len(t, h.seen(), 1)
	time.Sleep(time.Until(time.Unix(first.Expires+1, 0)))
	about, err := h.oauth.Introspect(t.Context(), h.seen()[0])
	require.NoError(t, err)
	require.False(t, about.Active)
	h.call(t, c)
	assert.Len(t, h.seen(), 2)
}

func TestTokenThatIsRevoked(t *testing.T) {
	h := newHospital(t, oidc.Start(t, time.Hour, oidc.SecretClient("pacs", "client_secret_post", secret)))
	c := h.client(t, upstream.Auth{Kind: "client_secret_post", ClientID: "pacs", ClientSecret: secret})
	h.call(t, c)
	require.NoError(t, h.oauth.Revoke(t.Context(), h.seen()[0]))
	h.call(t, c)
	assert.Len(t, h.seen(), 2)
}

func TestRotationOfKeys(t *testing.T) {
	older, newer, newest := newPair(t, "RS384", "older"), newPair(t, "RS384", "newer"), newPair(t, "RS384", "newest")
	var mu sync.Mutex
	published := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{older.public}}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Cache-Control", "max-age=0")
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_ = json.NewEncoder(w).Encode(published)
	}))
	defer keys.Close()
	publish := func(set ...jose.JSONWebKey) {
		mu.Lock()
		defer mu.Unlock()
		published.Keys = set
	}
	h := newHospital(t, oidc.Start(t, time.Minute, oidc.KeyURLClient("pacs", "RS384", keys.URL)))
	login := func(key pair) error {
		return h.client(t, upstream.Auth{Kind: "smart-backend", ClientID: "pacs", Key: key.private}).CheckLogin(t.Context())
	}
	const cached = 61 * time.Second
	require.NoError(t, login(older))
	publish(older.public, newer.public)
	require.Error(t, login(newer), "the server does not know it yet")
	h.oauth.Advance(t, cached)
	require.NoError(t, login(older))
	require.NoError(t, login(newer))
	publish(newer.public, newest.public)
	h.oauth.Advance(t, cached)
	require.NoError(t, login(newer))
	require.NoError(t, login(newest))
	require.Error(t, login(older), "retired")
}

func TestWrongCredentials(t *testing.T) {
	key, other := newPair(t, "RS384", "key"), newPair(t, "RS384", "key")
	curve := newPair(t, "ES384", "key")
	h := newHospital(t, oidc.Start(t, time.Minute,
		oidc.SecretClient("basic", "client_secret_basic", secret), oidc.KeyClient("pacs", "RS384", key.public)))
	for name, auth := range map[string]upstream.Auth{
		"secret":      {Kind: "client_secret_basic", ClientID: "basic", ClientSecret: "wrong"},
		"client":      {Kind: "client_secret_basic", ClientID: "nobody", ClientSecret: secret},
		"key":         {Kind: "smart-backend", ClientID: "pacs", Key: other.private},
		"kid":         {Kind: "smart-backend", ClientID: "pacs", Key: key.private, KeyID: "unknown"},
		"alg of key":  {Kind: "smart-backend", ClientID: "pacs", Key: curve.private},
		"alg":         {Kind: "smart-backend", ClientID: "pacs", Key: key.private, Alg: "RS256"},
		"aud":         {Kind: "smart-backend", ClientID: "pacs", Key: key.private, TokenURL: h.oauth.TokenURL + "?v=1"},
		"no endpoint": {Kind: "smart-backend", ClientID: "pacs", Key: key.private, TokenURL: h.oauth.Issuer + "/elsewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			err := h.client(t, auth).CheckLogin(t.Context())
			require.Error(t, err)
			assert.NotContains(t, err.Error(), secret)
		})
	}
	require.NoError(t, h.client(t, upstream.Auth{Kind: "smart-backend", ClientID: "pacs", Key: key.private}).CheckLogin(t.Context()))
}

// TestServerIsStrict shows that the server refuses what SMART forbids, so that
// a login which passes here keeps the rules.
func TestServerIsStrict(t *testing.T) {
	key := newPair(t, "ES384", "key")
	server := oidc.Start(t, time.Minute, oidc.KeyClient("pacs", "ES384", key.public))
	now := time.Now()
	good := jwt.Claims{
		Issuer: "pacs", Subject: "pacs", Audience: jwt.Audience{server.TokenURL},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(4 * time.Minute)),
	}
	post := func(t *testing.T, claims jwt.Claims, kid string) int {
		signing := key.key
		signing.KeyID = kid
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES384, Key: signing}, (&jose.SignerOptions{}).WithType("JWT"))
		require.NoError(t, err)
		assertion, err := jwt.Signed(signer).Claims(claims).Serialize()
		require.NoError(t, err)
		resp, err := http.PostForm(server.TokenURL, url.Values{
			"grant_type": {"client_credentials"}, "scope": {scope[0]},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
		})
		require.NoError(t, err)
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		return resp.StatusCode
	}
	good.ID = "first"
	require.Equal(t, http.StatusOK, post(t, good, "key"))
	assert.Equal(t, http.StatusUnauthorized, post(t, good, "key"), "a replayed jti")
	for name, change := range map[string]func(*jwt.Claims){
		"aud":     func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://elsewhere.example/token"} },
		"issuer":  func(c *jwt.Claims) { c.Audience = jwt.Audience{server.Issuer} },
		"exp":     func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(now.Add(6 * time.Minute)) },
		"expired": func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(now.Add(-time.Minute)) },
		"no jti":  func(c *jwt.Claims) { c.ID = "" },
		"sub":     func(c *jwt.Claims) { c.Subject = "another" },
	} {
		claims := good
		claims.ID = name
		change(&claims)
		assert.Equal(t, http.StatusUnauthorized, post(t, claims, "key"), name)
	}
	good.ID = "second"
	assert.Equal(t, http.StatusUnauthorized, post(t, good, "unknown"), "an unknown kid")
	assert.Equal(t, http.StatusUnauthorized, post(t, good, ""), "no kid")
	assert.Equal(t, http.StatusOK, post(t, good, "key"))
}
