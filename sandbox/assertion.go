package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	assertionType    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	maxAssertionLife = 5 * time.Minute
	maxJTI           = 151 // characters
)

// assertionDesk checks signed client assertions (private_key_jwt) as SMART Backend Services and the vendors ask
// (https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html).
type assertionDesk struct {
	clientID string
	keys     jose.JSONWebKeySet
	keysURL  string
	byValue  []jose.SignatureAlgorithm // accepted with registered keys
	byURL    []jose.SignatureAlgorithm // accepted with a registered JWKS URL
	now      func() time.Time
	client   *http.Client

	mu      sync.Mutex
	fetched jose.JSONWebKeySet
	used    map[string]time.Time // jti to its expiry
}

func newAssertionDesk(o Options, byValue, byURL []jose.SignatureAlgorithm) *assertionDesk {
	return &assertionDesk{
		clientID: o.ClientID, keys: o.Keys, keysURL: o.KeysURL, byValue: byValue, byURL: byURL, now: o.Now, used: map[string]time.Time{},
		client: &http.Client{
			Timeout:       5 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("a JWKS URL must not redirect") },
		},
	}
}

// check accepts the assertion of a token request meant for tokenURL, or says why not.
func (d *assertionDesk) check(form url.Values, tokenURL string) error {
	if form.Get("client_assertion_type") != assertionType {
		return errors.New("client_assertion_type")
	}
	algorithms := d.byValue
	if d.keysURL != "" {
		algorithms = d.byURL
	}
	assertion, err := jwt.ParseSigned(form.Get("client_assertion"), algorithms)
	if err != nil {
		return fmt.Errorf("client_assertion: %w", err)
	}
	key, err := d.key(assertion.Headers[0].KeyID)
	if err != nil {
		return err
	}
	if key.Algorithm != "" && key.Algorithm != assertion.Headers[0].Algorithm {
		return errors.New("alg is not the key's")
	}
	var claims jwt.Claims
	if err := assertion.Claims(key.Key, &claims); err != nil {
		return fmt.Errorf("client_assertion: %w", err)
	}
	return d.checkClaims(claims, tokenURL)
}

func (d *assertionDesk) checkClaims(claims jwt.Claims, tokenURL string) error {
	now := d.now()
	switch {
	case claims.Issuer != d.clientID || claims.Subject != d.clientID:
		return errors.New("iss and sub must be the client id")
	case len(claims.Audience) != 1 || claims.Audience[0] != tokenURL:
		return errors.New("aud must be the token URL")
	case claims.Expiry == nil || !claims.Expiry.Time().After(now):
		return errors.New("exp is missing or past")
	case claims.Expiry.Time().After(now.Add(maxAssertionLife)):
		return errors.New("exp is more than five minutes ahead")
	case claims.IssuedAt != nil && claims.Expiry.Time().After(claims.IssuedAt.Time().Add(maxAssertionLife)):
		return errors.New("exp is more than five minutes after iat")
	case claims.NotBefore != nil && claims.Expiry.Time().After(claims.NotBefore.Time().Add(maxAssertionLife)):
		return errors.New("exp is more than five minutes after nbf")
	case claims.NotBefore != nil && claims.NotBefore.Time().After(now):
		return errors.New("nbf is ahead")
	case claims.ID == "" || len(claims.ID) > maxJTI:
		return errors.New("jti must have 1 to 151 characters")
	}
	return d.use(claims.ID, now, claims.Expiry.Time())
}

// use refuses a jti that was used before.
func (d *assertionDesk) use(id string, now, expires time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for old, end := range d.used {
		if now.After(end) {
			delete(d.used, old)
		}
	}
	if _, replayed := d.used[id]; replayed {
		return errors.New("jti was used before")
	}
	d.used[id] = expires
	return nil
}

// key finds a public key by its id, asking the JWKS URL again when the id is new.
func (d *assertionDesk) key(id string) (jose.JSONWebKey, error) {
	if d.keysURL == "" {
		return pickKey(d.keys, id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if key, err := pickKey(d.fetched, id); err == nil {
		return key, nil
	}
	fetched, err := d.fetch()
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("JWKS URL: %w", err)
	}
	d.fetched = fetched
	return pickKey(fetched, id)
}

func pickKey(set jose.JSONWebKeySet, id string) (jose.JSONWebKey, error) {
	for _, key := range set.Key(id) {
		if key.IsPublic() && key.Valid() {
			return key, nil
		}
	}
	return jose.JSONWebKey{}, errors.New("kid is not registered")
}

func (d *assertionDesk) fetch() (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	answer, err := d.client.Get(d.keysURL)
	if err != nil {
		return set, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return set, fmt.Errorf("status %d", answer.StatusCode)
	}
	return set, json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&set)
}

// tokenForm reads the form of a token request and checks what all vendors ask of it; it answers itself and returns false otherwise.
func tokenForm(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeTokenError(w, http.StatusMethodNotAllowed, "invalid_request", "only POST")
		return nil, false
	}
	if err := r.ParseForm(); err != nil || !isForm(r.Header) {
		writeTokenError(w, http.StatusBadRequest, "invalid_request", "the body must be a form")
		return nil, false
	}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		writeTokenError(w, http.StatusBadRequest, "unsupported_grant_type", "grant_type must be client_credentials")
		return nil, false
	}
	return r.PostForm, true
}

// scopesOf splits a space-separated scope parameter.
func scopesOf(form url.Values) []string { return strings.Fields(form.Get("scope")) }
