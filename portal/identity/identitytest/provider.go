package identitytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
)

// Client of every Provider.
const (
	ClientID     = "portal"
	ClientSecret = "the secret of the client"
)

// Provider is an identity provider (OpenID Connect) at which somebody is signed in
// always. The fields may be changed between logins.
type Provider struct {
	Issuer string

	// Claims are who signs in: sub, email, email_verified, name.
	Claims map[string]any
	// UserInfo is what the userinfo endpoint tells; nil = it does not exist.
	UserInfo map[string]any
	// Spoil changes an ID token's claims before it is signed.
	Spoil func(claims map[string]any)
	// Answer changes what the browser brings back.
	Answer func(url.Values)
	// Sign is the key of ID tokens; its own one by default, which is published.
	Sign *ecdsa.PrivateKey
	// Status of the token endpoint when it does not work; 0 = it does.
	Status int
	// Endless makes the discovery document longer than anybody should read.
	Endless bool

	mu    sync.Mutex
	key   *ecdsa.PrivateKey
	codes map[string]url.Values // what the authorization request said
}

// NewProvider starts a provider.
func NewProvider(t testing.TB) *Provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p := &Provider{key: key, Sign: key, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("/keys", p.keys)
	mux.HandleFunc("/authorize", p.authorize)
	mux.HandleFunc("/token", p.token)
	mux.HandleFunc("/userinfo", p.userInfo)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.Issuer = server.URL
	return p
}

func answerJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	document := map[string]any{
		"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token",
		"jwks_uri": p.Issuer + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"},
		"authorization_response_iss_parameter_supported": true,
	}
	if p.UserInfo != nil {
		document["userinfo_endpoint"] = p.Issuer + "/userinfo"
	}
	if p.Endless {
		document["more"] = make([]byte, 2<<20)
	}
	answerJSON(w, http.StatusOK, document)
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
}

// authorize sends the browser back with a code.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = asked
	p.mu.Unlock()
	answer := url.Values{"code": {code}, "state": {asked.Get("state")}, "iss": {p.Issuer}}
	if p.Answer != nil {
		p.Answer(answer)
	}
	http.Redirect(w, r, asked.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
}

// token redeems a code, once and for who began with it (RFC 7636, section 4.6).
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	if p.Status != 0 {
		answerJSON(w, p.Status, map[string]string{"error": "server_error"})
		return
	}
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if decoded, err := url.QueryUnescape(secret); ok && err == nil {
		secret = decoded
	}
	if id != ClientID || secret != ClientSecret {
		answerJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	p.mu.Lock()
	asked, found := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !found || asked.Get("code_challenge_method") != "S256" || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) ||
		asked.Get("redirect_uri") != r.PostFormValue("redirect_uri") {
		answerJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	access := rand.Text()
	idToken, err := p.idToken(asked.Get("nonce"), access)
	if err != nil {
		answerJSON(w, http.StatusInternalServerError, map[string]string{"error": "server_error"})
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": idToken})
}

func (p *Provider) idToken(nonce, access string) (string, error) {
	sum := sha256.Sum256([]byte(access))
	claims := map[string]any{
		"iss": p.Issuer, "aud": ClientID, "nonce": nonce, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
	}
	for name, value := range p.Claims {
		claims[name] = value
	}
	if p.Spoil != nil {
		p.Spoil(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.Sign, KeyID: "1"}}, nil)
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") == "" || p.UserInfo == nil {
		answerJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_token"})
		return
	}
	answerJSON(w, http.StatusOK, p.UserInfo)
}
