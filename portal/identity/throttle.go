package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"sync"
	"time"

	"fhirgate/portal/store"
)

// How many failures are free, and how delays grow from there: a second, doubled
// by each further failure, up to a bound. There is no permanent lock, with which
// anybody could lock out anybody.
const (
	freeOfAccount = 5
	freeOfAddress = 20 // a whole office may share one
	freeOfMail    = 3
	freeOfInviter = 50 // invitations that are mailed
	maxDelay      = 15 * time.Minute
)

// A counter is what failures are counted of.
type counter struct {
	name string // hashed: the database need not know who mistyped
	free int
}

func counterOf(kind, of string, free int) counter {
	sum := sha256.Sum256([]byte(kind + ":" + of))
	return counter{hex.EncodeToString(sum[:]), free}
}

// ofAddress is the counter of a network address; of IPv6 the /64, which one
// subscriber has for herself.
func ofAddress(kind string, address netip.Addr) counter {
	of := address.Unmap().WithZone("").String()
	if address.Is6() && !address.Is4In6() {
		if network, err := address.Prefix(64); err == nil {
			of = network.String()
		}
	}
	return counterOf(kind+" address", of, freeOfAddress)
}

// throttle slows down guessing. Tries that have not ended yet count as failures,
// so that many at once are not more than one after the other.
type throttle struct {
	store  *store.Store
	now    func() time.Time
	mu     sync.Mutex
	flying map[string]int // tries that have not ended, by counter
}

func newThrottle(s *store.Store, now func() time.Time) *throttle {
	return &throttle{store: s, now: now, flying: make(map[string]int)}
}

// attempt is one try.
type attempt struct {
	throttle *throttle
	counters []counter
}

// begin returns a try, or a *Throttled. Whoever gets a try must end it.
func (t *throttle) begin(ctx context.Context, counters ...counter) (*attempt, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range counters {
		wait, err := t.wait(ctx, c)
		if err != nil {
			return nil, err
		}
		if wait > 0 {
			return nil, &Throttled{Wait: wait}
		}
	}
	for _, c := range counters {
		t.flying[c.name]++
	}
	return &attempt{t, counters}, nil
}

// wait returns how long a counter keeps from trying, in whole seconds.
func (t *throttle) wait(ctx context.Context, c counter) (time.Duration, error) {
	failures, last, err := t.store.Failures(ctx, c.name)
	if err != nil {
		return 0, err
	}
	flying := t.flying[c.name]
	over := failures + flying - c.free
	if over < 0 {
		return 0, nil
	}
	if flying > 0 {
		return time.Second, nil
	}
	delay := maxDelay
	if over < 10 { // 2^10 seconds are more than the bound
		delay = time.Second << over
	}
	left := last.Add(delay).Sub(t.now())
	return max(0, left+time.Second-1).Truncate(time.Second), nil
}

// failed ends a try that went wrong.
func (a *attempt) failed(ctx context.Context) error {
	defer a.end()
	for _, c := range a.counters {
		if err := a.throttle.store.AddFailure(ctx, c.name); err != nil {
			return err
		}
	}
	return nil
}

// succeeded ends a try that went well. Only the first counter, the account's, is
// cleared: with an account of his own nobody frees his address for guessing at
// others.
func (a *attempt) succeeded(ctx context.Context) error {
	defer a.end()
	return a.throttle.store.ClearFailures(ctx, a.counters[0].name)
}

// end ends a try that did not come to a result. It may be called again after
// another end.
func (a *attempt) end() {
	a.throttle.mu.Lock()
	defer a.throttle.mu.Unlock()
	for _, c := range a.counters {
		if a.throttle.flying[c.name]--; a.throttle.flying[c.name] <= 0 {
			delete(a.throttle.flying, c.name)
		}
	}
	a.counters = nil
}
