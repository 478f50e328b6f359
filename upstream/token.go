package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"fhirgate/fhir"
	"fhirgate/upstream/tokens"
)

const (
	tokenTimeout  = 15 * time.Second
	tokenMaxBytes = 1 << 20
	// lifeWithoutExpiry is assumed when a token answer has no expires_in,
	// which RFC 6749 section 5.1 only recommends.
	lifeWithoutExpiry = time.Minute
	// maxLife bounds what an expires_in may promise.
	maxLife = 24 * time.Hour
)

// TokenCache keeps access tokens and sees to it that a new one is fetched once
// for all who need it; *tokens.Cache does so for all nodes.
type TokenCache interface {
	Get(ctx context.Context, id tokens.Identity, stale string, fetch tokens.Fetch) (tokens.Token, error)
	// Drop makes the next Get fetch, when value is the current token.
	Drop(id tokens.Identity, value string)
	// State tells of the current token without fetching one.
	State(ctx context.Context, id tokens.Identity) (tokens.State, error)
}

// tokenLogin obtains access tokens from a hospital's token endpoint.
type tokenLogin struct {
	auth     Auth
	base     *url.URL
	client   *http.Client
	identity tokens.Identity
	cache    TokenCache
	assert   assertion // nil for the secret methods

	endpoint atomic.Pointer[string] // the discovered token URL
}

