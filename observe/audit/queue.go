package audit

import (
	"slices"
	"sync"
	"time"
)

// The bounds of what waits for the writer. A trail is nearly full, and refuses
// calls if it is told to, when three quarters of either are used.
const (
	maxQueued      = 16384
	maxQueuedBytes = 16 << 20
)

// queue holds events between Record and the writer.
type queue struct {
	mu     sync.Mutex
	events []Event // those before next were taken
	next   int
	bytes  int
	closed bool
	stuck  bool          // somebody has waited for room in vain since the last take: nobody else does
	lost   losses        // since the last take
	losses uint64        // since the start
	room   chan struct{} // closed and replaced when the writer takes events
	wake   chan struct{} // tells the writer that there is something to do
}

// losses are events that were not recorded, and the times of the first and the
// last of them.
type losses struct {
	count       uint64
	from, until time.Time
}

func newQueue() *queue {
	return &queue{room: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// put queues e. When there is no room it waits for up to patience, and then
// counts e as lost. The entries of a large batch wait that long together, not each.
func (q *queue) put(e *Event, patience time.Duration) {
	size := e.size()
	var late <-chan time.Time
	for {
		q.mu.Lock()
		if !q.closed && q.count() < maxQueued && q.bytes+size <= maxQueuedBytes {
			q.events = append(q.events, *e)
			q.bytes += size
			first := q.count() == 1
			q.mu.Unlock()
			if first {
				q.signal()
			}
			return
		}
		room, hopeless := q.room, q.closed || q.stuck && late == nil
		q.mu.Unlock()
		if hopeless || patience <= 0 {
			q.lose(e.Time)
			return
		}
		if late == nil {
			late = time.After(patience)
		}
		select {
		case <-room:
		case <-late:
			patience = 0
			q.mu.Lock()
			q.stuck = true
			q.mu.Unlock()
		}
	}
}

// lose counts an event that is not recorded.
func (q *queue) lose(at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.losses++
	l := &q.lost
	if l.count == 0 || at.Before(l.from) {
		l.from = at
	}
	if at.After(l.until) {
		l.until = at
	}
	l.count++
	q.signal()
}

// signal wakes the writer.
func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take moves up to n events to the writer, with what was lost since the last
// time.
func (q *queue) take(n int) ([]Event, losses) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost := q.lost
	q.lost = losses{}
	n = min(n, q.count())
	if n == 0 {
		return nil, lost
	}
	taken := slices.Clone(q.events[q.next : q.next+n])
	for i := range taken {
		q.bytes -= taken[i].size()
	}
	clear(q.events[q.next : q.next+n])
	q.stuck = false
	q.next += n
	if q.next > len(q.events)/2 { // rarely enough to cost nothing
		rest := copy(q.events, q.events[q.next:])
		clear(q.events[rest:])
		q.events, q.next = q.events[:rest], 0
	}
	close(q.room)
	q.room = make(chan struct{})
	return taken, lost
}

// close lets nothing more in.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	close(q.room)
	q.room = make(chan struct{})
	q.mu.Unlock()
	q.signal()
}

// numbers returns how many events wait, and how many were lost since the start.
func (q *queue) numbers() (waiting int, lost uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count(), q.losses
}

// count is how many events wait; q.mu is held.
func (q *queue) count() int { return len(q.events) - q.next }

// nearlyFull reports whether three quarters of the room are used.
func (q *queue) nearlyFull() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count() > maxQueued/4*3 || q.bytes > maxQueuedBytes/4*3
}

// idle reports whether the queue is closed and nothing is left in it.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed && q.count() == 0 && q.lost.count == 0
}
