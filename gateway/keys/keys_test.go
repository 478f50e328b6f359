package keys

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/gateway/engine"
)

// redisServer runs a redis-server until the test ends or stop is called.
func redisServer(t *testing.T) (client *redis.Client, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--dir", t.TempDir())
	require.NoError(t, cmd.Start())
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	client = redis.NewClient(&redis.Options{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	require.Eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil }, 10*time.Second, 10*time.Millisecond)
	return client, stop
}

// sessions is an engine that stores sessions in Redis where Tyk does.
type sessions struct {
	redis   *redis.Client
	refusal error  // of CreateKey
	created func() // called when a session was made
}

func (e *sessions) write(ctx context.Context, hash string, s engine.Session) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return e.redis.Set(ctx, engine.KeyNameOfHash(hash), data, 0).Err()
}

func (e *sessions) CreateKey(ctx context.Context, token string, s engine.Session) error {
	if e.refusal != nil {
		return e.refusal
	}
	if err := e.write(ctx, engine.KeyHash(token), s); err != nil {
		return err
	}
	if e.created != nil {
		e.created()
	}
	return nil
}

func (e *sessions) UpdateKey(ctx context.Context, hash string, s engine.Session) error {
	return e.write(ctx, hash, s)
}

func (e *sessions) DeleteKey(ctx context.Context, hash string) error {
	n, err := e.redis.Del(ctx, engine.KeyNameOfHash(hash)).Result()
	if err == nil && n == 0 {
		return engine.ErrNoKey
	}
	return err
}

func TestALifeOfAKey(t *testing.T) {
	client, stop := redisServer(t)
	ctx := t.Context()
	keeper := NewKeeper(&sessions{redis: client}, client)
	lookup := func(secret string) (*facade.Consumer, error) {
		return NewDirectory(client).Key(ctx, secret, netip.Addr{})
	}

	none, err := keeper.List(ctx)
	require.NoError(t, err)
	require.Empty(t, none)
	require.NotNil(t, none, "an empty list is [] in JSON")

	key, first, err := keeper.Create(ctx, New{Name: "PACS", Plan: "trial", WithSecret: true, Life: time.Hour})
	require.NoError(t, err)
	require.Equal(t, first[len(first)-4:], key.Secrets[0].Hint)
	consumer, err := lookup(first)
	require.NoError(t, err)
	require.Equal(t, &facade.Consumer{KeyID: key.ID, Name: "PACS", PlanID: "trial", Expires: key.Expires, Way: facade.WayKey}, consumer)
	stored, err := keeper.Get(ctx, key.ID)
	require.NoError(t, err)
	require.Equal(t, key, stored)
	for _, name := range client.Keys(ctx, "*").Val() {
		if value, err := client.Get(ctx, name).Result(); err == nil {
			require.NotContains(t, name+value, first, "a secret is stored hashed")
		}
	}

	_, second, err := keeper.Rotate(ctx, key.ID, 10*time.Minute)
	require.NoError(t, err)
	for _, secret := range []string{first, second} {
		consumer, err = lookup(secret)
		require.NoError(t, err)
		require.Equal(t, key.ID, consumer.KeyID, "the consumer stays who it is")
	}
	consumer, err = lookup(first)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(10*time.Minute), consumer.Expires, 2*time.Second)

	rotated, third, err := keeper.Rotate(ctx, key.ID, 0)
	require.NoError(t, err)
	require.Len(t, rotated.Secrets, 1)
	for _, secret := range []string{first, second} {
		_, err = lookup(secret)
		require.ErrorIs(t, err, facade.ErrUnknownKey)
	}
	_, err = lookup(third)
	require.NoError(t, err)

	_, _, err = keeper.Create(ctx, New{Name: "another", Plan: "trial", WithSecret: true})
	require.NoError(t, err)
	all, err := keeper.List(ctx)
	require.NoError(t, err)
	require.Len(t, all, 2)

	for range 2 { // it is idempotent
		revoked, err := keeper.Revoke(ctx, key.ID)
		require.NoError(t, err)
		require.Equal(t, "revoked", revoked.Status(time.Now()))
	}
	_, err = lookup(third)
	require.ErrorIs(t, err, facade.ErrUnknownKey)
	_, _, err = keeper.Rotate(ctx, key.ID, 0)
	require.ErrorIs(t, err, ErrRevoked)
	for _, missing := range []string{"key_none", "", "*"} {
		_, err = keeper.Get(ctx, missing)
		require.ErrorIs(t, err, ErrNotFound)
		_, err = keeper.Revoke(ctx, missing)
		require.ErrorIs(t, err, ErrNotFound)
	}

	stop()
	for _, secret := range []string{first, third, engine.NewToken()} {
		_, err = lookup(secret)
		require.Error(t, err)
		require.NotErrorIs(t, err, facade.ErrUnknownKey, "without Redis nothing is known of a key")
	}
	_, err = keeper.List(ctx)
	require.Error(t, err)
	_, err = keeper.Get(ctx, key.ID)
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrNotFound)
}

// Tyk writes a session back when it counts a call against it: the trap that
// made tombstones.
func TestASessionThatIsWrittenBackStaysDead(t *testing.T) {
	client, _ := redisServer(t)
	ctx := t.Context()
	keeper := NewKeeper(&sessions{redis: client}, client)
	key, secret, err := keeper.Create(ctx, New{Name: "PACS", Plan: "trial", WithSecret: true})
	require.NoError(t, err)
	name := engine.KeyName(secret)
	session, err := client.Get(ctx, name).Result()
	require.NoError(t, err)
	_, err = keeper.Revoke(ctx, key.ID)
	require.NoError(t, err)
	require.NoError(t, client.Set(ctx, name, session, 0).Err())
	_, err = NewDirectory(client).Key(ctx, secret, netip.Addr{})
	require.ErrorIs(t, err, facade.ErrUnknownKey)
}

