package oauth

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"fhirgate/policies/smart"
)

const (
	// tokenType is the typ of our tokens (RFC 9068 section 2.1).
	tokenType = "at+jwt"
	// maxScope bounds the parameter scope, in bytes.
	maxScope = 8 << 10
	// maxConditions bounds a token's scopes with a condition, because every
	// resource is looked at for each of them. Further ones permit nothing.
	maxConditions = 50
)

// ownClaims are the claims of our tokens (RFC 9068 section 2.2).
type ownClaims struct {
	jwt.Claims
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
}

// serveToken answers the client credentials grant (RFC 6749 section 4.4).
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	switch f["grant_type"] {
	case "client_credentials":
	case "":
		return malformed("grant_type is missing")
	default:
		return &refusal{status: http.StatusBadRequest, code: unsupportedGrantType, text: "grant_type must be client_credentials"}
	}
	client, err := s.authenticate(r, f)
	if err != nil {
		return err
	}
	scope, err := s.grant(client, f["scope"])
	if err != nil {
		return err
	}
	token, life, err := s.issue(r.Context(), client, scope)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, struct {
		Token   string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int    `json:"expires_in"`
		Scope   string `json:"scope"`
	}{token, "Bearer", int(life.Seconds()), scope})
	return nil
}

// grant returns the scope that a client gets: what it asks for within its plan,
// or all of the plan. What is no clinical scope is left out, as RFC 6749
// section 3.3 allows.
func (s *Server) grant(client *Client, asked string) (string, error) {
	refuse := func(code, text string) error {
		return &refusal{status: http.StatusBadRequest, code: code, text: text, consumer: client.KeyID}
	}
	plan, ok := s.plans(client.PlanID)
	if !ok {
		return "", refuse(unauthorizedClient, "the plan of the client is not in force")
	}
	if len(asked) > maxScope {
		return "", refuse(invalidScope, "scope is longer than 8 KiB")
	}
	granted := readScopes(plan.Strings(), smart.System)
	if asked != "" {
		granted = smart.Narrow(readScopes(strings.Fields(asked), smart.System), granted)
	}
	list := granted.Strings()
	if len(list) > len(bounded(list)) {
		return "", refuse(invalidScope, "a token has at most 50 scopes with a condition: ask for fewer")
	}
	if len(list) == 0 {
		return "", refuse(invalidScope, "the plan of the client has none of the scopes, or they are not of the form system/Type.cruds")
	}
	return strings.Join(list, " "), nil
}

// readScopes returns the clinical scopes of a list, all or those of one context.
// Others, such as openid, are not for us.
func readScopes(list []string, context ...string) *smart.Scopes {
	var scopes []smart.Scope
	for _, text := range list {
		scope, err := smart.ParseScope(text)
		if err == nil && (len(context) == 0 || slices.Contains(context, scope.Context)) {
			scopes = append(scopes, scope)
		}
	}
	return smart.Compile(scopes)
}

// bounded returns a token's scopes without those that are too many.
func bounded(list []string) []string {
	conditions := 0
	return slices.DeleteFunc(slices.Clone(list), func(scope string) bool {
		if !strings.Contains(scope, "?") {
			return false
		}
		conditions++
		return conditions > maxConditions
	})
}

// issue makes a token, which does not outlive the client's record.
func (s *Server) issue(ctx context.Context, client *Client, scope string) (string, time.Duration, error) {
	now := s.now().Truncate(time.Second)
	expires := now.Add(s.life)
	if !client.Expires.IsZero() && client.Expires.Before(expires) {
		expires = client.Expires.Truncate(time.Second)
	}
	key, err := s.keys.signing(ctx)
	if err != nil {
		return "", 0, unavailable(err)
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType(tokenType))
	if err != nil {
		return "", 0, unavailable(err)
	}
	token, err := jwt.Signed(signer).Claims(ownClaims{
		Claims: jwt.Claims{
			Issuer:   s.issuer,
			Subject:  client.KeyID,
			Audience: jwt.Audience{s.base},
			IssuedAt: jwt.NewNumericDate(now),
			Expiry:   jwt.NewNumericDate(expires),
			ID:       rand.Text(),
		},
		ClientID: client.KeyID,
		Scope:    scope,
	}).Serialize()
	switch {
	case err != nil:
		return "", 0, unavailable(err)
	case len(token) > maxCompact:
		return "", 0, &refusal{status: http.StatusBadRequest, code: invalidScope, text: "the token would be too large: ask for fewer scopes", consumer: client.KeyID}
	default:
		return token, expires.Sub(now), nil
	}
}
