package store

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

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

// limitCommand does the same in Go.
func limitCommand() Command {
	number := func(tx *Tx, key string) (int64, error) {
		s, err := tx.Get(key)
		if err != nil {
			return 0, nil
		}
		return strconv.ParseInt(s, 10, 64)
	}
	return Command{
		Keys: func(args []string) []string { return args[:min(2, len(args))] },
		Run: func(tx *Tx, args []string) ([]int64, error) {
			var n [5]int64 // interval, burst, quota, period, cost
			for i := range n {
				n[i], _ = strconv.ParseInt(args[2+i], 10, 64)
			}
			now := tx.Now().UnixMilli()
			tat, err := number(tx, args[0])
			if err != nil {
				return nil, err
			}
			tat = max(tat, now) + n[0]*n[4]
			if wait := tat - n[0]*n[1] - now; wait > 0 {
				return []int64{0, wait, 0, 0}, nil
			}
			used, err := number(tx, args[1])
			if err != nil {
				return nil, err
			}
			reset := tx.TTL(args[1]).Milliseconds()
			if used+n[4] > n[2] && reset > 0 {
				return []int64{0, reset, 0, 0}, nil
			}
			if reset <= 0 {
				used, reset = 0, n[3]
			}
			if err := tx.Set(args[0], strconv.FormatInt(tat, 10), time.Duration(tat-now)*time.Millisecond); err != nil {
				return nil, err
			}
			used += n[4]
			err = tx.Set(args[1], strconv.FormatInt(used, 10), time.Duration(reset)*time.Millisecond)
			return []int64{1, 0, n[2] - used, reset}, err
		},
	}
}

// startRedis starts a real Redis without persistence for the benchmark.
func startRedis(b *testing.B) redis.UniversalClient {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(b, l.Close())
	cmd := exec.Command("redis-server", "--port", strconv.Itoa(port), "--save", "", "--dir", b.TempDir())
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	c := redis.NewClient(&redis.Options{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))})
	b.Cleanup(func() { _ = c.Close() })
	require.Eventually(b, func() bool { return c.Ping(b.Context()).Err() == nil }, 5*time.Second, 10*time.Millisecond)
	return c
}

func BenchmarkStore(b *testing.B) {
	embedded := open(b, filepath.Join(b.TempDir(), "store"), func(o *Options) {
		o.Commands = map[string]Command{"FHIRGATE.LIMIT": limitCommand()}
	})
	b.Cleanup(func() { _ = embedded.Close() })
	for _, target := range []struct {
		name   string
		client redis.UniversalClient
	}{{"embedded", embedded.Client()}, {"redis-server", startRedis(b)}} {
		b.Run(target.name, func(b *testing.B) { benchmarkCommands(b, target.client) })
	}
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
		{"FHIRGATE.LIMIT", func(ctx context.Context) error {
			return c.Do(ctx, append([]any{"FHIRGATE.LIMIT", "limit:rate2", "limit:quota2"}, args...)...).Err()
		}},
		{"SET-durable", func(ctx context.Context) error {
			return c.Set(ctx, "jti:"+strconv.FormatInt(unique.Add(1), 10), "1", time.Minute).Err()
		}},
	}
	for _, cmd := range commands {
		if err := cmd.run(ctx); err != nil {
			continue // not on this server
		}
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
