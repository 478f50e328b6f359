package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// open opens an embedded store that the test closes.
func open(t testing.TB, dir string, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, c := range change {
		c(&o)
	}
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	return s
}

// openHere opens an embedded store in a directory of its own and closes it at the end.
func openHere(t testing.TB, change ...func(*Options)) *Store {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "store"), change...)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// script answers two keys' new values.
const script = `redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {redis.call('INCR', KEYS[2]), redis.call('PTTL', KEYS[1])}`

// fill writes keys of every type in every way that Tyk and the gateway do.
func fill(t *testing.T, c redis.UniversalClient) {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, c.Set(ctx, "string", "a\x00\r\n\xff", 0).Err())
	require.NoError(t, c.Set(ctx, "empty", "", 0).Err())
	require.NoError(t, c.Set(ctx, "mortal", "v", time.Hour).Err())
	require.NoError(t, c.Set(ctx, "brief", "v", 50*time.Millisecond).Err())
	require.NoError(t, c.Set(ctx, "gone", "v", 0).Err())
	require.NoError(t, c.Del(ctx, "gone").Err())
	require.NoError(t, c.RPush(ctx, "list", "b", "c", "b").Err())
	require.NoError(t, c.LPush(ctx, "list", "a").Err())
	require.NoError(t, c.SAdd(ctx, "set", "x", "y", "").Err())
	require.NoError(t, c.HSet(ctx, "hash", "f", "1", "g", "").Err())
	require.NoError(t, c.HIncrBy(ctx, "hash", "f", 4).Err())
	require.NoError(t, c.ZAdd(ctx, "zset", redis.Z{Score: 1.5, Member: "m"}, redis.Z{Score: -1e300, Member: "n"}).Err())
	require.NoError(t, c.ZRemRangeByScore(ctx, "zset", "5", "6").Err())
	require.NoError(t, c.Rename(ctx, "empty", "renamed").Err())
	require.NoError(t, c.IncrBy(ctx, "limit:k", 7).Err())
	require.NoError(t, c.Eval(ctx, script, []string{"by-script", "counted"}, "v", 3_600_000).Err())
	_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Incr(ctx, "counted")
		p.Expire(ctx, "counted", time.Hour)
		p.Eval(ctx, script, []string{"by-script-in-tx", "counted"}, "v", 3_600_000)
		return nil
	})
	require.NoError(t, err)
}

// check finds what fill wrote.
func check(t *testing.T, c redis.UniversalClient) {
	t.Helper()
	ctx := t.Context()
	keys, err := c.Keys(ctx, "*").Result()
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{
		"string", "renamed", "mortal", "list", "set", "hash", "zset",
		"limit:k", "by-script", "by-script-in-tx", "counted",
	}, keys)
	assert.Equal(t, "a\x00\r\n\xff", c.Get(ctx, "string").Val())
	assert.Equal(t, time.Duration(-1), c.PTTL(ctx, "string").Val())
	assert.NoError(t, c.Get(ctx, "renamed").Err())
	assert.Equal(t, []string{"a", "b", "c", "b"}, c.LRange(ctx, "list", 0, -1).Val())
	assert.ElementsMatch(t, []string{"x", "y", ""}, c.SMembers(ctx, "set").Val())
	assert.Equal(t, map[string]string{"f": "5", "g": ""}, c.HGetAll(ctx, "hash").Val())
	assert.Equal(t, []redis.Z{{Score: -1e300, Member: "n"}, {Score: 1.5, Member: "m"}}, c.ZRangeWithScores(ctx, "zset", 0, -1).Val())
	assert.Equal(t, "7", c.Get(ctx, "limit:k").Val())
	assert.Equal(t, "3", c.Get(ctx, "counted").Val())
	for _, key := range []string{"mortal", "by-script", "by-script-in-tx", "counted"} {
		ttl := c.PTTL(ctx, key).Val()
		assert.Greater(t, ttl, time.Hour-time.Minute, key)
		assert.LessOrEqual(t, ttl, time.Hour, key)
	}
}

func TestEveryTypeSurvivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "store")
	s := open(t, dir)
	fill(t, s.Client())
	require.NoError(t, s.Close())

	time.Sleep(60 * time.Millisecond) // "brief" expires while the store is closed
	for range 2 {                     // the second time from the compacted file
		s = open(t, dir)
		check(t, s.Client())
		require.NoError(t, s.Close())
	}
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := open(t, dir)
	assert.Empty(t, s.Warnings())
	require.NoError(t, s.Close())
	for path, want := range map[string]os.FileMode{"": 0o700, journalName: 0o600, "store.lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		require.NoError(t, err)
		assert.Equal(t, want, info.Mode().Perm(), path)
	}

	require.NoError(t, os.Chmod(dir, 0o755))
	s = open(t, dir)
	assert.Len(t, s.Warnings(), 1)
	require.NoError(t, s.Close())
}

