package test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// formType is the media type of what the token endpoint takes.
const formType = "application/x-www-form-urlencoded"

// token gets a token with the client's id and secret.
func (c *client) token(t *testing.T) string {
	t.Helper()
	return c.askToken(t, url.Values{"client_id": {c.keyID}, "client_secret": {c.key}}).ok(http.StatusOK).Get("access_token").Str
}

// askToken asks for a token by a form of the caller's.
func (c *client) askToken(t *testing.T, form url.Values) answer {
	t.Helper()
	form.Set("grant_type", "client_credentials")
	return c.call(http.MethodPost, "/oauth/token", form.Encode(), "Authorization", "", "Content-Type", formType)
}

// signer is an OAuth client that signs with a key of its own.
type signer struct {
	*client
	key jose.JSONWebKey
}

// newSigner returns an OAuth client with a fresh key; how registers it and
// returns the flags that do.
func (g *gateway) newSigner(t *testing.T, alg jose.SignatureAlgorithm, how func(jose.JSONWebKeySet) []string) *signer {
	t.Helper()
	key := newSigningKey(t, alg)
	args := []string{"keys", "create", "--json", "--name", "tests", "--plan", "e2e", "--kind", "client", "--no-secret"}
	out := g.mustCLI(t, append(args, how(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})...)...)
	require.Empty(t, gjson.Get(out, "secret").Str)
	require.Equal(t, g.url+"/oauth/token", gjson.Get(out, "token_url").Str)
	return &signer{&client{gateway: g, t: t, keyID: gjson.Get(out, "id").Str}, key}
}

func newSigningKey(t *testing.T, alg jose.SignatureAlgorithm) jose.JSONWebKey {
	t.Helper()
	var private crypto.Signer
	var err error
	switch alg {
	case jose.RS384:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.ES384:
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	require.NoError(t, err)
	return jose.JSONWebKey{Key: private, KeyID: rand.Text(), Algorithm: string(alg), Use: "sig"}
}

// inline registers a key set with the client.
func inline(t *testing.T) func(jose.JSONWebKeySet) []string {
	return func(set jose.JSONWebKeySet) []string {
		file := filepath.Join(t.TempDir(), "jwks.json")
		require.NoError(t, os.WriteFile(file, []byte(encode(t, set)), 0o600))
		return []string{"--jwks-file", file}
	}
}

// assertion signs what shows the token endpoint at an address who the client is.
func (s *signer) assertion(t *testing.T, audience string) url.Values {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", s.key.KeyID)
	by, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(s.key.Algorithm), Key: s.key.Key}, options)
	require.NoError(t, err)
	text, err := jwt.Signed(by).Claims(jwt.Claims{
		Issuer: s.keyID, Subject: s.keyID, Audience: jwt.Audience{audience}, ID: rand.Text(), Expiry: jwt.NewNumericDate(time.Now().Add(4 * time.Minute)),
	}).Serialize()
	require.NoError(t, err)
	return url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {text},
	}
}

// scriptClient is what the scripts in the folder clients are told of a client.
type scriptClient struct {
	Method string           `json:"method,omitempty"`
	ID     string           `json:"id"`
	Secret string           `json:"secret,omitempty"`
	JWK    *jose.JSONWebKey `json:"jwk,omitempty"` // the private key
}

// TestTokensByOpenIDClient gets tokens with an OAuth client that others wrote, in
// each way that the gateway's metadata offer, and takes one back.
func TestTokensByOpenIDClient(t *testing.T) {
	installClients(t)
	g := startGateway(t, options{})
	basic, post := g.newClient(t, "e2e", "--kind", "client"), g.newClient(t, "e2e", "--kind", "client")
	rsaClient, ecClient := g.newSigner(t, jose.RS384, inline(t)), g.newSigner(t, jose.ES384, inline(t))
	given := []scriptClient{
		{Method: "client_secret_basic", ID: basic.keyID, Secret: basic.key},
		{Method: "client_secret_post", ID: post.keyID, Secret: post.key},
		{Method: "private_key_jwt", ID: rsaClient.keyID, JWK: &rsaClient.key},
		{Method: "private_key_jwt", ID: ecClient.keyID, JWK: &ecClient.key},
	}
	results := gjson.Parse(node(t, "openid-client.mjs", g.url, g.url+somewhere, "system/Patient.rs openid", encode(t, given))).Array()
	require.Len(t, results, len(given))
	for _, result := range results {
		t.Logf("%s %s: scope %q for %d s", result.Get("method").Str, result.Get("alg").Str, result.Get("scope").Str, result.Get("expires").Int())
		require.EqualValues(t, "bearer", strings.ToLower(result.Get("type").Str))
		require.Equal(t, "system/Patient.rs", result.Get("scope").Str, "openid is not for us")
		require.EqualValues(t, 300, result.Get("expires").Int())
		require.EqualValues(t, http.StatusOK, result.Get("status").Int())
		require.Equal(t, "100000", result.Get("read").Str)

		token := basic.with(result.Get("token").Str)
		token.get(somewhere).ok(http.StatusOK)
		token.get("/fhir/harbor/Observation").refused(http.StatusForbidden, "forbidden")
		basic.with(result.Get("revoked").Str).get(somewhere).refused(http.StatusUnauthorized, "login")
	}
}

