package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/upstream/jwks"
)

const (
	// ringsHash keeps the ring apart from those that hospitals see.
	ringsHash = "fhirgate:token-rings"
	ringName  = "tokens"
	// signingAge is when a key has signed for long enough.
	signingAge = 30 * 24 * time.Hour
	// publishedFor is how long a key is published before it signs and after it
	// did: longer than a token lives.
	publishedFor = 10 * time.Minute
)

// tokenKeys are the keys that sign our tokens.
type tokenKeys struct {
	rings *jwks.Rings
	log   *slog.Logger
	now   func() time.Time
}

// signing returns the key that signs now.
func (k *tokenKeys) signing(ctx context.Context) (key jose.SigningKey, err error) {
	err = k.use(ctx, func() error {
		key, err = k.rings.Signer(ringName).SigningKey(ctx)
		return err
	})
	if err == nil {
		k.rotate(ctx)
	}
	return key, err
}

// set returns the keys with which tokens in force may be signed, as a JWK set,
// and how long it may be kept.
func (k *tokenKeys) set(ctx context.Context) (data []byte, age time.Duration, err error) {
	err = k.use(ctx, func() error {
		data, age, err = k.rings.Set(ctx, ringName)
		return err
	})
	return data, age, err
}

// use does something with the ring, which it makes if there is none. Another
// node may have made it a moment ago, unseen by this one.
func (k *tokenKeys) use(ctx context.Context, do func() error) error {
	err := do()
	if !errors.Is(err, jwks.ErrNoRing) {
		return err
	}
	_, err = k.rings.Create(ctx, jwks.New{Name: ringName, Alg: jose.ES384, After: publishedFor})
	if err != nil && !errors.Is(err, jwks.ErrExists) {
		return err
	}
	return do()
}

// rotate publishes the next key when the present one has signed for long enough.
// When that fails the present one goes on.
func (k *tokenKeys) rotate(ctx context.Context) {
	all, err := k.rings.List(ctx)
	if err != nil || !k.due(all) {
		return
	}
	if _, err := k.rings.Rotate(ctx, ringName, 0); err != nil && !errors.Is(err, jwks.ErrRotating) {
		k.log.Warn("the key that signs tokens could not be rotated, and goes on", "problem", err)
	}
}

func (k *tokenKeys) due(all []jwks.Status) bool {
	old := false
	for _, ring := range all {
		if ring.Name != ringName {
			continue
		}
		for _, key := range ring.Keys {
			switch key.State {
			case jwks.Published:
				return false
			case jwks.Active:
				old = k.now().Sub(key.Activates) >= signingAge
			}
		}
	}
	return old
}

// public returns the keys of set.
func (k *tokenKeys) public(ctx context.Context) ([]jose.JSONWebKey, error) {
	data, _, err := k.set(ctx)
	if err != nil {
		return nil, err
	}
	var set jose.JSONWebKeySet
	err = json.Unmarshal(data, &set)
	return set.Keys, err
}

func (s *Server) serveKeys(w http.ResponseWriter, r *http.Request) error {
	data, age, err := s.keys.set(r.Context())
	if err != nil {
		return unavailable(err)
	}
	public(w, data, age)
	return nil
}