func TestTwoStoresDoNotShareADirectory(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := Open(t.Context(), Options{Dir: dir})
	require.ErrorIs(t, err, ErrInUse)
	assert.ErrorContains(t, err, dir)
	require.NoError(t, s.Close())
	require.NoError(t, open(t, dir).Close())
}

func TestOnlyThePasswordOpensTheStore(t *testing.T) {
	s := openHere(t)
	host, port, password := s.Addr()
	assert.Equal(t, "127.0.0.1", host)
	assert.NotZero(t, port)
	assert.GreaterOrEqual(t, len(password), 20)
	assert.True(t, s.Embedded())

	addr := s.addr.String()
	for name, o := range map[string]*redis.Options{
		"no password":    {Addr: addr},
		"wrong password": {Addr: addr, Password: "guess"},
		"wrong user":     {Addr: addr, Username: "admin", Password: password},
	} {
		t.Run(name, func(t *testing.T) {
			c := redis.NewClient(o)
			defer c.Close()
			for _, cmd := range [][]any{{"SET", "k", "v"}, {"GET", "k"}, {"EVAL", "return 1", 0}, {"PUBLISH", "c", "m"}, {"MULTI"}} {
				assert.Error(t, c.Do(t.Context(), cmd...).Err(), cmd)
			}
		})
	}
	assert.Equal(t, int64(0), s.Client().Exists(t.Context(), "k").Val())

	for _, protocol := range []int{2, 3} {
		c := redis.NewClient(&redis.Options{Addr: addr, Password: password, Protocol: protocol})
		assert.NoError(t, c.Set(t.Context(), "k", "v", 0).Err())
		assert.NoError(t, c.Close())
	}
}

func TestKeysExpireByTheClock(t *testing.T) {
	s := openHere(t)
	c, ctx := s.Client(), t.Context()
	require.NoError(t, c.Set(ctx, "k", "v", 150*time.Millisecond).Err())
	require.NoError(t, c.SAdd(ctx, "untouched", "v").Err())
	require.NoError(t, c.PExpire(ctx, "untouched", 150*time.Millisecond).Err())
	require.NoError(t, c.Set(ctx, "kept", "v", 150*time.Millisecond).Err())
	require.NoError(t, c.Persist(ctx, "kept").Err())

	time.Sleep(60 * time.Millisecond)
	ttl := c.PTTL(ctx, "k").Val()
	assert.LessOrEqual(t, ttl, 90*time.Millisecond)
	assert.Positive(t, ttl)
	assert.True(t, c.ExpireGT(ctx, "k", time.Second).Val())
	require.NoError(t, c.Set(ctx, "k", "w", redis.KeepTTL).Err())
	assert.Greater(t, c.PTTL(ctx, "k").Val(), 500*time.Millisecond)
	require.NoError(t, c.PExpire(ctx, "k", 50*time.Millisecond).Err())

	time.Sleep(110 * time.Millisecond)
	assert.Equal(t, []string{"kept"}, c.Keys(ctx, "*").Val())
	assert.Equal(t, redis.Nil, c.Get(ctx, "k").Err())
	got, err := c.Eval(ctx, "return redis.call('EXISTS', KEYS[1])", []string{"k"}).Int()
	require.NoError(t, err)
	assert.Zero(t, got)
}

// clock is a time that the test moves.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(1_800_000_000_000)
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

