package adminapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"fhirgate/gateway/keys/record"
)

// NewKey is the body of POST /admin/keys.
type NewKey struct {
	ID           string          `json:"id,omitempty"` // chosen by the caller, so that it knows of the key before it is made; "" = a new one. An id that exists is a conflict (409)
	Name         string          `json:"name"`
	Plan         string          `json:"plan"`
	Hospitals    []string        `json:"hospitals,omitempty"`    // of those that the plan reaches; none = all of them
	Life         Duration        `json:"life"`                   // "" or "0s" = for ever
	Kind         record.Kind     `json:"kind,omitempty"`         // "" = key
	NoSecret     bool            `json:"no_secret,omitempty"`    // for a client that signs with its own keys only
	AllowFrom    []string        `json:"allow_from,omitempty"`   // networks and addresses; none = from everywhere
	JWKS         json.RawMessage `json:"jwks,omitempty"`         // a client's public keys,
	JWKSURL      string          `json:"jwks_url,omitempty"`     // or where they are
	Certificates []string        `json:"certificates,omitempty"` // in PEM form, or SHA-256 fingerprints
	Issuer       string          `json:"issuer,omitempty"`       // of the kind external
	Subject      string          `json:"subject,omitempty"`      // of the kind external
}

// KeyChanges is the body of PATCH /admin/keys/{id}. What is left out stays.
type KeyChanges struct {
	Name              *string         `json:"name,omitempty"`
	Plan              *string         `json:"plan,omitempty"`
	Hospitals         *[]string       `json:"hospitals,omitempty"`          // [] = all that the plan reaches
	Life              *Duration       `json:"life,omitempty"`               // from now on; "0s" = for ever
	AllowFrom         *[]string       `json:"allow_from,omitempty"`         // [] = from everywhere
	JWKS              json.RawMessage `json:"jwks,omitempty"`               // takes the place of all of before
	JWKSURL           *string         `json:"jwks_url,omitempty"`           // likewise; "" = no keys any more
	AddCertificate    string          `json:"add_certificate,omitempty"`    // in PEM form, or a SHA-256 fingerprint
	CertificateGrace  *Duration       `json:"certificate_grace,omitempty"`  // how long the others work on; left out: as before
	RemoveCertificate string          `json:"remove_certificate,omitempty"` // a SHA-256 fingerprint
}

// Rotation is the body of POST /admin/keys/{id}/rotate.
type Rotation struct {
	Grace Duration `json:"grace"` // how long the old secrets work on
}

// IssuedKey answers a creation or rotation: the only time the secret is shown.
type IssuedKey struct {
	*record.Key
	Secret   string `json:"secret"`              // "" when the kind has none
	TokenURL string `json:"token_url,omitempty"` // where a client gets its tokens
}

// Create makes a key.
func (c *Client) Create(ctx context.Context, wanted NewKey) (*IssuedKey, error) {
	return ask[IssuedKey](ctx, c, http.MethodPost, "/admin/keys", wanted)
}

// List returns all keys.
func (c *Client) List(ctx context.Context) ([]*record.Key, error) {
	return asked[[]*record.Key](ctx, c, http.MethodGet, "/admin/keys")
}

// Show returns one key.
func (c *Client) Show(ctx context.Context, id string) (*record.Key, error) {
	return ask[record.Key](ctx, c, http.MethodGet, "/admin/keys/"+url.PathEscape(id), nil)
}

// Update changes a key.
func (c *Client) Update(ctx context.Context, id string, wanted KeyChanges) (*record.Key, error) {
	return ask[record.Key](ctx, c, http.MethodPatch, "/admin/keys/"+url.PathEscape(id), wanted)
}

// Rotate gives a key a new secret.
func (c *Client) Rotate(ctx context.Context, id string, wanted Rotation) (*IssuedKey, error) {
	return ask[IssuedKey](ctx, c, http.MethodPost, "/admin/keys/"+url.PathEscape(id)+"/rotate", wanted)
}

// Revoke ends a key.
func (c *Client) Revoke(ctx context.Context, id string) (*record.Key, error) {
	return ask[record.Key](ctx, c, http.MethodDelete, "/admin/keys/"+url.PathEscape(id), nil)
}

// WithdrawSecret ends one secret of a key at once, by its hash. It is idempotent.
func (c *Client) WithdrawSecret(ctx context.Context, id, hash string) (*record.Key, error) {
	return ask[record.Key](ctx, c, http.MethodDelete, "/admin/keys/"+url.PathEscape(id)+"/secrets/"+url.PathEscape(hash), nil)
}
