package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ErrDown is what Ready and Close return when records can't be written.
var ErrDown = errors.New("the audit trail can't be written")

// patience is how long Record waits for room rather than lose a record.
const patience = 5 * time.Second

// Options are what a trail needs.
type Options struct {
	Config Config             // completed by Config.Complete
	Keys   jose.JSONWebKeySet // 32-byte keys, as envelope.NewSet makes them; the first is used
	Node   string             // name of this node, letters, digits and hyphens; "" = one that is made once and kept in the folder
	Server string             // what callers call, the public URL: how records name the gateway
	Log    *slog.Logger       // default: nothing is logged
	Now    func() time.Time   // default time.Now

	sink  sink          // instead of the one that Config names; for tests
	retry time.Duration // the first wait before a sink is tried again; default 200 ms
}

// Trail records events. Its methods may be called at the same time.
type Trail struct {
	off     bool
	refuses bool
	now     func() time.Time
	log     *slog.Logger
	ring    *keyring
	queue   *queue
	down    atomic.Bool
	written atomic.Uint64
	stop    context.CancelFunc
	done    chan struct{}
	err     error        // what the writer ended with; read after done
	release func() error // of the folder
}

// Stats are numbers for metrics.
type Stats struct {
	Written uint64 // records that the sink took, since the start
	Lost    uint64 // events that were not recorded, since the start
	Queued  int    // events that wait
	Down    bool   // the last write failed
}

// Record puts an event into the trail: it hashes the references, queues the
// event and returns, without I/O. When there is no room it waits for some, up to
// five seconds: while records are written, and in a trail that refuses calls while
// it is down also then, for a call that came too late to be refused. What finds
// none is counted, and noted in the trail as a gap.
func (t *Trail) Record(e Event) {
	if t.off {
		return
	}
	e = e.bounded()
	if e.Time.IsZero() {
		e.Time = t.now()
	}
	for _, list := range [][]string{e.Patients, e.Resources} {
		for i, reference := range list {
			list[i] = t.ring.active.conceal(e.Hospital, reference)
		}
	}
	wait := time.Duration(0)
	if t.refuses || !t.down.Load() {
		wait = patience
	}
	t.queue.put(&e, wait)
}

// Ready returns nil while records can be written, and always in a trail that
// continues when it is down. Otherwise the error wraps ErrDown, and the caller
// should refuse the call before it does anything.
func (t *Trail) Ready() error {
	switch {
	case t.off || !t.refuses:
		return nil
	case t.down.Load():
		return ErrDown
	case t.queue.nearlyFull():
		return errNearlyFull
	default:
		return nil
	}
}

var errNearlyFull = fmt.Errorf("%w fast enough", ErrDown)

// Stats returns the numbers of now.
func (t *Trail) Stats() Stats {
	if t.off {
		return Stats{}
	}
	waiting, lost := t.queue.numbers()
	return Stats{Written: t.written.Load(), Lost: lost, Queued: waiting, Down: t.down.Load()}
}

// Close writes everything that was recorded and ends the trail; what is recorded
// later is lost. When ctx ends first, the error says how much was not written.
func (t *Trail) Close(ctx context.Context) error {
	if t.off {
		return nil
	}
	t.queue.close()
	select {
	case <-t.done:
	case <-ctx.Done():
		t.stop()
		<-t.done
	}
	return errors.Join(t.err, t.release())
}
