package oauth

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
)

// maxForm bounds the body of a request, in bytes.
const maxForm = 64 << 10

// form is the parameters of a request. Those without a value count as left out
// (RFC 6749 section 3.2).
type form map[string]string

// readForm reads the body of a request. Parameters in the URL are refused, since
// URLs end up in logs (RFC 6749 section 2.3.1).
func readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		return nil, malformed("parameters belong in the body, not in the URL")
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return nil, malformed("the body must be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return nil, malformed("the body is larger than 64 KiB")
	}
	if err != nil {
		return nil, malformed("the body could not be read")
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, malformed("the body is not a form")
	}
	found := make(form, len(values))
	for name, list := range values {
		if len(list) > 1 {
			return nil, malformed("a parameter is sent more than once")
		}
		if list[0] != "" {
			found[name] = list[0]
		}
	}
	return found, nil
}
