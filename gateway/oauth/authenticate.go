package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"

	"fhirgate/facade"
)

// maxCredential bounds client ids and secrets, in bytes.
const maxCredential = 256

// credentials are what a client shows, by one method of three.
type credentials struct {
	clientID  string // as the request says; of an assertion maybe empty
	secret    string
	assertion string // instead of a secret
}

// authenticate returns the client that sent the request.
func (s *Server) authenticate(r *http.Request, f form) (*Client, error) {
	shown, err := presented(r, f)
	if err != nil {
		return nil, err
	}
	ctx, from := r.Context(), s.address(r)
	var client *Client
	if shown.assertion != "" {
		client, err = s.byAssertion(ctx, shown, from)
	} else {
		client, err = s.bySecret(ctx, shown, from)
	}
	if err != nil {
		return nil, refusalOf(err)
	}
	refused := notAuthenticated("")
	refused.consumer = client.KeyID
	switch {
	case client.expired(s.now()):
		refused.reason = "the record has expired"
	case !client.allows(from):
		refused.reason = "the record may not be used from this address"
	default:
		return client, nil
	}
	return nil, refused
}

// presented returns what the client shows (RFC 6749 section 2.3). More than one
// method is a mistake.
func presented(r *http.Request, f form) (credentials, error) {
	headers := r.Header.Values("Authorization")
	secret, assertion := f["client_secret"], f["client_assertion"]
	methods := len(headers)
	for _, value := range []string{secret, assertion} {
		if value != "" {
			methods++
		}
	}
	switch {
	case methods > 1:
		return credentials{}, malformed("the client must show who it is in one way only")
	case assertion == "" && f["client_assertion_type"] != "":
		return credentials{}, malformed("client_assertion is missing")
	case methods == 0:
		return credentials{}, notAuthenticated("the client does not show who it is")
	case len(headers) > 0:
		return basic(r, f)
	case assertion != "" && f["client_assertion_type"] != assertionType:
		return credentials{}, malformed("client_assertion_type must be " + assertionType)
	case secret != "" && f["client_id"] == "":
		return credentials{}, malformed("client_id is missing")
	}
	return credentials{clientID: f["client_id"], secret: secret, assertion: assertion}, nil
}

// basic reads client_secret_basic, whose two parts are encoded as in forms.
func basic(r *http.Request, f form) (credentials, error) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		return credentials{}, notAuthenticated("Authorization is not of the scheme Basic")
	}
	id, err := url.QueryUnescape(id)
	if err == nil {
		secret, err = url.QueryUnescape(secret)
	}
	if err != nil {
		return credentials{}, notAuthenticated("Authorization is not encoded as in forms")
	}
	if also := f["client_id"]; also != "" && also != id {
		return credentials{}, malformed("client_id is not that of Authorization")
	}
	return credentials{clientID: id, secret: secret}, nil
}

func (s *Server) bySecret(ctx context.Context, shown credentials, from netip.Addr) (*Client, error) {
	if shown.clientID == "" || shown.secret == "" || len(shown.clientID) > maxCredential || len(shown.secret) > maxCredential {
		s.failed(from)
		return nil, notAuthenticated("the client id or the secret is empty or too long")
	}
	if err := s.clients.Secret(ctx, shown.clientID, shown.secret, from); err != nil {
		return nil, err
	}
	return s.clients.Client(ctx, shown.clientID)
}

// refusalOf returns how an error of Clients is answered.
func refusalOf(err error) error {
	var refused *refusal
	var slowed *facade.SlowedError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &slowed):
		return slowDown(slowed.After)
	case errors.Is(err, facade.ErrUnknownKey):
		return notAuthenticated("the client is unknown or revoked, or the secret is wrong")
	default:
		return unavailable(err)
	}
}