func TestTimeArithmetic(t *testing.T) {
	clock := newClock()
	s := openHere(t, func(o *Options) { o.now = clock.now })
	c, ctx := s.Client(), t.Context()
	const start = 1_800_000_000
	scripted := func(command string) int {
		n, err := c.Eval(ctx, "return redis.call('"+command+"', KEYS[1])", []string{"k"}).Int()
		require.NoError(t, err)
		return n
	}

	require.NoError(t, c.Set(ctx, "k", "v", 10*time.Second).Err())
	clock.advance(400 * time.Millisecond)
	assert.Equal(t, 10*time.Second, c.TTL(ctx, "k").Val(), "rounded, as Redis does")
	assert.Equal(t, 9600*time.Millisecond, c.PTTL(ctx, "k").Val())
	assert.Equal(t, 9600, scripted("PTTL"))
	clock.advance(200 * time.Millisecond)
	assert.Equal(t, 9*time.Second, c.TTL(ctx, "k").Val())
	assert.Equal(t, (start+10)*time.Second, c.ExpireTime(ctx, "k").Val())
	assert.Equal(t, (start+10)*time.Second, c.PExpireTime(ctx, "k").Val())
	assert.Equal(t, 1_800_000_000_600, int(c.Time(ctx).Val().UnixMilli()))

	require.NoError(t, c.PExpireAt(ctx, "k", time.UnixMilli(1_800_000_005_001)).Err())
	clock.advance(4400 * time.Millisecond)
	assert.Equal(t, 1, scripted("PTTL"))
	replies, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.PTTL(ctx, "k")
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, time.Millisecond, replies[0].(*redis.DurationCmd).Val())
	clock.advance(time.Millisecond)
	assert.Equal(t, int64(0), c.Exists(ctx, "k").Val(), "gone at its deadline")

	require.NoError(t, c.Set(ctx, "k", "v", 0).Err())
	require.NoError(t, c.ExpireAt(ctx, "k", time.Unix(start-1, 0)).Err())
	assert.Equal(t, int64(0), c.Exists(ctx, "k").Val(), "a deadline in the past deletes")
}

func TestDeletedKeysLeaveNothingBehind(t *testing.T) {
	clock := newClock()
	s := openHere(t, func(o *Options) { o.now = clock.now })
	c, ctx := s.Client(), t.Context()
	for _, key := range []string{"a", "b", "c"} {
		require.NoError(t, c.SetNX(ctx, "jti:"+key, "1", time.Second).Err())
	}
	require.NoError(t, c.SAdd(ctx, "set", "m").Err())
	require.NoError(t, c.SRem(ctx, "set", "m").Err())
	require.NoError(t, c.Del(ctx, "jti:a").Err())
	clock.advance(2 * time.Second)
	require.ErrorIs(t, c.Get(ctx, "none").Err(), redis.Nil)
	e := s.embedded
	e.mu.Lock()
	defer e.mu.Unlock()
	assert.Empty(t, e.engine.versions)
	assert.Empty(t, e.engine.lastUse)
	assert.Empty(t, e.keys.keys)
	assert.Empty(t, e.keys.heap)
}

func TestRefusals(t *testing.T) {
	s := openHere(t)
	c, ctx := s.Client(), t.Context()
	for name, cmd := range map[string][]any{
		"unknown":           {"NOSUCH", "k"},
		"blocking":          {"BLPOP", "k", 1},
		"stream":            {"XADD", "k", "*", "f", "v"},
		"hyperloglog":       {"PFADD", "k", "v"},
		"geo":               {"GEOADD", "k", 1, 1, "m"},
		"flush":             {"FLUSHALL"},
		"watch":             {"WATCH", "k"},
		"other database":    {"SELECT", 1},
		"hash field expiry": {"HEXPIRE", "k", 1, "FIELDS", 1, "f"},
		"undeclared key":    {"EVAL", "return redis.call('SET', 'k', 'v')", 0},
		"other undeclared":  {"EVAL", "return redis.call('SET', 'k', 'v')", 1, "other"},
		"undeclared expiry": {"EVAL", "return redis.call('PTTL', 'k')", 0},
		"flush in a script": {"EVAL", "return redis.call('FLUSHALL')", 0},
		"script in script":  {"EVAL", "return redis.call('EVAL', 'return 1', 0)", 0},
		"auth in a script":  {"EVAL", "return redis.call('HELLO', '3')", 0},
		"too many keys":     {"EVAL", "return 1", 2, "k"},
		"no arguments":      {"SET"},
		"half a pair":       {"MSET", "k"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Error(t, c.Do(ctx, cmd...).Err())
			assert.Equal(t, int64(0), c.Exists(ctx, "k").Val())
		})
	}

	t.Run("in a transaction", func(t *testing.T) {
		_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, "k", "v", 0)
			p.Do(ctx, "XADD", "s", "*", "f", "v")
			return nil
		})
		assert.Error(t, err)
		assert.Equal(t, int64(0), c.Exists(ctx, "k").Val())
	})
}

