package test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/gateway/store"
)

// somewhere is a call that every key of the plan e2e may make.
const somewhere = "/fhir/harbor/Patient/100000"

// soon is how long a change of a key may take to reach every node.
const soon = time.Second

// TestKeys takes a key through its life by the command line.
func TestKeys(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis})
		c := g.newClient(t, "e2e")
		c.get(somewhere).ok(http.StatusOK)

		t.Run("list and show tell no secret", func(t *testing.T) {
			for _, args := range [][]string{
				{"keys", "list"},
				{"keys", "list", "--json"},
				{"keys", "show", c.keyID},
				{"keys", "show", c.keyID, "--json"},
			} {
				out := g.mustCLI(t, args...)
				require.Contains(t, out, c.keyID)
				require.NotContains(t, out, c.key)
				require.NotContains(t, out, strings.TrimPrefix(c.key, "fg_"))
			}
			shown := gjson.Parse(g.mustCLI(t, "keys", "show", c.keyID, "--json"))
			require.Equal(t, "e2e", shown.Get("plan").Str)
			require.Equal(t, "tests", shown.Get("name").Str)
			require.Len(t, shown.Get("secrets").Array(), 1)
		})
		t.Run("for people", func(t *testing.T) {
			out := g.mustCLI(t, "keys", "create", "--name", "a person", "--plan", "e2e")
			require.Regexp(t, `secret  fg_\w{43}`, out)
			require.Regexp(t, `key     key_\w+ \(a person, plan e2e, expires never\)`, out)
		})
		t.Run("mistakes", func(t *testing.T) {
			for want, args := range map[string][]string{
				"unknown plan":    {"keys", "create", "--name", "x", "--plan", "no-such-plan"},
				"needs a name":    {"keys", "create", "--name", "", "--plan", "e2e"},
				"no key of this":  {"keys", "show", "key_none"},
				"required flag":   {"keys", "create", "--plan", "e2e"},
				"unknown command": {"keys", "crate"},
			} {
				out, err := g.cli(t, args...)
				require.Error(t, err, args)
				require.Contains(t, out, want, args)
				require.Contains(t, out, "fhirgate: ", args)
			}
		})
		t.Run("rotate", func(t *testing.T) { rotate(t, c) })
		t.Run("expired", func(t *testing.T) {
			brief := g.newClient(t, "e2e", "--expires-in", "2s")
			brief.get(somewhere).ok(http.StatusOK)
			require.Eventually(t, func() bool { return brief.get(somewhere).StatusCode != http.StatusOK }, 5*time.Second, 50*time.Millisecond)
			brief.get(somewhere).refused(http.StatusUnauthorized, "expired")
			require.Contains(t, g.mustCLI(t, "keys", "list"), "expired")
		})
	})
}

// rotate gives a key a second secret beside the first, and then a third in
// their place.
func rotate(t *testing.T, c *client) {
	second := c.with(gjson.Get(c.mustCLI(t, "keys", "rotate", c.keyID, "--grace", "1m", "--json"), "secret").Str)
	second.get(somewhere).ok(http.StatusOK)
	c.get(somewhere).ok(http.StatusOK)
	time.Sleep(soon)
	c.get(somewhere).ok(http.StatusOK)

	third := c.with(gjson.Get(c.mustCLI(t, "keys", "rotate", c.keyID, "--grace", "0", "--json"), "secret").Str)
	time.Sleep(soon)
	third.get(somewhere).ok(http.StatusOK)
	second.get(somewhere).refused(http.StatusUnauthorized, "login")
	c.get(somewhere).refused(http.StatusUnauthorized, "login")
	require.NotEqual(t, second.key, third.key)
	require.Len(t, gjson.Get(c.mustCLI(t, "keys", "show", c.keyID, "--json"), "secrets").Array(), 1)

	ended := third.with(gjson.Get(c.mustCLI(t, "keys", "rotate", c.keyID, "--grace", "2s", "--json"), "secret").Str)
	third.get(somewhere).ok(http.StatusOK)
	require.Eventually(t, func() bool { return third.get(somewhere).StatusCode == http.StatusUnauthorized }, 5*time.Second, 50*time.Millisecond,
		"a grace ends")
	ended.get(somewhere).ok(http.StatusOK)
}

// TestKeysAreChanged changes a key that is in use, by the command line of one
// node, and sees the change on both within a second.
func TestKeysAreChanged(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis})
		nodes := []*gateway{g}
		if redis != nil {
			nodes = append(nodes, startGateway(t, options{redis: redis, hospitals: g.Hospitals}))
		}
		c := g.newClient(t, "e2e")
		everywhere := func(check func(answer)) {
			t.Helper()
			time.Sleep(soon)
			for _, node := range nodes {
				check((&client{gateway: node, t: t, key: c.key}).get(somewhere))
			}
		}
		works := func(a answer) { a.ok(http.StatusOK) }
		everywhere(works)
		g.mustCLI(t, "keys", "update", c.keyID, "--allow-from", "192.0.2.0/24", "--allow-from", "2001:db8::7")
		everywhere(func(a answer) { a.refused(http.StatusForbidden, "forbidden") })
		require.Contains(t, g.mustCLI(t, "keys", "show", c.keyID), "allowed from 192.0.2.0/24, 2001:db8::7")
		g.mustCLI(t, "keys", "update", c.keyID, "--allow-from", "127.0.0.0/8", "--allow-from", "::1")
		everywhere(works)

		g.mustCLI(t, "keys", "update", c.keyID, "--expires-in", "2s")
		time.Sleep(2 * time.Second)
		everywhere(func(a answer) { a.refused(http.StatusUnauthorized, "expired") })
		out, err := g.cli(t, "keys", "update", c.keyID, "--expires-in", "1h")
		require.Error(t, err)
		require.Contains(t, out, "the key has expired")
	})
}

