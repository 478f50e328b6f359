package keys

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"

	"fhirgate/facade"
	"fhirgate/gateway/keys/record"
)

const (
	// freshness is how long a node trusts that nothing was changed: half of the
	// second within which a revocation must hold on every node.
	freshness = 500 * time.Millisecond
	// memory is how long a credential is remembered while nothing was changed.
	memory = 10 * time.Second
	// sweepAbove is the number of remembered credentials above which stale ones
	// are dropped.
	sweepAbove = 10_000
	// maxKnown is how many credentials are remembered at most: tokens that are
	// good, but never come again, must not fill the memory.
	maxKnown = 100_000
)

// Directory finds the consumer of a credential. It asks Redis twice a second at
// most whether anything was changed, which is one word for all consumers (the
// edition), and reads a credential again when something was, or after a while.
// It remembers nothing of credentials that are not known.
type Directory struct {
	redis   redis.UniversalClient
	now     func() time.Time
	guesses *Guesses
	used    used
	flight  singleflight.Group

	mu      sync.RWMutex
	known   map[name]*remembered
	sweepAt int       // number of credentials at which stale ones are dropped next
	edition string    // the last one read,
	asked   time.Time // and when it was asked for
}

// name is what is remembered of a credential instead of itself.
type name struct {
	what what
	sum  [sha256.Size]byte
}

// what tells credentials of different kinds apart.
type what byte

const (
	aSecret what = iota
	aClientSecret
	aCertificate
	aClient
	aSubject
	aToken
)

// way returns the way in that a credential is for.
func (w what) way() facade.Way {
	switch w {
	case aSecret:
		return facade.WayKey
	case aCertificate:
		return facade.WayCertificate
	default:
		return facade.WayToken
	}
}

// nameOf returns the name of a credential. It is on every call's way and puts
// nothing of a usual length on the heap.
func nameOf(w what, credential string) name {
	if len(credential) <= 64 {
		var short [64]byte
		return name{w, sha256.Sum256(short[:copy(short[:], credential)])}
	}
	var long [2048]byte
	return name{w, sha256.Sum256(append(long[:0], credential...))}
}

// finding is what a credential leads to.
type finding struct {
	id       string           // of the key
	key      *Key             // nil for a token
	consumer *facade.Consumer // nil where only the key is asked for
	ends     time.Time        // from then on it leads to nothing; zero = no such end
	changes  time.Time        // from then on it must be read again; zero = no such time
}

type remembered struct {
	finding
	edition string // read before the credential was
	until   time.Time
	noted   atomic.Int64 // minute at which its use was noted last
}

// Option is a choice that NewDirectory offers.
type Option func(*Directory)

// WithGuesses has a Directory slow down who tries unknown credentials.
func WithGuesses(g *Guesses) Option { return func(d *Directory) { d.guesses = g } }

// NewDirectory returns a Directory of the keys in client. Close it at the end.
func NewDirectory(client redis.UniversalClient, options ...Option) *Directory {
	d := &Directory{redis: client, now: time.Now, known: make(map[name]*remembered), sweepAt: sweepAbove}
	for _, option := range options {
		option(d)
	}
	d.used.redis = client
	return d
}

// Close writes down what is not yet of when keys were used.
func (d *Directory) Close(ctx context.Context) error { return d.used.close(ctx) }

// reader reads what a credential leads to.
type reader func(*Directory, context.Context, string) (finding, error)

// find returns what a credential leads to: what is remembered, or else what read
// says of arg.
func (d *Directory) find(ctx context.Context, n name, from netip.Addr, read reader, arg string) (*remembered, error) {
	if known, err := d.recent(ctx, n); known != nil || err != nil {
		return known, err
	}
	return d.look(ctx, n, from, func(ctx context.Context) (finding, error) { return read(d, ctx, arg) })
}

// recent returns what is remembered of a credential and still holds, nil for
// nothing.
func (d *Directory) recent(ctx context.Context, n name) (*remembered, error) {
	known, state := d.recall(n)
	if state == unsure {
		_, err, _ := d.flight.Do("", func() (any, error) {
			_, err := d.ask(context.WithoutCancel(ctx))
			return nil, err
		})
		if err != nil {
			return nil, err
		}
		known, state = d.recall(n)
	}
	if state != current {
		return nil, nil
	}
	return d.use(known)
}

