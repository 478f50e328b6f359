package keys

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"

	"fhirgate/facade"
	"fhirgate/gateway/engine"
)

// freshness is how long a node trusts what it read of a key: half of the second
// within which a revocation must hold on every node.
const freshness = 500 * time.Millisecond

// sweepAbove is the number of remembered keys above which stale ones are
// dropped.
const sweepAbove = 10_000

// Directory finds the consumer of a secret. It reads a key from Redis at most
// twice a second, however often it is used, and remembers nothing of secrets
// that are not known.
type Directory struct {
	redis  redis.UniversalClient
	flight singleflight.Group

	mu    sync.RWMutex
	known map[string]remembered // by hash
}

type remembered struct {
	consumer *facade.Consumer
	until    time.Time
}

// NewDirectory returns a Directory of the keys in client.
func NewDirectory(client redis.UniversalClient) *Directory {
	return &Directory{redis: client, known: make(map[string]remembered)}
}

// Lookup implements facade.Keys.
func (d *Directory) Lookup(ctx context.Context, token string) (*facade.Consumer, error) {
	if !engine.ValidToken(token) {
		return nil, facade.ErrUnknownKey
	}
	hash := engine.KeyHash(token)
	d.mu.RLock()
	entry, ok := d.known[hash]
	d.mu.RUnlock()
	if ok && time.Now().Before(entry.until) {
		return entry.consumer, nil
	}
	found, err, _ := d.flight.Do(hash, func() (any, error) { return d.read(context.WithoutCancel(ctx), hash) })
	if err != nil {
		return nil, err
	}
	return found.(*facade.Consumer), nil
}

// read asks Redis for the session and the tombstone of a secret.
func (d *Directory) read(ctx context.Context, hash string) (*facade.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	asked := time.Now()
	pipe := d.redis.Pipeline()
	session := pipe.Get(ctx, engine.KeyNameOfHash(hash))
	tombstone := pipe.Exists(ctx, revokedPrefix+hash)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	consumer, err := consumerOf(session, tombstone)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		delete(d.known, hash)
		return nil, err
	}
	if len(d.known) >= sweepAbove {
		d.sweep(asked)
	}
	d.known[hash] = remembered{consumer, asked.Add(freshness)}
	return consumer, nil
}

func consumerOf(session *redis.StringCmd, tombstone *redis.IntCmd) (*facade.Consumer, error) {
	data, err := session.Bytes()
	if errors.Is(err, redis.Nil) || tombstone.Val() > 0 {
		return nil, facade.ErrUnknownKey
	}
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	s, err := engine.ParseSession(data)
	if err != nil {
		return nil, err
	}
	id, _ := s.Metadata[keyIDInSession].(string)
	if s.Inactive || id == "" || len(s.Policies) != 1 {
		return nil, facade.ErrUnknownKey // not one of ours, or blocked in Tyk
	}
	consumer := &facade.Consumer{KeyID: id, PlanID: s.Policies[0]}
	if s.Expires > 0 {
		consumer.Expires = time.Unix(s.Expires, 0)
	}
	return consumer, nil
}

// sweep drops what is stale. d.mu is held.
func (d *Directory) sweep(now time.Time) {
	for hash, entry := range d.known {
		if now.After(entry.until) {
			delete(d.known, hash)
		}
	}
}
