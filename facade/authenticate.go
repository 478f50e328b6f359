package facade

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fhirgate/fhir"
)

// Bounds of what is looked up, in bytes.
const (
	maxKeyLength   = 256
	maxTokenLength = 16 << 10
)

// authenticate tells the consumer by what the caller presents: a token or a key
// in Authorization (Bearer, RFC 6750), a key in X-Api-Key, or else the client
// certificate of its connection.
func (f *Facade) authenticate(c *call) error {
	c.address = f.proxies.Address(c.r)
	consumer, err := f.consumerOf(c)
	var slowed *SlowedError
	switch {
	case errors.As(err, &slowed):
		return fhir.NewError(http.StatusTooManyRequests, fhir.IssueThrottled, "too many unknown credentials came from this address").After(slowed.After)
	case errors.Is(err, ErrUnknownKey):
		return unauthorised(fhir.IssueLogin, "the credential is not known, has expired or was revoked", "invalid_token").Because(err)
	case isRefusal(err):
		return err
	case err != nil:
		return fhir.NewError(http.StatusServiceUnavailable, fhir.IssueTransient, "the credential could not be checked").After(time.Second).Because(err)
	}
	c.consumer = consumer
	if !consumer.Expires.IsZero() && !c.began.Before(consumer.Expires) {
		return unauthorised(fhir.IssueExpired, "the credential has expired", "invalid_token")
	}
	return nil
}

func isRefusal(err error) bool {
	var refusal *fhir.Error
	return errors.As(err, &refusal)
}

func (f *Facade) consumerOf(c *call) (*Consumer, error) {
	given, isToken, err := presented(c.r)
	switch ctx := c.r.Context(); {
	case err != nil:
		return nil, err
	case isToken:
		return f.consumers.Token(ctx, given, c.address)
	case given != "":
		return f.consumers.Key(ctx, given, c.address)
	}
	if fingerprint := certificateOf(c.r); fingerprint != "" {
		return f.consumers.Certificate(c.r.Context(), fingerprint, c.address)
	}
	return nil, unauthorised(fhir.IssueLogin, "the call carries no credential: send Authorization: Bearer {key or token}", "")
}

// presented returns the one credential in the call's header, "" for none, and
// whether it has the form of a token (JWT, RFC 7519: two dots).
func presented(r *http.Request) (given string, isToken bool, err error) {
	if credentialInQuery(r.URL.RawQuery) {
		return "", false, unauthorised(fhir.IssueSecurity, "the URL carries a credential, which servers and proxies write into logs: have it revoked, and send the next one in a header", "invalid_request")
	}
	var found []string
	for _, value := range r.Header["Authorization"] {
		scheme, credential, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", false, unauthorised(fhir.IssueLogin, "Authorization must be of the scheme Bearer", "invalid_request")
		}
		credential = strings.TrimSpace(credential)
		isToken = isToken || strings.Count(credential, ".") == 2
		found = append(found, credential)
	}
	found = append(found, r.Header["X-Api-Key"]...)
	switch {
	case len(found) == 0:
		return "", false, nil
	case len(found) > 1:
		return "", false, unauthorised(fhir.IssueLogin, "the call carries more than one credential", "invalid_request")
	case found[0] == "", len(found[0]) > maxTokenLength, !isToken && len(found[0]) > maxKeyLength:
		return "", false, ErrUnknownKey
	}
	return found[0], isToken, nil
}

// credentialInQuery reports whether a query holds a parameter in which people
// send credentials (RFC 6750 section 2.3, which servers need not support).
func credentialInQuery(query string) bool {
	if query == "" {
		return false
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		switch strings.ToLower(name) {
		case "access_token", "api_key", "apikey", "api-key", "x-api-key", "client_secret", "client_assertion", "authorization":
			return true
		}
	}
	return false
}

// certificateOf returns the SHA-256 fingerprint of the client certificate of the
// call's connection, "" when there is none that the handshake has verified.
func certificateOf(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return ""
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

func unauthorised(code fhir.IssueCode, text, oauthError string) *fhir.Error {
	challenge := `Bearer realm="fhirgate"`
	if oauthError != "" {
		challenge += `, error="` + oauthError + `"`
	}
	return fhir.NewError(http.StatusUnauthorized, code, text).With("WWW-Authenticate", challenge)
}
