package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fhirgate/gateway/keys"
)

// AdminClient calls the admin API of a gateway on this machine.
type AdminClient struct {
	base   string
	secret string
	client http.Client
}

// NewAdminClient reads where the admin API is from tyk.conf and its secret from
// the data folder; demo means the one of a gateway that runs as a demo.
func NewAdminClient(configFile string, demo bool) (*AdminClient, error) {
	config, err := loadConfig(configFile, demo)
	if err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(filepath.Join(config.Settings.DataDir, AdminSecretFile))
	if err != nil {
		return nil, fmt.Errorf("the admin API's secret: %w (has the gateway been started here, by this user?)", err)
	}
	return &AdminClient{
		base:   "http://" + config.Settings.AdminListen,
		secret: strings.TrimSpace(string(secret)),
		client: http.Client{Timeout: 30 * time.Second},
	}, nil
}

// Create makes a key.
func (c *AdminClient) Create(ctx context.Context, wanted NewKey) (*IssuedKey, error) {
	return ask[IssuedKey](ctx, c, http.MethodPost, "/admin/keys", wanted)
}

// List returns all keys.
func (c *AdminClient) List(ctx context.Context) ([]*keys.Key, error) {
	all, err := ask[[]*keys.Key](ctx, c, http.MethodGet, "/admin/keys", nil)
	if err != nil {
		return nil, err
	}
	return *all, nil
}

// Show returns one key.
func (c *AdminClient) Show(ctx context.Context, id string) (*keys.Key, error) {
	return ask[keys.Key](ctx, c, http.MethodGet, "/admin/keys/"+url.PathEscape(id), nil)
}

// Update changes a key.
func (c *AdminClient) Update(ctx context.Context, id string, wanted KeyChanges) (*keys.Key, error) {
	return ask[keys.Key](ctx, c, http.MethodPatch, "/admin/keys/"+url.PathEscape(id), wanted)
}

// Rotate gives a key a new secret.
func (c *AdminClient) Rotate(ctx context.Context, id string, wanted Rotation) (*IssuedKey, error) {
	return ask[IssuedKey](ctx, c, http.MethodPost, "/admin/keys/"+url.PathEscape(id)+"/rotate", wanted)
}

// Revoke ends a key.
func (c *AdminClient) Revoke(ctx context.Context, id string) (*keys.Key, error) {
	return ask[keys.Key](ctx, c, http.MethodDelete, "/admin/keys/"+url.PathEscape(id), nil)
}

// Reload has the gateway read its files again.
func (c *AdminClient) Reload(ctx context.Context) (*Loaded, error) {
	return ask[Loaded](ctx, c, http.MethodPost, "/admin/reload", nil)
}

// ask makes a call and decodes its answer. An OperationOutcome becomes an error
// with its text.
func ask[T any](ctx context.Context, c *AdminClient, method, path string, body any) (*T, error) {
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
