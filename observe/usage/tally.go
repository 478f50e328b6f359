package usage

import (
	"strings"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/observe"
)

const (
	keptErrors = 50   // a subject
	maxNames   = 4096 // subjects with errors between two flushes; those of others are not kept
)

// entry is what a tally counts.
type entry struct {
	account
	item
}

// tally is what a recorder has counted since a flush. It is used again after the
// next one, so that counting what is counted all the time allocates nothing.
type tally struct {
	calls  map[entry]int64
	errors map[subject]*ring
}

func newTally() *tally {
	return &tally{calls: make(map[entry]int64), errors: make(map[subject]*ring)}
}

// add counts a call that ended at now.
func (t *tally) add(c *observe.Call, now time.Time) {
	t.calls[entry{account{c.Consumer, dayOf(now)}, item{c.Hospital, c.Interaction, c.Status}}]++
	if c.Status > 0 && c.Status < 400 && !c.Aborted {
		return
	}
	failed := adminapi.CallError{
		At: now, RequestID: c.RequestID, Consumer: c.Consumer, Hospital: c.Hospital, Interaction: c.Interaction,
		Type: strings.Clone(c.Type), Status: c.Status, Issue: c.Issue, // the type is a piece of a path that may be long
	}
	t.ring(subject{id: c.Consumer}).add(&failed)
	if c.Hospital != "" {
		t.ring(subject{hospital: true, id: c.Hospital}).add(&failed)
	}
}

// ring returns the subject's ring; nil when there are too many already.
func (t *tally) ring(s subject) *ring {
	r := t.errors[s]
	if r == nil && len(t.errors) < maxNames {
		r = new(ring)
		t.errors[s] = r
	}
	return r
}

// reset forgets everything but the room for it. The rings of subjects without a
// new error go, too.
func (t *tally) reset() {
	clear(t.calls)
	for s, r := range t.errors {
		if r.added == 0 {
			delete(t.errors, s)
			continue
		}
		r.reset()
	}
}

// ring keeps the newest errors of those that are added.
type ring struct {
	kept  []adminapi.CallError // in a circle once it is full
	added int
}

// add takes one more. A nil ring takes none.
func (r *ring) add(e *adminapi.CallError) {
	switch {
	case r == nil:
		return
	case len(r.kept) < keptErrors:
		r.kept = append(r.kept, *e)
	default:
		r.kept[r.added%keptErrors] = *e
	}
	r.added++
}

func (r *ring) reset() {
	clear(r.kept)
	r.kept, r.added = r.kept[:0], 0
}
