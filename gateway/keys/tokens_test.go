package keys

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/facade"
)

// verify looks a token up that its verification finds to be so, and returns the
// error.
func (w *world) verify(t *testing.T, token string, from netip.Addr, outcome error) error {
	t.Helper()
	_, err := w.node.Verified(t.Context(), token, from, func(context.Context) (*facade.Consumer, time.Time, error) {
		return &facade.Consumer{KeyID: "key_1"}, w.now.Add(time.Hour), outcome
	})
	return err
}

// issuer verifies tokens as an authorization server does: they live until a time,
// unless they were revoked.
type issuer struct {
	*world
	ends     time.Time
	verified int
}

func (i *issuer) verify(t *testing.T, token string) (*facade.Consumer, error) {
	t.Helper()
	return i.node.Verified(t.Context(), token, netip.Addr{}, func(ctx context.Context) (*facade.Consumer, time.Time, error) {
		i.verified++
		revoked, err := i.node.TokenRevoked(ctx, token)
		if err != nil {
			return nil, time.Time{}, err
		}
		if revoked || !i.now.Before(i.ends) {
			return nil, time.Time{}, facade.ErrUnknownKey
		}
		return &facade.Consumer{KeyID: "key_1", Way: facade.WayToken}, i.ends, nil
	})
}

func TestATokenIsVerifiedOnceInAWhile(t *testing.T) {
	i := &issuer{world: newWorld(t)}
	i.ends = i.now.Add(12 * time.Second)
	for range 10 {
		found, err := i.verify(t, "token")
		require.NoError(t, err)
		require.Equal(t, "key_1", found.KeyID)
	}
	require.Equal(t, 1, i.verified)
	i.now = i.now.Add(memory)
	_, err := i.verify(t, "token")
	require.NoError(t, err)
	require.Equal(t, 2, i.verified)
	i.now = i.ends
	_, err = i.verify(t, "token")
	require.ErrorIs(t, err, facade.ErrUnknownKey, "it is not remembered beyond its end")
	require.Equal(t, 3, i.verified)
}

// A token is dead within a second of its revocation, on another node than the one
// that was told.
func TestARevokedTokenIsDeadWithinASecond(t *testing.T) {
	i := &issuer{world: newWorld(t)}
	i.ends = i.now.Add(5 * time.Minute)
	_, err := i.verify(t, "token")
	require.NoError(t, err)
	other := NewDirectory(i.keeper.redis)
	require.NoError(t, other.RevokeToken(t.Context(), "token", i.ends))
	i.now = i.now.Add(time.Second)
	_, err = i.verify(t, "token")
	require.ErrorIs(t, err, facade.ErrUnknownKey)
	_, err = i.verify(t, "another")
	require.NoError(t, err)
	left := i.store.TTL(jtiPrefix + "token")
	require.Greater(t, left, 5*time.Minute-time.Second)
	require.LessOrEqual(t, left, 5*time.Minute+clockSkew, "a tombstone goes when the token would have")
	require.NoError(t, other.RevokeToken(t.Context(), "old", time.Now().Add(-time.Second)))
	require.False(t, i.store.Exists(jtiPrefix+"old"), "what has ended needs none")
}

func TestATokenThatCannotBeVerified(t *testing.T) {
	w := newWorld(t)
	away := errors.New("the identity provider is away")
	require.ErrorIs(t, w.verify(t, "token", attacker, away), away)
	require.Empty(t, w.node.known)
	require.NoError(t, w.verify(t, "token", attacker, nil))
	w.store.SetError("store is away")
	w.now = w.now.Add(freshness)
	err := w.verify(t, "token", attacker, nil)
	require.Error(t, err, "what was revoked cannot be known")
	require.NotErrorIs(t, err, facade.ErrUnknownKey)
}

// A change that comes while a token is verified for long is not missed.
func TestAVerificationThatTakesLong(t *testing.T) {
	w := newWorld(t)
	ends := w.now.Add(time.Hour)
	verified := 0
	resolve := func(context.Context) (*facade.Consumer, time.Time, error) {
		if verified++; verified == 1 { // finds the token good, and then is kept waiting while it is revoked
			w.now = w.now.Add(2 * time.Second)
			return &facade.Consumer{KeyID: "key_1"}, ends, w.node.RevokeToken(t.Context(), "token", ends)
		}
		return nil, time.Time{}, facade.ErrUnknownKey
	}
	_, err := w.node.Verified(t.Context(), "token", netip.Addr{}, resolve)
	require.ErrorIs(t, err, facade.ErrUnknownKey)
	require.Equal(t, 2, verified)
}

// What is overtaken by changes all the time is refused, not looked at for ever.
func TestAVerificationThatIsAlwaysOvertaken(t *testing.T) {
	w := newWorld(t)
	ends := w.now.Add(time.Hour)
	_, err := w.node.Verified(t.Context(), "token", netip.Addr{}, func(context.Context) (*facade.Consumer, time.Time, error) {
		w.now = w.now.Add(2 * time.Second)
		return &facade.Consumer{KeyID: "key_1"}, ends, w.node.RevokeToken(t.Context(), "another", ends)
	})
	require.ErrorIs(t, err, errOvertaken)
}

// Good tokens that never come again do not fill the memory.
func TestTheMemoryIsBounded(t *testing.T) {
	w := newWorld(t)
	for n := range maxKnown + 5000 {
		require.NoError(t, w.verify(t, strconv.Itoa(n), netip.Addr{}, nil))
	}
	require.LessOrEqual(t, len(w.node.known), maxKnown)
	w.now = w.now.Add(memory)
	for n := range maxKnown / 10 {
		require.NoError(t, w.verify(t, "another "+strconv.Itoa(n), netip.Addr{}, nil))
	}
	require.LessOrEqual(t, len(w.node.known), maxKnown/10, "stale ones go first")
}
