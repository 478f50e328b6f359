package test

import (
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hammering calls all nodes with one credential all the time.
type hammering struct {
	nodes   []*hammered
	stop    atomic.Bool
	workers sync.WaitGroup
}

// hammered is what one node answers.
type hammered struct {
	passed, refused atomic.Int64
	last            atomic.Int64 // when the last call that passed was sent, Unix nanoseconds
}

// hammer calls every node by four workers, until the hammering ends. Answers
// must be 200 or, from some time on, 401.
func hammer(t *testing.T, nodes []*gateway, credential string) *hammering {
	h := &hammering{}
	for _, g := range nodes {
		seen := &hammered{}
		h.nodes = append(h.nodes, seen)
		for range 4 {
			c := &client{gateway: g, t: t, key: credential}
			h.workers.Go(func() {
				for !h.stop.Load() {
					sent := time.Now()
					a, err := c.try(http.MethodGet, somewhere, "")
					switch {
					case err != nil:
						t.Errorf("a call got no answer: %v", err)
						return
					case a.StatusCode == http.StatusOK:
						seen.passed.Add(1)
						if last := seen.last.Load(); last < sent.UnixNano() {
							seen.last.CompareAndSwap(last, sent.UnixNano())
						}
					case a.StatusCode == http.StatusUnauthorized:
						seen.refused.Add(1)
					default:
						t.Errorf("neither 200 nor 401 but %d: %s", a.StatusCode, a.body)
						return
					}
				}
			})
		}
	}
	return h
}

// works waits until the credential passes on every node.
func (h *hammering) works(t *testing.T) {
	t.Helper()
	for _, n := range h.nodes {
		require.Eventually(t, func() bool { return n.passed.Load() > 50 }, 20*time.Second, 10*time.Millisecond, "the credential works before it is revoked")
	}
}

// end stops the calls and returns for each node how long after a time the last
// call was sent that passed.
func (h *hammering) end(since time.Time) []time.Duration {
	h.stop.Store(true)
	h.workers.Wait()
	var late []time.Duration
	for _, n := range h.nodes {
		late = append(late, max(time.Unix(0, n.last.Load()).Sub(since), 0))
	}
	return late
}

// sees requires that a revocation held soon, and prints how soon.
func (h *hammering) sees(t *testing.T, what string, revoke func()) {
	t.Helper()
	h.works(t)
	revoke()
	at := time.Now()
	time.Sleep(2 * soon)
	for i, late := range h.end(at) {
		n := h.nodes[i]
		t.Logf("%s: the revocation held after %d ms on node %d (%d calls passed, %d were refused)", what, late.Milliseconds(), i+1, n.passed.Load(), n.refused.Load())
		require.LessOrEqual(t, late, soon, "calls sent later than a second after the revocation passed")
		require.Positive(t, n.refused.Load())
	}
}

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
		hammer(t, nodes, c.key).sees(t, "key", func() { g.mustCLI(t, "keys", "revoke", c.keyID) })

		for at := time.Now(); time.Since(at) < 12*time.Second; { // longer than Tyk's session cache
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

// revoke ends a key by the admin API, which takes less time than the command line.
func (g *gateway) revoke(t *testing.T, id string) {
	t.Helper()
	a := g.askAdmin(t, http.MethodDelete, "/admin/keys/"+id)
	require.Equal(t, http.StatusOK, a.StatusCode, "%s", a.body)
}

// giveBack revokes a token of the client's (RFC 7009).
func (c *client) giveBack(t *testing.T, token string) {
	t.Helper()
	form := url.Values{"client_id": {c.keyID}, "client_secret": {c.key}, "token": {token}}
	a := c.call(http.MethodPost, "/oauth/revoke", form.Encode(), "Authorization", "", "Content-Type", formType)
	require.Equal(t, http.StatusOK, a.StatusCode, "%s", a.body)
}

// TestRevocationOfOthers revokes what is no key while two nodes are hammered with
// it: a client, of which the tokens end too, one token, and a consumer that an
// outside identity provider vouches for.
func TestRevocationOfOthers(t *testing.T) {
	p := startIdentityProvider(t)
	nodes := startNodes(t, startRedis(t), options{settings: p.settings()})
	g := nodes[0]

	for kind, once := range map[string]func(*testing.T){
		"client": func(t *testing.T) {
			c := g.newClient(t, "e2e", "--kind", "client")
			hammer(t, nodes, c.token(t)).sees(t, "client", func() { nodes[1].revoke(t, c.keyID) })
			for _, node := range nodes {
				a := c.at(node).askToken(t, url.Values{"client_id": {c.keyID}, "client_secret": {c.key}})
				require.Equal(t, "invalid_client", a.ok(http.StatusUnauthorized).Get("error").Str)
			}
		},
		"token": func(t *testing.T) {
			c := g.newClient(t, "e2e", "--kind", "client")
			token, other := c.token(t), c.token(t)
			hammer(t, nodes, token).sees(t, "token", func() { c.giveBack(t, token) })
			for _, node := range nodes {
				c.with(other).at(node).get(somewhere).ok(http.StatusOK)
			}
		},
		"external": func(t *testing.T) {
			c := p.register(t, g)
			hammer(t, nodes, p.token(t, g.url+"/fhir")).sees(t, "external", func() { g.revoke(t, c.keyID) })
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for range 3 { // a node looks twice a second: when that is differs each time
				once(t)
			}
		})
	}
}