// A rotation on another node that began before a revocation must bring nothing
// back, though its secret is not in the record that the revocation read.
func TestARotationDuringARevocationIsDead(t *testing.T) {
	client, _ := redisServer(t)
	ctx := t.Context()
	other := NewKeeper(&sessions{redis: client}, client)
	here := &sessions{redis: client}
	keeper := NewKeeper(here, client)
	key, first, err := keeper.Create(ctx, New{Name: "PACS", Plan: "trial", WithSecret: true})
	require.NoError(t, err)
	for _, grace := range []time.Duration{0, time.Hour} {
		here.created = func() {
			_, err := other.Revoke(ctx, key.ID)
			require.NoError(t, err)
		}
		_, second, err := keeper.Rotate(ctx, key.ID, grace)
		for _, secret := range []string{first, second} {
			_, lookupErr := NewDirectory(client).Key(ctx, secret, netip.Addr{})
			require.ErrorIs(t, lookupErr, facade.ErrUnknownKey)
		}
		stored, getErr := keeper.Get(ctx, key.ID)
		require.NoError(t, getErr)
		require.Equal(t, "revoked", stored.Status(time.Now()), "also to people")
		if err != nil {
			require.ErrorIs(t, err, ErrRevoked)
		}
	}
}

// Rotations at the same time leave no secret that works without a record.
func TestRotationsAtTheSameTime(t *testing.T) {
	client, _ := redisServer(t)
	ctx := t.Context()
	keeper := NewKeeper(&sessions{redis: client}, client)
	key, _, err := keeper.Create(ctx, New{Name: "PACS", Plan: "trial", WithSecret: true})
	require.NoError(t, err)
	secrets := make(chan string, 20)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			_, secret, err := keeper.Rotate(ctx, key.ID, time.Hour)
			if err != nil {
				t.Error(err)
			}
			secrets <- secret
		})
	}
	group.Wait()
	close(secrets)
	stored, err := keeper.Get(ctx, key.ID)
	require.NoError(t, err)
	require.Len(t, stored.Secrets, 21)
	_, err = keeper.Revoke(ctx, key.ID)
	require.NoError(t, err)
	for secret := range secrets {
		_, err := NewDirectory(client).Key(ctx, secret, netip.Addr{})
		require.ErrorIs(t, err, facade.ErrUnknownKey)
	}
}

func TestAnExpiredKeyIsNotRotated(t *testing.T) {
	client, _ := redisServer(t)
	ctx := t.Context()
	keeper := NewKeeper(&sessions{redis: client}, client)
	now := time.Now()
	keeper.now = func() time.Time { return now }
	key, _, err := keeper.Create(ctx, New{Name: "PACS", Plan: "trial", WithSecret: true, Life: time.Minute})
	require.NoError(t, err)
	now = now.Add(2 * time.Minute)
	require.Equal(t, "expired", key.Status(now))
	_, _, err = keeper.Rotate(ctx, key.ID, 0)
	require.ErrorIs(t, err, ErrExpired)

	lasting, _, err := keeper.Create(ctx, New{Name: "PACS", Plan: "trial", WithSecret: true})
	require.NoError(t, err)
	for range 5 {
		_, _, err = keeper.Rotate(ctx, lasting.ID, time.Minute)
		require.NoError(t, err)
		now = now.Add(2 * time.Minute)
	}
	stored, err := keeper.Get(ctx, lasting.ID)
	require.NoError(t, err)
	require.LessOrEqual(t, len(stored.Secrets), 2, "secrets that have ended are forgotten")
}

func TestSessionsThatAreNotOurs(t *testing.T) {
	client, _ := redisServer(t)
	ctx := t.Context()
	for name, session := range map[string]string{
		"not JSON":        `{`,
		"no id":           `{"apply_policies":["trial"]}`,
		"id of a number":  `{"apply_policies":["trial"],"meta_data":{"key_id":7}}`,
		"no policy":       `{"meta_data":{"key_id":"key_1"}}`,
		"two policies":    `{"apply_policies":["a","b"],"meta_data":{"key_id":"key_1"}}`,
		"blocked":         `{"apply_policies":["a"],"meta_data":{"key_id":"key_1"},"is_inactive":true}`,
		"of another type": `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			secret := engine.NewToken()
			require.NoError(t, client.Set(ctx, engine.KeyName(secret), session, 0).Err())
			consumer, err := NewDirectory(client).Key(ctx, secret, netip.Addr{})
			require.Error(t, err)
			require.Nil(t, consumer)
			require.NotContains(t, err.Error(), "key_1")
		})
	}
	for _, secret := range []string{"", "fg_", "fg_*", engine.NewToken() + "x", `fg_"}{`} {
		_, err := NewDirectory(client).Key(ctx, secret, netip.Addr{})
		require.ErrorIs(t, err, facade.ErrUnknownKey)
	}
}

func TestAKeyThatTykRefusesIsNotGivenOut(t *testing.T) {
	client, _ := redisServer(t)
	keeper := NewKeeper(&sessions{redis: client, refusal: errors.New("no")}, client)
	key, secret, err := keeper.Create(t.Context(), New{Name: "PACS", Plan: "gone", WithSecret: true})
	require.Error(t, err)
	require.Nil(t, key)
	require.Empty(t, secret)
}
