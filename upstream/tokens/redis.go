package tokens

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// KeyPrefix begins the name of every key and channel. These keys may be lost
// without harm: each token is then fetched once more.
const KeyPrefix = "token:"

const (
	// redisTimeout bounds one call of Redis.
	redisTimeout = 2 * time.Second
	// awayPause is how long Redis is not asked after it failed.
	awayPause = time.Second
)

var (
	//go:embed acquire.lua
	acquireSource string
	//go:embed lease.lua
	leaseSource string
	//go:embed store.lua
	storeSource string
	//go:embed fail.lua
	failSource string

	// The scripts are sent once and called by their hash from then on.
	acquireScript = redis.NewScript(acquireSource)
	leaseScript   = redis.NewScript(leaseSource)
	storeScript   = redis.NewScript(storeSource)
	failScript    = redis.NewScript(failSource)
)

func key(name, kind string) string { return KeyPrefix + "{" + name + "}:" + kind }

func (e *entry) value() string    { return key(e.name, "value") }
func (e *entry) lock() string     { return key(e.name, "lock") }
func (e *entry) failing() string  { return key(e.name, "failure") }
func (e *entry) attempts() string { return key(e.name, "attempts") }

// claim is an attempt to become the one who fetches e's token.
type claim struct {
	entry   *entry
	owner   string // of the lock, and version of the value that it may store
	version string // of the value that is to be replaced, "" for none
	drop    bool   // the version has been refused: delete it at once
}

func newOwner() string { return rand.Text() }

// answer is acquire.lua's.
type answer struct {
	kind  string // value, failure, lead or wait
	value string
	rest  time.Duration
}

// acquire asks for the token, or the right to fetch it.
func (c *Cache) acquire(ctx context.Context, a claim) (answer, error) {
	var got []any
	err := c.ask(ctx, func(ctx context.Context) (err error) {
		got, err = acquireScript.Run(ctx, c.client, []string{a.entry.value(), a.entry.lock(), a.entry.failing()},
			a.owner, c.lease.Milliseconds(), a.version, flag(a.drop)).Slice()
		return err
	})
	if err != nil {
		return answer{}, err
	}
	if len(got) != 4 {
		return answer{}, fmt.Errorf("acquire: %d values instead of 4", len(got))
	}
	var out answer
	out.kind, _ = got[0].(string)
	out.value, _ = got[1].(string)
	rest, _ := got[2].(int64)
	out.rest = time.Duration(rest) * time.Millisecond
	if deleted, _ := got[3].(int64); deleted == 1 {
		c.tellDropped(ctx, a.entry.name, a.version)
	}
	return out, nil
}

// extend makes the lease last anew.
func (c *Cache) extend(ctx context.Context, a claim) {
	_ = c.ask(ctx, func(ctx context.Context) error { // asked again soon
		return leaseScript.Run(ctx, c.client, []string{a.entry.lock()}, a.owner, c.lease.Milliseconds()).Err()
	})
}

// giveUp ends the lease, also when ctx has ended.
func (c *Cache) giveUp(ctx context.Context, a claim) {
	_ = c.ask(context.WithoutCancel(ctx), func(ctx context.Context) error { // else it ends by itself
		return leaseScript.Run(ctx, c.client, []string{a.entry.lock()}, a.owner, 0).Err()
	})
}

// store writes h if the lock is still a's, and ends the lease; or returns what
// is there instead, nil for nothing. When Redis does not answer h counts as
// stored: it is good, and nobody is known to have a newer one.
func (c *Cache) store(ctx context.Context, a claim, h *held) (current *held, stored bool) {
	e := a.entry
	sealed, err := c.sealer.seal("token", e.name, a.owner, h.record())
	if err != nil {
		c.onError(fmt.Errorf("seal a token: %w", err))
		c.giveUp(ctx, a)
		return nil, true
	}
	var got []any
	err = c.ask(ctx, func(ctx context.Context) (err error) {
		got, err = storeScript.Run(ctx, c.client, []string{e.value(), e.lock(), e.failing(), e.attempts()},
			a.owner, a.owner+" "+sealed, max(time.Until(h.until).Milliseconds(), 1)).Slice()
		return err
	})
	if err != nil || len(got) != 2 || got[0] == int64(1) {
		return nil, true
	}
	if value, _ := got[1].(string); value != "" {
		current = c.openValue(e.name, value)
	}
	return current, false
}

// fail remembers a fetch's error for all nodes and ends the lease, and returns
// what to remember here.
func (c *Cache) fail(ctx context.Context, a claim, err error) *remembered {
	e, now := a.entry, time.Now()
	f, least := describe(err)
	alone := f.after(e.failure.Load(), least, now)
	sealed, err := c.sealer.seal("failure", e.name, a.owner, f)
	if err != nil {
		c.onError(fmt.Errorf("seal a failure: %w", err))
		c.giveUp(ctx, a)
		return alone
	}
	first, most := f.pauses()
	var got []int64
	err = c.ask(ctx, func(ctx context.Context) (err error) {
		got, err = failScript.Run(ctx, c.client, []string{e.lock(), e.failing(), e.attempts()}, a.owner, a.owner+" "+sealed,
			first.Milliseconds(), most.Milliseconds(), least.Milliseconds(), attemptsMemory.Milliseconds()).Int64Slice()
		return err
	})
	if err != nil || len(got) != 2 || got[0] == 0 {
		return alone
	}
	return &remembered{failure: f, attempts: int(got[0]), until: now.Add(time.Duration(got[1]) * time.Millisecond)}
}

// openValue returns the token of a value in Redis, nil when it does not open.
func (c *Cache) openValue(name, value string) *held {
	version, sealed, _ := strings.Cut(value, " ")
	var r record
	if err := c.sealer.open(sealed, "token", name, version, &r); err != nil {
		c.onError(err)
		return nil
	}
	return r.hold(version)
}

// openFailure returns a failure in Redis that lasts for rest, nil when it does
// not open.
func (c *Cache) openFailure(name, value string, rest time.Duration) *remembered {
	version, sealed, _ := strings.Cut(value, " ")
	r := &remembered{attempts: 1, until: time.Now().Add(max(rest, time.Millisecond))}
	if err := c.sealer.open(sealed, "failure", name, version, &r.failure); err != nil {
		c.onError(err)
		return nil
	}
	return r
}

// forgetFailure removes a failure that does not open.
func (c *Cache) forgetFailure(ctx context.Context, e *entry) {
	_ = c.ask(ctx, func(ctx context.Context) error { return c.client.Del(ctx, e.failing()).Err() }) // acquire is next, and tells
}

func versionOf(value string) string {
	version, _, _ := strings.Cut(value, " ")
	return version
}

func flag(set bool) int {
	if set {
		return 1
	}
	return 0
}

// errAway is returned without a word to OnError, which heard of it already.
var errAway = fmt.Errorf("redis did not answer less than %v ago", awayPause)

// ask calls Redis, unless it failed a moment ago.
func (c *Cache) ask(ctx context.Context, call func(context.Context) error) error {
	if time.Now().UnixNano() < c.awayTill.Load() {
		return errAway
	}
	bounded, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	err := call(bounded)
	if err == nil || ctx.Err() != nil {
		return err
	}
	c.awayTill.Store(time.Now().Add(awayPause).UnixNano())
	err = fmt.Errorf("redis: %w", err)
	c.onError(err)
	return err
}
