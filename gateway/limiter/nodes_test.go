package limiter

import (
	"context"
	"net"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/policies"
)

// startRedis runs redis-server until the test ends, and returns its address
// once it answers.
func startRedis(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}, 10*time.Second, 10*time.Millisecond)
	return addr
}

// twoNodes returns the limiters of two nodes on one Redis, and a client to ask
// it for the time.
func twoNodes(t *testing.T) (nodes [2]*Redis, asker *redis.Client) {
	t.Helper()
	addr := startRedis(t)
	for i := range nodes {
		client := redis.NewClient(&redis.Options{Addr: addr})
		t.Cleanup(func() { _ = client.Close() })
		nodes[i] = NewRedis(client)
	}
	asker = redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = asker.Close() })
	return nodes, asker
}

// rush has both nodes take as fast as they can, with costs from 1 to 5, and
// returns what was allowed in units.
func rush(t *testing.T, nodes [2]*Redis, plan *policies.Plan, each int) int64 {
	t.Helper()
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for i := range each {
				cost := 1 + (worker+i)%5
				v, err := nodes[worker%2].Take(context.Background(), "key_1", plan, cost)
				if assert.NoError(t, err) && v.Allowed {
					allowed.Add(int64(cost))
				}
			}
		})
	}
	wg.Wait()
	return allowed.Load()
}

func TestTwoNodesNeverExceedTheQuota(t *testing.T) {
	nodes, _ := twoNodes(t)
	plan := &policies.Plan{Quota: 1003, QuotaPeriod: time.Hour}
	require.Equal(t, plan.Quota, rush(t, nodes, plan, 100), "calls of cost 1 fill what larger ones leave")
	for _, node := range nodes {
		v, err := node.Take(context.Background(), "key_1", plan, 1)
		require.NoError(t, err)
		require.False(t, v.Allowed)
	}
}

// The rate is bounded by what Redis' own clock lets come back meanwhile.
func TestTwoNodesNeverExceedTheRate(t *testing.T) {
	nodes, asker := twoNodes(t)
	plan := &policies.Plan{Rate: 100, Per: time.Second, Burst: 50}
	began := asker.Time(t.Context()).Val()
	allowed := rush(t, nodes, plan, 200)
	ended := asker.Time(t.Context()).Val()
	most := int64(plan.Burst) + int64(ended.Sub(began)/(plan.Per/time.Duration(plan.Rate)))
	require.LessOrEqual(t, allowed, most)
	require.GreaterOrEqual(t, allowed, int64(plan.Burst))
}

// A refused call is allowed once it waited as long as it was told, to whichever
// node it comes and whatever it costs.
func TestRetryAfterHoldsOnAnotherNode(t *testing.T) {
	nodes, _ := twoNodes(t)
	plan := &policies.Plan{Rate: 100, Per: time.Second, Burst: 20}
	ctx := context.Background()
	for _, cost := range []int{20, 7, 1} {
		refused := facade.Verdict{Allowed: true}
		for refused.Allowed {
			var err error
			refused, err = nodes[0].Take(ctx, "key_1", plan, cost)
			require.NoError(t, err)
		}
		time.Sleep(refused.RetryAfter)
		v, err := nodes[1].Take(ctx, "key_1", plan, cost)
		require.NoError(t, err)
		require.True(t, v.Allowed, "cost %d", cost)
	}
}
