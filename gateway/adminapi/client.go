// Package adminapi is the admin API of a gateway as its callers see it: the
// bodies of its calls, and a client. The gateway serves it, the command line and
// the portal call it.
package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Client calls the admin API of a gateway.
type Client struct {
	base   string
	secret string
	client http.Client
}

// NewClient returns a client of the admin API at base, such as
// "http://127.0.0.1:8081", with the install's secret.
func NewClient(base, secret string) *Client {
	return &Client{base: base, secret: secret, client: http.Client{Timeout: 30 * time.Second}}
}

// Loaded answers a reload: how much is in force now.
type Loaded struct {
	Hospitals int `json:"hospitals"`
	Plans     int `json:"plans"`
}

// Reloading is the outcome of the last reload, or of the start.
type Reloading struct {
	At        time.Time `json:"at"`
	Taken     bool      `json:"taken"`    // the files are in force; false: those of before are
	Problems  []string  `json:"problems"` // file:line:column: what is wrong; empty when taken
	Hospitals int       `json:"hospitals"`
	Plans     int       `json:"plans"`
}

// LastReload returns how the last reload went, whoever asked for it.
func (c *Client) LastReload(ctx context.Context) (*Reloading, error) {
	return ask[Reloading](ctx, c, http.MethodGet, "/admin/reload", nil)
}

// Reload has the gateway read its files again.
func (c *Client) Reload(ctx context.Context) (*Loaded, error) {
	return ask[Loaded](ctx, c, http.MethodPost, "/admin/reload", nil)
}

// Refusal is an error that the admin API answered.
type Refusal struct {
	Status int    // HTTP status: 404 no such record, 409 conflict, 422 a mistake in what was asked for
	Text   string // what is wrong, for people
}

// Error returns what is wrong.
func (r *Refusal) Error() string { return r.Text }

// Is makes a failure of the gateway's own, such as a store that is away, an
// ErrUnreachable as well.
func (r *Refusal) Is(target error) bool {
	return target == ErrUnreachable && r.Status >= http.StatusInternalServerError
}

// Refused reports whether err is the admin API's refusal with this status.
func Refused(err error, status int) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && refusal.Status == status
}

// ErrUnreachable is wrapped by errors of calls of which it is not known what came
// of them.
var ErrUnreachable = errors.New("the admin API cannot be reached")

// ask makes a call and decodes its answer. An OperationOutcome becomes a
// *Refusal with its text.
func ask[T any](ctx context.Context, c *Client, method, path string, body any) (*T, error) {
	data, err := c.exchange(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	out := new(T)
	return out, json.Unmarshal(data, out)
}

// exchange makes a call and returns its answer.
func (c *Client) exchange(ctx context.Context, method, path string, body any) ([]byte, error) {
	var sent io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, sent)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.secret)
	answer, err := c.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w at %s (is the gateway running?): %w", ErrUnreachable, c.base, errors.Unwrap(err))
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("%w: its answer broke off: %w", ErrUnreachable, err)
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return nil, refusalOf(answer.StatusCode, data)
	}
	return data, nil
}

func refusalOf(status int, body []byte) *Refusal {
	var outcome struct {
		Issue []struct {
			Diagnostics string `json:"diagnostics"`
		} `json:"issue"`
	}
	if json.Unmarshal(body, &outcome) == nil && len(outcome.Issue) > 0 {
		return &Refusal{Status: status, Text: outcome.Issue[0].Diagnostics}
	}
	return &Refusal{Status: status, Text: fmt.Sprintf("the admin API answered %d", status)}
}
