package sandbox

import (
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// version is one state of a resource. It never changes once stored.
type version struct {
	typ, id string
	number  int             // 1 for the first
	seq     int             // orders all versions of a store
	raw     json.RawMessage // nil when deleted
	blob    *blob           // the content of a Binary, else nil
	at      time.Time
	method  string // POST, PUT, PATCH or DELETE
}

// deleted tells whether this version says that the resource is gone.
func (v version) deleted() bool { return v.raw == nil }

// stamp writes what a server sets itself into a resource's bytes.
type stamp func(raw json.RawMessage, id string, number int, at time.Time) (json.RawMessage, error)

// store holds all resources of a hospital with their histories.
type store struct {
	stamp stamp
	now   func() time.Time

	mu    sync.RWMutex
	types map[string]*shelf
	seq   int
}

// shelf holds the resources of one type, in the order of their creation.
type shelf struct {
	order []*history
	byID  map[string]*history
}

// history is all versions of one resource, oldest first.
type history struct{ versions []version }

func newStore(mark stamp, now func() time.Time) *store {
	return &store{stamp: mark, now: now, types: map[string]*shelf{}}
}

// tx reads and writes a store while its lock is held.
type tx struct {
	*store
	undo []func()
}

// view runs read with no writer beside it.
func (s *store) view(read func(t *tx)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	read(&tx{store: s})
}

// update runs change alone. If change returns an error, nothing of what it wrote remains.
func (s *store) update(change func(t *tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &tx{store: s}
	if err := change(t); err != nil {
		for _, undo := range slices.Backward(t.undo) {
			undo()
		}
		return err
	}
	return nil
}

// get returns the newest version, which may be a deletion; false when there never was one.
func (t *tx) get(typ, id string) (version, bool) {
	versions := t.versions(typ, id)
	if len(versions) == 0 {
		return version{}, false
	}
	return versions[len(versions)-1], true
}

// versions returns all versions of one resource, oldest first.
func (t *tx) versions(typ, id string) []version {
	if s := t.types[typ]; s != nil {
		if h := s.byID[id]; h != nil {
			return h.versions
		}
	}
	return nil
}

// all returns the newest version of every resource of a type that exists, in the order of creation.
func (t *tx) all(typ string) []version {
	s := t.types[typ]
	if s == nil {
		return nil
	}
	list := make([]version, 0, len(s.order))
	for _, h := range s.order {
		if newest := h.versions[len(h.versions)-1]; !newest.deleted() {
			list = append(list, newest)
		}
	}
	return list
}

// everything returns all versions of a type, or of all types when typ is empty, newest first.
func (t *tx) everything(typ string) []version {
	var list []version
	for name, s := range t.types {
		if typ != "" && name != typ {
			continue
		}
		for _, h := range s.order {
			list = append(list, h.versions...)
		}
	}
	slices.SortFunc(list, func(a, b version) int { return b.seq - a.seq })
	return list
}

// put stores raw as the next version of a resource, stamped, with the content of a Binary in content (nil for other types).
func (t *tx) put(method, typ, id string, raw json.RawMessage, content *blob) (version, error) {
	at := t.now()
	number := len(t.versions(typ, id)) + 1
	raw, err := t.stamp(raw, id, number, at)
	if err != nil {
		return version{}, err
	}
	return t.add(version{typ: typ, id: id, number: number, raw: raw, blob: content, at: at, method: method}), nil
}

// remove stores a deletion as the next version.
func (t *tx) remove(typ, id string) version {
	return t.add(version{typ: typ, id: id, number: len(t.versions(typ, id)) + 1, at: t.now(), method: "DELETE"})
}

func (t *tx) add(v version) version {
	s := t.types[v.typ]
	if s == nil {
		s = &shelf{byID: map[string]*history{}}
		t.types[v.typ] = s
	}
	h := s.byID[v.id]
	if h == nil {
		h = &history{}
		s.byID[v.id] = h
		s.order = append(s.order, h)
		t.undo = append(t.undo, func() {
			delete(s.byID, v.id)
			s.order = s.order[:len(s.order)-1]
		})
	}
	t.seq++
	v.seq = t.seq
	h.versions = append(h.versions, v)
	t.undo = append(t.undo, func() { h.versions = h.versions[:len(h.versions)-1] })
	return v
}
