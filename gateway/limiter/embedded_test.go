package limiter

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/gateway/store"
	"fhirgate/policies"
)

// TestBothLimitersAgree asks the script and the update the same questions on
// stores of their own, at the speed of the test: what depends on the clock is in
// limiter_test.go.
func TestBothLimitersAgree(t *testing.T) {
	opened, err := store.Open(t.Context(), store.Options{Dir: filepath.Join(t.TempDir(), "store"), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, opened.Close()) })
	embedded := NewEmbedded(opened)
	script, _ := start(t)

	for name, plan := range map[string]*policies.Plan{
		"rate":           {Rate: 1, Per: time.Hour, Burst: 3},
		"quota":          {Quota: 3, QuotaPeriod: time.Hour},
		"both, quota":    {Rate: 1, Per: time.Hour, Burst: 5, Quota: 3, QuotaPeriod: time.Hour},
		"both, rate":     {Rate: 1, Per: time.Hour, Burst: 2, Quota: 9, QuotaPeriod: time.Hour},
		"neither":        {},
		"burst of one":   {Rate: 1, Per: time.Hour, Burst: 1},
		"quota of a day": {Quota: 1, QuotaPeriod: 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			for i, cost := range []int{1, 2, 0, 1, 1, 50, 1} {
				want, err := script.Take(t.Context(), name, plan, cost)
				require.NoError(t, err)
				got, err := embedded.Take(t.Context(), name, plan, cost)
				require.NoError(t, err)
				for _, d := range []*time.Duration{&want.Reset, &got.Reset, &want.RetryAfter, &got.RetryAfter} {
					*d = d.Round(time.Minute)
				}
				require.Equal(t, want, got, "call %d of cost %d", i, cost)
			}
		})
	}
}

func TestTheEmbeddedLimiterNeverExceedsTheQuota(t *testing.T) {
	opened, err := store.Open(t.Context(), store.Options{Dir: filepath.Join(t.TempDir(), "store"), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, opened.Close()) })
	var l facade.Limiter = NewEmbedded(opened)
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