func TestTransactions(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ctx := t.Context()
	conn := s.Client().(*redis.Client).Conn()
	do := func(args ...any) any {
		v, err := conn.Do(ctx, args...).Result()
		if err != nil {
			return err.Error()
		}
		return v
	}
	assert.Equal(t, "OK", do("MULTI"))
	assert.Equal(t, "QUEUED", do("SET", "discarded", "v"))
	assert.Equal(t, "OK", do("DISCARD"))
	assert.Equal(t, "OK", do("MULTI"))
	assert.Contains(t, do("MULTI"), "ERR")
	assert.Equal(t, "QUEUED", do("SET", "k", "v"))
	assert.Contains(t, do("EXEC", "surplus"), "ERR")
	assert.Contains(t, do("EXEC"), "EXECABORT")
	assert.Equal(t, "OK", do("MULTI"))
	assert.Equal(t, "QUEUED", do("SET", "k", "v"))
	assert.Equal(t, "QUEUED", do("GET", "k"))
	assert.Equal(t, []any{"OK", "v"}, do("EXEC"))
	assert.Contains(t, do("EXEC"), "ERR")
	require.NoError(t, conn.Close())
	require.NoError(t, s.Close())

	s = open(t, dir)
	assert.Equal(t, []string{"k"}, s.Client().Keys(ctx, "*").Val())
	require.NoError(t, s.Close())
}

func TestPublishAndSubscribe(t *testing.T) {
	s := openHere(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	sub := s.Client().Subscribe(ctx, "revoked")
	defer sub.Close()
	_, err := sub.Receive(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Client().Publish(ctx, "revoked", "k1").Err())
	require.NoError(t, s.Client().Eval(ctx, "return redis.call('PUBLISH', 'revoked', ARGV[1])", nil, "k2").Err())
	for _, want := range []string{"k1", "k2"} {
		m, err := sub.ReceiveMessage(ctx)
		require.NoError(t, err)
		assert.Equal(t, want, m.Payload)
	}
}

// A subscriber that does not read must not stop the others: miniredis holds its lock while it publishes.
func TestAStuckSubscriberIsDisconnected(t *testing.T) {
	s := openHere(t)
	c, ctx := s.Client(), t.Context()
	_, _, password := s.Addr()
	conn, err := net.Dial("tcp", s.addr.String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n", len(password), password)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return c.PubSubNumSub(ctx, "c").Val()["c"] == 1 }, 5*time.Second, 5*time.Millisecond)

	message := strings.Repeat("m", 1<<20)
	for range 32 { // more than the socket holds
		require.NoError(t, c.Publish(ctx, "c", message).Err())
	}
	require.Eventually(t, func() bool { return c.PubSubNumSub(ctx, "c").Val()["c"] == 0 }, 5*time.Second, 5*time.Millisecond)
}

func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	clock := newClock()
	s := open(t, dir, func(o *Options) { o.now = clock.now })
	c, ctx := s.Client(), t.Context()
	keys := []string{"k", "n"}
	count := func(tx *Tx) error {
		n, err := number(tx, "n")
		if err != nil {
			return err
		}
		return tx.Set("n", strconv.FormatInt(n+1, 10), 0)
	}

	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 25 {
				assert.NoError(t, s.Update(keys, count))
				assert.NoError(t, c.Incr(ctx, "n").Err())
			}
		})
	}
	writers.Wait()
	assert.Equal(t, "200", c.Get(ctx, "n").Val())

	require.NoError(t, s.Update(keys, func(tx *Tx) error { return tx.Set("k", "v", 1500*time.Millisecond) }))
	clock.advance(time.Second)
	require.NoError(t, s.Update(keys, func(tx *Tx) error {
		assert.Equal(t, clock.now(), tx.Now())
		assert.Equal(t, 500*time.Millisecond, tx.TTL("k"))
		return nil
	}))
	clock.advance(500 * time.Millisecond)
	require.NoError(t, s.Update(keys, func(tx *Tx) error {
		_, err := tx.Get("k")
		assert.ErrorIs(t, err, miniredis.ErrKeyNotFound)
		return nil
	}))

	problem := errors.New("no")
	assert.ErrorIs(t, s.Update(keys, func(*Tx) error { return problem }), problem)
	require.NoError(t, s.Update([]string{"gone"}, func(tx *Tx) error {
		defer tx.Delete("gone")
		return tx.Set("gone", "v", 0)
	}))
	require.NoError(t, s.Close())

	s = open(t, dir, func(o *Options) { o.now = clock.now })
	assert.Equal(t, []string{"n"}, s.Client().Keys(ctx, "*").Val())
	assert.Equal(t, "200", s.Client().Get(ctx, "n").Val())
	require.NoError(t, s.Close())
	assert.ErrorIs(t, s.Update(keys, count), ErrFailed)
}
