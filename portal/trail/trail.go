// Package trail verifies the trail of acts in the background, so that a broken one
// is known before somebody looks. Several portals on one database verify it each
// for itself: reading it twice does no harm, and each tells what it has seen
// itself.
package trail

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"fhirgate/portal/store"
)

// Store is the part of store.Store that verifies the trail.
type Store interface {
	VerifyActsInSteps(ctx context.Context, step int64, seen func(read, of int64)) (store.Verdict, error)
}

// Options are what a Verifier is made of. Store and Log are required.
type Options struct {
	Store Store
	Log   *slog.Logger
	Every time.Duration    // default 1h
	Now   func() time.Time // nil = time.Now
}

// Report is what a verification found.
type Report struct {
	store.Verdict
	At time.Time // when it ended
}

// State is what a Verifier knows.
type State struct {
	Last     *Report // nil = none has ended yet
	Failed   bool    // the last try ended without a verdict: the trail could not be read
	Running  bool    // one is under way, or about to begin
	Read, Of int64   // acts that the one under way has read, of how many
}

// Verifier verifies the trail of acts when it begins to run, once in a while, and
// when it is asked to.
type Verifier struct {
	options Options
	asked   chan struct{}

	mu    sync.Mutex
	state State
	ended chan struct{} // closed when the one that is running has ended; nil = none is
}

// New returns a Verifier. It does nothing before it runs.
func New(o Options) *Verifier {
	if o.Every == 0 {
		o.Every = time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Verifier{options: o, asked: make(chan struct{}, 1)}
}

// State returns what is known now.
func (v *Verifier) State() State {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state
}

// Broken returns the last report when it tells of a broken trail, else nil.
func (v *Verifier) Broken() *Report {
	if last := v.State().Last; last != nil && last.Broken != 0 {
		return last
	}
	return nil
}

// Begin asks for a verification, unless one is under way, and returns what is
// closed when that has ended. It does not wait.
func (v *Verifier) Begin() (ended <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended == nil {
		v.ended, v.state.Running = make(chan struct{}), true
		v.asked <- struct{}{} // has room: whoever took the last one has ended
	}
	return v.ended
}

// Run verifies until ctx ends.
func (v *Verifier) Run(ctx context.Context) {
	ticker := time.NewTicker(v.options.Every)
	defer ticker.Stop()
	v.Begin()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			v.Begin()
		case <-v.asked:
			v.verify(ctx)
		}
	}
}

// step is how many acts are read at once: a few milliseconds of work.
const step = 500

func (v *Verifier) verify(ctx context.Context) {
	began := v.options.Now()
	verdict, err := v.options.Store.VerifyActsInSteps(ctx, step, v.progress)
	now := v.options.Now()
	if ctx.Err() == nil {
		v.log(ctx, verdict, err, now.Sub(began))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state = State{Last: v.state.Last, Failed: err != nil}
	if err == nil {
		v.state.Last = &Report{verdict, now}
	}
	close(v.ended)
	v.ended = nil
}

func (v *Verifier) progress(read, of int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state.Read, v.state.Of = read, of
}

// log tells what came of a verification: places in the trail, and nothing of what
// acts say.
func (v *Verifier) log(ctx context.Context, verdict store.Verdict, err error, took time.Duration) {
	log := v.options.Log
	switch {
	case err != nil:
		log.WarnContext(ctx, "the trail of acts could not be verified: it is tried again", "error", err)
	case verdict.Broken != 0:
		log.ErrorContext(ctx, "the trail of acts is broken", "act", verdict.Broken, "problem", verdict.Problem)
	default:
		log.InfoContext(ctx, "the trail of acts is intact", "acts", verdict.Count, "ms", took.Milliseconds())
	}
}
