package budget

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTwoNodesNeverExceedTheConcurrency(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		limits := Limits{Concurrency: 4, MaxWait: time.Minute}
		nodes := []*Budget{New(connect(), "h", limits), New(connect(), "h", limits)}
		var underWay, most atomic.Int64
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				release, err := nodes[i%2].Acquire(context.Background(), string(rune('a'+i%3)))
				if !assert.NoError(t, err) {
					return
				}
				n := underWay.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(10 * time.Millisecond)
				underWay.Add(-1)
				release()
				release()
			})
		}
		wg.Wait()
		require.Equal(t, int64(4), most.Load())
		state, err := nodes[0].State(t.Context())
		require.NoError(t, err)
		require.Equal(t, State{Concurrency: 4}, state)
	})
}

func TestReleaseCountsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		b := New(connect(), "h", Limits{Concurrency: 2, MaxWait: -1}, quiet())
		first, err := b.Acquire(t.Context(), "a")
		require.NoError(t, err)
		_, err = b.Acquire(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, time.Second, throttled(t, take(b, "a")))
		first()
		first()
		_, err = b.Acquire(t.Context(), "a")
		require.NoError(t, err)
		throttled(t, take(b, "a"))
	})
}

// A place that comes free goes to the one that waits and holds fewer.
func TestNobodyHoldsAllWhileOthersWait(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		b := New(connect(), "h", Limits{Concurrency: 4})
		var wg sync.WaitGroup
		var over atomic.Bool
		for range 16 {
			wg.Go(func() {
				for !over.Load() {
					if release, err := b.Acquire(context.Background(), "loud"); err == nil {
						time.Sleep(20 * time.Millisecond)
						release()
					}
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		start := time.Now()
		for range 5 {
			require.NoError(t, take(b, "quiet"))
		}
		require.Less(t, time.Since(start), 5*500*time.Millisecond)
		over.Store(true)
		wg.Wait()
	})
}

func TestTheGatewaysOwnCallsNeedNoLease(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		b := New(connect(), "h", Limits{Concurrency: 1, MaxWait: -1}, quiet())
		_, err := b.Acquire(t.Context(), "a")
		require.NoError(t, err)
		require.NoError(t, take(b, ""))
	})
}

// A node that dies stops to renew: its calls end when their leases do. Those of a
// living node do not.
func TestTheLeasesOfADeadNodeEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		limits := Limits{Concurrency: 2, MaxWait: -1}
		const life = 1200 * time.Millisecond
		dying, connection := New(connect(), "h", limits, WithLease(life), quiet()), connect()
		living := New(connection, "h", limits, WithLease(life))
		_, err := dying.Acquire(t.Context(), "a")
		require.NoError(t, err)
		release, err := living.Acquire(t.Context(), "a")
		require.NoError(t, err)
		time.Sleep(2 * life)
		throttled(t, take(living, "a"))

		dying.leases.mu.Lock() // as good as dead: nobody renews any more
		dying.leases.timer.Stop()
		dying.leases.mu.Unlock()
		require.Eventually(t, func() bool {
			state, err := living.State(t.Context())
			return err == nil && state.InFlight == 1
		}, 2*life, 10*time.Millisecond)
		second, err := living.Acquire(t.Context(), "a")
		require.NoError(t, err)
		throttled(t, take(living, "a"))
		release()
		second()
	})
}
