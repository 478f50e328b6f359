package budget

import (
	"context"
	"strconv"
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
				budget := New(client, "h"+strconv.Itoa(b.N), Limits{Requests: 1000, Per: 10 * time.Millisecond, MaxWait: time.Minute})
				for b.Loop() {
					release, err := budget.Acquire(ctx, "a")
					require.NoError(b, err)
					release()
				}
			})
			b.Run("granted-concurrency", func(b *testing.B) {
				budget := New(client, "c"+strconv.Itoa(b.N), Limits{Concurrency: 8})
				for b.Loop() {
					release, err := budget.Acquire(ctx, "a")
					require.NoError(b, err)
					release()
				}
			})
			b.Run("refused", func(b *testing.B) {
				budget := New(client, "r"+strconv.Itoa(b.N), Limits{Requests: 250, Per: time.Hour, MaxWait: -1})
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
