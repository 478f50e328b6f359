package limiter

import (
	"context"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"

	"fhirgate/facade"
)

// flights joins the calls that wait at the same time into one round trip: while
// one is under way, the calls that come collect for the next. Under load a
// round trip's cost is shared by many calls; a call that comes alone waits for
// nobody.
type flights struct {
	client redis.UniversalClient

	mu      sync.Mutex
	waiting []*passenger // for the next round trip
	flying  bool         // a round trip is under way
}

// passenger is one call of the script.
type passenger struct {
	keys    []string
	args    []any
	landed  chan struct{} // closed when verdict and err are there
	verdict facade.Verdict
	err     error
}

// take has the script count a call, and returns its verdict or ctx's error. A
// call that left early may have been counted.
func (f *flights) take(ctx context.Context, keys []string, args ...any) (facade.Verdict, error) {
	p := &passenger{keys: keys, args: args, landed: make(chan struct{})}
	f.mu.Lock()
	f.waiting = append(f.waiting, p)
	start := !f.flying
	f.flying = true
	f.mu.Unlock()
	if start {
		go f.fly()
	}
	select {
	case <-p.landed:
		return p.verdict, p.err
	case <-ctx.Done():
		return facade.Verdict{}, context.Cause(ctx)
	}
}

// fly makes round trips until nobody waits. How long one may take is up to the
// client's timeouts.
func (f *flights) fly() {
	for {
		f.mu.Lock()
		aboard := f.waiting
		f.waiting = nil
		f.flying = len(aboard) > 0
		f.mu.Unlock()
		if len(aboard) == 0 {
			return
		}
		f.trip(aboard)
		for _, p := range aboard {
			close(p.landed)
		}
	}
}

// trip is one round trip, and a second one for those to whom Redis says that it
// does not know the script, as after its restart.
func (f *flights) trip(aboard []*passenger) {
	strangers := f.run(aboard, takeScript.EvalSha)
	if len(strangers) > 0 {
		f.run(strangers, takeScript.Eval)
	}
}

type evaluate func(ctx context.Context, c redis.Scripter, keys []string, args ...any) *redis.Cmd

// run sends one pipeline, notes each passenger's answer, and returns those
// whose script is unknown.
func (f *flights) run(aboard []*passenger, how evaluate) (strangers []*passenger) {
	ctx := context.Background()
	pipe := f.client.Pipeline()
	answers := make([]*redis.Cmd, len(aboard))
	for i, p := range aboard {
		answers[i] = how(ctx, pipe, p.keys, p.args...)
	}
	_, _ = pipe.Exec(ctx) // each answer has its own error
	for i, p := range aboard {
		if p.verdict, p.err = verdictOf(answers[i]); redis.HasErrorPrefix(p.err, "NOSCRIPT") {
			strangers = append(strangers, p)
		}
	}
	return strangers
}

// verdictOf reads what the script returns.
func verdictOf(answer *redis.Cmd) (facade.Verdict, error) {
	values, err := answer.Int64Slice()
	if err != nil {
		return facade.Verdict{}, fmt.Errorf("rate limit: %w", err)
	}
	if len(values) != 6 {
		return facade.Verdict{}, fmt.Errorf("rate limit: %d values instead of 6", len(values))
	}
	return facade.Verdict{
		Allowed:    values[0] == 1,
		Quota:      values[1] == 1,
		Limit:      values[2],
		Remaining:  values[3],
		Reset:      microseconds(values[4]),
		RetryAfter: microseconds(values[5]),
	}, nil
}