// TestGuessing tries unknown keys: they are slowed down on the node that they
// are tried at, while a consumer at the same address goes on, and are seen.
func TestGuessing(t *testing.T) {
	g := startGateway(t, options{})
	c, cold := g.newClient(t, "e2e"), g.newClient(t, "e2e")
	c.get(somewhere).ok(http.StatusOK)
	guess := func(n int) answer { return c.with(fmt.Sprintf("fg_%043d", n)).get(somewhere) }
	refusals := 0
	for n := range 60 {
		if a := guess(n); a.StatusCode == http.StatusTooManyRequests {
			refusals++
			a.refused(http.StatusTooManyRequests, "throttled")
			require.NotEmpty(t, a.Header.Get("Retry-After"))
		} else {
			a.refused(http.StatusUnauthorized, "login")
		}
		c.get(somewhere).ok(http.StatusOK)
	}
	require.Positive(t, refusals)
	require.Equal(t, http.StatusTooManyRequests, cold.get(somewhere).StatusCode, "whoever was not known before cannot be told from who guesses")
	require.Contains(t, g.output(), "credentials are being guessed")
	require.NotContains(t, g.output(), "fg_000")
	require.Eventually(t, func() bool { return cold.get(somewhere).StatusCode == http.StatusOK }, 30*time.Second, 200*time.Millisecond,
		"a moment later it is looked at")
}

// TestRestart stops a gateway in good order, and kills it the moment that the
// command line has said that a key is made, or revoked.
func TestRestart(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis})
		kept, revoked := g.newClient(t, "e2e"), g.newClient(t, "e2e")
		g.mustCLI(t, "keys", "revoke", revoked.keyID)
		page := kept.get("/fhir/harbor/Patient?_count=20").ok(http.StatusOK)
		g.stopCleanly()

		again := func(old *gateway) *gateway {
			return startGateway(t, options{redis: redis, dir: old.dir, hospitals: old.Hospitals, settings: map[string]any{"public_url": old.url}})
		}
		// at sends a client's calls to the newest gateway.
		at := func(g *gateway, c *client) *client { return &client{gateway: g, t: t, key: c.key, keyID: c.keyID} }

		g2 := again(g)
		at(g2, kept).get(somewhere).ok(http.StatusOK)
		used := gjson.Get(g2.mustCLI(t, "keys", "show", kept.keyID, "--json"), "last_used")
		require.WithinDuration(t, time.Now(), used.Time(), 2*time.Minute, "a gateway that stops writes down when its keys were used")
		at(g2, revoked).get(somewhere).refused(http.StatusUnauthorized, "login")
		link := strings.Replace(next(page), g.url, g2.url, 1)
		at(g2, kept).get(link).ok(http.StatusOK)

		made := g2.newClient(t, "e2e")
		g2.crash()
		g3 := again(g2)
		at(g3, made).get(somewhere).ok(http.StatusOK)
		at(g3, kept).get(somewhere).ok(http.StatusOK)
		at(g3, revoked).get(somewhere).refused(http.StatusUnauthorized, "login")

		g3.mustCLI(t, "keys", "revoke", kept.keyID)
		g3.crash()
		g4 := again(g3)
		at(g4, kept).get(somewhere).refused(http.StatusUnauthorized, "login")
		at(g4, made).get(somewhere).ok(http.StatusOK)
		require.Contains(t, g4.mustCLI(t, "keys", "list"), "revoked")
		g4.stopCleanly()
		require.Empty(t, g4.storedKey(t, redis, kept.keyID), "nothing is left of a revoked key's session")
	})
}

// storedKey returns the names of the sessions in the store of a stopped
// gateway that belong to the secrets of a key.
func (g *gateway) storedKey(t *testing.T, shared *redisServer, id string) []string {
	t.Helper()
	var db redis.UniversalClient
	if shared != nil {
		db = shared.client
	} else {
		opened, err := store.Open(t.Context(), store.Options{Dir: filepath.Join(g.file("data"), "store")})
		require.NoError(t, err)
		defer opened.Close()
		db = opened.Client()
	}
	record, err := db.Get(t.Context(), "fhirgate:key:"+id).Result()
	require.NoError(t, err)
	var found []string
	for _, hash := range gjson.Get(record, "secrets.#.hash").Array() {
		require.Len(t, hash.Str, 64)
		n, err := db.Exists(t.Context(), "fhirgate:revoked:"+hash.Str).Result()
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "a revoked secret has a tombstone")
		name := "apikey-" + hash.Str
		n, err = db.Exists(t.Context(), name).Result()
		require.NoError(t, err)
		if n > 0 {
			found = append(found, name)
		}
	}
	return found
}
