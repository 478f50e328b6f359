package limiter

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fhirgate/policies"
)

// gate holds commands back until it is opened, and counts them.
type gate struct {
	open  chan struct{}
	evals atomic.Int64
}

func (g *gate) hook(_ *server.Peer, cmd string, _ ...string) bool {
	if cmd == "EVALSHA" || cmd == "EVAL" {
		g.evals.Add(1)
		<-g.open
	}
	return false
}

// tripsHook counts the round trips of scripts.
type tripsHook struct{ trips atomic.Int64 }

func (h *tripsHook) count(cmd redis.Cmder) {
	if cmd.Name() == "evalsha" || cmd.Name() == "eval" {
		h.trips.Add(1)
	}
}

func (h *tripsHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *tripsHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.count(cmd)
		return next(ctx, cmd)
	}
}

func (h *tripsHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.count(cmds[0])
		return next(ctx, cmds)
	}
}

func gated(t *testing.T) (*Redis, *gate, *tripsHook) {
	store := miniredis.RunT(t)
	g, trips := &gate{open: make(chan struct{})}, &tripsHook{}
	store.Server().SetPreHook(g.hook)
	client := redis.NewClient(&redis.Options{Addr: store.Addr()})
	client.AddHook(trips)
	t.Cleanup(func() { _ = client.Close() })
	return NewRedis(client), g, trips
}

var perHour = &policies.Plan{Quota: 1000, QuotaPeriod: time.Hour}

// Calls that come while a round trip is under way share the next one, and each
// gets the verdict of its own consumer.
func TestCallsShareARoundTrip(t *testing.T) {
	l, g, trips := gated(t)
	const calls = 20
	var wg sync.WaitGroup
	take := func(n int) {
		wg.Go(func() {
			v, err := l.Take(context.Background(), fmt.Sprint("key_", n), perHour, n+1)
			assert.NoError(t, err)
			assert.Equal(t, int64(1000-n-1), v.Remaining)
		})
	}
	take(0)
	require.Eventually(t, func() bool { return g.evals.Load() == 1 }, time.Second, time.Millisecond)
	for n := 1; n < calls; n++ {
		take(n)
	}
	require.Eventually(t, func() bool {
		l.shared.mu.Lock()
		defer l.shared.mu.Unlock()
		return len(l.shared.waiting) == calls-1
	}, time.Second, time.Millisecond)
	close(g.open)
	wg.Wait()
	// The first round trip and the second; each again, because neither found
	// the script there.
	require.LessOrEqual(t, trips.trips.Load(), int64(4))
}

// A script that Redis has forgotten is sent again, for those who need it.
func TestAForgottenScriptIsSentAgain(t *testing.T) {
	l, _ := start(t)
	require.True(t, take(t, l, perHour, 1).Allowed)
	require.NoError(t, l.client.ScriptFlush(context.Background()).Err())
	require.Equal(t, int64(998), take(t, l, perHour, 1).Remaining)
}

// A caller that leaves does not wait for a store that does not answer, and the
// next round trip is made all the same.
func TestACallerMayLeave(t *testing.T) {
	l, g, _ := gated(t)
	ctx, cancel := context.WithCancel(context.Background())
	failed := make(chan error, 1)
	go func() {
		_, err := l.Take(ctx, "key_1", perHour, 1)
		failed <- err
	}()
	require.Eventually(t, func() bool { return g.evals.Load() == 1 }, time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	close(g.open)
	v, err := l.Take(context.Background(), "key_2", perHour, 1)
	require.NoError(t, err)
	require.True(t, v.Allowed)
}

// An error reaches every call of the round trip.
func TestAFailedRoundTripAllowsNobody(t *testing.T) {
	l := NewRedis(redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1}))
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			v, err := l.Take(context.Background(), "key_1", perHour, 1)
			assert.Error(t, err)
			assert.False(t, v.Allowed)
		})
	}
	wg.Wait()
}
