package facade

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"fhirgate/fhir"
)

// Keys finds the consumer of a key. Lookup returns ErrUnknownKey for a key that
// never was or was revoked, and any other error when it cannot tell.
type Keys interface {
	Lookup(ctx context.Context, key string) (*Consumer, error)
}

// maxKeyLength bounds what is looked up.
const maxKeyLength = 256

// authenticate tells the consumer from the key in Authorization (Bearer,
// RFC 6750) or X-Api-Key.
func (f *Facade) authenticate(c *call) error {
	key, err := presentedKey(c.r)
	if err != nil {
		return err
	}
	consumer, err := f.keys.Lookup(c.r.Context(), key)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return unauthorised(fhir.IssueLogin, "the key is not known, or was revoked", "invalid_token")
	case err != nil:
		return fhir.NewError(http.StatusServiceUnavailable, fhir.IssueTransient, "the key could not be checked").After(time.Second).Because(err)
	}
	c.consumer = consumer
	if !consumer.Expires.IsZero() && !c.began.Before(consumer.Expires) {
		return unauthorised(fhir.IssueExpired, "the key has expired", "invalid_token")
	}
	return nil
}

func presentedKey(r *http.Request) (string, error) {
	var found []string
	for _, value := range r.Header.Values("Authorization") {
		scheme, key, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", unauthorised(fhir.IssueLogin, "Authorization must be of the scheme Bearer", "invalid_request")
		}
		found = append(found, strings.TrimSpace(key))
	}
	found = append(found, r.Header.Values("X-Api-Key")...)
	switch {
	case len(found) == 0:
		return "", unauthorised(fhir.IssueLogin, "the call carries no key: send Authorization: Bearer {key}", "")
	case len(found) > 1:
		return "", unauthorised(fhir.IssueLogin, "the call carries more than one key", "invalid_request")
	case found[0] == "" || len(found[0]) > maxKeyLength:
		return "", unauthorised(fhir.IssueLogin, "the key is not known, or was revoked", "invalid_token")
	}
	return found[0], nil
}

func unauthorised(code fhir.IssueCode, text, oauthError string) error {
	challenge := `Bearer realm="fhirgate"`
	if oauthError != "" {
		challenge += `, error="` + oauthError + `"`
	}
	return fhir.NewError(http.StatusUnauthorized, code, text).With("WWW-Authenticate", challenge)
}
