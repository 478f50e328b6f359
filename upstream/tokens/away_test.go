package tokens

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWithoutRedisEachProcessFetchesOnce(t *testing.T) {
	nowhere := backend{addr: "127.0.0.1:" + freePort(t)}
	var told reports
	one, two := newNode(t, nowhere.dial(t), told.option()), newNode(t, nowhere.dial(t), told.option())
	e := &endpoint{delay: 50 * time.Millisecond, life: time.Hour}
	got := together(t, 1000, "", e, one, two)
	assert.Equal(t, map[string]int{"token-1": 500, "token-2": 500}, got)
	assert.EqualValues(t, 2, e.calls.Load())
	assert.ErrorContains(t, told.all(), "redis: ")

	token, err := one.Get(t.Context(), saintMary, "", e.fetch)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"token-3": 500}, together(t, 500, token.Value, e, one), "stale")
	assert.EqualValues(t, 3, e.calls.Load())

	failing := saintMary
	failing.Key = "failing"
	e.fail(errors.New("connection refused"))
	for i := range 10 {
		_, err := one.Get(t.Context(), failing, "", e.fetch)
		require.Equal(t, i > 0, errors.Is(err, ErrRemembered), err)
	}
	assert.EqualValues(t, 4, e.calls.Load())
}

func TestRedisThatComesBack(t *testing.T) {
	b := startRedis(t)
	port := b.addr[len("127.0.0.1:"):]
	var told reports
	one, two := newNode(t, b.dial(t), told.option()), newNode(t, b.dial(t), told.option())
	e := &endpoint{life: time.Hour}
	get(t, one, e, "", "token-1")
	require.NoError(t, b.process.Kill())
	get(t, one, e, "", "token-1")
	get(t, two, e, "", "token-2")
	get(t, two, e, "", "token-2")

	runRedis(t, port)
	time.Sleep(awayPause)
	get(t, one, e, "token-1", "token-3")
	get(t, newNode(t, b.dial(t)), e, "", "token-3")
	get(t, two, e, "token-2", "token-3")
	assert.EqualValues(t, 3, e.calls.Load(), "shared again")
}

func TestRedisThatDiesInMidFetch(t *testing.T) {
	b := startRedis(t)
	var told reports
	c := newNode(t, b.dial(t), told.option())
	e := &endpoint{delay: 300 * time.Millisecond, life: time.Hour}
	time.AfterFunc(100*time.Millisecond, func() { _ = b.process.Kill() })
	assert.Equal(t, map[string]int{"token-1": 100}, together(t, 100, "", e, c))
	get(t, c, e, "", "token-1")
	assert.EqualValues(t, 1, e.calls.Load())
	assert.ErrorContains(t, told.all(), "redis: ")
}

func TestRedisThatHangs(t *testing.T) {
	b := startRedis(t)
	var told reports
	c := newNode(t, b.dial(t), told.option())
	e := &endpoint{life: time.Hour}
	get(t, c, e, "", "token-1")
	require.NoError(t, b.process.Signal(syscall.SIGSTOP))
	defer b.process.Signal(syscall.SIGCONT)
	get(t, c, e, "", "token-1")
	get(t, c, e, "token-1", "token-2")
	assert.ErrorContains(t, told.all(), "redis: ")
}

func TestScriptsThatRedisLost(t *testing.T) {
	b := startRedis(t)
	client := redis.NewClient(&redis.Options{Addr: b.addr})
	defer client.Close()
	c := newNode(t, b.dial(t))
	e := &endpoint{life: time.Hour}
	get(t, c, e, "", "token-1")
	require.NoError(t, client.ScriptFlush(t.Context()).Err())
	get(t, c, e, "token-1", "token-2")
}

func TestRedisIsNotAskedAgainAtOnce(t *testing.T) {
	var told reports
	c := newNode(t, backend{addr: "127.0.0.1:" + freePort(t)}.dial(t), told.option())
	_, err := c.State(t.Context(), saintMary)
	require.NotErrorIs(t, err, errAway)
	for range 100 {
		_, err := c.State(t.Context(), saintMary)
		require.ErrorIs(t, err, errAway)
	}
	assert.Len(t, told.errs, 1)
	c.awayTill.Store(time.Now().UnixNano())
	_, err = c.State(t.Context(), saintMary)
	require.NotErrorIs(t, err, errAway)
}

func TestFlightThatComesAfterAnother(t *testing.T) {
	var told reports
	c := newNode(t, backend{addr: "127.0.0.1:" + freePort(t)}.dial(t), told.option())
	e := &endpoint{life: time.Hour}
	get(t, c, e, "", "token-1")
	// A caller who looked into memory before token-1 was there.
	h, err := c.obtain(t.Context(), c.entry(saintMary), job{fetch: e.fetch})
	require.NoError(t, err)
	assert.Equal(t, "token-1", h.token.Value)
	assert.EqualValues(t, 1, e.calls.Load())
}
