package budget

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// BenchmarkAcquire measures a call granted and released, and one refused while
// many are in the line, on both stores.
func BenchmarkAcquire(b *testing.B) {
	for name, client := range map[string]redis.UniversalClient{
		"redis-server": dial(b, startRedis(b), ""),
		"embedded":     openEmbedded(b).Client(),
	} {
		b.Run(name, func(b *testing.B) {
			ctx := context.Background()
			b.Run("granted", func(b *testing.B) {
				budget := New(client, "h", Limits{Requests: exactLog, Per: time.Hour})
				for n := 0; b.Loop(); n++ {
					if n%4000 == 0 {
						b.StopTimer()
						require.NoError(b, client.Del(ctx, budget.keys.log, budget.keys.consumers).Err())
						b.StartTimer()
					}
					release, err := budget.Acquire(ctx, "a")
					require.NoError(b, err)
					release()
				}
			})
			b.Run("granted-concurrency", func(b *testing.B) {
				budget := New(client, "c", Limits{Concurrency: 8})
				for b.Loop() {
					release, err := budget.Acquire(ctx, "a")
					require.NoError(b, err)
					release()
				}
			})
			b.Run("refused", func(b *testing.B) {
				budget := New(client, "r", Limits{Requests: 250, Per: time.Hour, MaxWait: -1})
				for range 260 {
					_, _ = budget.Acquire(ctx, "a")
				}
				for b.Loop() {
					_, err := budget.Acquire(ctx, "a")
					require.Error(b, err)
				}
			})
		})
	}
}
