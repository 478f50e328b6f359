package keys

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"fhirgate/facade"
)

// resolveTimeout bounds how long a token may take to be verified: the keys of an
// outside identity provider may have to be fetched.
const resolveTimeout = 10 * time.Second

// Verified finds the consumer of a token, which resolve verifies: once for calls
// at the same time, and again when anything was changed, after ten seconds, or at
// the time that resolve returns. What resolve returns is shared and must not be
// changed. Its facade.ErrUnknownKey counts as a guess, its other errors are
// returned and nothing else; errors are those of Key.
func (d *Directory) Verified(
	ctx context.Context, token string, from netip.Addr,
	resolve func(context.Context) (consumer *facade.Consumer, until time.Time, err error),
) (*facade.Consumer, error) {
	n := nameOf(aToken, token)
	found, err := d.recent(ctx, n)
	if found == nil && err == nil {
		found, err = d.look(ctx, n, from, func(ctx context.Context) (finding, error) {
			ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
			defer cancel()
			consumer, until, err := resolve(ctx)
			if err != nil {
				return finding{}, err
			}
			return finding{id: consumer.KeyID, consumer: consumer, changes: until}, nil
		})
	}
	if err != nil {
		return nil, err
	}
	return found.consumer, nil
}

// RevokeToken ends a token of ours, by its jti, before its time, which until is.
// It holds on all nodes within a second.
func (d *Directory) RevokeToken(ctx context.Context, jti string, until time.Time) error {
	left := until.Sub(d.now())
	if left <= 0 {
		return nil
	}
	// A node whose clock is behind still takes the token for good for a while.
	if err := d.redis.Set(ctx, jtiPrefix+jti, "1", left+clockSkew).Err(); err != nil {
		return fmt.Errorf("revoking a token: %w", err)
	}
	return announce(ctx, d.redis)
}

// clockSkew is how far the nodes' clocks may be apart.
const clockSkew = 2 * time.Minute

// TokenRevoked reports whether a token of ours was revoked. The answer holds as
// long as Verified remembers the token.
func (d *Directory) TokenRevoked(ctx context.Context, jti string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	n, err := d.redis.Exists(ctx, jtiPrefix+jti).Result()
	if err != nil {
		return false, fmt.Errorf("reading whether a token was revoked: %w", err)
	}
	return n > 0, nil
}
