package keys

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/gateway/engine"
)

// guessing is a world whose node slows guesses down, with the log of that.
type guessing struct {
	*world
	guesses *Guesses
	log     bytes.Buffer
	counted map[facade.Way]int
}

func newGuessing(t *testing.T) *guessing {
	g := &guessing{world: newWorld(t), counted: make(map[facade.Way]int)}
	g.guesses = NewGuesses(slog.New(slog.NewJSONHandler(&g.log, nil)), func(way facade.Way) { g.counted[way]++ })
	g.guesses.now = func() time.Time { return g.now }
	g.node.guesses = g.guesses
	return g
}

var (
	attacker  = netip.MustParseAddr("192.0.2.66")
	neighbour = netip.MustParseAddr("192.0.2.67")
)

// guess tries a new unknown key.
func (g *guessing) guess(t *testing.T, from netip.Addr) error {
	t.Helper()
	_, err := g.node.Key(t.Context(), engine.NewToken(), from)
	require.Error(t, err)
	return err
}

func TestGuessingIsSlowed(t *testing.T) {
	g := newGuessing(t)
	_, known := g.create(t)
	_, cold := g.create(t)
	_, err := g.node.Key(t.Context(), known, attacker)
	require.NoError(t, err)
	for range freeGuesses {
		require.ErrorIs(t, g.guess(t, attacker), facade.ErrUnknownKey)
	}
	before := g.reads.Load()
	var slowed *facade.SlowedError
	require.ErrorAs(t, g.guess(t, attacker), &slowed)
	require.Equal(t, guessEvery, slowed.After)
	_, err = g.node.Key(t.Context(), cold, attacker)
	require.ErrorAs(t, err, &slowed, "right or wrong, it is not looked at")
	_, err = g.node.Key(t.Context(), "no key at all", attacker)
	require.ErrorAs(t, err, &slowed)
	require.Equal(t, before, g.reads.Load(), "nothing is asked of the store")

	_, err = g.node.Key(t.Context(), known, attacker)
	require.NoError(t, err, "who was known goes on")
	require.NoError(t, announce(t.Context(), g.keeper.redis))
	g.now = g.now.Add(freshness)
	_, err = g.node.Key(t.Context(), known, attacker)
	require.NoError(t, err, "also when it must be read again")
	require.Greater(t, g.reads.Load(), before+1)
	require.ErrorIs(t, g.guess(t, neighbour), facade.ErrUnknownKey)

	g.now = g.now.Add(4*guessEvery - freshness)
	for range 4 {
		require.ErrorIs(t, g.guess(t, attacker), facade.ErrUnknownKey)
	}
	require.ErrorAs(t, g.guess(t, attacker), &slowed)
	require.Equal(t, freeGuesses+1+4, g.counted[facade.WayKey])
}

func TestWhoseAddressIsNotKnownIsNotSlowed(t *testing.T) {
	g := newGuessing(t)
	for range 3 * freeGuesses {
		require.ErrorIs(t, g.guess(t, netip.Addr{}), facade.ErrUnknownKey)
	}
	g.node.guesses = nil
	for range 3 * freeGuesses {
		require.ErrorIs(t, g.guess(t, attacker), facade.ErrUnknownKey)
	}
}

// A consumer whose key was revoked goes on calling, and shuts nobody out.
func TestOneWrongKeyAgainAndAgain(t *testing.T) {
	g := newGuessing(t)
	key, secret := g.create(t)
	_, cold := g.create(t)
	_, err := g.keeper.Revoke(t.Context(), key.ID)
	require.NoError(t, err)
	for range 10 * freeGuesses {
		_, err := g.node.Key(t.Context(), secret, attacker)
		require.ErrorIs(t, err, facade.ErrUnknownKey)
	}
	_, err = g.node.Key(t.Context(), cold, attacker)
	require.NoError(t, err)
}

// A server that calls for many people shows many tokens that have ended, and shuts
// nobody out.
func TestATokenThatWasGoodIsNoGuess(t *testing.T) {
	g := newGuessing(t)
	_, cold := g.create(t)
	for range 3 * freeGuesses {
		_, err := g.node.Verified(t.Context(), engine.NewToken(), attacker, func(context.Context) (*facade.Consumer, time.Time, error) {
			return nil, time.Time{}, fmt.Errorf("%w: %w", facade.ErrUnknownKey, facade.ErrEnded)
		})
		require.ErrorIs(t, err, facade.ErrUnknownKey)
	}
	_, err := g.node.Key(t.Context(), cold, attacker)
	require.NoError(t, err)
	require.Empty(t, g.counted)
}

