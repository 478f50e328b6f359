package limiter

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/gateway/store"
	"fhirgate/policies"
)

// peeker is what both limiters are.
type peeker interface {
	facade.Limiter
	Peek(ctx context.Context, consumer string, plan *policies.Plan) (Left, error)
}

func peek(t *testing.T, l peeker, consumer string, plan *policies.Plan) Left {
	t.Helper()
	left, err := l.Peek(t.Context(), consumer, plan)
	require.NoError(t, err)
	return left
}

// onEach runs a test on a simulated Redis, a real one, and the embedded store.
func onEach(t *testing.T, test func(t *testing.T, l peeker)) {
	t.Run("simulated", func(t *testing.T) { l, _ := start(t); test(t, l) })
	t.Run("real", func(t *testing.T) {
		client := redis.NewClient(&redis.Options{Addr: startRedis(t)})
		t.Cleanup(func() { _ = client.Close() })
		test(t, NewRedis(client))
	})
	t.Run("embedded", func(t *testing.T) {
		opened, err := store.Open(t.Context(), store.Options{Dir: filepath.Join(t.TempDir(), "store"), Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, opened.Close()) })
		test(t, NewEmbedded(opened))
	})
}

// What Peek says is there can be taken at once, and not a unit more; and looking
// at it twice takes nothing.
func TestWhatPeekSaysCanBeTaken(t *testing.T) {
	onEach(t, func(t *testing.T, l peeker) {
		random := rand.New(rand.NewPCG(1, 2))
		for name, plan := range map[string]*policies.Plan{
			"rate":        {Rate: 1, Per: time.Hour, Burst: 7},
			"quota":       {Quota: 9, QuotaPeriod: time.Hour},
			"both, quota": {Rate: 1, Per: time.Hour, Burst: 20, Quota: 9, QuotaPeriod: time.Hour},
			"both, rate":  {Rate: 1, Per: time.Hour, Burst: 7, Quota: 50, QuotaPeriod: time.Hour},
			"neither":     {},
		} {
			for round := range 20 {
				consumer := fmt.Sprint(name, round)
				for range 3 {
					before := peek(t, l, consumer, plan)
					again := peek(t, l, consumer, plan)
					require.Equal(t, before.Burst, again.Burst, name)
					require.Equal(t, before.Quota, again.Quota, name)
					cost := 1 + random.IntN(6)
					v, err := l.Take(t.Context(), consumer, plan, cost)
					require.NoError(t, err)
					fits := (plan.Rate == 0 || int64(cost) <= before.Burst) && (plan.Quota == 0 || int64(cost) <= before.Quota)
					require.Equal(t, fits, v.Allowed, "%s: %d of %+v", name, cost, before)
					after := peek(t, l, consumer, plan)
					if !v.Allowed {
						require.Equal(t, before.Burst, after.Burst)
						require.Equal(t, before.Quota, after.Quota)
						continue
					}
					if plan.Rate > 0 {
						require.Equal(t, before.Burst-int64(cost), after.Burst)
					}
					if plan.Quota > 0 {
						require.Equal(t, before.Quota-int64(cost), after.Quota)
						require.InDelta(t, time.Hour, after.Resets, float64(time.Minute))
						require.Equal(t, v.Quota, plan.Rate == 0 || after.Quota < after.Burst)
					}
				}
			}
		}
	})
}

func TestPeekOfAFreshConsumer(t *testing.T) {
	onEach(t, func(t *testing.T, l peeker) {
		require.Equal(t, Left{Burst: 3, Quota: 9}, peek(t, l, "key_1", &policies.Plan{Rate: 1, Per: time.Hour, Burst: 3, Quota: 9, QuotaPeriod: time.Hour}))
		require.Equal(t, Left{Quota: 9}, peek(t, l, "key_1", &policies.Plan{Quota: 9, QuotaPeriod: time.Hour}))
		require.Equal(t, Left{}, peek(t, l, "key_1", &policies.Plan{}))
	})
}

// A plan may have become smaller than what was used, and a debt is not below nothing.
func TestPeekIsNeverNegative(t *testing.T) {
	onEach(t, func(t *testing.T, l peeker) {
		_, err := l.Take(t.Context(), "key_1", &policies.Plan{Rate: 1, Per: time.Hour, Burst: 3, Quota: 100, QuotaPeriod: time.Hour}, 50)
		require.NoError(t, err)
		left := peek(t, l, "key_1", &policies.Plan{Rate: 1, Per: time.Hour, Burst: 3, Quota: 10, QuotaPeriod: time.Hour})
		require.Zero(t, left.Burst)
		require.Zero(t, left.Quota)
		require.Positive(t, left.Resets)
	})
}

func TestPeekSeesTimePass(t *testing.T) {
	l, forward := start(t)
	plan := &policies.Plan{Rate: 10, Per: time.Second, Burst: 5, Quota: 9, QuotaPeriod: time.Minute}
	take(t, l, plan, 5)
	require.Equal(t, Left{Quota: 4, Resets: time.Minute}, peek(t, l, "key_1", plan))
	forward(150 * time.Millisecond)
	require.Equal(t, Left{Burst: 1, Quota: 4, Resets: time.Minute - 150*time.Millisecond}, peek(t, l, "key_1", plan))
	forward(time.Minute)
	require.Equal(t, Left{Burst: 5, Quota: 9}, peek(t, l, "key_1", plan))
}

func TestWithoutAStorePeekKnowsNothing(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = client.Close() })
	_, err := NewRedis(client).Peek(t.Context(), "key_1", &policies.Plan{Rate: 1, Per: time.Second, Burst: 1})
	require.Error(t, err)
}
