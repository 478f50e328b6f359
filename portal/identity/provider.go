package identity

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"fhirgate/internal/guarded"
)

// OIDCOptions say who the identity provider of the company is.
type OIDCOptions struct {
	Issuer         string
	ClientID       string
	ClientSecret   string // "" = a public client; PKCE is used always
	Name           string // for people; default "your company"
	PrivateNetwork bool   // the provider may have a private address, and speak http
}

// Bounds of what the provider is waited for and read.
const (
	providerTimeout = 15 * time.Second
	providerBytes   = 1 << 20
)

// person is who the provider says that somebody is.
type person struct {
	subject  string // issuer and sub: the one name that never goes to somebody else
	email    string
	verified bool
	name     string
	login    time.Time // zero = the provider does not tell
}

// oidcClient speaks to the provider.
type oidcClient struct {
	options  OIDCOptions
	name     string
	redirect string
	http     *http.Client

	mu    sync.Mutex
	found *oidc.Provider // nil = not asked yet
}

func newOIDCClient(o OIDCOptions, public string) (*oidcClient, error) {
	c := &oidcClient{options: o, name: cmp.Or(o.Name, "your company"), redirect: public + "/login/oidc/callback"}
	if o.ClientID == "" {
		return nil, errors.New("oidc: the client id is required")
	}
	if err := c.secure("the issuer", o.Issuer); err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: providerTimeout}
	if !o.PrivateNetwork {
		dialer.Control = guarded.Control(func() error {
			return errors.New("the provider has a private address: set private_network if it should")
		})
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = dialer.DialContext
	c.http = &http.Client{
		Transport: bounded{transport}, Timeout: providerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// secure refuses addresses that are not https, where they must be.
func (c *oidcClient) secure(what, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || !c.options.PrivateNetwork)) {
		return fmt.Errorf("oidc: %s must be an https URL", what)
	}
	return nil
}

// bounded reads no more of an answer than is good.
type bounded struct{ base http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.base.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, providerBytes), answer.Body}
	}
	return answer, err
}

// provider returns the provider, which is asked for its endpoints when the first
// login begins: the portal starts without it.
func (c *oidcClient) provider(ctx context.Context) (*oidc.Provider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found != nil {
		return c.found, nil
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, c.http), c.options.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: discovery: %w", ErrProvider, err)
	}
	for what, address := range map[string]string{"the authorization endpoint": found.Endpoint().AuthURL, "the token endpoint": found.Endpoint().TokenURL} {
		if err := c.secure(what, address); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProvider, err)
		}
	}
	c.found = found
	return found, nil
}

func (c *oidcClient) config(p *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: c.options.ClientID, ClientSecret: c.options.ClientSecret, Endpoint: p.Endpoint(),
		RedirectURL: c.redirect, Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}
}

// begin returns where a login begins.
func (c *oidcClient) begin(ctx context.Context, f flow, again bool) (string, error) {
	p, err := c.provider(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)}
	if again { // OpenID Connect Core 1.0, section 3.1.2.1: max_age asks for auth_time
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return c.config(p).AuthCodeURL(f.State, options...), nil
}

// finish redeems the code of an answer.
func (c *oidcClient) finish(ctx context.Context, f flow, answer url.Values, now func() time.Time) (person, error) {
	p, err := c.provider(ctx)
	if err != nil {
		return person{}, err
	}
	if err := c.checkAnswer(p, answer); err != nil {
		return person{}, err
	}
	ctx = oidc.ClientContext(ctx, c.http)
	token, err := c.config(p).Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return person{}, exchangeError(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.Verifier(&oidc.Config{ClientID: c.options.ClientID, Now: now}).Verify(ctx, raw)
	if err != nil {
		return person{}, fmt.Errorf("%w: ID token: %w", ErrProvider, err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return person{}, fmt.Errorf("%w: the nonce is not ours", ErrProvider)
	}
	claims, err := c.claimsOf(ctx, p, id, token)
	if err != nil {
		return person{}, err
	}
	who := person{subject: id.Issuer + " " + id.Subject, email: claims.Email, verified: bool(claims.Verified), name: claims.Name}
	if claims.Login > 0 {
		who.login = time.Unix(int64(claims.Login), 0)
	}
	return who, nil
}

// checkAnswer looks at what came by way of the browser.
func (c *oidcClient) checkAnswer(p *oidc.Provider, answer url.Values) error {
	var metadata struct {
		SendsIssuer bool `json:"authorization_response_iss_parameter_supported"`
	}
	if err := p.Claims(&metadata); err != nil {
		return fmt.Errorf("%w: %w", ErrProvider, err)
	}
	if iss := answer.Get("iss"); (iss != "" || metadata.SendsIssuer) && iss != c.options.Issuer { // RFC 9207, section 2.4
		return fmt.Errorf("%w: the answer is of another issuer", ErrProvider)
	}
	if answer.Get("error") != "" || answer.Get("code") == "" {
		return &Refusal{"provider", fmt.Sprintf("The login at %s was cancelled or refused.", c.name)}
	}
	return nil
}

// exchangeError leaves out what the provider answered: it may repeat the code.
func exchangeError(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return fmt.Errorf("%w: the code was not redeemed", ErrProvider)
	}
	if refused.ErrorCode == "invalid_grant" {
		return &Refusal{"code of the provider", "This login is over, or was used already. Sign in again."}
	}
	return fmt.Errorf("%w: the code was not redeemed (HTTP status %d)", ErrProvider, refused.Response.StatusCode)
}

// claims are what the provider tells about a person.
type claims struct {
	Email    string  `json:"email"`
	Verified boolean `json:"email_verified"`
	Name     string  `json:"name"`
	Party    string  `json:"azp"`
	Login    float64 `json:"auth_time"` // seconds of Unix; 0 = it is not told
}

// boolean is a JSON boolean, which some providers write as a string.
type boolean bool

// UnmarshalJSON takes true and "true" for true; everything else is false.
func (b *boolean) UnmarshalJSON(text []byte) error {
	*b = strings.Trim(string(text), `"`) == "true"
	return nil
}

// claimsOf returns the claims of an ID token, and what the userinfo endpoint adds
// when the token has no address.
func (c *oidcClient) claimsOf(ctx context.Context, p *oidc.Provider, id *oidc.IDToken, token *oauth2.Token) (claims, error) {
	var found claims
	if err := id.Claims(&found); err != nil {
		return claims{}, fmt.Errorf("%w: the ID token cannot be read", ErrProvider)
	}
	if id.Subject == "" || (found.Party != "" && found.Party != c.options.ClientID) || (len(id.Audience) > 1 && found.Party == "") {
		return claims{}, fmt.Errorf("%w: the ID token is for another client", ErrProvider) // OpenID Connect Core, section 3.1.3.7
	}
	if id.AccessTokenHash != "" && id.VerifyAccessToken(token.AccessToken) != nil {
		return claims{}, fmt.Errorf("%w: the access token is not the ID token's", ErrProvider)
	}
	if found.Email != "" || p.UserInfoEndpoint() == "" {
		return found, nil
	}
	info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return claims{}, fmt.Errorf("%w: userinfo", ErrProvider)
	}
	var told json.RawMessage
	if info.Subject != id.Subject || info.Claims(&told) != nil || json.Unmarshal(told, &found) != nil { // section 5.3.2
		return claims{}, fmt.Errorf("%w: userinfo is of somebody else", ErrProvider)
	}
	return found, nil
}
