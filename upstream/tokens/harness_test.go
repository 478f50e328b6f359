package tokens

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fhirgate/gateway/store"
)

var saintMary = Identity{
	Issuer: "https://ehr.st-mary.example/token", Client: "pacs-client-4711",
	Scope: "system/Patient.rs system/Encounter.rs", Key: "pacs-2026",
}

// backend is a Redis for a test. Each call of dial opens a client of its own,
// as each node has.
type backend struct {
	addr     string
	password string
	cluster  bool
	process  *os.Process // nil for the embedded store
}

func (b backend) dial(t testing.TB) redis.UniversalClient {
	t.Helper()
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: []string{b.addr}, Password: b.password, IsClusterMode: b.cluster, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return client
}

// onEach runs a test against a real Redis, a real Redis cluster and the
// embedded store.
func onEach(t *testing.T, test func(t *testing.T, b backend)) {
	t.Run("redis", func(t *testing.T) { t.Parallel(); test(t, startRedis(t)) })
	t.Run("cluster", func(t *testing.T) { t.Parallel(); test(t, startCluster(t)) })
	t.Run("embedded", func(t *testing.T) { t.Parallel(); test(t, openEmbedded(t)) })
}

func startRedis(t testing.TB, more ...string) backend {
	t.Helper()
	port := freePort(t)
	return backend{addr: "127.0.0.1:" + port, process: runRedis(t, port, more...)}
}

// runRedis runs redis-server until the test ends.
func runRedis(t testing.TB, port string, more ...string) *os.Process {
	t.Helper()
	args := append([]string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", t.TempDir()}, more...)
	cmd := exec.Command("redis-server", args...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	return cmd.Process
}

func startCluster(t testing.TB) backend {
	t.Helper()
	b := startRedis(t, "--cluster-enabled", "yes")
	node := redis.NewClient(&redis.Options{Addr: b.addr})
	defer node.Close()
	require.NoError(t, node.ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	require.Eventually(t, func() bool {
		return strings.Contains(node.ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	}, 10*time.Second, 10*time.Millisecond)
	b.cluster = true
	return b
}

func openEmbedded(t testing.TB) backend {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	host, port, password := s.Addr()
	return backend{addr: net.JoinHostPort(host, strconv.Itoa(port)), password: password}
}

// freePort returns a port that nothing listens on, and whose cluster bus port exists.
func freePort(t testing.TB) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := l.Addr().(*net.TCPAddr).Port
		require.NoError(t, l.Close())
		if port < 55_000 {
			return strconv.Itoa(port)
		}
	}
}

// keySet returns a key for each kid, always the same one.
func keySet(kids ...string) jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, kid := range kids {
		secret := sha256.Sum256([]byte("test key " + kid))
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: secret[:], KeyID: kid})
	}
	return set
}

// newNode returns the cache of a node, which fails the test when it reports an
// error, unless options say otherwise.
func newNode(t testing.TB, client redis.UniversalClient, options ...Option) *Cache {
	t.Helper()
	return newNodeWith(t, client, keySet("k1"), options...)
}

func newNodeWith(t testing.TB, client redis.UniversalClient, keys jose.JSONWebKeySet, options ...Option) *Cache {
	t.Helper()
	var over atomic.Bool
	complain := OnError(func(err error) {
		if !over.Load() {
			t.Errorf("reported: %v", err)
		}
	})
	c, err := New(client, keys, append([]Option{complain}, options...)...)
	require.NoError(t, err)
	t.Cleanup(func() { over.Store(true); c.Close() })
	return c
}

// reports collects what OnError is told.
type reports struct {
	mu   sync.Mutex
	errs []error
}

func (r *reports) option() Option {
	return OnError(func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.errs = append(r.errs, err)
	})
}

func (r *reports) all() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.errs...)
}

// endpoint is a token endpoint: it counts calls and issues token-1, token-2, …
type endpoint struct {
	calls atomic.Int64
	delay time.Duration
	life  time.Duration // 0 = without expires_in
	err   atomic.Pointer[error]
}

func (e *endpoint) fetch(ctx context.Context) (Token, error) {
	n := e.calls.Add(1)
	if !sleep(ctx, e.delay) {
		return Token{}, ctx.Err()
	}
	if err := e.err.Load(); err != nil {
		return Token{}, *err
	}
	token := Token{Value: fmt.Sprintf("token-%d", n), Type: "Bearer", Scope: "system/Patient.rs"}
	if e.life != 0 {
		token.Expires = time.Now().Add(e.life)
	}
	return token, nil
}

func (e *endpoint) fail(err error) { e.err.Store(&err) }
func (e *endpoint) heal()          { e.err.Store(nil) }

// get expects the token of saintMary to be want.
func get(t testing.TB, c *Cache, e *endpoint, stale, want string) {
	t.Helper()
	token, err := c.Get(t.Context(), saintMary, stale, e.fetch)
	require.NoError(t, err)
	require.Equal(t, want, token.Value)
}

// together calls get on each of the caches in turn, n times at once, and
// returns how often each token was the answer.
func together(t testing.TB, n int, stale string, e *endpoint, caches ...*Cache) map[string]int {
	t.Helper()
	var mu sync.Mutex
	got := map[string]int{}
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			token, err := caches[i%len(caches)].Get(t.Context(), saintMary, stale, e.fetch)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				token.Value = err.Error()
			}
			got[token.Value]++
		})
	}
	close(start)
	group.Wait()
	return got
}
