package budget

import (
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestRetryAfterIsTrueToASecond(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		b := New(connect(), "h", Limits{Requests: 5, Per: 2 * time.Second, MaxWait: -1})
		began := time.Now()
		for range 5 {
			require.NoError(t, take(b, "a"))
		}
		granted := time.Now() // at the latest, all five
		asked := time.Now()
		after := throttled(t, take(b, "a"))
		told := time.Now()
		// The turn comes a window after the first grant, which lies between began
		// and granted; it is told in whole seconds, rounded up.
		earliest, latest := began.Add(b.limits.window()).Sub(told), granted.Add(b.limits.window()).Sub(asked)
		require.GreaterOrEqual(t, after, earliest)
		require.Less(t, after, latest+time.Second)
		time.Sleep(after)
		require.NoError(t, take(b, "a"))
	})
}

func TestTheLineIsToldItsTurns(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		b := New(connect(), "h", Limits{Requests: 2, Per: time.Hour, MaxWait: -1})
		for range 2 {
			require.NoError(t, take(b, "a"))
		}
		for i := range 40 {
			windows := min(i/2, 9) + 1 // the line is ten windows long
			require.InDelta(t, (time.Duration(windows) * b.limits.window()).Seconds(), throttled(t, take(b, "a")).Seconds(), 2)
		}
	})
}

func TestACallWaitsForItsTurn(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		b := New(connect(), "h", Limits{Requests: 1, Per: 500 * time.Millisecond})
		require.NoError(t, take(b, "a"))
		start := time.Now()
		require.NoError(t, take(b, "a"))
		require.GreaterOrEqual(t, time.Since(start), 490*time.Millisecond)
		state, err := b.State(t.Context())
		require.NoError(t, err)
		require.Zero(t, state.Waiting)
	})
}

func TestOneAloneHasTheWholeBudget(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		b := New(connect(), "h", Limits{Requests: 100, Per: time.Hour, MaxWait: -1}, WithReserve(0))
		require.NoError(t, take(b, "b"))
		time.Sleep(b.limits.memory())
		for range 99 {
			require.NoError(t, take(b, "a"))
		}
		throttled(t, take(b, "a"))
	})
}

// What another has asked for lately is kept for it, not what it might.
func TestAShareIsKeptForThoseWhoAskOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		b := New(connect(), "h", Limits{Requests: 100, Per: time.Minute, MaxWait: -1}, WithReserve(0))
		for range 10 {
			require.NoError(t, take(b, "b"))
		}
		n := 0
		for take(b, "a") == nil {
			n++
		}
		require.Equal(t, 50, n, "b asks as often as it can")
		require.NoError(t, take(b, "c"), "a newcomer is served at once")
		time.Sleep(b.limits.memory())
		for take(b, "a") == nil {
			n++
		}
		require.Equal(t, 89, n, "nobody else asks any more")
	})
}

func TestTheGatewaysOwnCallsHaveTheirReserve(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		b := New(connect(), "h", Limits{Requests: 100, Per: time.Hour, MaxWait: -1})
		require.NoError(t, take(b, ""))
		for range 98 {
			require.NoError(t, take(b, "a"))
		}
		throttled(t, take(b, "a"))
		require.NoError(t, take(b, ""))
		throttled(t, take(b, ""))
	})
}

// A budget too large for an exact log is counted in steps.
func TestALargeBudget(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		client := connect()
		b := New(client, "h", Limits{Requests: exactLog + 1, Per: 24 * time.Hour, MaxWait: -1}, WithReserve(0))
		for range 3 {
			require.NoError(t, take(b, "a"))
			require.NoError(t, take(b, "b"))
		}
		length, err := client.LLen(t.Context(), b.keys.log).Result()
		require.NoError(t, err)
		require.LessOrEqual(t, length, int64(4), "two consumers in one step, or two")
		state, err := b.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, 6, state.Used)
	})
}

func TestALargeBudgetIsNeverExceeded(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		const per = 10 * time.Second
		b := New(connect(), "h", Limits{Requests: exactLog + 4, Per: per, MaxWait: -1}, WithReserve(0))
		var granted grants
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 260 {
					if take(b, "a") == nil {
						granted.add("a")
					}
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, most(granted.all(), per), exactLog+4)
		require.GreaterOrEqual(t, len(granted.all()), exactLog+4)
	})
}

func TestABudgetWithoutLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		client := connect()
		b := New(client, "h", Limits{})
		for range 10 {
			require.NoError(t, take(b, "a"))
		}
		keys, err := client.Keys(t.Context(), "*").Result()
		require.NoError(t, err)
		require.Empty(t, keys)
	})
}

func TestHospitalsHaveBudgetsOfTheirOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		client := connect()
		limits := Limits{Requests: 1, Per: time.Hour, MaxWait: -1}
		require.NoError(t, take(New(client, "h1", limits), "a"))
		require.NoError(t, take(New(client, "h2", limits), "a"))
		throttled(t, take(New(client, "h1", limits), "a"))
	})
}

// Answers that come late must not bring the calls of two windows together.
func TestLateAnswersDoNotExceedTheBudget(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		limits := Limits{Requests: 10, Per: time.Second}
		slow, fast := connect(), New(connect(), "h", limits)
		warm := New(slow, "other", limits)
		require.NoError(t, take(warm, "a"))
		late := New(slow, "h", limits)
		late.delay = warm.delay
		start := time.Now()
		slow.AddHook(slowHook(func() time.Duration {
			if time.Since(start) < 200*time.Millisecond {
				return 300 * time.Millisecond
			}
			return 0
		}))
		var granted grants
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if take(late, "a") == nil {
					granted.add("a")
				}
			})
		}
		wg.Wait()
		for range 10 {
			require.NoError(t, take(fast, "a"))
			granted.add("a")
		}
		require.Len(t, granted.all(), 20)
		require.LessOrEqual(t, most(granted.all(), limits.Per), 10)
	})
}
