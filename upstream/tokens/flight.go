package tokens

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/sync/singleflight"

	"fhirgate/fhir"
)

// job is a request for a token: old is what memory held, which does not do, and
// stale what the hospital refused.
type job struct {
	old   *held
	stale string
	fetch Fetch
}

// fly does the job once for all callers of this process that need e's token
// now. It goes on when its callers leave.
func (c *Cache) fly(ctx context.Context, e *entry, j job) <-chan singleflight.Result {
	return c.flights.DoChan(e.name, func() (any, error) {
		if !c.begin() {
			return nil, ErrClosed
		}
		defer c.work.Done()
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		defer context.AfterFunc(c.ctx, cancel)()
		h, err := c.obtain(ctx, e, j)
		if c.ctx.Err() != nil && err != nil {
			return nil, ErrClosed
		}
		return h, err
	})
}

// obtain gets a token from Redis, from the node that is fetching one, or from
// the token endpoint.
func (c *Cache) obtain(ctx context.Context, e *entry, j job) (*held, error) {
	if h := e.held.Load(); h != j.old && h.serves(time.Now(), j.stale) {
		return h, nil // another flight has brought it meanwhile
	}
	claim := claim{entry: e, owner: newOwner()}
	if j.old != nil {
		claim.version = j.old.version
		claim.drop = j.old.refused(j.stale)
	}
	if claim.drop {
		e.held.CompareAndSwap(j.old, nil)
	}
	patience := time.Now().Add(c.timeout + c.lease)
	for pause := pollFirst; time.Now().Before(patience); {
		state, err := c.acquire(ctx, claim)
		if ctx.Err() != nil {
			c.giveUp(ctx, claim) // Redis may have granted the lock to a caller that no longer listened
			return nil, ctx.Err()
		}
		if err != nil {
			return c.lead(ctx, e, j, claim, false)
		}
		switch state.kind {
		case "value":
			h := c.openValue(e.name, state.value)
			if h.serves(time.Now(), j.stale) || h.refused(j.stale) && !h.settled(time.Now()) {
				return e.keep(h), nil
			}
			claim.version, claim.drop = versionOf(state.value), h.refused(j.stale)
		case "failure":
			if f := c.openFailure(e.name, state.value, state.rest); f != nil {
				e.failure.Store(f)
				return nil, f.err(time.Now())
			}
			c.forgetFailure(ctx, e)
		case "lead":
			return c.lead(ctx, e, j, claim, true)
		default: // another is at work
			if !sleep(ctx, pause/2+rand.N(pause)) { //nolint:gosec // jitter
				return nil, ctx.Err()
			}
			pause = min(pause*3/2, pollMost)
		}
	}
	return nil, fhir.NewError(http.StatusGatewayTimeout, fhir.IssueTimeout, "the gateway's login to the hospital takes too long")
}

const (
	pollFirst = 20 * time.Millisecond
	pollMost  = 250 * time.Millisecond
)

// lead fetches, while the lock is claim's or Redis is away, and publishes the
// outcome.
func (c *Cache) lead(ctx context.Context, e *entry, j job, claim claim, locked bool) (*held, error) {
	release := c.keepLease(ctx, claim)
	h, err := c.fetch(ctx, j, claim.owner)
	release()
	if ctx.Err() != nil { // closing: this says nothing about the token endpoint
		c.giveUp(ctx, claim)
		return nil, ctx.Err()
	}
	if err != nil {
		e.failure.Store(c.fail(ctx, claim, err))
		return nil, tell(err)
	}
	current, stored := c.store(ctx, claim, h)
	switch {
	case stored:
		return e.keep(h), nil
	case current.serves(time.Now(), j.stale):
		return e.keep(current), nil
	case !locked:
		return e.keep(h), nil
	default:
		// The lock was lost, or the token forgotten in the meantime: good for
		// those who wait, but not kept.
		return h, nil
	}
}

// fetch calls the token endpoint and checks what it says.
func (c *Cache) fetch(ctx context.Context, j job, version string) (*held, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	began := time.Now()
	token, err := j.fetch(ctx)
	if err != nil {
		return nil, err
	}
	if token.Value == "" {
		return nil, errors.New("the token endpoint's answer holds no token")
	}
	h := hold(token, version, began, j.stale != "")
	if !h.serves(time.Now(), "") {
		return nil, errors.New("the token endpoint's token ended before it arrived")
	}
	return h, nil
}

// keepLease extends the lock until release is called.
func (c *Cache) keepLease(ctx context.Context, claim claim) (release func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(c.lease / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				c.extend(ctx, claim)
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// keep puts h in memory, and forgets that there was a failure.
func (e *entry) keep(h *held) *held {
	e.held.Store(h)
	e.failure.Store(nil)
	return h
}

// sleep waits for d, and reports whether ctx lasted so long.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
