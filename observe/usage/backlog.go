package usage

import (
	"encoding/json"
	"time"

	"github.com/redis/go-redis/v9"

	"fhirgate/gateway/adminapi"
)

// backlog is what Redis is not known to have. It is bounded by what consumers
// there are and what they can call, not by how often they do.
type backlog struct {
	flushes   int64 // so far
	accounts  map[account]*due
	announced map[account]struct{} // changes of which readers have still to be told
	errors    map[subject][]redis.Z
}

// due is what an account's hash has still to be increased by.
type due struct {
	// sent is that of a flush whose answer has not come: Redis may have it or
	// not. It is sent again as it was, under the number it had, by which Redis
	// knows it. Nil when there is none.
	sent   map[item]int64
	number int64
	// next is what was counted since.
	next map[item]int64
}

func newBacklog() *backlog {
	return &backlog{accounts: map[account]*due{}, announced: map[account]struct{}{}, errors: map[subject][]redis.Z{}}
}

// take adds what was counted, and makes of it what the next flush sends.
func (b *backlog) take(counted *tally) {
	for e, calls := range counted.calls {
		d := b.accounts[e.account]
		if d == nil {
			d = &due{next: map[item]int64{}}
			b.accounts[e.account] = d
		}
		d.next[e.item] += calls
	}
	b.flushes++
	for _, d := range b.accounts {
		if d.sent == nil {
			d.sent, d.number, d.next = d.next, b.flushes, map[item]int64{}
		}
	}
	for s, r := range counted.errors {
		if r.added == 0 {
			continue
		}
		if b.errors[s] == nil && len(b.errors) >= maxNames {
			continue
		}
		b.errors[s] = newest(b.errors[s], r)
	}
}

// written notes that Redis has what was sent for an account.
func (b *backlog) written(a account) {
	d := b.accounts[a]
	d.sent = nil
	if len(d.next) == 0 {
		delete(b.accounts, a)
	}
	b.announced[a] = struct{}{}
}

// newest returns those of before and those of the ring, as many as are kept.
func newest(before []redis.Z, r *ring) []redis.Z {
	for i := range r.kept {
		e := &r.kept[(r.added+i)%len(r.kept)] // the oldest first; in order when the ring is not full
		before = append(before, redis.Z{Score: float64(e.At.UnixMilli()), Member: stored(e)})
	}
	return before[max(len(before)-keptErrors, 0):]
}

// stored returns the error as it lies in Redis.
func stored(e *adminapi.CallError) string {
	e.At = e.At.UTC().Truncate(time.Millisecond)
	data, err := json.Marshal(e)
	if err != nil {
		panic("usage: " + err.Error()) // strings, numbers and a time of this century
	}
	return string(data)
}
