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

// Reload has the gateway read its files again.
func (c *Client) Reload(ctx context.Context) (*Loaded, error) {
	return ask[Loaded](ctx, c, http.MethodPost, "/admin/reload", nil)
}

// ask makes a call and decodes its answer. An OperationOutcome becomes an error
// with its text.
func ask[T any](ctx context.Context, c *Client, method, path string, body any) (*T, error) {
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
		return nil, fmt.Errorf("the admin API at %s cannot be reached (is the gateway running?): %w", c.base, errors.Unwrap(err))
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= http.StatusBadRequest {
		var outcome struct {
			Issue []struct {
				Diagnostics string `json:"diagnostics"`
			} `json:"issue"`
		}
		if json.Unmarshal(data, &outcome) == nil && len(outcome.Issue) > 0 {
			return nil, errors.New(outcome.Issue[0].Diagnostics)
		}
		return nil, fmt.Errorf("the admin API answered %d", answer.StatusCode)
	}
	out := new(T)
	return out, json.Unmarshal(data, out)
}
