package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// CreateRing makes a ring.
func (c *AdminClient) CreateRing(ctx context.Context, wanted NewRing) (*Ring, error) {
	return ask[Ring](ctx, c, http.MethodPost, "/admin/jwks", wanted)
}

// Rings returns all rings.
func (c *AdminClient) Rings(ctx context.Context) ([]Ring, error) {
	all, err := ask[[]Ring](ctx, c, http.MethodGet, "/admin/jwks", nil)
	if err != nil {
		return nil, err
	}
	return *all, nil
}

// RotateRing gives a ring its next key.
func (c *AdminClient) RotateRing(ctx context.Context, name string, wanted RingRotation) (*Ring, error) {
	return ask[Ring](ctx, c, http.MethodPost, "/admin/jwks/"+url.PathEscape(name)+"/rotate", wanted)
}

// RetireKey ends a key of a ring at once.
func (c *AdminClient) RetireKey(ctx context.Context, name string, wanted KeyRetirement) (*Ring, error) {
	return ask[Ring](ctx, c, http.MethodPost, "/admin/jwks/"+url.PathEscape(name)+"/retire", wanted)
}

// ExportSet returns the public keys of a ring, or of all (""), as a JWK set.
func (c *AdminClient) ExportSet(ctx context.Context, name string) (json.RawMessage, error) {
	set, err := ask[json.RawMessage](ctx, c, http.MethodGet, "/admin/jwks/export?ring="+url.QueryEscape(name), nil)
	if err != nil {
		return nil, err
	}
	return *set, nil
}
