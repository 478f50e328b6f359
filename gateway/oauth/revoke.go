package oauth

import (
	"errors"
	"net/http"

	"fhirgate/facade"
)

// serveRevocation ends one of the client's own tokens (RFC 7009). What is no
// token of ours, or is none any more, needs no ending.
func (s *Server) serveRevocation(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	if f["token"] == "" {
		return malformed("token is missing")
	}
	client, err := s.authenticate(r, f)
	if err != nil {
		return err
	}
	claims, err := s.readOwn(r.Context(), f["token"])
	switch {
	case errors.Is(err, facade.ErrUnknownKey):
	case err != nil:
		return unavailable(err)
	case claims.ClientID != client.KeyID: // section 2.1
		return &refusal{status: http.StatusBadRequest, code: unauthorizedClient, text: "the token is not one of the client", consumer: client.KeyID}
	default:
		if err := s.clients.RevokeToken(r.Context(), claims.ID, claims.Expiry.Time().Add(skew)); err != nil {
			return unavailable(err)
		}
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(http.StatusOK)
	return nil
}
