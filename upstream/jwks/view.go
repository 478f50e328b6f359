package jwks

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// freshness is how long a node trusts what it read: half of the second
	// within which a change must be in force on every node.
	freshness = 500 * time.Millisecond
	// staleFor is how long what was read stays in force when Redis fails.
	staleFor = 10 * time.Minute
	// readTimeout bounds a reading of Redis.
	readTimeout = 2 * time.Second
)

// view is what was read of all rings. It is never changed.
type view struct {
	rings map[string]*opened
	asked time.Time // when this was read, files and store
	known time.Time // when the store was last read without an error
	err   error     // why the store cannot be read now
}

// stale returns why the rings of the store can no longer be relied on.
func (v *view) stale(now time.Time) error {
	if v.err == nil || now.Sub(v.known) < staleFor {
		return nil
	}
	return fmt.Errorf("reading the rings: %w", v.err)
}

// ring returns a ring that can be used.
func (v *view) ring(name string, now time.Time) (*opened, error) {
	o := v.rings[name]
	if o == nil || o.file == "" {
		if err := v.stale(now); err != nil {
			return nil, err
		}
	}
	switch {
	case o == nil:
		return nil, ErrNoRing
	case o.unusable:
		return nil, o.problem
	default:
		return o, nil
	}
}

// current returns a view that is fresh enough for use.
func (r *Rings) current(ctx context.Context) *view {
	last := r.last.Load()
	if age := r.now().Sub(last.asked); age < freshness && age >= 0 {
		return last
	}
	read, _, _ := r.flight.Do("read", func() (any, error) { return r.read(context.WithoutCancel(ctx)), nil })
	return read.(*view)
}

// forget has the next use read anew.
func (r *Rings) forget() {
	forgotten := *r.last.Load()
	forgotten.asked = time.Time{}
	r.last.Store(&forgotten)
	r.flight.Forget("read")
}

// read reads the store and the folder. What has not changed is not opened again.
// A reading that was forgotten meanwhile serves only those who wait for it.
func (r *Rings) read(ctx context.Context) *view {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	last := r.last.Load()
	next := &view{rings: make(map[string]*opened), asked: r.now(), known: last.known}
	r.readStore(ctx, last, next)
	r.readFiles(last, next)
	r.report(last, next)
	r.last.CompareAndSwap(last, next)
	return next
}

func (r *Rings) readStore(ctx context.Context, last, next *view) {
	records, err := r.redis.HGetAll(ctx, r.hash).Result()
	if err != nil {
		next.err = err
		for name, o := range last.rings {
			if o.file == "" {
				next.rings[name] = o
			}
		}
		return
	}
	next.known = next.asked
	for name, raw := range records {
		o := last.rings[name]
		if o == nil || o.raw != raw {
			o = openRing(r.seal, name, raw)
		}
		next.rings[name] = o
		if slices.ContainsFunc(o.ring.Keys, func(k Key) bool { return k.overdue(next.asked) }) {
			_, _ = r.update(ctx, name, func(*Ring) error { return nil }) // else the next reading tidies it
		}
	}
}

// readFiles adds the rings of the folder; a file goes before a ring of the
// store.
func (r *Rings) readFiles(last, next *view) {
	files, err := readFolder(r.folder)
	if err != nil { // the mount has gone, for a moment or for good
		for name, o := range last.rings {
			if o.file != "" {
				next.rings[name] = o
			}
		}
		return
	}
	for name, path := range files {
		next.rings[name] = openFile(name, path, last.rings[name])
	}
}

// report logs what has become wrong, once.
func (r *Rings) report(last, next *view) {
	if next.err != nil && last.err == nil {
		r.log.Warn("the rings of signing keys cannot be read: what was read last stays in force for a while", "problem", next.err, "within", staleFor.String())
	}
	for name, o := range next.rings {
		if o.problem != nil && (last.rings[name] == nil || last.rings[name].raw != o.raw) {
			r.log.Error("a ring of signing keys is not as it should be", "ring", name, "problem", o.problem)
		}
	}
}

// names returns the names of the rings, sorted.
func (v *view) names() []string {
	names := make([]string, 0, len(v.rings))
	for name := range v.rings {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
