package tokens

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestColdCacheOfTwoNodesFetchesOnce(t *testing.T) {
	onEach(t, func(t *testing.T, b backend) {
		e := &endpoint{delay: 100 * time.Millisecond, life: time.Hour}
		one, two := newNode(t, b.dial(t)), newNode(t, b.dial(t))
		assert.Equal(t, map[string]int{"token-1": 1000}, together(t, 1000, "", e, one, two))
		assert.EqualValues(t, 1, e.calls.Load())

		late := newNode(t, b.dial(t))
		token, err := late.Get(t.Context(), saintMary, "", e.fetch)
		require.NoError(t, err)
		assert.Equal(t, "token-1", token.Value)
		assert.Equal(t, "Bearer", token.Type)
		assert.Equal(t, "system/Patient.rs", token.Scope, "the granted scope")
		assert.WithinDuration(t, time.Now().Add(time.Hour), token.Expires, 5*time.Second)
		assert.EqualValues(t, 1, e.calls.Load())
	})
}

func TestStaleTokenOfTwoNodesIsReplacedOnce(t *testing.T) {
	onEach(t, func(t *testing.T, b backend) {
		e := &endpoint{delay: 100 * time.Millisecond, life: time.Hour}
		one, two := newNode(t, b.dial(t)), newNode(t, b.dial(t))
		get(t, one, e, "", "token-1")
		get(t, two, e, "", "token-1")
		assert.Equal(t, map[string]int{"token-2": 1000}, together(t, 1000, "token-1", e, one, two))
		assert.EqualValues(t, 2, e.calls.Load())
		assert.Equal(t, map[string]int{"token-2": 1000}, together(t, 1000, "token-1", e, one, two), "those who come late with the old one")
		get(t, newNode(t, b.dial(t)), e, "token-1", "token-2")
		assert.EqualValues(t, 2, e.calls.Load())
	})
}

func TestRefusedTokenIsNotGivenOutWhileItIsReplaced(t *testing.T) {
	for name, b := range map[string]backend{"redis": startRedis(t), "without Redis": {addr: "127.0.0.1:" + freePort(t)}} {
		t.Run(name, func(t *testing.T) {
			var told reports
			c := newNode(t, b.dial(t), told.option())
			e := &endpoint{life: time.Hour}
			get(t, c, e, "", "token-1")
			e.delay = 300 * time.Millisecond
			done := make(chan map[string]int)
			go func() { done <- together(t, 1, "token-1", e, c) }()
			require.Eventually(t, func() bool { return e.calls.Load() == 2 }, 5*time.Second, time.Millisecond)
			get(t, c, e, "", "token-2")
			assert.Equal(t, map[string]int{"token-2": 1}, <-done)
		})
	}
}

func TestStaleTokenUnknownToThisNode(t *testing.T) {
	b := startRedis(t)
	e := &endpoint{life: time.Hour}
	get(t, newNode(t, b.dial(t)), e, "", "token-1")
	get(t, newNode(t, b.dial(t)), e, "token-1", "token-2")
}

func TestStaleTokenIsDroppedOnOtherNodes(t *testing.T) {
	onEach(t, func(t *testing.T, b backend) {
		e := &endpoint{life: time.Hour}
		one, two := newNode(t, b.dial(t)), newNode(t, b.dial(t))
		get(t, two, e, "", "token-1")
		get(t, one, e, "", "token-1")
		listening(t, b, 2)
		get(t, one, e, "token-1", "token-2")
		require.Eventually(t, func() bool {
			token, err := two.Get(t.Context(), saintMary, "", e.fetch)
			return err == nil && token.Value == "token-2"
		}, 5*time.Second, time.Millisecond, "without a 401 of its own")
		assert.EqualValues(t, 2, e.calls.Load())
	})
}

// listening waits until n nodes hear what is dropped.
func listening(t testing.TB, b backend, n int64) {
	t.Helper()
	client := b.dial(t)
	require.Eventually(t, func() bool {
		return client.PubSubNumSub(t.Context(), dropped).Val()[dropped] >= n
	}, 5*time.Second, time.Millisecond)
}