func newTokenLogin(auth Auth, base *url.URL, transport http.RoundTripper) (*tokenLogin, error) {
	t := &tokenLogin{
		auth: auth,
		base: base,
		client: &http.Client{
			Transport: transport,
			Timeout:   tokenTimeout,
			// A token endpoint that redirects would carry the credential to
			// another place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		identity: auth.identity(base),
		cache:    auth.Tokens,
	}
	if t.cache == nil {
		t.cache = &ownTokens{}
	}
	var err error
	t.assert, err = newAssertion(auth)
	return t, err
}

// identity tells tokens apart that may not stand in for one another. Secrets
// are in it as a hash.
func (a Auth) identity(base *url.URL) tokens.Identity {
	issuer := a.TokenURL
	if issuer == "discover" {
		issuer += " " + base.String()
	}
	key := sha256.Sum256([]byte(a.Kind + "\x00" + a.ClientSecret + "\x00" + a.Key + "\x00" + a.KeyID + "\x00" + a.Alg))
	return tokens.Identity{Issuer: issuer, Client: a.ClientID, Scope: strings.Join(a.Scope, " "), Key: hex.EncodeToString(key[:])}
}

func (t *tokenLogin) renewable() bool { return true }

func (t *tokenLogin) forget(stale string) {
	t.cache.Drop(t.identity, strings.TrimPrefix(stale, bearer))
}

const bearer = "Bearer "

func (t *tokenLogin) authorization(ctx context.Context, stale string) (string, error) {
	token, err := t.cache.Get(ctx, t.identity, strings.TrimPrefix(stale, bearer), t.fetch)
	return bearer + token.Value, err
}

// fetch calls the token endpoint once.
func (t *tokenLogin) fetch(ctx context.Context) (tokens.Token, error) {
	answer, err := t.request(ctx)
	if err != nil {
		t.endpoint.Store(nil) // the hospital may have moved it
		if refusal := (*fhir.Error)(nil); errors.As(err, &refusal) {
			return tokens.Token{}, refusal // of the gateway itself: a used-up budget, a private address
		}
		return tokens.Token{}, fhir.NewError(http.StatusBadGateway, fhir.IssueTransient, "the gateway could not log in to the hospital").Because(err)
	}
	return tokens.Token{Value: answer.AccessToken, Type: answer.TokenType, Scope: answer.Scope, Expires: time.Now().Add(answer.life())}, nil
}

// tokenAnswer is an answer of a token endpoint (RFC 6749 sections 5.1 and 5.2).
type tokenAnswer struct {
	AccessToken string          `json:"access_token"`
	TokenType   string          `json:"token_type"`
	ExpiresIn   json.RawMessage `json:"expires_in"` // seconds; some servers write the number as a string
	Scope       string          `json:"scope"`      // what was granted
	Error       string          `json:"error"`
}

// life returns how long the token works.
func (a *tokenAnswer) life() time.Duration {
	seconds, err := strconv.ParseFloat(strings.Trim(string(a.ExpiresIn), `"`), 64)
	if err != nil || seconds <= 0 {
		return lifeWithoutExpiry
	}
	return time.Duration(min(seconds, maxLife.Seconds()) * float64(time.Second))
}

// refusal returns the error code, when it is one of RFC 6749 section 5.2. Any
// other text may hold what was sent.
func (a *tokenAnswer) refusal() string {
	switch a.Error {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope":
		return a.Error
	default:
		return "of its own"
	}
}

func (t *tokenLogin) request(ctx context.Context) (tokenAnswer, error) {
	endpoint, err := t.tokenURL(ctx)
	if err != nil {
		return tokenAnswer{}, err
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(t.auth.Scope) > 0 {
		form.Set("scope", strings.Join(t.auth.Scope, " "))
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}
	switch t.auth.Kind {
	case "client_secret_basic":
		// RFC 6749 section 2.3.1: both are form-encoded before they are joined.
		header.Set("Authorization", basic(url.QueryEscape(t.auth.ClientID), url.QueryEscape(t.auth.ClientSecret)))
	case "client_secret_post":
		form.Set("client_id", t.auth.ClientID)
		form.Set("client_secret", t.auth.ClientSecret)
	case "jwt-bearer":
		signed, err := t.assert.grant(ctx, endpoint, t.auth.Scope, time.Now())
		if err != nil {
			return tokenAnswer{}, err
		}
		form = url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {signed}}
	default:
		signed, err := t.assert.client(ctx, endpoint, time.Now())
		if err != nil {
			return tokenAnswer{}, err
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", signed)
	}
	var answer tokenAnswer
	status, err := t.call(ctx, http.MethodPost, endpoint, header, strings.NewReader(form.Encode()), &answer)
	switch {
	case err != nil:
		return answer, err
	case status != http.StatusOK && answer.Error != "":
		var err error = &tokenRefusal{status, answer.refusal()}
		if status < http.StatusInternalServerError && answer.refusal() == answer.Error {
			err = errors.Join(tokens.ErrPermanent, err) // asking again changes nothing
		}
		return answer, err
	case status != http.StatusOK:
		return answer, &tokenRefusal{status: status}
	case answer.AccessToken == "" || !httpguts.ValidHeaderFieldValue(answer.AccessToken):
		return answer, errors.New("the token endpoint's answer holds no usable access_token")
	case !strings.EqualFold(answer.TokenType, "bearer"):
		return answer, errors.New("the token endpoint's answer is not of token_type bearer")
	}
	return answer, nil
}

// tokenURL returns the configured token URL, or the one that the hospital's
// SMART configuration names
// (https://hl7.org/fhir/smart-app-launch/conformance.html).
func (t *tokenLogin) tokenURL(ctx context.Context) (string, error) {
	if t.auth.TokenURL != "discover" {
		return t.auth.TokenURL, nil
	}
	if endpoint := t.endpoint.Load(); endpoint != nil {
		return *endpoint, nil
	}
	var configuration struct {
		TokenEndpoint string `json:"token_endpoint"`
	}
	place := t.base.JoinPath(".well-known", "smart-configuration").String()
	status, err := t.call(ctx, http.MethodGet, place, http.Header{"Accept": {"application/json"}}, nil, &configuration)
	if err != nil {
		return "", fmt.Errorf("discovery of the token URL: %w", err)
	}
	parsed, err := url.Parse(configuration.TokenEndpoint)
	if status != http.StatusOK || err != nil || parsed.Host == "" {
		return "", fmt.Errorf("discovery of the token URL: the hospital answered %d without a usable token_endpoint", status)
	}
	if parsed.Scheme != "https" && t.base.Scheme == "https" {
		return "", errors.New("discovery of the token URL: the token_endpoint is not https")
	}
	t.endpoint.Store(&configuration.TokenEndpoint)
	return configuration.TokenEndpoint, nil
}

// call sends a request and decodes the JSON answer into out when there is one.
func (t *tokenLogin) call(ctx context.Context, method, place string, header http.Header, body io.Reader, out any) (int, error) {
	r, err := http.NewRequestWithContext(ctx, method, place, body)
	if err != nil {
		return 0, errors.New("the URL is not one of HTTP")
	}
	r.Header = header
	resp, err := t.client.Do(r)
	if err != nil {
		return 0, tell(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, tokenMaxBytes))
	if err != nil {
		return resp.StatusCode, tell(err)
	}
	if err := json.Unmarshal(data, out); err != nil && resp.StatusCode == http.StatusOK {
		return resp.StatusCode, errors.New("the answer is not JSON")
	}
	return resp.StatusCode, nil
}
