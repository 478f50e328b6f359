package store

import (
	"strings"
	"time"
)

// begin sets miniredis' clock: its time, which keys are gone, and how long the
// given keys still live, with half a second more if a command will cut it off.
func (e *embedded) begin(keys []string, round bool) time.Time {
	now := e.now().Truncate(time.Millisecond)
	e.expire(now)
	e.engine.redis.SetTime(now)
	for _, key := range keys {
		deadline := e.keys.deadline(key)
		if deadline == 0 {
			continue
		}
		remaining := time.UnixMilli(deadline).Sub(now)
		if round {
			remaining += time.Second / 2
		}
		e.engine.db.SetTTL(key, remaining)
	}
	return now
}

// expire deletes the keys whose time has come. The journal needs no word of it.
func (e *embedded) expire(now time.Time) {
	for ms := now.UnixMilli(); e.keys.due(ms); {
		key := e.keys.first()
		e.engine.remove(key)
		e.keys.remove(key)
	}
}

// record notes the new state of keys that a command may have changed. Durable
// ones go to the journal, in one batch; for counters there is nothing to wait for.
func (e *embedded) record(keys []string, now time.Time) *batch {
	var durable []string
	for _, key := range keys {
		e.index(key, now)
		if e.isCounter(key) {
			e.changed[key] = struct{}{}
		} else {
			durable = append(durable, key)
		}
	}
	if len(durable) == 0 {
		return nil
	}
	return e.journal.append(func(frame []byte) []byte { return e.appendLocked(frame, durable) })
}

// index brings the index up to date with a key's existence and expiry.
func (e *embedded) index(key string, now time.Time) {
	if e.engine.db.Type(key) == "" {
		e.engine.forget(key)
		e.keys.remove(key)
		return
	}
	ttl := e.engine.db.TTL(key)
	switch {
	case ttl == 0:
		e.keys.set(key, 0)
	case ttl < 0:
		e.engine.remove(key)
		e.keys.remove(key)
	default:
		e.keys.set(key, now.Add(ttl).UnixMilli())
	}
}

func (e *embedded) isCounter(key string) bool {
	for _, prefix := range e.counters {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// appendLocked appends the entries of keys; mu is held.
func (e *embedded) appendLocked(frame []byte, keys []string) []byte {
	for _, key := range keys {
		s := e.engine.state(key)
		s.deadline = e.keys.deadline(key)
		frame = appendEntry(frame, s)
	}
	return frame
}

// liveKeys implements source.
func (e *embedded) liveKeys() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.expire(e.now())
	return e.keys.names()
}

// appendStates implements source.
func (e *embedded) appendStates(frame []byte, keys []string) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.appendLocked(frame, keys)
}

// takeCounters implements source.
func (e *embedded) takeCounters(limit int) (more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.expire(e.now())
	keys := make([]string, 0, limit)
	for key := range e.changed {
		if len(keys) == limit {
			break
		}
		keys = append(keys, key)
		delete(e.changed, key)
	}
	e.journal.append(func(frame []byte) []byte { return e.appendLocked(frame, keys) })
	return len(e.changed) > 0
}
