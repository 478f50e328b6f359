package adminapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/upstream/jwks"
)

// NewRing is the body of POST /admin/jwks. What is left out takes its default.
type NewRing struct {
	Name  string                  `json:"name"`
	Alg   jose.SignatureAlgorithm `json:"alg"`   // RS384 (the default), ES384, RS256 or ES256
	Bits  int                     `json:"bits"`  // of RSA keys; default 3072
	After Duration                `json:"after"` // how long a new key is published before it signs; default 30h
}

// RingRotation is the body of POST /admin/jwks/{ring}/rotate.
type RingRotation struct {
	After Duration `json:"after"` // from now on; "" or "0s" = as it is
}

// KeyRetirement is the body of POST /admin/jwks/{ring}/retire.
type KeyRetirement struct {
	KID   string `json:"kid"`
	Force bool   `json:"force"` // even when calls may fail
}

// Ring is a ring as the admin API shows it.
type Ring struct {
	jwks.Status
	URL string `json:"url"` // of its public keys, for hospitals
}

// CreateRing makes a ring.
func (c *Client) CreateRing(ctx context.Context, wanted NewRing) (*Ring, error) {
	return ask[Ring](ctx, c, http.MethodPost, "/admin/jwks", wanted)
}

// Rings returns all rings.
func (c *Client) Rings(ctx context.Context) ([]Ring, error) {
	return asked[[]Ring](ctx, c, http.MethodGet, "/admin/jwks")
}

// RotateRing gives a ring its next key.
func (c *Client) RotateRing(ctx context.Context, name string, wanted RingRotation) (*Ring, error) {
	return ask[Ring](ctx, c, http.MethodPost, "/admin/jwks/"+url.PathEscape(name)+"/rotate", wanted)
}

// RetireKey ends a key of a ring at once.
func (c *Client) RetireKey(ctx context.Context, name string, wanted KeyRetirement) (*Ring, error) {
	return ask[Ring](ctx, c, http.MethodPost, "/admin/jwks/"+url.PathEscape(name)+"/retire", wanted)
}

// ExportSet returns the public keys of a ring, or of all (""), as a JWK set.
func (c *Client) ExportSet(ctx context.Context, name string) (json.RawMessage, error) {
	set, err := ask[json.RawMessage](ctx, c, http.MethodGet, "/admin/jwks/export?ring="+url.QueryEscape(name), nil)
	if err != nil {
		return nil, err
	}
	return *set, nil
}
