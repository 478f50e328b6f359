package store

import (
	"errors"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// ErrNotEmbedded says that a real Redis has no [Store.Update]: use a script.
var ErrNotEmbedded = errors.New("the store is not embedded")

// ErrFailed says that the embedded store could not write a change to its disk,
// now or earlier; see [Store.Failed].
var ErrFailed = errors.New("the store's disk has failed")

// Tx is the embedded store as [Store.Update] sees it.
type Tx struct {
	db  *miniredis.RedisDB
	now time.Time
}

// Update executes f in the embedded store, as a real Redis would a script:
// nothing else writes meanwhile, f may use the given keys and no others, and the
// durable ones among them are on disk when Update returns. It costs about a
// microsecond, where a script costs miniredis some hundred: it would build a Lua
// machine for each. The error is f's, [ErrFailed] or [ErrNotEmbedded]; what f
// wrote before it failed stays. f must not use the store in any other way than tx.
func (s *Store) Update(keys []string, f func(tx *Tx) error) error {
	if s.embedded == nil {
		return ErrNotEmbedded
	}
	return s.embedded.update(keys, f)
}

// Now returns the store's time, in whole milliseconds.
func (t *Tx) Now() time.Time {
	return t.now
}

// Get returns the string at key, or an error that is [miniredis.ErrKeyNotFound]
// or [miniredis.ErrWrongType].
func (t *Tx) Get(key string) (string, error) {
	return t.db.Get(key)
}

// TTL returns how long the key still lives, 0 when it lives for ever or does not exist.
func (t *Tx) TTL(key string) time.Duration {
	return t.db.TTL(key)
}

// Set makes key hold value for ttl, in whole milliseconds; 0 is for ever. The
// error is [miniredis.ErrWrongType] when it holds something else than a string.
func (t *Tx) Set(key, value string, ttl time.Duration) error {
	if err := t.db.Set(key, value); err != nil {
		return err
	}
	if ttl != 0 {
		t.db.SetTTL(key, ttl)
	}
	return nil
}

// Delete removes key, if it exists.
func (t *Tx) Delete(key string) {
	t.db.Del(key)
}

// update implements Store.Update.
func (e *embedded) update(keys []string, f func(*Tx) error) error {
	if e.journal.broken.Load() {
		return ErrFailed
	}
	written, err := e.updateLocked(keys, f)
	if written != nil {
		if disk := written.wait(); disk != nil {
			err = errors.Join(err, ErrFailed, disk)
		}
	}
	return err
}

// updateLocked executes f and hands what it changed to the journal.
func (e *embedded) updateLocked(keys []string, f func(*Tx) error) (*batch, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.begin(keys, false)
	err := f(&Tx{db: e.engine.db, now: now})
	return e.record(keys, now), err
}
