package limiter

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/policies"
)

// start returns a limiter on a store whose clock the test moves.
func start(t *testing.T) (*Redis, func(time.Duration)) {
	server := miniredis.RunT(t)
	now := time.Unix(1_700_000_000, 0)
	server.SetTime(now)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	return NewRedis(client), func(d time.Duration) {
		now = now.Add(d)
		server.SetTime(now)
		server.FastForward(d)
	}
}

func take(t *testing.T, l *Redis, plan *policies.Plan, cost int) facade.Verdict {
	t.Helper()
	v, err := l.Take(context.Background(), "key_1", plan, cost)
	require.NoError(t, err)
	return v
}

func TestTheBurstPassesThenTheRate(t *testing.T) {
	l, forward := start(t)
	plan := &policies.Plan{Rate: 10, Per: time.Second, Burst: 3}
	for i := range 3 {
		v := take(t, l, plan, 1)
		require.True(t, v.Allowed)
		require.Equal(t, int64(3), v.Limit)
		require.Equal(t, int64(2-i), v.Remaining)
	}
	v := take(t, l, plan, 1)
	require.False(t, v.Allowed)
	require.False(t, v.Quota)
	require.Equal(t, 100*time.Millisecond, v.RetryAfter)
	require.Equal(t, 300*time.Millisecond, v.Reset)

	forward(v.RetryAfter)
	require.True(t, take(t, l, plan, 1).Allowed, "Retry-After must be true")
	require.False(t, take(t, l, plan, 1).Allowed)
}

// A caller at twice the rate gets the rate, not nothing: refused calls do not
// count.
func TestRefusedCallsDoNotCount(t *testing.T) {
	l, forward := start(t)
	plan := &policies.Plan{Rate: 10, Per: time.Second, Burst: 1}
	allowed := 0
	for range 200 {
		if take(t, l, plan, 1).Allowed {
			allowed++
		}
		forward(50 * time.Millisecond)
	}
	require.InDelta(t, 100, allowed, 1)
}

func TestTheQuotaEndsAndComesBack(t *testing.T) {
	l, forward := start(t)
	plan := &policies.Plan{Quota: 2, QuotaPeriod: time.Hour}
	require.Equal(t, int64(1), take(t, l, plan, 1).Remaining)
	forward(time.Minute)
	require.True(t, take(t, l, plan, 1).Allowed)
	v := take(t, l, plan, 1)
	require.False(t, v.Allowed)
	require.True(t, v.Quota)
	require.Equal(t, 59*time.Minute, v.RetryAfter)
	forward(v.RetryAfter)
	require.True(t, take(t, l, plan, 1).Allowed)
}

func TestTheTighterLimitIsTold(t *testing.T) {
	l, _ := start(t)
	plan := &policies.Plan{Rate: 10, Per: time.Second, Burst: 5, Quota: 3, QuotaPeriod: time.Hour}
	v := take(t, l, plan, 1)
	require.True(t, v.Quota)
	require.Equal(t, int64(3), v.Limit)
	require.Equal(t, int64(2), v.Remaining)
}

// A cost above the burst passes a full bucket, and the rest of it is a debt: cut to
// the burst, a batch of thousands of writes would cost as much as a few.
func TestACostAboveTheBurstIsADebt(t *testing.T) {
	l, forward := start(t)
	plan := &policies.Plan{Rate: 10, Per: time.Second, Burst: 5}
	v := take(t, l, plan, 50)
	require.True(t, v.Allowed)
	require.Zero(t, v.Remaining)
	v = take(t, l, plan, 1)
	require.False(t, v.Allowed)
	require.InDelta(t, 4600, v.RetryAfter.Milliseconds(), 50)
	forward(v.RetryAfter)
	require.True(t, take(t, l, plan, 1).Allowed)
}

func TestACostHasABound(t *testing.T) {
	l, _ := start(t)
	v := take(t, l, &policies.Plan{Rate: 1, Per: 24 * time.Hour, Burst: 1}, 1<<60)
	require.True(t, v.Allowed)
	require.Positive(t, v.Reset)
}

func TestAPlanWithoutLimitsAsksNobody(t *testing.T) {
	l := NewRedis(nil)
	v := take(t, l, &policies.Plan{}, 1)
	require.True(t, v.Allowed)
	require.Zero(t, v.Limit)
}

func TestConcurrentCallsNeverExceedTheQuota(t *testing.T) {
	l, _ := start(t)
	plan := &policies.Plan{Quota: 50, QuotaPeriod: time.Hour}
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if v, err := l.Take(context.Background(), "key_1", plan, 1); err == nil && v.Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, int64(50), allowed.Load())
}

func TestWithoutAStoreNothingIsAllowed(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	v, err := NewRedis(client).Take(context.Background(), "key_1", &policies.Plan{Rate: 1, Per: time.Second, Burst: 1}, 1)
	require.Error(t, err)
	require.False(t, v.Allowed)
}
