package upstream

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
)

// Auth is a hospital's kind of login and what it needs. Kinds: "none" (or
// empty), "bearer" (Token), "basic" (Username, Password), and the OAuth 2.0
// client credentials kinds "client_secret_basic", "client_secret_post"
// (RFC 6749 section 2.3.1), "smart-backend" (SMART App Launch 2.2, Backend
// Services: private_key_jwt with Key) and "jwt-bearer" (RFC 7523 section 2.1, as
// Google's service accounts use it). "sigv4" signs each request for AWS.
type Auth struct {
	Kind         string
	Token        string
	Username     string
	Password     string
	TokenURL     string // absolute, or "discover"
	ClientID     string
	ClientSecret string
	Key          string // private key, PEM or JWK
	KeyID        string // default: the JWK's kid
	Alg          string // default: RS384 or ES384 (ES256 for a P-256 key)
	Scope        []string

	Region  string // of sigv4, whose ClientID and ClientSecret are the access key
	Service string // of sigv4; default healthlake

	Keys   SigningKeys // of smart-backend and jwt-bearer, in place of Key: a ring that rotates
	Tokens TokenCache  // nil = the client keeps its token for itself
}

// login yields the Authorization header of a call.
type login interface {
	// authorization returns the header's value, "" for none. stale, when not
	// empty, is a value that the hospital just refused.
	authorization(ctx context.Context, stale string) (string, error)
	// renewable reports whether a refused value can be replaced by a fresh one.
	renewable() bool
	// forget makes the next call fetch a fresh value, when stale is the current.
	forget(stale string)
}

// fixedLogin is a login that never changes.
type fixedLogin string

func (f fixedLogin) authorization(context.Context, string) (string, error) { return string(f), nil }

func (f fixedLogin) renewable() bool { return false }

func (f fixedLogin) forget(string) {}

func newLogin(auth Auth, base *url.URL, transport http.RoundTripper) (login, error) {
	switch auth.Kind {
	case "", "none":
		return fixedLogin(""), nil
	case "bearer":
		return fixedLogin("Bearer " + auth.Token), nil
	case "basic":
		return fixedLogin(basic(auth.Username, auth.Password)), nil
	case "client_secret_basic", "client_secret_post", "smart-backend", "jwt-bearer":
		return newTokenLogin(auth, base, transport)
	case "sigv4":
		return newSigV4Login(auth), nil
	default:
		return nil, fmt.Errorf("unknown kind of auth %q", auth.Kind)
	}
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