// TestTokensByJose signs assertions by hand, as SMART Backend Services has it, for
// clients whose keys the gateway holds and for one that publishes its own.
func TestTokensByJose(t *testing.T) {
	installClients(t)
	var published publisher
	server := httptest.NewTLSServer(&published)
	t.Cleanup(server.Close)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	g := startGateway(t, options{settings: map[string]any{"client_keys_private": true}, env: []string{"SSL_CERT_FILE=" + authority}})
	byURL := g.newSigner(t, jose.ES384, func(set jose.JSONWebKeySet) []string {
		published.set.Store(&set)
		return []string{"--jwks-url", server.URL + "/jwks.json"}
	})
	signers := []*signer{byURL, g.newSigner(t, jose.RS384, inline(t)), g.newSigner(t, jose.ES384, inline(t))}
	given := make([]scriptClient, len(signers))
	for i, c := range signers {
		given[i] = scriptClient{ID: c.keyID, JWK: &c.key}
	}
	results := gjson.Parse(node(t, "jose.mjs", g.url, g.url+"/fhir", encode(t, given))).Array()
	require.Len(t, results, len(given))
	for i, result := range results {
		require.EqualValues(t, http.StatusOK, result.Get("status").Int(), result.Raw)
		require.Equal(t, signers[i].keyID, result.Get("client").Str)
		require.Equal(t, signers[i].keyID, result.Get("subject").Str)
		require.Equal(t, "ES384", result.Get("signature").Str)
		require.LessOrEqual(t, result.Get("life").Int(), int64(300))
		require.EqualValues(t, http.StatusUnauthorized, result.Get("again").Int(), "an assertion counts once")
		require.Equal(t, "invalid_client", result.Get("refusal").Str)
		signers[i].with(result.Get("token").Str).get(somewhere).ok(http.StatusOK)
	}
	require.Positive(t, published.asked.Load(), "the keys were fetched")
}

// publisher is a client's web server, with its key set.
type publisher struct {
	set   atomic.Pointer[jose.JSONWebKeySet]
	asked atomic.Int64
}

func (p *publisher) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.asked.Add(1)
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_ = json.NewEncoder(w).Encode(p.set.Load()) // the gateway is gone when this fails
}

// TestTokenLatency prints how long the token endpoint takes, and a call with a
// token that a node sees for the first time beside one with a token that it knows.
func TestTokenLatency(t *testing.T) {
	const rounds = 200
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis})
		secret := g.newClient(t, "e2e", "--kind", "client")
		byRSA, byEC := g.newSigner(t, jose.RS384, inline(t)), g.newSigner(t, jose.ES384, inline(t))
		took := make(map[string][]time.Duration)
		timed := func(what string, call func() answer) answer {
			began := time.Now()
			a := call()
			took[what] = append(took[what], time.Since(began))
			a.ok(http.StatusOK)
			return a
		}
		for range rounds {
			for what, form := range map[string]url.Values{
				"token for a secret":           {"client_id": {secret.keyID}, "client_secret": {secret.key}},
				"token for an RS384 assertion": byRSA.assertion(t, g.url+"/oauth/token"),
				"token for an ES384 assertion": byEC.assertion(t, g.url+"/oauth/token"),
			} {
				a := timed(what, func() answer { return secret.askToken(t, form) })
				fresh := secret.with(gjson.GetBytes(a.body, "access_token").Str)
				timed("first call with a token", func() answer { return fresh.get(somewhere) })
				timed("second call with it", func() answer { return fresh.get(somewhere) })
			}
		}
		for _, what := range slices.Sorted(maps.Keys(took)) {
			all := slices.Sorted(slices.Values(took[what]))
			t.Logf("%-28s median %-8s 99 of 100 within %s", what,
				all[len(all)/2].Round(time.Microsecond), all[len(all)*99/100].Round(time.Microsecond))
		}
	})
}
