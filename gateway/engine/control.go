package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// ControlError is an answer of Tyk's control API that says no.
type ControlError struct {
	Status  int    // HTTP status
	Message string // Tyk's words; no key or value is in them
}

// Error implements error.
func (e *ControlError) Error() string {
	return fmt.Sprintf("engine: Tyk's control API answered %d: %s", e.Status, e.Message)
}

// control is Tyk's control API behind its private socket.
type control struct {
	client *http.Client
	secret string
}

func newControl(socket, secret string) *control {
	dialer := &net.Dialer{}
	return &control{
		secret: secret,
		client: &http.Client{
			Timeout: 30 * time.Second,
			Transport: &http.Transport{
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return dialer.DialContext(ctx, "unix", socket)
				},
				MaxIdleConnsPerHost: 4,
				IdleConnTimeout:     time.Minute,
			},
		},
	}
}

// do calls path (with its query) and decodes the answer into out, when out is
// not nil. body, when not nil, is sent as JSON.
func (c *control) do(ctx context.Context, method, path string, body, out any) error {
	var payload io.Reader = http.NoBody
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("engine: %w", err)
		}
		payload = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://tyk"+path, payload)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	request.Header.Set("X-Tyk-Authorization", c.secret)
	response, err := c.client.Do(request)
	if err != nil {
		return fmt.Errorf("engine: Tyk's control API: %w", err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("engine: Tyk's control API: %w", err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		var said struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(data, &said)
		return &ControlError{Status: response.StatusCode, Message: said.Message}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("engine: Tyk's control API: %w", err)
	}
	return nil
}

// Reload makes Tyk load its policies and definitions again and returns when it
// has. Requests in flight are not disturbed. Hospitals, rules and limits are
// no part of it: they live in the facade's snapshot.
func (e *Engine) Reload(ctx context.Context) error {
	return e.control.do(ctx, http.MethodGet, "/tyk/reload/?block=true", nil, nil)
}

// SetPolicies replaces the policies and reloads. Each is a native Tyk policy
// with the single access right "fhir", under its id. On an error the ones
// before stay.
func (e *Engine) SetPolicies(ctx context.Context, policies map[string]json.RawMessage) error {
	if err := e.workspace.writePolicies(policies, e.install.FHIR); err != nil {
		return err
	}
	return e.Reload(ctx)
}