func TestDroppedTokenIsReplacedByTheNextCall(t *testing.T) {
	b := startRedis(t)
	e := &endpoint{life: time.Hour}
	one, two := newNode(t, b.dial(t)), newNode(t, b.dial(t))
	get(t, one, e, "", "token-1")
	one.Drop(saintMary, "another")
	get(t, one, e, "", "token-1")
	one.Drop(saintMary, "token-1")
	assert.Equal(t, map[string]int{"token-2": 1000}, together(t, 1000, "", e, one))
	get(t, two, e, "", "token-2")
	one.Drop(saintMary, "token-2")
	get(t, one, e, "", "token-2")
	assert.EqualValues(t, 2, e.calls.Load(), "a hospital that refuses all tokens does not have one fetched each time")
}

func TestHospitalThatRefusesEveryToken(t *testing.T) {
	b := startRedis(t)
	e := &endpoint{life: time.Hour}
	one, two := newNode(t, b.dial(t)), newNode(t, b.dial(t))
	get(t, one, e, "", "token-1")
	get(t, one, e, "token-1", "token-2")
	for _, c := range []*Cache{one, two, one, two} {
		_, err := c.Get(t.Context(), saintMary, "token-2", e.fetch)
		require.ErrorIs(t, err, ErrRefusedAgain)
	}
	get(t, one, e, "", "token-2")
	assert.EqualValues(t, 2, e.calls.Load())
}

func TestEndpointThatIssuesTheSameTokenAgain(t *testing.T) {
	b := startRedis(t)
	c := newNode(t, b.dial(t))
	calls := 0
	same := func(context.Context) (Token, error) { calls++; return Token{Value: "same"}, nil }
	_, err := c.Get(t.Context(), saintMary, "", same)
	require.NoError(t, err)
	for range 3 {
		_, err = c.Get(t.Context(), saintMary, "same", same)
		require.ErrorIs(t, err, ErrRefusedAgain)
	}
	assert.Equal(t, 2, calls)
}

func TestIdentitiesDoNotShare(t *testing.T) {
	b := startRedis(t)
	c := newNode(t, b.dial(t))
	e := &endpoint{life: time.Hour}
	seen := map[string]bool{}
	for _, id := range []Identity{
		{"a", "b", "c", "d"},
		{"ab", "", "c", "d"},
		{"a", "bc", "", "d"},
		{"a", "b", "c", "e"},
		{"a", "b", "", "cd"},
	} {
		token, err := c.Get(t.Context(), id, "", e.fetch)
		require.NoError(t, err)
		assert.False(t, seen[token.Value], id)
		seen[token.Value] = true
	}
}

func TestExpiry(t *testing.T) {
	onEach(t, func(t *testing.T, b backend) {
		e := &endpoint{life: time.Second}
		one, two := newNode(t, b.dial(t)), newNode(t, b.dial(t))
		get(t, one, e, "", "token-1")
		get(t, two, e, "", "token-1")
		time.Sleep(950 * time.Millisecond) // a tenth of its life is for clocks that differ
		assert.Equal(t, map[string]int{"token-2": 100}, together(t, 100, "", e, one, two))
	})
}

func TestWithoutExpiresInATokenLivesAMinute(t *testing.T) {
	c := newNode(t, startRedis(t).dial(t))
	token, err := c.Get(t.Context(), saintMary, "", (&endpoint{}).fetch)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(time.Minute), token.Expires, 5*time.Second)
}

func TestRefreshAheadDelaysNobody(t *testing.T) {
	onEach(t, func(t *testing.T, b backend) {
		e := &endpoint{life: 4 * time.Second, delay: 500 * time.Millisecond}
		one, two := newNode(t, b.dial(t)), newNode(t, b.dial(t))
		get(t, one, e, "", "token-1")
		get(t, two, e, "", "token-1")
		fetched := time.Now()
		for e.calls.Load() == 1 {
			require.Less(t, time.Since(fetched), 3500*time.Millisecond, "it is renewed before it ends")
			for _, c := range []*Cache{one, two} {
				// A caller who would wait for the fetch would see its context end.
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				token, err := c.Get(ctx, saintMary, "", e.fetch)
				require.NoError(t, err)
				require.Equal(t, "token-1", token.Value)
			}
			time.Sleep(5 * time.Millisecond)
		}
		assert.Greater(t, time.Since(fetched), time.Second, "and not too early")
		for _, c := range []*Cache{one, two} {
			require.Eventually(t, func() bool {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				token, err := c.Get(ctx, saintMary, "", e.fetch)
				require.NoError(t, err, "while the refresh is under way too")
				return token.Value == "token-2"
			}, 2*time.Second, 5*time.Millisecond)
		}
		assert.EqualValues(t, 2, e.calls.Load())
	})
}

