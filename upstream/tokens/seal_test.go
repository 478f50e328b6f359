package tokens

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNothingReadableInRedis(t *testing.T) {
	onEach(t, func(t *testing.T, b backend) {
		client := b.dial(t)
		heard := client.Subscribe(t.Context(), dropped)
		defer heard.Close()
		_, err := heard.Receive(t.Context())
		require.NoError(t, err)

		c := newNode(t, b.dial(t))
		secret := errors.New("secret-cause of pacs-client-4711")
		broken := saintMary
		broken.Key = "broken-key"
		_, err = c.Get(t.Context(), broken, "", func(context.Context) (Token, error) { return Token{}, secret })
		require.ErrorIs(t, err, secret)

		e := &endpoint{life: time.Hour}
		get(t, c, e, "", "token-1")
		get(t, c, e, "token-1", "token-2")
		message, err := heard.ReceiveMessage(t.Context())
		require.NoError(t, err)

		slow := &endpoint{delay: time.Minute}
		locked := saintMary
		locked.Key = "locked-key"
		go c.Get(context.Background(), locked, "", slow.fetch)
		require.Eventually(t, func() bool { return slow.calls.Load() == 1 }, 5*time.Second, time.Millisecond)

		dump := dumpAll(t, client) + message.Payload
		assert.GreaterOrEqual(t, strings.Count(dump, KeyPrefix), 4, "value, lock, failure, attempts")
		for _, clear := range []string{
			"token-1", "token-2", "Bearer", "st-mary", "pacs", "system", "Patient", "locked-key", "broken-key", "secret", "log in", "replacement",
		} {
			assert.NotContains(t, dump, clear)
			assert.NotContains(t, dump, base64.RawURLEncoding.EncodeToString([]byte(clear))[:len(clear)])
		}
	})
}

// dumpAll returns all keys and their values.
func dumpAll(t testing.TB, client redis.UniversalClient) string {
	t.Helper()
	var all strings.Builder
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		value, err := client.Get(t.Context(), key).Result()
		require.NoError(t, err)
		all.WriteString(key + "=" + value + "\n")
	}
	return all.String()
}

func TestTamperedOrMovedValueIsRefetched(t *testing.T) {
	const life = time.Hour
	other := saintMary
	other.Client = "another client"
	for name, tamper := range map[string]func(own, others string) string{
		"changed text":        func(own, _ string) string { return own[:len(own)-4] + "AAAA" },
		"changed version":     func(own, _ string) string { return "0" + own[1:] }, // no version has a 0
		"of another identity": func(_, others string) string { return others },
		"cut off":             func(own, _ string) string { return own[:len(own)/2] },
		"not sealed":          func(string, string) string { return `v1 {"value":"evil"}` },
		"no version":          func(own, _ string) string { return " " + strings.Fields(own)[1] },
		"empty":               func(string, string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			b := startRedis(t)
			client := b.dial(t)
			e := &endpoint{life: life}
			one := newNode(t, b.dial(t))
			get(t, one, e, "", "token-1")
			_, err := one.Get(t.Context(), other, "", e.fetch)
			require.NoError(t, err)
			key := one.entry(saintMary).value()
			own, others := client.Get(t.Context(), key).Val(), client.Get(t.Context(), one.entry(other).value()).Val()
			require.NoError(t, client.Set(t.Context(), key, tamper(own, others), life).Err())

			var told reports
			two := newNode(t, b.dial(t), told.option())
			get(t, two, e, "", "token-3")
			if name != "no version" && name != "empty" {
				assert.ErrorIs(t, told.all(), ErrSealed)
			}
			get(t, newNode(t, b.dial(t)), e, "", "token-3")
			assert.EqualValues(t, 3, e.calls.Load())
		})
	}
}

func TestTamperedFailureIsIgnored(t *testing.T) {
	b := startRedis(t)
	client := b.dial(t)
	var told reports
	c := newNode(t, b.dial(t), told.option())
	require.NoError(t, client.Set(t.Context(), c.entry(saintMary).failing(), "v1 evil", time.Hour).Err())
	get(t, c, &endpoint{}, "", "token-1")
	assert.ErrorIs(t, told.all(), ErrSealed)
}

func TestFailureIsNoToken(t *testing.T) {
	s, err := newSealer(keySet("k1"))
	require.NoError(t, err)
	text, err := s.seal("failure", "name", "v1", failure{Text: "text"})
	require.NoError(t, err)
	var r record
	assert.ErrorIs(t, s.open(text, "token", "name", "v1", &r), ErrSealed)
	assert.ErrorIs(t, s.open(text, "failure", "name", "v2", &r), ErrSealed)
	assert.ErrorIs(t, s.open(text, "failure", "eman", "v1", &r), ErrSealed)
	assert.NoError(t, s.open(text, "failure", "name", "v1", &r))
}

func TestKeyRotation(t *testing.T) {
	b := startRedis(t)
	e := &endpoint{life: time.Hour}
	get(t, newNodeWith(t, b.dial(t), keySet("2026a")), e, "", "token-1")
	get(t, newNodeWith(t, b.dial(t), keySet("2026a", "2026b")), e, "", "token-1")
	both := newNodeWith(t, b.dial(t), keySet("2026b", "2026a"))
	get(t, both, e, "", "token-1")
	get(t, both, e, "token-1", "token-2")
	get(t, newNodeWith(t, b.dial(t), keySet("2026a", "2026b")), e, "", "token-2")
	assert.EqualValues(t, 2, e.calls.Load(), "no step but the last costs a fetch")
	get(t, newNodeWith(t, b.dial(t), keySet("2026b")), e, "", "token-3")
}

func TestWrongKey(t *testing.T) {
	b := startRedis(t)
	e := &endpoint{life: time.Hour}
	get(t, newNodeWith(t, b.dial(t), keySet("a")), e, "", "token-1")
	get(t, newNodeWith(t, b.dial(t), keySet("b")), e, "", "token-2")

	get(t, newNodeWith(t, b.dial(t), keySet("c", "a")), e, "token-1", "token-3")
	var told reports
	get(t, newNodeWith(t, b.dial(t), keySet("a"), told.option()), e, "", "token-4")
	assert.ErrorIs(t, told.all(), ErrSealed)
	assert.ErrorContains(t, told.all(), "unknown key")

	forged := keySet("a")
	forged.Keys[0].Key = []byte("0123456789abcdef0123456789abcdef")
	s, err := newSealer(forged)
	require.NoError(t, err)
	text, err := s.seal("token", "n", "v", record{})
	require.NoError(t, err)
	right, err := newSealer(keySet("a"))
	require.NoError(t, err)
	assert.ErrorIs(t, right.open(text, "token", "n", "v", &record{}), ErrSealed)
}

func FuzzOpen(f *testing.F) {
	s, err := newSealer(keySet("k1"))
	require.NoError(f, err)
	text, err := s.seal("token", "name", "v1", record{Value: "t"})
	require.NoError(f, err)
	f.Add(text)
	f.Add("")
	f.Add("a.b.c.d.e")
	f.Fuzz(func(t *testing.T, other string) {
		var r record
		if s.open(other, "token", "name", "v1", &r) == nil && r.Value != "t" {
			t.Errorf("opened what was never sealed")
		}
	})
}
