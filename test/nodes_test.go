package test

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// startNodes starts two gateways on one Redis that callers see as one: they have
// the same public URL and the same keys.
func startNodes(t *testing.T, redis *redisServer, o options) []*gateway {
	t.Helper()
	o.redis = redis
	first := startGateway(t, o)
	settings := map[string]any{
		"public_url": first.url, "link_keys_file": first.file("data/link-keys"), "key_encryption_keys_file": first.file("data/key-encryption-keys"),
	}
	for name, value := range o.settings {
		settings[name] = value
	}
	o.hospitals, o.settings = first.Hospitals, settings
	return []*gateway{first, startGateway(t, o)}
}

// at returns a client with the same key that calls another node.
func (c *client) at(g *gateway) *client {
	other := *c
	other.gateway = g
	return &other
}

// TestNodesAreOne uses on one node what another one gave: a token, a link, and an
// assertion, which counts once on all of them.
func TestNodesAreOne(t *testing.T) {
	nodes := startNodes(t, startRedis(t), options{})
	one, two := nodes[0], nodes[1]

	c := one.newClient(t, "e2e", "--kind", "client")
	token := c.with(c.token(t)).at(two)
	page := token.get("/fhir/harbor/Patient?_count=20").ok(http.StatusOK)
	link, err := url.Parse(next(page))
	require.NoError(t, err)
	require.Equal(t, one.url, link.Scheme+"://"+link.Host, "the nodes' public URL")
	token.get(link.RequestURI()).ok(http.StatusOK)
	require.Equal(t,
		token.get("/oauth/jwks.json").ok(http.StatusOK).Get("keys.#.kid").Raw,
		token.at(one).get("/oauth/jwks.json").ok(http.StatusOK).Get("keys.#.kid").Raw)

	for _, alg := range []jose.SignatureAlgorithm{jose.RS384, jose.ES384} {
		signed := one.newSigner(t, alg, inline(t))
		form := signed.assertion(t, one.url+"/oauth/token")
		require.NotEmpty(t, signed.askToken(t, form).ok(http.StatusOK).Get("access_token").Str)
		for _, node := range nodes {
			a := signed.at(node).askToken(t, form)
			require.Equal(t, "invalid_client", a.ok(http.StatusUnauthorized).Get("error").Str, "an assertion counts once")
		}
		signed.at(two).askToken(t, signed.assertion(t, one.url+"/oauth/token")).ok(http.StatusOK)
	}
}

// TestRotationUnderLoad gives a key and a client new secrets while both nodes are
// called with the newest one. Nobody is refused.
func TestRotationUnderLoad(t *testing.T) {
	const rotations = 20
	nodes := startNodes(t, startRedis(t), options{})
	for kind, call := range map[string]func(*client) (answer, error){
		"key": func(c *client) (answer, error) { return c.try(http.MethodGet, somewhere, "") },
		"client": func(c *client) (answer, error) {
			form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.keyID}, "client_secret": {c.key}}
			return c.try(http.MethodPost, "/oauth/token", form.Encode(), "Authorization", "", "Content-Type", formType)
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := nodes[0].newClient(t, "e2e", "--kind", kind)
			var (
				newest  atomic.Pointer[client]
				calls   atomic.Int64
				stop    atomic.Bool
				workers sync.WaitGroup
			)
			newest.Store(c)
			for n := range 8 {
				workers.Go(func() {
					for !stop.Load() {
						a, err := call(newest.Load().at(nodes[n%len(nodes)]))
						if err != nil || a.StatusCode != http.StatusOK {
							t.Errorf("a call with the newest secret failed: %v %s", err, a.body)
							return
						}
						calls.Add(1)
					}
				})
			}
			for n := range rotations {
				issued := nodes[n%len(nodes)].mustCLI(t, "keys", "rotate", c.keyID, "--grace", "1m", "--json")
				newest.Store(c.with(gjson.Get(issued, "secret").Str))
				time.Sleep(100 * time.Millisecond)
			}
			stop.Store(true)
			workers.Wait()
			t.Logf("%s: %d rotations during %d calls with the newest secret on 2 nodes, 0 refused", kind, rotations, calls.Load())
			require.Positive(t, calls.Load())
		})
	}
}

// offer calls both nodes with a client's key at a steady pace of calls a second
// until the time is over, whatever the answers are, and returns how many passed.
// A worker that falls behind catches up.
func offer(t *testing.T, nodes []*gateway, c *client, pace float64, length time.Duration) int64 {
	const perNode = 8
	var passed atomic.Int64
	var workers sync.WaitGroup
	began := time.Now()
	all := perNode * len(nodes)
	for n := range all {
		caller := c.at(nodes[n%len(nodes)])
		workers.Go(func() {
			for call := n; ; call += all {
				due := time.Duration(float64(call) / pace * float64(time.Second))
				if due > length {
					return
				}
				time.Sleep(time.Until(began.Add(due)))
				a, err := caller.try(http.MethodGet, somewhere, "")
				switch {
				case err != nil || a.StatusCode != http.StatusOK && a.StatusCode != http.StatusTooManyRequests:
					t.Errorf("neither 200 nor 429: %v %s", err, a.body)
					return
				case a.StatusCode == http.StatusOK:
					passed.Add(1)
				}
			}
		})
	}
	workers.Wait()
	return passed.Load()
}