func TestRefreshAheadThatFails(t *testing.T) {
	var told reports
	c := newNode(t, startRedis(t).dial(t), told.option())
	e := &endpoint{life: 4 * time.Second}
	get(t, c, e, "", "token-1")
	e.fail(errors.New("no route to the token endpoint"))
	for deadline := time.Now().Add(3400 * time.Millisecond); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		get(t, c, e, "", "token-1")
	}
	assert.ErrorContains(t, told.all(), "refresh ahead of expiry")
	calls := e.calls.Load()
	assert.Greater(t, calls, int64(1))
	assert.LessOrEqual(t, calls, int64(3), "after 1 s and 2 s more")
	time.Sleep(400 * time.Millisecond)
	_, err := c.Get(t.Context(), saintMary, "", e.fetch)
	assert.Error(t, err, "its life is over")
}

func TestCallerWhoLeaves(t *testing.T) {
	c := newNode(t, startRedis(t).dial(t))
	e := &endpoint{delay: 300 * time.Millisecond, life: time.Hour}
	gone := errors.New("the client is gone")
	ctx, leave := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { leave(gone) })
	_, err := c.Get(ctx, saintMary, "", e.fetch)
	require.ErrorIs(t, err, gone)
	get(t, c, e, "", "token-1")
	assert.EqualValues(t, 1, e.calls.Load(), "the fetch went on without the one who began it")
}

func TestMemoryIsBounded(t *testing.T) {
	c := newNode(t, startRedis(t).dial(t))
	for i := range maxEntries + 10 {
		c.entry(Identity{Client: fmt.Sprint(i)})
	}
	assert.LessOrEqual(t, len(c.entries), maxEntries)

	now := time.Now()
	for i := range 2 * maxEntries {
		e := c.entry(Identity{Client: fmt.Sprint(i)})
		e.keep(hold(Token{Value: "t", Expires: now.Add(time.Hour)}, "", now, false))
	}
	assert.LessOrEqual(t, len(c.entries), maxEntries)
	assert.GreaterOrEqual(t, len(c.entries), maxEntries/2)
}

func TestClose(t *testing.T) {
	client := startRedis(t).dial(t)
	require.NoError(t, client.Ping(t.Context()).Err())
	before := runtime.NumGoroutine()
	var caches []*Cache
	e := &endpoint{delay: time.Hour}
	for range 5 {
		c, err := New(client, keySet("k1"))
		require.NoError(t, err)
		caches = append(caches, c)
		go c.Get(context.Background(), saintMary, "", e.fetch)
	}
	require.Eventually(t, func() bool { return e.calls.Load() == 1 }, 5*time.Second, time.Millisecond)
	for _, c := range caches {
		c.Close()
		_, err := c.Get(t.Context(), saintMary, "", e.fetch)
		require.ErrorIs(t, err, ErrClosed)
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 5*time.Second, 10*time.Millisecond)

	quick := &endpoint{life: time.Hour}
	began := time.Now()
	get(t, newNode(t, client), quick, "", "token-1")
	assert.Less(t, time.Since(began), defaultFetchTimeout, "the lock was given up, and the cut-off is nobody's failure")
}

func TestNewRefuses(t *testing.T) {
	for name, keys := range map[string][]string{"none": nil, "no kid": {""}, "one kid twice": {"a", "a"}} {
		_, err := New(nil, keySet(keys...))
		assert.Error(t, err, name)
	}
	short := keySet("a")
	short.Keys[0].Key = []byte("too short")
	_, err := New(nil, short)
	assert.Error(t, err)
	_, err = New(nil, keySet("a"), FetchTimeout(-time.Second))
	assert.Error(t, err)
	_, err = New(nil, keySet("a"), Lease(time.Millisecond))
	assert.Error(t, err)
}
