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

const (
	// freshness is how long a node trusts that no key was changed: half of the
	// second within which a revocation must hold on every node.
	freshness = 500 * time.Millisecond
	// memory is how long a key is remembered while none was changed.
	memory = 10 * time.Second
	// sweepAbove is the number of remembered keys above which stale ones are
	// dropped.
	sweepAbove = 10_000
)

// Directory finds the consumer of a secret. It asks Redis twice a second at
// most whether any key was changed, which is one word for all keys (the
// edition), and reads a key again when one was, or after a while. It remembers
// nothing of secrets that are not known.
type Directory struct {
	redis  redis.UniversalClient
	now    func() time.Time
	flight singleflight.Group

	mu      sync.RWMutex
	known   map[string]remembered // by hash
	edition string                // the last one read,
	asked   time.Time             // and when it was asked for
}

type remembered struct {
	consumer *facade.Consumer
	edition  string // read before the key was
	until    time.Time
}

// NewDirectory returns a Directory of the keys in client.
func NewDirectory(client redis.UniversalClient) *Directory {
	return &Directory{redis: client, now: time.Now, known: make(map[string]remembered)}
}

// Lookup implements facade.Keys.
func (d *Directory) Lookup(ctx context.Context, token string) (*facade.Consumer, error) {
	if !engine.ValidToken(token) {
		return nil, facade.ErrUnknownKey
	}
	hash := engine.KeyHash(token)
	consumer, current := d.recall(hash)
	if consumer != nil && !current {
		if _, err, _ := d.flight.Do("", func() (any, error) { return nil, d.check(context.WithoutCancel(ctx)) }); err != nil {
			return nil, err
		}
		consumer, current = d.recall(hash)
	}
	if consumer != nil && current {
		return consumer, nil
	}
	found, err, _ := d.flight.Do(hash, func() (any, error) { return d.read(context.WithoutCancel(ctx), hash) })
	if err != nil {
		return nil, err
	}
	return found.(*facade.Consumer), nil
}

// recall returns what is remembered of a secret, nil when it must be read, and
// whether the edition is fresh enough to trust it.
func (d *Directory) recall(hash string) (consumer *facade.Consumer, current bool) {
	now := d.now()
	d.mu.RLock()
	defer d.mu.RUnlock()
	entry, ok := d.known[hash]
	if !ok || entry.edition != d.edition || !now.Before(entry.until) {
		return nil, false
	}
	return entry.consumer, now.Before(d.asked.Add(freshness))
}

// readTimeout bounds what a lookup asks of Redis: what it was told at first must
// not be older than the second within which a revocation holds.
const readTimeout = time.Second

// check reads the edition.
func (d *Directory) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	asked := d.now()
	edition, err := d.redis.Get(ctx, editionName).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("reading the edition of the keys: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.learn(edition, asked)
	return nil
}

// learn notes an edition, unless a later one is known. d.mu is held.
func (d *Directory) learn(edition string, asked time.Time) {
	if asked.After(d.asked) {
		d.edition, d.asked = edition, asked
	}
}

// read asks Redis for the session and the tombstone of a secret, and first for
// the edition: a change that the others miss has another one.
func (d *Directory) read(ctx context.Context, hash string) (*facade.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	asked := d.now()
	edition, err := d.redis.Get(ctx, editionName).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("reading the edition of the keys: %w", err)
	}
	pipe := d.redis.Pipeline()
	session := pipe.Get(ctx, engine.KeyNameOfHash(hash))
	tombstone := pipe.Exists(ctx, revokedPrefix+hash)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	consumer, err := consumerOf(session, tombstone)
	if err == nil {
		err = d.alive(ctx, consumer.KeyID)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.learn(edition, asked)
	if err != nil {
		delete(d.known, hash)
		return nil, err
	}
	if len(d.known) >= sweepAbove {
		d.sweep(asked)
	}
	d.known[hash] = remembered{consumer, edition, asked.Add(memory)}
	return consumer, nil
}

// alive returns facade.ErrUnknownKey when the key of an id was revoked: that holds
// for all of its secrets, also for those that its record does not know.
func (d *Directory) alive(ctx context.Context, id string) error {
	n, err := d.redis.Exists(ctx, revokedPrefix+id).Result()
	if err != nil {
		return fmt.Errorf("reading a key: %w", err)
	}
	if n > 0 {
		return facade.ErrUnknownKey
	}
	return nil
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
		if entry.edition != d.edition || now.After(entry.until) {
			delete(d.known, hash)
		}
	}
}
