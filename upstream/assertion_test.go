package upstream

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"fhirgate/sandbox"
)

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func ecKey(t *testing.T, curve string) *ecdsa.PrivateKey {
	t.Helper()
	c := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384()}[curve]
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	require.NoError(t, err)
	return key
}

func inPEM(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func rsaPEM(t *testing.T) string {
	return inPEM(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey()), nil)
}

func ecPEM(t *testing.T, curve string) string {
	der, err := x509.MarshalECPrivateKey(ecKey(t, curve))
	return inPEM(t, "EC PRIVATE KEY", der, err)
}

func jwk(t *testing.T, key any) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "own"})
	require.NoError(t, err)
	return string(text)
}

func publicJWK(t *testing.T) string { return jwk(t, rsaKey().Public()) }

// TestAssertions checks what SMART Backend Services wants of an assertion, for
// every form of key.
func TestAssertions(t *testing.T) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rsaKey())
	p256, p384 := ecKey(t, "P-256"), ecKey(t, "P-384")
	for name, tc := range map[string]struct {
		auth     Auth
		alg, kid string
		public   crypto.PublicKey
	}{
		"PKCS #8":            {Auth{Key: inPEM(t, "PRIVATE KEY", pkcs8, err), KeyID: "k1"}, "RS384", "k1", rsaKey().Public()},
		"PKCS #1":            {Auth{Key: rsaPEM(t), Alg: "RS256"}, "RS256", "", rsaKey().Public()},
		"JWK":                {Auth{Key: jwk(t, rsaKey())}, "RS384", "own", rsaKey().Public()},
		"JWK, other kid":     {Auth{Key: " " + jwk(t, p384), KeyID: "k2"}, "ES384", "k2", p384.Public()},
		"JWK of P-256":       {Auth{Key: jwk(t, p256)}, "ES256", "own", p256.Public()},
		"RS512, as asked":    {Auth{Key: jwk(t, rsaKey()), Alg: "RS512"}, "RS512", "own", rsaKey().Public()},
		"ES384, as is usual": {Auth{Key: jwk(t, p384), Alg: "ES384"}, "ES384", "own", p384.Public()},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			var form url.Values
			h.set(func(w http.ResponseWriter, r *http.Request) {
				require.NoError(t, r.ParseForm())
				form = r.PostForm
				h.giveToken(w, r)
			}, nil)
			tc.auth.Kind, tc.auth.ClientID, tc.auth.TokenURL = "smart-backend", "fhirgate", h.URL+"/token"
			c := h.client(t, func(cfg *Config) { cfg.Auth = tc.auth })
			seen := make(map[string]bool)
			for range 2 {
				h.revoke()
				_, err := get(t, c, h.URL+"/fhir/Patient/1")
				require.NoError(t, err)
				require.Equal(t, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", form.Get("client_assertion_type"))
				require.Equal(t, "client_credentials", form.Get("grant_type"))
				token, err := jwt.ParseSigned(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(tc.alg)})
				require.NoError(t, err)
				require.Equal(t, tc.kid, token.Headers[0].KeyID)
				require.Equal(t, "JWT", token.Headers[0].ExtraHeaders["typ"])
				var claims jwt.Claims
				require.NoError(t, token.Claims(tc.public, &claims))
				require.Equal(t, "fhirgate", claims.Issuer)
				require.Equal(t, "fhirgate", claims.Subject)
				require.Equal(t, jwt.Audience{h.URL + "/token"}, claims.Audience)
				life := claims.Expiry.Time().Sub(claims.IssuedAt.Time())
				require.LessOrEqual(t, life, 5*time.Minute)
				require.NotEmpty(t, claims.ID)
				require.LessOrEqual(t, len(claims.ID), 151)
				require.False(t, seen[claims.ID], "a jti is used once")
				seen[claims.ID] = true
			}
		})
	}
}

// TestTheSimulatedVendorsLetUsIn logs in at each vendor's own token endpoint,
// which checks what that vendor checks.
func TestTheSimulatedVendorsLetUsIn(t *testing.T) {
	key := jose.JSONWebKey{Key: rsaKey(), KeyID: "k1", Algorithm: "RS384", Use: "sig"}
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}
	options := sandbox.Options{ClientSecret: secret, Keys: keys, Patients: 40}
	smart := Auth{Kind: "smart-backend", ClientID: "fhirgate", TokenURL: "discover", Key: jwk(t, rsaKey()), KeyID: "k1", Scope: []string{"system/Patient.rs"}}
	bySecret := func(kind string) Auth {
		return Auth{Kind: kind, ClientID: "fhirgate", ClientSecret: secret, Scope: []string{"system/Patient.rs"}}
	}
	for name, tc := range map[string]struct {
		make func(sandbox.Options) *sandbox.Hospital
		auth Auth
	}{
		"epic, smart-backend":         {sandbox.NewEpic, smart},
		"oracle, smart-backend":       {sandbox.NewOracle, smart},
		"oracle, client_secret_basic": {sandbox.NewOracle, bySecret("client_secret_basic")},
		"hapi, client_secret_post":    {sandbox.NewHAPI, bySecret("client_secret_post")},
	} {
		t.Run(name, func(t *testing.T) {
			hospital := tc.make(options)
			require.NoError(t, hospital.Start("127.0.0.1:0"))
			defer hospital.Close()
			base, err := url.Parse(hospital.BaseURL())
			require.NoError(t, err)
			auth := tc.auth
			if auth.TokenURL == "" {
				auth.TokenURL = hospital.TokenURL()
			}
			c, err := New(Config{BaseURL: base, Auth: auth, PrivateNetwork: true})
			require.NoError(t, err)
			defer c.Close()
			id := hospital.IDs("Patient")[0]
			for range 2 {
				resp, err := get(t, c, hospital.BaseURL()+"/Patient/"+id)
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, resp.StatusCode)
			}
			hospital.RevokeTokens()
			resp, err := get(t, c, hospital.BaseURL()+"/Patient/"+id)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, resp.StatusCode)

			auth.ClientSecret, auth.Key = "wrong", jwk(t, mustRSA(t))
			stranger, err := New(Config{BaseURL: base, Auth: auth, PrivateNetwork: true})
			require.NoError(t, err)
			refusal(t, stranger.CheckLogin(t.Context()), http.StatusBadGateway)
		})
	}
}

func mustRSA(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return key
}
