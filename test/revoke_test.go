package test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRevocationHolds hammers a key with a rate and a quota while it is
// revoked, on every node. Tyk alone would write the session back with each call
// that counts, and so bring the key back for good; and its session cache would
// let the key live on for 10 s. Both are looked for.
func TestRevocationHolds(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		// Of two nodes, Tyk complains of the other one's messages, which nobody uses.
		g := startGateway(t, options{redis: redis})
		nodes := []*gateway{g}
		if redis != nil {
			nodes = append(nodes, startGateway(t, options{redis: redis, hospitals: g.Hospitals}))
		}
		for _, node := range nodes {
			node.writePlan("counted", 50_000, 10_000_000)
			node.mustReload(t)
		}
		c := g.newClient(t, "counted")

		var (
			revoked   atomic.Int64 // when the command line said so, Unix nanoseconds; 0 = not yet
			stop      atomic.Bool
			succeeded atomic.Int64
			refused   atomic.Int64
			tooLate   atomic.Int64
			hammers   sync.WaitGroup
		)
		for n := range 8 {
			node := nodes[n%len(nodes)]
			hammers.Go(func() {
				hammer := &client{gateway: node, t: t, key: c.key}
				for !stop.Load() {
					began := time.Now()
					a, err := hammer.try(http.MethodGet, somewhere, "")
					switch {
					case err != nil || a.StatusCode != http.StatusOK && a.StatusCode != http.StatusUnauthorized:
						t.Errorf("neither 200 nor 401: %v", err)
						return
					case a.StatusCode == http.StatusUnauthorized:
						refused.Add(1)
					default:
						succeeded.Add(1)
						if at := revoked.Load(); at != 0 && began.Sub(time.Unix(0, at)) > soon {
							tooLate.Add(1)
						}
					}
				}
			})
		}
		require.Eventually(t, func() bool { return succeeded.Load() > 100 }, 20*time.Second, 10*time.Millisecond, "the key works before it is revoked")
		g.mustCLI(t, "keys", "revoke", c.keyID)
		at := time.Now()
		revoked.Store(at.UnixNano())
		time.Sleep(2500 * time.Millisecond)
		stop.Store(true)
		hammers.Wait()
		require.Zero(t, tooLate.Load(), "calls that began more than a second after the revocation and succeeded")
		require.Positive(t, refused.Load())
		t.Logf("%d nodes: %d calls before, %d after the revocation held", len(nodes), succeeded.Load(), refused.Load())

		for time.Since(at) < 12*time.Second { // longer than Tyk's session cache
			for _, node := range nodes {
				(&client{gateway: node, t: t, key: c.key}).get(somewhere).refused(http.StatusUnauthorized, "login")
			}
			time.Sleep(250 * time.Millisecond)
		}
		for _, node := range nodes {
			node.stopCleanly()
		}
		require.Empty(t, g.storedKey(t, redis, c.keyID), "nothing has written the session back")
	})
}
