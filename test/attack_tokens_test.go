package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// The keys of attackers and of those whom they attack.
var (
	clientKey   = newEC(elliptic.P384())
	attackerKey = newEC(elliptic.P384())
	attackerRSA = newRSA()
	idpKey      = newEC(elliptic.P256())
	idpRSA      = newRSA()
)

func newEC(curve elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func newRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// clientKeys is the public key of the client that signs.
var clientKeys = &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: clientKey.Public(), KeyID: "client-1", Algorithm: "ES384", Use: "sig"}}}

// claims are those of a JWT by name. A nil value takes one away.
type claims map[string]any

func (c claims) with(changes claims) claims {
	all := claims{}
	for name, value := range c {
		all[name] = value
	}
	for name, value := range changes {
		if value == nil {
			delete(all, name)
		} else {
			all[name] = value
		}
	}
	return all
}

// ago is a time as claims have it.
func ago(d time.Duration) int64 { return time.Now().Add(-d).Unix() }

// sign returns a JWT in compact form. header are further header parameters.
func sign(t *testing.T, key jose.SigningKey, payload any, header map[string]any) string {
	t.Helper()
	options := &jose.SignerOptions{}
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(key, options)
	require.NoError(t, err)
	signed, err := signer.Sign([]byte(encode(t, payload)))
	require.NoError(t, err)
	token, err := signed.CompactSerialize()
	require.NoError(t, err)
	return token
}

// unsigned returns a JWT whose three parts are as given.
func unsigned(header, payload, signature string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(payload)) + "." + signature
}

// oauthClient is a client of the authorization server.
type oauthClient struct{ id, secret string }

func newOAuthClient(t *testing.T, g *gateway, plan string, keys *jose.JSONWebKeySet, args ...string) oauthClient {
	t.Helper()
	args = append([]string{"keys", "create", "--json", "--name", "client", "--plan", plan, "--kind", "client"}, args...)
	if keys != nil {
		args = append(args, "--no-secret", "--jwks-file", writeFile(t, "jwks.json", encode(t, keys)))
	}
	out := g.mustCLI(t, args...)
	return oauthClient{gjson.Get(out, "id").Str, gjson.Get(out, "secret").Str}
}

// askToken gets a token by the client's secret; scope may be empty.
func askToken(t *testing.T, g *gateway, c oauthClient, scope string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.id}, "client_secret": {c.secret}}
	if scope != "" {
		form.Set("scope", scope)
	}
	answer, err := http.PostForm(g.url+"/oauth/token", form)
	require.NoError(t, err)
	defer answer.Body.Close()
	var told struct {
		Token string `json:"access_token"`
	}
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&told))
	require.NotEmpty(t, told.Token, "status %d", answer.StatusCode)
	return told.Token
}

// ownClaims are those of a good token of the gateway.
func (f *fight) ownClaims() claims {
	return claims{
		"iss": f.a.url, "aud": f.a.url + "/fhir", "sub": f.client.id, "client_id": f.client.id, "scope": "system/*.cruds",
		"iat": ago(0), "exp": ago(-4 * time.Minute), "jti": rand.Text(),
	}
}

// forged returns a token that the gateway's own key has signed.
func (f *fight) forged(changes claims, header ...string) string {
	extra := map[string]any{"typ": "at+jwt"}
	for i := 0; i < len(header); i += 2 {
		extra[header[i]] = header[i+1]
	}
	return sign(f.t, f.own, f.ownClaims().with(changes), extra)
}

// ownPublic is the public half of the gateway's own key.
func (f *fight) ownPublic() jose.JSONWebKey {
	key := f.own.Key.(jose.JSONWebKey)
	return key.Public()
}

// kid is that of the gateway's own key.
func (f *fight) kid() string { return f.ownPublic().KeyID }

// assertion returns what a client signs to get a token.
func (f *fight) assertion(changes claims) string {
	return f.assertionBy(jose.SigningKey{Algorithm: jose.ES384, Key: jose.JSONWebKey{Key: clientKey, KeyID: "client-1"}}, f.signer, changes)
}

func (f *fight) assertionBy(key jose.SigningKey, client oauthClient, changes claims) string {
	good := claims{"iss": client.id, "sub": client.id, "aud": f.a.url + "/oauth/token", "exp": ago(-4 * time.Minute), "iat": ago(0), "jti": rand.Text()}
	return sign(f.t, key, good.with(changes), map[string]any{"typ": "JWT"})
}

// assertionForm is the request for a token by an assertion.
func assertionForm(assertion string) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
}

// secretForm is the request for a token by a secret.
func secretForm(id, secret string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
}

// provider is an outside identity provider with two issuers: one whose tokens
// are ES256, and one with a set that holds keys of every sort.
type provider struct{ strict, loose string }

// idpSecret is the symmetric key in the loose issuer's public set.
const idpSecret = "a secret that everybody can read in the set"

func startProvider(t *testing.T) *provider {
	t.Helper()
	public := func(key any, kid string) jose.JSONWebKey { return jose.JSONWebKey{Key: key, KeyID: kid, Use: "sig"} }
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		public(idpKey.Public(), "idp-ec"), public(idpRSA.Public(), "idp-rsa"), public([]byte(idpSecret), "idp-oct"),
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(encode(t, set)))
	}))
	t.Cleanup(server.Close)
	return &provider{strict: server.URL + "/strict", loose: server.URL + "/loose"}
}

func (p *provider) settings() []map[string]any {
	return []map[string]any{
		{"issuer": p.strict, "algorithms": []string{"ES256"}, "jwks_url": p.strict + "/jwks", "private_network": true},
		{"issuer": p.loose, "algorithms": []string{"RS256", "ES256"}, "jwks_url": p.loose + "/jwks", "private_network": true},
	}
}

// register makes the consumers that the provider's tokens stand for.
func (p *provider) register(t *testing.T, g *gateway) {
	for _, issuer := range []string{p.strict, p.loose} {
		for subject, plan := range map[string]string{"robot": "e2e", "app": "people"} {
			g.mustCLI(t, "keys", "create", "--json", "--name", subject, "--plan", plan, "--kind", "external", "--issuer", issuer, "--subject", subject)
		}
	}
}

// outside returns a token of the provider.
func (f *fight) outside(issuer string, key jose.SigningKey, changes claims) string {
	good := claims{
		"iss": issuer, "aud": f.a.url + "/fhir", "sub": "robot", "azp": "robot", "scope": "system/*.cruds", "iat": ago(0), "exp": ago(-4 * time.Minute),
	}
	return sign(f.t, key, good.with(changes), map[string]any{"typ": "JWT"})
}

var (
	idpES256 = jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: idpKey, KeyID: "idp-ec"}}
	idpRS256 = jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: idpRSA, KeyID: "idp-rsa"}}
	idpHS256 = jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: []byte(idpSecret), KeyID: "idp-oct"}}
)

// swap replaces the payload of a token and leaves header and signature.
func swap(token, payload string) string {
	parts := strings.Split(token, ".")
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + parts[2]
}
