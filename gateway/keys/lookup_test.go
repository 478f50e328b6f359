package keys

import (
	"context"
	"encoding/json"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/gateway/engine"
)

// tyk stores sessions where Tyk does.
type tyk struct{ store *miniredis.Miniredis }

func (e tyk) write(hash string, s engine.Session) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return e.store.Set(engine.KeyNameOfHash(hash), string(data))
}

func (e tyk) CreateKey(_ context.Context, token string, s engine.Session) error {
	return e.write(engine.KeyHash(token), s)
}

func (e tyk) UpdateKey(_ context.Context, hash string, s engine.Session) error {
	return e.write(hash, s)
}

func (e tyk) DeleteKey(_ context.Context, hash string) error {
	if !e.store.Del(engine.KeyNameOfHash(hash)) {
		return engine.ErrNoKey
	}
	return nil
}

// world is one store, a Keeper, and a node whose clock the test moves.
type world struct {
	store  *miniredis.Miniredis
	keeper *Keeper
	node   *Directory
	now    time.Time
	reads  atomic.Int64 // commands that read
}

func newWorld(t *testing.T) *world {
	w := &world{store: miniredis.RunT(t), now: time.Now()}
	w.store.Server().SetPreHook(func(_ *server.Peer, cmd string, _ ...string) bool {
		if cmd == "GET" || cmd == "EXISTS" {
			w.reads.Add(1)
		}
		return false
	})
	client := redis.NewClient(&redis.Options{Addr: w.store.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	w.keeper = NewKeeper(tyk{w.store}, client)
	w.node = NewDirectory(client)
	w.node.now = func() time.Time { return w.now }
	return w
}

func (w *world) create(t *testing.T) (*Key, string) {
	key, secret, err := w.keeper.Create(context.Background(), New{Name: "pacs", Plan: "plan", WithSecret: true})
	require.NoError(t, err)
	return key, secret
}

func (w *world) lookup(secret string) (*facade.Consumer, error) {
	return w.node.Key(context.Background(), secret, netip.Addr{})
}

func TestARevokedKeyIsDeadWithinASecond(t *testing.T) {
	w := newWorld(t)
	key, secret := w.create(t)
	found, err := w.lookup(secret)
	require.NoError(t, err)
	require.Equal(t, key.ID, found.KeyID)

	_, err = w.keeper.Revoke(context.Background(), key.ID)
	require.NoError(t, err)
	w.now = w.now.Add(time.Second)
	_, err = w.lookup(secret)
	require.ErrorIs(t, err, facade.ErrUnknownKey)
}

// What writes the session back later brings nothing back.
func TestARevokedKeyStaysDead(t *testing.T) {
	w := newWorld(t)
	key, secret := w.create(t)
	_, err := w.keeper.Revoke(context.Background(), key.ID)
	require.NoError(t, err)
	require.NoError(t, tyk{w.store}.CreateKey(context.Background(), secret, session(key, key.Secrets[0])))
	for range 3 {
		w.now = w.now.Add(time.Minute)
		_, err = w.lookup(secret)
		require.ErrorIs(t, err, facade.ErrUnknownKey)
	}
}

// The change of one key is seen at every key, whichever was read last.
func TestARevocationIsSeenBesideOtherKeys(t *testing.T) {
	w := newWorld(t)
	doomed, secret := w.create(t)
	_, other := w.create(t)
	for _, s := range []string{secret, other} {
		_, err := w.lookup(s)
		require.NoError(t, err)
	}
	_, err := w.keeper.Revoke(context.Background(), doomed.ID)
	require.NoError(t, err)
	w.now = w.now.Add(freshness)
	_, err = w.lookup(other) // learns the new edition
	require.NoError(t, err)
	_, err = w.lookup(secret)
	require.ErrorIs(t, err, facade.ErrUnknownKey)
}

func TestAGraceIsSeenWithinASecond(t *testing.T) {
	w := newWorld(t)
	key, secret := w.create(t)
	found, err := w.lookup(secret)
	require.NoError(t, err)
	require.True(t, found.Expires.IsZero())
	_, _, err = w.keeper.Rotate(context.Background(), key.ID, time.Hour)
	require.NoError(t, err)
	w.now = w.now.Add(time.Second)
	found, err = w.lookup(secret)
	require.NoError(t, err)
	require.False(t, found.Expires.IsZero())
}

// However many keys are in use, Redis is asked for one word twice a second.
func TestKeysInUseCostOneReadTogether(t *testing.T) {
	w := newWorld(t)
	secrets := make([]string, 50)
	for n := range secrets {
		_, secrets[n] = w.create(t)
		_, err := w.lookup(secrets[n])
		require.NoError(t, err)
	}
	before := w.reads.Load()
	for range 10 {
		w.now = w.now.Add(freshness)
		for _, secret := range secrets {
			_, err := w.lookup(secret)
			require.NoError(t, err)
		}
	}
	require.Equal(t, int64(10), w.reads.Load()-before)
}

// A store that lost the edition, or everything, is believed.
func TestWhatTheStoreLostIsReadAgain(t *testing.T) {
	w := newWorld(t)
	key, _ := w.create(t)
	_, secret, err := w.keeper.Rotate(context.Background(), key.ID, 0) // there is an edition now
	require.NoError(t, err)
	_, err = w.lookup(secret)
	require.NoError(t, err)
	w.store.FlushAll()
	w.now = w.now.Add(freshness)
	_, err = w.lookup(secret)
	require.ErrorIs(t, err, facade.ErrUnknownKey)
}

// A change that nobody announced is seen after a while.
func TestAKeyIsReadAgainAfterAWhile(t *testing.T) {
	w := newWorld(t)
	_, secret := w.create(t)
	_, err := w.lookup(secret)
	require.NoError(t, err)
	w.store.Del(engine.KeyName(secret))
	w.now = w.now.Add(memory)
	_, err = w.lookup(secret)
	require.ErrorIs(t, err, facade.ErrUnknownKey)
}

func TestWithoutAStoreNobodyIsKnownForLong(t *testing.T) {
	w := newWorld(t)
	_, secret := w.create(t)
	_, err := w.lookup(secret)
	require.NoError(t, err)
	w.store.Close()
	_, err = w.lookup(secret)
	require.NoError(t, err, "it was read a moment ago")
	w.now = w.now.Add(freshness)
	_, err = w.lookup(secret)
	require.Error(t, err)
	require.NotErrorIs(t, err, facade.ErrUnknownKey, "nothing is known of the key")
}

func TestAnUnknownSecretIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	for _, secret := range []string{"", "fg_short", engine.NewToken()} {
		_, err := w.lookup(secret)
		require.ErrorIs(t, err, facade.ErrUnknownKey)
	}
	require.Empty(t, w.node.known)
}
