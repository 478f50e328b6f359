package audit

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

const (
	batchSize    = 256             // events taken from the queue at once
	maxPending   = 8 << 20         // bytes that are written and not yet safely stored
	syncInterval = time.Second     // the longest time until what is written is safely stored
	maxRetry     = 5 * time.Second // the longest wait before a sink is tried again
	keepInterval = time.Hour       // how often old files are looked for
)

// sink is where records go. After an error nothing is known of what was
// written since the last sync: it is written again after reopen.
type sink interface {
	// reopen makes the sink ready for items that begin behind what is safely
	// stored.
	reopen(ctx context.Context) error
	write(items []item) error
	// sync returns how many of the items that were written and are not yet
	// safely stored are so now.
	sync() (int, error)
	// close ends the sink, after a last sync.
	close(ctx context.Context) error
}

// item is a sealed record on its way.
type item struct {
	sequence uint64
	written  time.Time
	hash     string
	plain    []byte // the record
}

// writer takes events from the queue, links them, and hands them to the sink. It runs in one goroutine.
type writer struct {
	trail  *Trail
	ring   *keyring
	folder string
	server string
	now    func() time.Time
	log    *slog.Logger
	keep   time.Duration // age of files that are removed; 0 = none
	retry  time.Duration

	sink sink
	head *head
	next uint64 // number of the next record
	last string // hash of the record before it

	pending []item // not safely stored yet
	bytes   int    // of pending
	written int    // of pending, how many the sink has
	open    bool   // the sink took what it was given so far
	waits   time.Duration
	retryAt time.Time
	synced  time.Time
	dirty   bool // the head is not sealed as it is
	cleaned time.Time
}

// run writes until the queue is closed and empty, or ctx ends.
func (w *writer) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-w.trail.queue.wake:
		case <-timer.C:
		case <-ctx.Done():
			return w.abandon()
		}
		w.clean() // also when the trail is closed at once
		for w.work(ctx) {
			if ctx.Err() != nil {
				return w.abandon()
			}
		}
		if w.trail.queue.idle() && w.settled() {
			return w.finish(ctx)
		}
		timer.Reset(w.pause())
	}
}

// work does what can be done now and reports whether there is more.
func (w *writer) work(ctx context.Context) bool {
	now := time.Now()
	if !w.open {
		if now.Before(w.retryAt) {
			return false
		}
		if err := w.sink.reopen(ctx); err != nil {
			w.fail(err)
			return false
		}
		w.open, w.written = true, 0
	}
	more := w.fill()
	if w.written < len(w.pending) {
		if err := w.sink.write(w.pending[w.written:]); err != nil {
			w.fail(err)
			return false
		}
		w.written = len(w.pending)
	}
	down := w.trail.down.Load()
	if !w.settled() && (down || now.Sub(w.synced) >= syncInterval || w.full() || w.trail.queue.idle()) {
		if err := w.sync(); err != nil {
			w.fail(err)
			return false
		}
	}
	w.waits = 0
	if down {
		w.trail.down.Store(false)
		w.log.Info("the audit trail is written again")
	}
	return more && !w.full()
}

// fill links what waits in the queue, as much as may be pending, and reports
// whether more may wait.
func (w *writer) fill() bool {
	if w.full() {
		return false
	}
	events, lost := w.trail.queue.take(batchSize)
	if lost.count > 0 {
		w.log.Error("audit records are lost", "count", lost.count)
		w.add(&Record{Kind: KindGap, Lost: lost.count, From: lost.from, Until: lost.until})
	}
	for i := range events {
		w.add(&Record{Kind: KindCall, Event: events[i]})
	}
	return len(events) == batchSize
}

func (w *writer) full() bool { return w.bytes > maxPending }

// add gives r its place in the chain.
func (w *writer) add(r *Record) {
	r.Node, r.Key, r.Written = w.head.Node, w.ring.active.id, w.now()
	r.Sequence, r.Previous = w.next, w.last
	plain := r.encode(w.server)
	one := item{sequence: w.next, written: r.Written, hash: w.ring.active.link(plain), plain: plain}
	w.pending = append(w.pending, one)
	w.bytes += len(one.plain)
	w.next, w.last = w.next+1, one.hash
}

// sync makes what is written safe, and seals how far that goes.
func (w *writer) sync() error {
	w.synced = time.Now()
	n, err := w.sink.sync()
	if err != nil {
		return err
	}
	if w.written > 0 {
		if last := w.pending[w.written-1]; last.sequence > w.head.Sequence {
			w.head.Sequence, w.head.Hash, w.dirty = last.sequence, last.hash, true
		}
	}
	for _, done := range w.pending[:n] {
		w.bytes -= len(done.plain)
	}
	w.pending, w.written = slices.Clone(w.pending[n:]), w.written-n
	w.trail.written.Add(uint64(n))
	if w.dirty {
		err = w.head.write(w.ring, w.folder, w.now())
		w.dirty = err != nil
	}
	return err
}

// clean removes old files, once an hour.
func (w *writer) clean() {
	if w.keep == 0 || time.Since(w.cleaned) < keepInterval {
		return
	}
	w.cleaned = time.Now()
	if err := w.removeOld(); err != nil {
		w.log.Error("old audit records can't be removed", "error", err)
	}
}

// fail notes that the sink does not work, and when it is tried again.
func (w *writer) fail(err error) {
	w.open = false
	if w.trail.down.CompareAndSwap(false, true) {
		w.log.Error("the audit trail can't be written", "error", err)
	}
	w.waits = min(max(w.waits*2, w.retry), maxRetry)
	w.retryAt = time.Now().Add(w.waits)
}

// pause is how long nothing is to do, unless something comes.
func (w *writer) pause() time.Duration {
	switch {
	case !w.open:
		return max(time.Until(w.retryAt), time.Millisecond)
	case w.full(), w.trail.queue.idle():
		return 10 * time.Millisecond // the sink has to tell what arrived
	case !w.settled():
		return max(time.Until(w.synced.Add(syncInterval)), time.Millisecond)
	default:
		return keepInterval
	}
}

// finish ends a trail of which everything is written.
func (w *writer) finish(ctx context.Context) error {
	err := w.sink.close(ctx)
	if err == nil {
		w.head.Closed = true
		err = w.head.write(w.ring, w.folder, w.now())
	}
	return err
}

// settled reports whether all that was taken is safely stored.
func (w *writer) settled() bool { return len(w.pending) == 0 && !w.dirty }

// abandon ends a trail that could not be written in time.
func (w *writer) abandon() error {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.sink.close(ended) // it does not work, or not in time
	waiting, _ := w.trail.queue.numbers()
	return fmt.Errorf("%w: %d records are lost", ErrDown, len(w.pending)+waiting)
}
