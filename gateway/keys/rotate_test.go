package keys

import (
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
)

// Rotations without a grace at the same time leave exactly one secret, and only
// those report success whose secret works.
func TestOneRotationWins(t *testing.T) {
	stores(t, func(t *testing.T, client *redis.Client) {
		ctx := t.Context()
		nodes := []*Keeper{NewKeeper(&sessions{redis: client}, client), NewKeeper(&sessions{redis: client}, client)}
		key, _, err := nodes[0].Create(ctx, New{Name: "PACS", Plan: "trial", WithSecret: true})
		require.NoError(t, err)
		var group sync.WaitGroup
		var lost atomic.Int64
		for n := range 10 {
			group.Go(func() {
				_, _, err := nodes[n%2].Rotate(ctx, key.ID, 0)
				if err != nil && !errors.Is(err, ErrContended) {
					t.Error(err)
				}
				if err != nil {
					lost.Add(1)
				}
			})
		}
		group.Wait()
		require.Less(t, lost.Load(), int64(10), "somebody wins")
		_, last, err := nodes[0].Rotate(ctx, key.ID, 0)
		require.NoError(t, err)
		stored, err := nodes[0].Get(ctx, key.ID)
		require.NoError(t, err)
		require.Len(t, stored.Secrets, 1)
		_, err = NewDirectory(client).Key(ctx, last, netip.Addr{})
		require.NoError(t, err)
	})
}

// A secret that was ended before its time stays dead, also when an old record and
// its session are written back.
func TestAnEndedSecretStaysDead(t *testing.T) {
	w := newWorld(t)
	key, secret := w.create(t)
	record, err := w.store.Get(recordPrefix + key.ID)
	require.NoError(t, err)
	_, _, err = w.keeper.Rotate(t.Context(), key.ID, 0)
	require.NoError(t, err)
	require.NoError(t, w.store.Set(recordPrefix+key.ID, record))
	require.NoError(t, tyk{w.store}.CreateKey(t.Context(), secret, session(key, key.Secrets[0])))
	_, err = w.lookup(secret)
	require.ErrorIs(t, err, facade.ErrUnknownKey)
}

// Who is overtaken by another rotation without a grace is told so, and not given a
// secret that is dead already.
func TestARotationThatIsOvertaken(t *testing.T) {
	client, _ := redisServer(t)
	ctx := t.Context()
	here := &sessions{redis: client}
	keeper, other := NewKeeper(here, client), NewKeeper(&sessions{redis: client}, client)
	key, first, err := keeper.Create(ctx, New{Name: "PACS", Plan: "trial", WithSecret: true})
	require.NoError(t, err)
	var faster string
	here.created = func() {
		_, faster, err = other.Rotate(ctx, key.ID, 0)
		require.NoError(t, err)
	}
	_, secret, err := keeper.Rotate(ctx, key.ID, 0)
	require.ErrorIs(t, err, ErrContended)
	require.Empty(t, secret)
	_, err = NewDirectory(client).Key(ctx, faster, netip.Addr{})
	require.NoError(t, err)
	_, err = NewDirectory(client).Key(ctx, first, netip.Addr{})
	require.ErrorIs(t, err, facade.ErrUnknownKey)
}

// While a key is rotated twenty times, its consumer, who takes every new secret
// before the old one ends, is never refused, on neither of two nodes.
func TestRotationUnderLoad(t *testing.T) {
	stores(t, func(t *testing.T, client *redis.Client) {
		ctx := t.Context()
		keeper := NewKeeper(&sessions{redis: client}, client)
		key, secret, err := keeper.Create(ctx, New{Name: "PACS", Plan: "trial", WithSecret: true})
		require.NoError(t, err)
		var current atomic.Pointer[string]
		current.Store(&secret)
		var stop atomic.Bool
		var looked atomic.Int64
		var group sync.WaitGroup
		for range 2 {
			node := NewDirectory(client)
			var ahead atomic.Int64 // its clock runs fast: what is remembered grows old all the time
			node.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			for range 2 {
				group.Go(func() {
					for !stop.Load() {
						secret := *current.Load()
						began := time.Now()
						if _, err := node.Key(ctx, secret, netip.Addr{}); err != nil {
							t.Errorf("after %s: %v", time.Since(began), err)
							return
						}
						looked.Add(1)
						ahead.Add(int64(10 * time.Microsecond))
					}
				})
			}
		}
		for range 20 {
			before := looked.Load()
			_, next, err := keeper.Rotate(ctx, key.ID, 24*time.Hour)
			require.NoError(t, err)
			current.Store(&next)
			require.Eventually(t, func() bool { return looked.Load() > before+20 }, 20*time.Second, time.Millisecond)
		}
		stop.Store(true)
		group.Wait()
		t.Logf("%d lookups, none refused", looked.Load())
	})
}

// A rotation that Tyk refuses leaves the secret of before as it was.
func TestARotationThatTykRefuses(t *testing.T) {
	w := newWorld(t)
	key, secret := w.create(t)
	w.keeper.engine = failingTyk{tyk{w.store}, true, errors.New("Tyk is away")}
	_, _, err := w.keeper.Rotate(t.Context(), key.ID, 0)
	require.ErrorContains(t, err, "Tyk is away")
	found, err := w.lookup(secret)
	require.NoError(t, err)
	require.True(t, found.Expires.IsZero())
	stored, err := w.keeper.Get(t.Context(), key.ID)
	require.NoError(t, err)
	require.Equal(t, key.Secrets, stored.Secrets)
}

func TestWhatHasNoSecretIsNotRotated(t *testing.T) {
	w := newWorld(t)
	key, _, err := w.keeper.Create(t.Context(), New{Name: "x", Plan: "plan", Kind: KindExternal, Issuer: "https://idp.example", Subject: "y"})
	require.NoError(t, err)
	_, _, err = w.keeper.Rotate(t.Context(), key.ID, 0)
	refused(t, err, http.StatusUnprocessableEntity, "has no secret")
}
