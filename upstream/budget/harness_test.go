package budget

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
	"fhirgate/gateway/store"
)

// onBoth runs a test on a real Redis and on the embedded store. Each call of
// connect is another node.
func onBoth(t *testing.T, test func(t *testing.T, connect func() redis.UniversalClient)) {
	t.Parallel()
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		addr := startRedis(t)
		test(t, func() redis.UniversalClient { return dial(t, addr, "") })
	})
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		host, port, password := openEmbedded(t).Addr()
		test(t, func() redis.UniversalClient { return dial(t, net.JoinHostPort(host, strconv.Itoa(port)), password) })
	})
}

func dial(t testing.TB, addr, password string) redis.UniversalClient {
	client := redis.NewClient(&redis.Options{Addr: addr, Password: password, PoolSize: 64, PoolTimeout: time.Minute})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func openEmbedded(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: filepath.Join(t.TempDir(), "store"), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// startRedis runs redis-server until the test ends and returns its address.
func startRedis(t testing.TB, config ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	cmd := exec.Command("redis-server", append([]string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", t.TempDir()}, config...)...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	}, 10*time.Second, 10*time.Millisecond)
	return addr
}

// quiet is a logger for tests that break things.
func quiet() Option { return WithLogger(slog.New(slog.DiscardHandler)) }

// throttled returns the Retry-After of a 429, as a client sees it.
func throttled(t testing.TB, err error) time.Duration {
	t.Helper()
	var e *fhir.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, http.StatusTooManyRequests, e.Status, "%v", err)
	require.Equal(t, fhir.IssueThrottled, e.Code)
	require.Positive(t, e.RetryAfter)
	return seconds(e.RetryAfter)
}

// seconds returns d as Retry-After has it.
func seconds(d time.Duration) time.Duration { return (d + time.Second - 1).Truncate(time.Second) }

// most returns the most of the times that are within any window.
func most(times []time.Time, window time.Duration) int {
	slices.SortFunc(times, time.Time.Compare)
	result, first := 0, 0
	for i := range times {
		for times[i].Sub(times[first]) > window {
			first++
		}
		result = max(result, i-first+1)
	}
	return result
}

// nothingRuns checks that no goroutine of this package is left in the end.
func nothingRuns(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		return !strings.Contains(stacks, "budget.(*Budget)") && !strings.Contains(stacks, "budget.(*leases)")
	}, 5*time.Second, 20*time.Millisecond)
}

// take acquires and releases at once.
func take(b *Budget, consumer string) error {
	release, err := b.Acquire(context.Background(), consumer)
	if err == nil {
		release()
	}
	return err
}

// grants are the times of what was granted, by consumer.
type grants struct {
	mu    sync.Mutex
	times map[string][]time.Time
}

func (g *grants) add(consumer string) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.times == nil {
		g.times = map[string][]time.Time{}
	}
	g.times[consumer] = append(g.times[consumer], now)
}

func (g *grants) all() []time.Time {
	var all []time.Time
	for _, times := range g.times {
		all = append(all, times...)
	}
	return all
}

// before counts a consumer's grants until t.
func (g *grants) before(consumer string, t time.Time) int {
	n := 0
	for _, at := range g.times[consumer] {
		if at.Before(t) {
			n++
		}
	}
	return n
}
