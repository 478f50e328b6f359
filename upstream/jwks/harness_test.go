package jwks

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-jose/go-jose/v4"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
)

// begin is a moment with a fraction, as real ones have.
var begin = time.Date(2026, 3, 7, 10, 0, 0, 700_000_000, time.UTC)

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: begin} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func (c *clock) pass(d time.Duration) { c.set(c.Now().Add(d)) }

// lab is a Redis with the nodes that a test opens on it.
type lab struct {
	t      *testing.T
	server *miniredis.Miniredis
	seal   jose.JSONWebKeySet
	clock  *clock
	log    bytes.Buffer
}

func newLab(t *testing.T) *lab {
	return &lab{t: t, server: miniredis.RunT(t), seal: envelope.NewSet(), clock: newClock()}
}

// node opens the rings as a node of its own.
func (l *lab) node(change ...func(*Options)) *Rings {
	l.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: l.server.Addr(), MaxRetries: -1})
	l.t.Cleanup(func() { _ = client.Close() })
	o := Options{Redis: client, SealKeys: l.seal, Now: l.clock.Now, Log: slog.New(slog.NewTextHandler(&l.log, nil))}
	for _, f := range change {
		f(&o)
	}
	rings, err := Open(o)
	require.NoError(l.t, err)
	return rings
}

func create(t *testing.T, r *Rings, name string) Status {
	t.Helper()
	status, err := r.Create(t.Context(), New{Name: name, Alg: jose.ES256})
	require.NoError(t, err)
	return status
}

// signing returns the kid that signs.
func signing(t *testing.T, r *Rings, ring string) string {
	t.Helper()
	key, err := r.Signer(ring).SigningKey(t.Context())
	require.NoError(t, err)
	return key.Key.(jose.JSONWebKey).KeyID
}

// published returns the kids of a ring's set, or of all.
func published(t *testing.T, r *Rings, ring string) []string {
	t.Helper()
	data, _, err := r.Set(t.Context(), ring)
	require.NoError(t, err)
	kids := []string{}
	for _, key := range parseKeySet(t, data).Keys {
		kids = append(kids, key.KeyID)
	}
	return kids
}