// Each way in is counted, in one bucket.
func TestEveryWayIsSlowed(t *testing.T) {
	g := newGuessing(t)
	ctx := t.Context()
	client, _, err := g.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindClient, WithSecret: true})
	require.NoError(t, err)
	ways := map[string]func() error{
		"key":       func() error { return g.guess(t, attacker) },
		"malformed": func() error { _, err := g.node.Key(ctx, "x", attacker); return err },
		"client secret": func() error {
			_, err := g.node.ClientSecret(ctx, client.ID, engine.NewToken(), attacker)
			return err
		},
		"client without form": func() error { _, err := g.node.ClientSecret(ctx, "key_*", "x", attacker); return err },
		"certificate": func() error {
			_, err := g.node.Certificate(ctx, engine.KeyHash(engine.NewToken()), attacker)
			return err
		},
		"token": func() error { return g.verify(t, engine.NewToken(), attacker, facade.ErrUnknownKey) },
	}
	for range 4 { // 24 in all
		for _, try := range ways {
			_ = try()
		}
	}
	for name, try := range ways {
		var slowed *facade.SlowedError
		require.ErrorAs(t, try(), &slowed, name)
	}
	require.Equal(t, freeGuesses, g.counted[facade.WayKey]+g.counted[facade.WayToken]+g.counted[facade.WayCertificate])
}

func TestAddressesThatAreOneHost(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.66":         "192.0.2.66/32",
		"::ffff:192.0.2.66":  "192.0.2.66/32",
		"2001:db8:1:2:3::9":  "2001:db8:1:2::/64",
		"2001:db8:1:2:ff::1": "2001:db8:1:2::/64",
		"fe80::1%eth0":       "fe80::/64",
	} {
		require.Equal(t, want, host(netip.MustParseAddr(text)).String())
	}
}

// Guesses that are under way at once are a debt; it is bounded.
func TestManyGuessesAtOnce(t *testing.T) {
	g := newGuessing(t)
	for range 10 * maxDebt {
		g.guesses.Failed(attacker, facade.WayKey)
	}
	after, slowed := g.guesses.Slowed(attacker)
	require.True(t, slowed)
	require.Equal(t, (maxDebt+1)*guessEvery, after)
	g.now = g.now.Add(after)
	_, slowed = g.guesses.Slowed(attacker)
	require.False(t, slowed)
}

func TestManyAddresses(t *testing.T) {
	g := newGuessing(t)
	g.guesses.counted = nil
	var group sync.WaitGroup
	for first := range 4 {
		group.Go(func() {
			for n := range maxAddresses / 2 {
				from := netip.AddrFrom4([4]byte{10, byte(first), byte(n >> 8), byte(n)})
				g.guesses.Slowed(from)
				g.guesses.wrongOne(from, facade.WayKey, [32]byte{byte(n)})
			}
		})
	}
	group.Wait()
	require.Equal(t, maxAddresses, g.guesses.wrong.Len())
}

// An address is warned of once a minute, with how often it has tried; one that
// mistypes is not.
func TestGuessingIsSeen(t *testing.T) {
	g := newGuessing(t)
	for range freeGuesses - 1 {
		_ = g.guess(t, attacker)
	}
	require.Empty(t, g.log.String())
	for range 30 {
		_ = g.guess(t, attacker)
	}
	g.now = g.now.Add(warnEvery)
	for range 40 {
		_ = g.guess(t, attacker)
	}
	lines := strings.Split(strings.TrimSpace(g.log.String()), "\n")
	require.Len(t, lines, 2, g.log.String())
	for n, count := range []int{freeGuesses, 29 + freeGuesses} {
		var line struct {
			Level, Msg, Address string
			Count               int
		}
		require.NoError(t, json.Unmarshal([]byte(lines[n]), &line))
		require.Equal(t, "WARN", line.Level)
		require.Equal(t, "credentials are being guessed", line.Msg)
		require.Equal(t, attacker.String(), line.Address)
		require.Equal(t, count, line.Count)
	}
}
