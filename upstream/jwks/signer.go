package jwks

import (
	"context"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Signer yields the key with which a ring signs now.
type Signer struct {
	rings *Rings
	name  string
}

// Signer returns the signer of a ring. Whether there is such a ring shows when
// it is used.
func (r *Rings) Signer(name string) *Signer { return &Signer{r, name} }

// SigningKey returns the key that signs now, with its algorithm and kid, for
// jose.NewSigner. It answers from memory, or reads Redis when what it knows is
// half a second old. Ask before every signature; the key that was returned may
// stop a moment later, and is valid all the same.
// Errors: ErrNoRing, ErrNoKey, ErrSealed, or Redis'.
func (s *Signer) SigningKey(ctx context.Context) (jose.SigningKey, error) {
	view, now := s.rings.current(ctx), s.rings.now()
	ring, err := view.ring(s.name, now)
	if err != nil {
		return jose.SigningKey{}, fmt.Errorf("ring %s: %w", s.name, err)
	}
	key, ok := ring.signingKey(now)
	if !ok {
		return jose.SigningKey{}, fmt.Errorf("ring %s: %w", s.name, ErrNoKey)
	}
	return key, nil
}
