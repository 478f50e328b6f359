package budget

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// All keys of a hospital are in one slot, and the scripts name all of them.
func TestACluster(t *testing.T) {
	t.Parallel()
	addr := startRedis(t, "--cluster-enabled", "yes")
	node := dial(t, addr, "")
	require.NoError(t, node.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err())
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}})
	t.Cleanup(func() { _ = client.Close() })
	require.Eventually(t, func() bool {
		info, err := node.ClusterInfo(t.Context()).Result()
		return err == nil && len(info) > 0 && client.Set(t.Context(), "k", 1, 0).Err() == nil
	}, 10*time.Second, 20*time.Millisecond)
	b := New(client, "h", Limits{Requests: 2, Per: time.Hour, Concurrency: 2, MaxWait: -1}, WithLease(1200*time.Millisecond))
	release, err := b.Acquire(t.Context(), "a")
	require.NoError(t, err)
	time.Sleep(2 * time.Second)
	state, err := b.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, State{Used: 1, Limit: 2, InFlight: 1, Concurrency: 2}, state)
	release()
	require.NoError(t, take(b, "b"))
	throttled(t, take(b, "a"))
	b.Learn(429, nil, Habit{})
	require.InDelta(t, FirstPause.Seconds(), opens(t, b).Seconds(), 1)
}
