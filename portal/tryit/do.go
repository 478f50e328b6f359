package tryit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of an answer, in bytes.
const (
	maxRead  = 4 << 20
	maxShown = 200_000
)

// Answer is what came of a call.
type Answer struct {
	Curl    string // the same call for a command line, with the key in $FHIRGATE_KEY
	Status  int
	Text    string // of the status
	Headers []Header
	Body    string // pretty when it is JSON
	Cut     bool   // the body is longer
	Took    time.Duration
}

// Header is one of an answer.
type Header struct{ Name, Value string }

// shown are the headers of which a caller learns something.
var shown = []string{
	"Content-Type", "X-Request-Id", "X-Fhirgate-Cost", "RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining",
	"RateLimit-Reset", "Retry-After", "ETag", "Last-Modified", "WWW-Authenticate", "Allow",
}

// Do makes a call for a user. Errors are *Mistake, and else wrap ErrTooFast or
// ErrAway. What the gateway or the hospital refuses is no error but an answer.
func (t *Trier) Do(ctx context.Context, user string, call Call) (*Answer, error) {
	began := t.o.Now()
	got, err := t.exchange(ctx, user, call)
	if err != nil {
		return nil, err
	}
	made := &Answer{
		Curl: t.curl(got.path), Status: got.status, Text: http.StatusText(got.status),
		Took: t.o.Now().Sub(began).Round(time.Millisecond),
	}
	for _, name := range shown {
		if value := got.header.Get(name); value != "" {
			made.Headers = append(made.Headers, Header{name, value})
		}
	}
	made.Body, made.Cut = show(got.body)
	return made, nil
}

// exchanged is a call that was made, with its answer.
type exchanged struct {
	path   string // below /fhir, with the query
	status int
	header http.Header
	body   []byte
}

// exchange checks a call, counts it, and makes it.
func (t *Trier) exchange(ctx context.Context, user string, call Call) (*exchanged, error) {
	hospitals, err := t.Hospitals(ctx)
	if err != nil {
		return nil, err
	}
	path, err := call.path(hospitals)
	if err != nil {
		return nil, err
	}
	if err := t.pace(user); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := t.send(ctx, call.Hospital, path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxRead))
	if err != nil {
		return nil, away(fmt.Errorf("the answer broke off: %w", err))
	}
	return &exchanged{path: path, status: answer.StatusCode, header: answer.Header, body: body}, nil
}

// send makes the call, and once more with a new key if that of before is refused.
// What the key does not reach just now is not called.
func (t *Trier) send(ctx context.Context, hospital, path string) (*http.Response, error) {
	for again := false; ; again = true {
		secret, reaches, err := t.o.Keys.Key(ctx)
		if err != nil {
			return nil, away(err)
		}
		if !slices.Contains(reaches, hospital) {
			return nil, notSimulated()
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.o.GatewayURL+"/fhir"+path, nil)
		if err != nil {
			return nil, away(unaddressed(err))
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		r.Header.Set("Accept", "application/fhir+json")
		answer, err := t.o.Client.Do(r) //nolint:gosec // the path is made of checked parts, below the gateway's own URL
		if err != nil {
			return nil, away(unaddressed(err))
		}
		if answer.StatusCode != http.StatusUnauthorized || again {
			return answer, nil
		}
		answer.Body.Close()
		t.o.Keys.Refused(secret)
	}
}

// curl returns the call as a line for a shell. What the reader wrote is in the
// path in encoded form only, in which there is no quote.
func (t *Trier) curl(path string) string {
	return `curl -H "Authorization: Bearer $FHIRGATE_KEY" '` + t.o.PublicURL + "/fhir" + path + "'"
}

// show makes a body fit for a page.
func show(body []byte) (text string, cut bool) {
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, "", "  ") == nil {
		body = pretty.Bytes()
	}
	cut = len(body) > maxShown
	if cut {
		body = body[:maxShown]
		for !utf8.RuneStart(body[len(body)-1]) {
			body = body[:len(body)-1]
		}
		body = body[:len(body)-1] // it may be the first byte of more
	}
	return strings.ToValidUTF8(string(body), "�"), cut
}

// unaddressed leaves the address out of an error of http.Client: it holds what
// the reader searched for.
func unaddressed(err error) error {
	var addressed *url.Error
	if errors.As(err, &addressed) {
		return addressed.Err
	}
	return err
}