// TestLimitsOfTwoNodes offers twice as much as a rate, and as a quota, allows to
// two nodes together for a minute. What passes is within 2 % of what is set, by
// the clock of Redis, and what does not pass uses nothing up.
func TestLimitsOfTwoNodes(t *testing.T) {
	t.Parallel() // it waits most of a minute
	const (
		rate, burst  = 50, 100
		quota        = 1500
		length       = time.Minute
		tolerance    = 0.02
		hugeQuota    = 1_000_000
		quotaOffered = 2 * quota
	)
	redis := startRedis(t)
	nodes := startNodes(t, redis, options{prepared: func(g *gateway) {
		g.writeLimits("paced", rate, burst, hugeQuota)
		g.writeLimits("counted", 1000, 1000, quota)
	}})
	paced, counted := nodes[0].newClient(t, "paced"), nodes[1].newClient(t, "counted")
	var pacedPassed, countedPassed int64
	var both sync.WaitGroup
	began := redis.now(t)
	both.Go(func() { countedPassed = offer(t, nodes, counted, quotaOffered/length.Seconds(), length) })
	pacedPassed = offer(t, nodes, paced, 2*rate, length)
	elapsed := redis.now(t).Sub(began)
	both.Wait()

	within := func(what string, passed int64, set float64) {
		deviation := (float64(passed) - set) / set
		t.Logf("%s: %d units passed, %.0f are set: %+.2f %%", what, passed, set, 100*deviation)
		require.LessOrEqual(t, math.Abs(deviation), tolerance, what)
	}
	within("rate of 50/s with a burst of 100 over "+elapsed.Round(time.Millisecond).String(), pacedPassed, burst+rate*elapsed.Seconds())
	within("quota of 1500", countedPassed, quota)
	require.Equal(t, pacedPassed, redis.used(t, paced), "what the rate refuses does not use up the quota")
	require.Equal(t, countedPassed, redis.used(t, counted))
}

// writeLimits writes a plan with a burst of its own.
func (g *gateway) writeLimits(id string, rate, burst, quota int) {
	g.t.Helper()
	g.writePlan(id, rate, quota)
	text := g.read("policies/" + id + ".json")
	g.write("policies/"+id+".json", strings.Replace(text, `"burst":`+strconv.Itoa(rate), `"burst":`+strconv.Itoa(burst), 1))
}

// now is the time by the clock that limits are counted on.
func (s *redisServer) now(t *testing.T) time.Time {
	t.Helper()
	now, err := s.client.Time(t.Context()).Result()
	require.NoError(t, err)
	return now
}

// used is how much of a client's quota is used up.
func (s *redisServer) used(t *testing.T, c *client) int64 {
	t.Helper()
	n, err := s.client.Get(t.Context(), "limit:{"+c.keyID+"}:quota").Int64()
	require.NoError(t, err)
	return n
}

// TestRedisAway takes Redis away from two nodes that know a key and a token well.
// From a second later on nothing passes, known or not, until Redis is back.
func TestRedisAway(t *testing.T) {
	redis := startRedis(t)
	nodes := startNodes(t, redis, options{grumbles: true})
	key, signed := nodes[0].newClient(t, "e2e"), nodes[0].newClient(t, "e2e", "--kind", "client")
	token := key.with(signed.token(t))
	secret := url.Values{"client_id": {signed.keyID}, "client_secret": {signed.key}}
	for _, node := range nodes {
		key.at(node).get(somewhere).ok(http.StatusOK)
		token.at(node).get(somewhere).ok(http.StatusOK)
		signed.at(node).askToken(t, secret).ok(http.StatusOK)
	}

	redis.kill()
	time.Sleep(soon)
	refused := make(map[string]int)
	var slowest time.Duration
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); {
		for _, node := range nodes {
			for what, c := range map[string]*client{"key": key, "token": token, "unknown key": key.with(key.key[:len(key.key)-1] + "x")} {
				began := time.Now()
				c.at(node).get(somewhere).refused(http.StatusServiceUnavailable, "transient")
				refused[what]++
				slowest = max(slowest, time.Since(began))
			}
			a := signed.at(node).askToken(t, secret)
			require.Equal(t, "temporarily_unavailable", a.ok(http.StatusServiceUnavailable).Get("error").Str)
			require.NotEmpty(t, a.Header.Get("Retry-After"))
			refused["request for a token"]++
		}
	}
	t.Logf("without Redis 503 for all calls, each within %s: %v", slowest.Round(time.Millisecond), refused)

	redis.run(t)
	back := time.Now()
	for _, node := range nodes {
		for _, c := range []*client{key.at(node), token.at(node)} {
			require.Eventually(t, func() bool { return c.get(somewhere).StatusCode == http.StatusOK }, 15*time.Second, 50*time.Millisecond, "Redis is back")
		}
		require.Eventually(t, func() bool { return signed.at(node).askToken(t, secret).StatusCode == http.StatusOK }, 15*time.Second, 50*time.Millisecond)
	}
	t.Logf("all passes again %d ms after Redis is back", time.Since(back).Milliseconds())
}
