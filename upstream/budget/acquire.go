package budget

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"time"
)

const (
	// grace is how long after its turn a call keeps its place: Retry-After is
	// rounded up to a second, and the way back takes some time.
	grace = 2 * time.Second
	// stuck is how long a consumer counts as waiting for a call to end. It is more
	// than the longest poll.
	stuck = 500 * time.Millisecond
	// A call that waits for another to end asks again after firstPoll, then after
	// twice as long each time, up to lastPoll.
	firstPoll = 10 * time.Millisecond
	lastPoll  = 160 * time.Millisecond
	// mostAsking is how many calls of a node ask Redis at a time. The others wait in
	// this process, where they can leave.
	mostAsking = 32
	// maxLate is how many grants of a call may come too late, one after another.
	maxLate = 3
)

var errLate = errors.New("the store's answers come too late")

// Acquire takes one request from the budget for the consumer, and waits for its
// turn up to Limits.MaxWait. The consumer "" is the gateway itself: its calls for
// tokens have requests of their own in reserve. release ends the call; it must be
// called once the answer's body is read, and does nothing the second time.
//
// Errors are *fhir.Error: 429 with Retry-After when the turn is too far, 503 when
// Redis does not answer. When ctx ends first its cause is returned, and what
// was granted meanwhile is given back.
func (b *Budget) Acquire(ctx context.Context, consumer string) (release func(), err error) {
	c := &call{consumer: consumer, name: rand.Text() + " " + consumer}
	latest := time.Now().Add(b.limits.MaxWait)
	poll := firstPoll
	for {
		v, err := b.askInTime(ctx, c)
		if err != nil {
			return nil, err
		}
		if v.granted {
			return b.hold(c), nil
		}
		left := time.Until(latest)
		wait := v.wait
		if v.lacking == lacksConcurrency {
			wait, poll = min(poll, max(left, 0)), min(2*poll, lastPoll)
		}
		if left <= 0 || wait > left {
			return nil, refused(v)
		}
		if err := b.sleep(ctx, wait, v.lacking == lacksConcurrency); err != nil {
			go b.leave(ctx, c)
			return nil, err
		}
	}
}

// askInTime asks Redis, and asks again when a grant came so late that the call
// would be made far from the time that the log has for it.
func (b *Budget) askInTime(ctx context.Context, c *call) (verdict, error) {
	for range 1 + maxLate {
		v, err := b.askUnless(ctx, c)
		if err != nil || !v.granted || !v.late {
			return v, err
		}
		b.leave(ctx, c)
	}
	return verdict{}, unavailable(errLate)
}

// askUnless asks Redis unless ctx ends first. What Redis grants after that is
// given back.
func (b *Budget) askUnless(ctx context.Context, c *call) (verdict, error) {
	if ctx.Err() != nil {
		return verdict{}, context.Cause(ctx)
	}
	select {
	case b.asking <- struct{}{}:
	case <-ctx.Done():
		return verdict{}, context.Cause(ctx)
	}
	type answer struct {
		verdict verdict
		err     error
	}
	answers := make(chan answer, 1)
	// go-redis does not look at ctx while it waits for an answer.
	go func() {
		defer func() { <-b.asking }()
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		v, err := b.ask(asking, c)
		answers <- answer{v, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return verdict{}, unavailable(a.err)
		}
		return a.verdict, nil
	case <-ctx.Done():
		go func() {
			if a := <-answers; a.err == nil {
				b.leave(ctx, c)
			}
		}()
		return verdict{}, context.Cause(ctx)
	}
}

// leave gives back what the call holds, whatever became of ctx.
func (b *Budget) leave(ctx context.Context, c *call) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := b.giveBack(ctx, c); err != nil {
		b.log.Warn("a request that was granted and not made could not be given back", "error", err)
	}
}

// sleep waits for d and a moment more, so that those with the same turn do not
// ask at the same time, or until ctx ends or, if it may, another call of this node has.
func (b *Budget) sleep(ctx context.Context, d time.Duration, wakes bool) error {
	d += mathrand.N(min(d/10, 20*time.Millisecond) + time.Millisecond)
	timer := time.NewTimer(d)
	defer timer.Stop()
	var freed <-chan struct{}
	if wakes {
		freed = b.freed
	}
	select {
	case <-timer.C:
		return nil
	case <-freed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
