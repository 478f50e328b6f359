package usage

import (
	"context"
	"log/slog"
	"net"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/store"
	"fhirgate/observe"
)

var quiet = slog.New(slog.DiscardHandler)

// startRedis runs redis-server until the test ends, and returns its address once
// it answers.
func startRedis(t testing.TB, options ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	cmd := exec.Command("redis-server", append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", ""}, options...)...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	defer client.Close()
	require.Eventually(t, func() bool { return client.Ping(context.Background()).Err() == nil }, 10*time.Second, 10*time.Millisecond)
	return addr
}

func connect(t testing.TB, addr string) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// onEach runs a test on a Redis, on a cluster, which refuses what names more than
// one slot, and on the embedded store.
func onEach(t *testing.T, test func(t *testing.T, client redis.UniversalClient)) {
	t.Run("redis", func(t *testing.T) { test(t, connect(t, startRedis(t))) })
	t.Run("cluster", func(t *testing.T) {
		addr := startRedis(t, "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1")
		client := connect(t, addr)
		require.NoError(t, client.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err())
		require.Eventually(t, func() bool { return client.Set(context.Background(), "x", 1, 0).Err() == nil }, 10*time.Second, 10*time.Millisecond)
		cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}})
		t.Cleanup(func() { _ = cluster.Close() })
		test(t, cluster)
	})
	t.Run("embedded", func(t *testing.T) {
		opened := openEmbedded(t, filepath.Join(t.TempDir(), "store"))
		defer opened.Close()
		test(t, opened.Client())
	})
}

// openEmbedded opens the embedded store in dir; the caller closes it.
func openEmbedded(t testing.TB, dir string) *store.Store {
	opened, err := store.Open(context.Background(), store.Options{Dir: dir, Logger: quiet})
	require.NoError(t, err)
	return opened
}

// line returns a finished call.
func line(consumer, hospital, interaction string, status int) *observe.Call {
	return &observe.Call{RequestID: "r", Consumer: consumer, Hospital: hospital, Interaction: interaction, Type: "Patient", Status: status}
}

// portal reads as the portal does: counts take the place of earlier ones.
type portal struct {
	reader *Reader
	cursor string
	counts map[adminapi.Usage]int64 // by rows without their calls
	pages  int
}

func newPortal(client redis.UniversalClient) *portal {
	return &portal{reader: NewReader(client), counts: map[adminapi.Usage]int64{}}
}

// read reads one page.
func (p *portal) read(t *testing.T) (more bool) {
	t.Helper()
	used, err := p.reader.Since(t.Context(), p.cursor)
	require.NoError(t, err)
	for _, row := range used.Rows {
		calls := row.Calls
		row.Calls = 0
		p.counts[row] = calls
	}
	p.cursor = used.Next
	p.pages++
	return used.More
}

// catchUp reads all there is.
func (p *portal) catchUp(t *testing.T) map[adminapi.Usage]int64 {
	t.Helper()
	for p.read(t) {
	}
	return p.counts
}

// clock is a time that tests move.
type clock struct{ unix atomic.Int64 }

func clockAt(t time.Time) *clock {
	c := new(clock)
	c.unix.Store(t.UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.unix.Load()) }
func (c *clock) forward(d time.Duration) { c.unix.Add(int64(d)) }
func (c *clock) row(consumer, hospital, interaction string, status int) adminapi.Usage {
	return adminapi.Usage{Consumer: consumer, Day: c.now().UTC().Format(time.DateOnly), Hospital: hospital, Interaction: interaction, Status: status}
}
