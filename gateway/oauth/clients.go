package oauth

import (
	"context"
	"net/netip"
	"time"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/facade"
)

// Client is what the authorization server knows of a consumer. It is shared and
// never changed.
type Client struct {
	KeyID, PlanID string // of the record; the client_id is the KeyID
	Name          string // for people
	Expires       time.Time
	Hospitals     []string       // route ids that the record is narrowed to; empty = all that its plan reaches
	AllowFrom     []netip.Prefix // empty = all addresses
	Certificates  []string       // SHA-256 fingerprints, lower-case hex

	JWKS    *jose.JSONWebKeySet // its public keys, as CheckJWKS returned them; nil = none
	JWKSURL string              // or where they are
}

// Clients are the records of consumers. Client, Secret and External return
// facade.ErrUnknownKey where no record gives access, and any other error when
// they cannot tell.
type Clients interface {
	// Client returns an active client, or an external consumer, by its id.
	Client(ctx context.Context, id string) (*Client, error)
	// Secret tells whether the secret is one of the client. It takes as long for
	// an unknown client, counts the wrong ones, and returns a
	// *facade.SlowedError when there were too many of them from the address.
	Secret(ctx context.Context, id, secret string, from netip.Addr) error
	// External returns the consumer that an identity provider's subject is.
	External(ctx context.Context, issuer, subject string) (*Client, error)
	// RevokeToken ends one of our tokens on all nodes; until is when it would
	// have ended by itself.
	RevokeToken(ctx context.Context, jti string, until time.Time) error
	// TokenRevoked tells whether RevokeToken was called for the token.
	TokenRevoked(ctx context.Context, jti string) (bool, error)
}

// expired tells whether the record has ended.
func (c *Client) expired(now time.Time) bool { return !c.Expires.IsZero() && !now.Before(c.Expires) }

// allows tells whether the record may be used from an address.
func (c *Client) allows(from netip.Addr) bool {
	return facade.AllowedFrom(c.AllowFrom, from.Unmap().WithZone(""))
}
