package store

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// limitScript is a plausible limit stage: GCRA for the rate, a counter for the quota.
const limitScript = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local interval, burst, quota, period = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local cost = tonumber(ARGV[5])
local tat = tonumber(redis.call('GET', KEYS[1]) or now)
if tat < now then tat = now end
local new_tat = tat + interval * cost
local wait = new_tat - interval * burst - now
if wait > 0 then
  return {0, wait, 0, 0}
end
local used = tonumber(redis.call('GET', KEYS[2]) or '0')
local reset = redis.call('PTTL', KEYS[2])
if used + cost > quota and reset > 0 then
  return {0, reset, 0, 0}
end
redis.call('SET', KEYS[1], string.format('%.0f', new_tat), 'PX', math.ceil(new_tat - now))
if reset <= 0 then
  redis.call('SET', KEYS[2], cost, 'PX', period)
  reset = period
else
  redis.call('INCRBY', KEYS[2], cost)
end
return {1, 0, quota - used - cost, reset}
`

// limitInGo does the same within Store.Update.
func limitInGo(rate, quota string, interval, burst, limit, period, cost int64, answer *[4]int64) func(*Tx) error {
	return func(tx *Tx) error {
		now := tx.Now().UnixMilli()
		tat, err := number(tx, rate)
		if err != nil {
			return err
		}
		tat = max(tat, now) + interval*cost
		if wait := tat - interval*burst - now; wait > 0 {
			*answer = [4]int64{0, wait}
			return nil
		}
		used, err := number(tx, quota)
		if err != nil {
			return err
		}
		reset := tx.TTL(quota).Milliseconds()
		if used+cost > limit && reset > 0 {
			*answer = [4]int64{0, reset}
			return nil
		}
		if reset <= 0 {
			used, reset = 0, period
		}
		used += cost
		*answer = [4]int64{1, 0, limit - used, reset}
		if err := tx.Set(rate, strconv.FormatInt(tat, 10), time.Duration(tat-now)*time.Millisecond); err != nil {
			return err
		}
		return tx.Set(quota, strconv.FormatInt(used, 10), time.Duration(reset)*time.Millisecond)
	}
}

// number reads a counter that may not be there.
func number(tx *Tx, key string) (int64, error) {
	s, err := tx.Get(key)
	if errors.Is(err, miniredis.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(s, 10, 64)
}

// realRedis starts a real Redis without persistence.
func realRedis(b *testing.B) redis.UniversalClient {
	b.Helper()
	c := redis.NewClient(&redis.Options{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(startServer(b, `save ""`)))})
	b.Cleanup(func() { _ = c.Close() })
	return c
}

func BenchmarkStore(b *testing.B) {
	embedded := openHere(b)
	b.Run("embedded", func(b *testing.B) { benchmarkCommands(b, embedded.Client()) })
	b.Run("redis-server", func(b *testing.B) { benchmarkCommands(b, realRedis(b)) })
	b.Run("embedded/Update", func(b *testing.B) {
		var answer [4]int64
		keys := []string{"limit:rate2", "limit:quota2"}
		f := limitInGo(keys[0], keys[1], 1, 1_000_000, 1_000_000_000, 3_600_000, 1, &answer)
		for b.Loop() {
			require.NoError(b, embedded.Update(keys, f))
		}
	})
}

func benchmarkCommands(b *testing.B, c redis.UniversalClient) {
	ctx := b.Context()
	limit := redis.NewScript(limitScript)
	require.NoError(b, limit.Load(ctx, c).Err())
	require.NoError(b, c.Set(ctx, "key", "value", 0).Err())
	var unique atomic.Int64
	args := []any{1, 1_000_000, 1_000_000_000, 3_600_000, 1}
	commands := []struct {
		name string
		run  func(ctx context.Context) error
	}{
		{"PING", func(ctx context.Context) error { return c.Ping(ctx).Err() }},
		{"GET", func(ctx context.Context) error { return c.Get(ctx, "key").Err() }},
		{"INCR", func(ctx context.Context) error { return c.Incr(ctx, "limit:n").Err() }},
		{"EVALSHA", func(ctx context.Context) error {
			return limit.EvalSha(ctx, c, []string{"limit:rate", "limit:quota"}, args...).Err()
		}},
		{"SET-durable", func(ctx context.Context) error {
			return c.Set(ctx, "jti:"+strconv.FormatInt(unique.Add(1), 10), "1", time.Minute).Err()
		}},
	}
	for _, cmd := range commands {
		b.Run(cmd.name, func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, cmd.run(ctx))
			}
		})
		b.Run(cmd.name+"-parallel", func(b *testing.B) {
			b.SetParallelism(16)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := cmd.run(ctx); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
