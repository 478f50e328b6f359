package tokens

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"
)

const (
	defaultFetchTimeout = 15 * time.Second
	leaseBeyondTimeout  = 5 * time.Second
	// maxEntries bounds the tokens in memory.
	maxEntries = 4096
	// maxFlights bounds how often a caller asks for what is not the refused
	// token. One that joined the flight of callers who did not know of the
	// refusal asks twice.
	maxFlights = 4
)

// Identity is what a token is issued for: the hospital's token endpoint or
// issuer, the client, the scope asked for (joined by spaces), and what tells
// the credential apart from an older one, such as a key's kid or thumbprint.
// Equal identities share a token.
type Identity struct{ Issuer, Client, Scope, Key string }

// Token is an access token. Value must not be empty. Scope is the granted one,
// as the token endpoint said. Expires zero means that it did not say: the token
// then lives for a minute.
type Token struct {
	Value, Type, Scope string
	Expires            time.Time
}

// Fetch calls the token endpoint once. It must return when ctx ends. Its error
// is remembered and told to other callers and nodes: a *fhir.Error in its chain
// with status, code, text and least pause (RetryAfter, up to 10 min), any other
// error as a 502 that says no more. Causes never leave the process. See
// [ErrPermanent].
type Fetch func(ctx context.Context) (Token, error)

// Cache shares tokens between all callers of all nodes. It is safe for
// concurrent use.
type Cache struct {
	client  redis.UniversalClient
	sealer  *sealer
	onError func(error)
	timeout time.Duration // of a fetch
	lease   time.Duration

	flights  singleflight.Group
	awayTill atomic.Int64 // Unix nanoseconds until which Redis is not asked

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup

	mu      sync.RWMutex
	closed  bool
	entries map[Identity]*entry
}

// entry is what this process knows of an identity.
type entry struct {
	name    string
	held    atomic.Pointer[held]
	failure atomic.Pointer[remembered]
}

// Option changes a Cache.
type Option func(*Cache)

// OnError sets who is told of what no caller sees: that Redis does not answer,
// that a value in it does not open ([ErrSealed]), or that a refresh ahead of
// expiry failed. It is called from many goroutines and must not block. Errors
// hold no token, client or scope, but may name the address of Redis. The
// default ignores them.
func OnError(f func(error)) Option { return func(c *Cache) { c.onError = f } }

// FetchTimeout bounds a call of the token endpoint; default 15 s.
func FetchTimeout(d time.Duration) Option { return func(c *Cache) { c.timeout = d } }

// Lease sets how long a node that died keeps the others from fetching; default
// 5 s above the fetch timeout. A node at work extends its lease every third of it.
func Lease(d time.Duration) Option { return func(c *Cache) { c.lease = d } }

// New returns a cache on client, which must outlive it. Each key must be a
// symmetric JWK ("oct") of 32 bytes with a kid of its own, the active one first.
func New(client redis.UniversalClient, keys jose.JSONWebKeySet, options ...Option) (*Cache, error) {
	sealer, err := newSealer(keys)
	if err != nil {
		return nil, err
	}
	c := &Cache{
		client:  client,
		sealer:  sealer,
		onError: func(error) {},
		timeout: defaultFetchTimeout,
		entries: make(map[Identity]*entry),
	}
	for _, option := range options {
		option(c)
	}
	if c.lease == 0 {
		c.lease = c.timeout + leaseBeyondTimeout
	}
	if c.timeout <= 0 || c.lease < 3*time.Millisecond {
		return nil, fmt.Errorf("a fetch timeout of %v and a lease of %v cannot be", c.timeout, c.lease)
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.work.Add(1)
	go c.listen()
	return c, nil
}

// Close ends fetches and refreshes under way and waits for them. Tokens in
// memory stay usable.
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.work.Wait()
}

// begin announces work that Close waits for, or reports that it is too late.
func (c *Cache) begin() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.closed {
		c.work.Add(1)
	}
	return !c.closed
}

// Get returns the token of id: from memory, else from Redis, else by fetch,
// which one caller of all nodes does while the others wait for it or for ctx.
// A token that is near its end and asked for is renewed in the background.
//
// stale is "" or the value that the hospital just refused: it is dropped on all
// nodes if it is still the current one, and one fresh token is fetched.
//
// Errors are the cause of ctx, ErrClosed, or *fhir.Error: the fetch's own, or
// while that is remembered one that wraps [ErrRemembered] and tells in
// RetryAfter when the token endpoint will be asked again.
func (c *Cache) Get(ctx context.Context, id Identity, stale string, fetch Fetch) (Token, error) {
	e := c.entry(id)
	h := e.held.Load()
	if stale == "" && h != nil && h.dropped.Load() {
		stale = h.token.Value
	}
	for range maxFlights {
		now := time.Now()
		if h.serves(now, stale) {
			if h.claim(now) {
				c.renew(ctx, e, h, fetch)
			}
			return h.token, nil
		}
		if h.refused(stale) && !h.settled(now) {
			return Token{}, refusedAgain(h.obtained.Add(refusalPause).Sub(now))
		}
		if f := e.failure.Load(); f.lasts(now) {
			return Token{}, f.err(now)
		}
		select {
		case r := <-c.fly(ctx, e, job{old: h, stale: stale, fetch: fetch}):
			if r.Err != nil {
				return Token{}, r.Err
			}
			h = r.Val.(*held)
		case <-ctx.Done():
			return Token{}, context.Cause(ctx)
		}
	}
	return Token{}, refusedAgain(transientFirst)
}

// Drop notes that the hospital refused a value, for a caller who needs no other
// now: when it is the current one, the next Get replaces it as if it were stale.
func (c *Cache) Drop(id Identity, value string) {
	if h := c.entry(id).held.Load(); h.refused(value) && h.settled(time.Now()) {
		h.dropped.Store(true)
	}
}

// renew replaces h in the background.
func (c *Cache) renew(ctx context.Context, e *entry, h *held, fetch Fetch) {
	if !c.begin() {
		return
	}
	result := c.fly(ctx, e, job{old: h, fetch: fetch})
	go func() {
		defer c.work.Done()
		r := <-result
		if r.Err == nil || errors.Is(r.Err, ErrClosed) {
			return
		}
		again := time.Now().Add(transientFirst)
		if f := e.failure.Load(); f.lasts(again) {
			again = f.until
		}
		h.postpone(again)
		c.onError(fmt.Errorf("refresh ahead of expiry: %w", r.Err))
	}()
}

// entry returns what is known of id, and makes room for it when it is new.
func (c *Cache) entry(id Identity) *entry {
	c.mu.RLock()
	e, ok := c.entries[id]
	c.mu.RUnlock()
	if ok {
		return e
	}
	e = &entry{name: c.sealer.name(id)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.entries[id]; ok {
		return known
	}
	if len(c.entries) >= maxEntries {
		c.evict()
	}
	c.entries[id] = e
	return e
}

// evict removes what serves nobody, and when that is not enough any quarter of
// the rest: the tokens are still in Redis.
func (c *Cache) evict() {
	now := time.Now()
	for id, e := range c.entries {
		if !e.held.Load().serves(now, "") && !e.failure.Load().lasts(now) {
			delete(c.entries, id)
		}
	}
	for id := range c.entries {
		if len(c.entries) <= maxEntries*3/4 {
			return
		}
		delete(c.entries, id)
	}
}
