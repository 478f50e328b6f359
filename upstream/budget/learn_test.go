package budget

import (
	"net/http"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func opens(t *testing.T, b *Budget) time.Duration {
	t.Helper()
	state, err := b.State(t.Context())
	require.NoError(t, err)
	if state.ClosedUntil.IsZero() {
		return 0
	}
	return time.Until(state.ClosedUntil)
}

func TestAPauseHoldsOnAllNodes(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		for _, limits := range []Limits{{MaxWait: -1}, {Requests: 10, Concurrency: 2, MaxWait: -1}} {
			hospital := "h"
			if limits.Requests > 0 {
				hospital = "limited"
			}
			one, other := New(connect(), hospital, limits), New(connect(), hospital, limits)
			one.Learn(http.StatusOK, headers("RateLimit-Remaining", "5", "RateLimit-Reset", "60"), Habit{})
			require.NoError(t, take(one, "a"))
			one.Learn(http.StatusServiceUnavailable, headers("Retry-After", "2"), Habit{})
			after := throttled(t, take(other, "a"))
			require.Equal(t, 2*time.Second, after)
			throttled(t, take(other, ""))
			one.Learn(http.StatusServiceUnavailable, headers("Retry-After", "1"), Habit{})
			require.Greater(t, opens(t, other), time.Second, "a shorter pause does not end a longer one")
			time.Sleep(after)
			require.NoError(t, take(other, "a"))
			require.Zero(t, opens(t, one))
		}
	})
}

func TestAShortPauseIsWaitedFor(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		b := New(connect(), "h", Limits{Requests: 10})
		b.Learn(http.StatusTooManyRequests, headers("Retry-After", "1"), Habit{})
		start := time.Now()
		require.NoError(t, take(b, "a"))
		require.GreaterOrEqual(t, time.Since(start), 980*time.Millisecond)
	})
}

// Each 429 that says nothing and comes after the pause for the last doubles it.
func TestPausesThatRepeatGrow(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		client := connect()
		b := New(client, "h", Limits{})
		bare := func() { b.Learn(http.StatusTooManyRequests, nil, Habit{}) }
		want := FirstPause
		for range 8 {
			bare()
			require.InDelta(t, want.Seconds(), opens(t, b).Seconds(), 1)
			bare()
			require.InDelta(t, want.Seconds(), opens(t, b).Seconds(), 1, "told together is told once")
			require.NoError(t, client.Del(t.Context(), b.keys.closed).Err()) // the pause is over
			want = min(2*want, LongestPause)
		}
		ttl, err := client.PTTL(t.Context(), b.keys.guesses).Result()
		require.NoError(t, err)
		require.InDelta(t, (2 * LongestPause).Seconds(), ttl.Seconds(), 1)
		require.NoError(t, client.Del(t.Context(), b.keys.guesses).Err()) // forgotten
		bare()
		require.InDelta(t, FirstPause.Seconds(), opens(t, b).Seconds(), 1)
	})
}