// look reads what a credential leads to, once for calls at the same time. Of who
// guesses only what was good a while ago is looked at.
func (d *Directory) look(ctx context.Context, n name, from netip.Addr, read func(context.Context) (finding, error)) (*remembered, error) {
	if _, state := d.recall(n); state == unknown {
		if err := d.guesses.refuse(from); err != nil {
			return nil, err
		}
	}
	found, err, _ := d.flight.Do(string(n.sum[:])+string(rune(n.what)), func() (any, error) {
		return d.read(context.WithoutCancel(ctx), n, read)
	})
	if err != nil {
		if errors.Is(err, facade.ErrUnknownKey) && !errors.Is(err, facade.ErrEnded) {
			d.guesses.wrongOne(from, n.what.way(), n.sum)
		}
		return nil, err
	}
	return d.use(found.(*remembered))
}

// use notes once a minute that a credential is in use, unless it has ended.
func (d *Directory) use(known *remembered) (*remembered, error) {
	now := d.now()
	if record.Ended(known.ends, now) {
		return nil, facade.ErrUnknownKey // it was good once: no guess
	}
	minute := now.Unix() / 60
	if noted := known.noted.Load(); noted != minute && known.noted.CompareAndSwap(noted, minute) &&
		(known.consumer == nil || !record.Ended(known.consumer.Expires, now)) {
		d.used.note(known.id, now)
	}
	return known, nil
}

// state is how much what is remembered is worth.
type state byte

const (
	unknown state = iota // nothing is
	stale                // it must be read again
	unsure               // the edition must be asked for
	current
)

// recall returns what is remembered of a credential.
func (d *Directory) recall(n name) (*remembered, state) {
	now := d.now()
	d.mu.RLock()
	defer d.mu.RUnlock()
	entry := d.known[n]
	switch {
	case entry == nil:
		return nil, unknown
	case entry.edition != d.edition || !now.Before(entry.until):
		return nil, stale
	case !now.Before(d.asked.Add(freshness)):
		return entry, unsure
	default:
		return entry, current
	}
}

// readTimeout bounds what a lookup asks of Redis: what it was told at first must
// not be older than the second within which a revocation holds.
const readTimeout = time.Second

// latest returns the edition: the one known, if it is fresh.
func (d *Directory) latest(ctx context.Context, now time.Time) (string, error) {
	d.mu.RLock()
	edition, fresh := d.edition, now.Before(d.asked.Add(freshness))
	d.mu.RUnlock()
	if fresh {
		return edition, nil
	}
	return d.ask(ctx)
}

// readAttempts bounds how often a credential is read again that changes overtake.
const readAttempts = 3

var errOvertaken = errors.New("keys were changed while a credential was looked at")

// ask returns the edition and remembers it, unless a later one is known.
func (d *Directory) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	asked := d.now()
	edition, err := d.redis.Get(ctx, editionName).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("reading the edition of the keys: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if asked.After(d.asked) {
		d.edition, d.asked = edition, asked
	}
	return edition, nil
}

// read finds what a credential leads to, and remembers it under the edition of
// before: a change that the reading misses has another one. What took longer than
// a revocation may, and was overtaken by a change, is read again.
func (d *Directory) read(ctx context.Context, n name, read func(context.Context) (finding, error)) (*remembered, error) {
	asked := d.now()
	edition, err := d.latest(ctx, asked)
	if err != nil {
		return nil, err
	}
	found, err := read(ctx)
	for attempt := 1; err == nil && !d.now().Before(asked.Add(readTimeout)); attempt++ {
		before := edition
		asked = d.now()
		if edition, err = d.ask(ctx); err != nil || edition == before {
			break
		}
		if attempt == readAttempts {
			err = errOvertaken
			break
		}
		found, err = read(ctx)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if errors.Is(err, facade.ErrUnknownKey) {
		delete(d.known, n)
	}
	if err != nil {
		return nil, err
	}
	entry := &remembered{finding: found, edition: edition, until: earlier(asked.Add(memory), found.changes)}
	d.makeRoom(asked)
	d.known[n] = entry
	return entry, nil
}

// makeRoom drops from time to time what is stale, and a tenth of all when there is
// too much that is not. d.mu is held.
func (d *Directory) makeRoom(now time.Time) {
	if len(d.known) < d.sweepAt {
		return
	}
	for n, entry := range d.known {
		if entry.edition != d.edition || !now.Before(entry.until) {
			delete(d.known, n)
		}
	}
	if len(d.known) >= maxKnown {
		for n := range d.known {
			if len(d.known) <= maxKnown/10*9 {
				break
			}
			delete(d.known, n)
		}
	}
	d.sweepAt = min(max(sweepAbove, 2*len(d.known)), maxKnown)
}
