package jwks

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// DefaultAfter is how long a new key is published before it signs: the 29
	// hours for which Epic keeps a set, and an hour to spare.
	DefaultAfter = 30 * time.Hour
	// MinAfter is the shortest time that a ring may have.
	MinAfter = time.Second
	// MaxAfter is the longest time that a ring may have.
	MaxAfter = 60 * 24 * time.Hour
	// keepRetired is how long a retired key stays on record.
	keepRetired = 7 * 24 * time.Hour
)

var (
	// ErrRotating is returned for a ring whose next key is published already.
	ErrRotating = errors.New("the ring is being rotated")
	// ErrLastKey is returned when a retirement would leave no key that vendors
	// know.
	ErrLastKey = errors.New("it is the only key that vendors know for certain, and calls would fail until they have fetched the next one: rotate and wait, or force it")
	// ErrNoKey is returned for a kid that the ring does not have.
	ErrNoKey = errors.New("the ring has no key of this kid")
)

// State is where a key is in its life.
type State string

// The states of a key, in their order.
const (
	Published State = "published" // in the set, not signing yet
	Active    State = "active"    // in the set, signing
	Retiring  State = "retiring"  // in the set, no longer signing
	Retired   State = "retired"   // in no set
)

// Ring is the record of a ring: its keys and their times. It holds no secret
// that is readable.
type Ring struct {
	Name  string                  `json:"name"`
	Alg   jose.SignatureAlgorithm `json:"alg"`
	Bits  int                     `json:"bits,omitempty"` // of RSA keys
	After time.Duration           `json:"after"`          // how long a new key is published before it signs, and an old one after it did
	Keys  []Key                   `json:"keys"`           // the oldest first
}

// Key is the record of a key. Its kid is its thumbprint (RFC 7638, SHA-256). A
// time that is zero is not known yet.
type Key struct {
	KID       string    `json:"kid"`
	Published time.Time `json:"published"`
	Activates time.Time `json:"activates"`       // begins to sign
	Stops     time.Time `json:"stops,omitzero"`  // no longer signs
	Leaves    time.Time `json:"leaves,omitzero"` // no longer published
	Sealed    string    `json:"sealed"`          // the private key as JWE; empty = retired at once
}

// State tells where the key is in its life.
func (k Key) State(now time.Time) State {
	switch {
	case k.Sealed == "" || passed(k.Leaves, now):
		return Retired
	case passed(k.Stops, now):
		return Retiring
	case now.Before(k.Activates):
		return Published
	default:
		return Active
	}
}

func passed(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

// Standing is what holds of a ring at a time.
type Standing struct {
	Signing   string   // kid; empty when the ring has no key left
	Published []string // kids, the oldest key first
}

// At tells which key signs at the given time, and which are published.
//
// On a node whose clock is behind, the key that took over this moment is still
// to come; it signs all the same when no other can.
func (r *Ring) At(now time.Time) Standing {
	var s Standing
	var signing *Key
	for i := range r.Keys {
		key := &r.Keys[i]
		state := key.State(now)
		if state == Retired {
			continue
		}
		s.Published = append(s.Published, key.KID)
		if state == Active || state == Published && signing == nil {
			signing = key
		}
	}
	if signing != nil {
		s.Signing = signing.KID
	}
	return s
}

// mayGrow returns ErrRotating when the next key is there already.
func (r *Ring) mayGrow(now time.Time) error {
	if next := r.in(Published, now); next != nil {
		return fmt.Errorf("%w: the key %s takes over at %s", ErrRotating, next.KID, next.Activates.Format(time.RFC3339))
	}
	return nil
}

// add begins the life of a key: at once when no other signs, else after the
// ring's time, when it takes over.
func (r *Ring) add(kid, sealed string, now time.Time) error {
	if err := r.mayGrow(now); err != nil {
		return err
	}
	moment := now.UTC().Truncate(time.Second)
	key := Key{KID: kid, Published: moment, Activates: moment, Sealed: sealed}
	if current := r.in(Active, now); current != nil {
		// A second more, since the moment is up to a second ago.
		key.Activates = moment.Add(r.After + time.Second)
		r.handOver(current, key.Activates)
	}
	r.Keys = append(r.Keys, key)
	return nil
}

// handOver ends a key's signing at the given time.
func (r *Ring) handOver(key *Key, at time.Time) { key.Stops, key.Leaves = at, at.Add(r.After) }

// retire ends a key at once. When it was the one that signs, the one before it
// signs again if it is still published. If there is none, retire returns
// ErrLastKey or, with force, lets the next key sign at once; the ring may then
// be left without a key.
func (r *Ring) retire(kid string, force bool, now time.Time) error {
	i := slices.IndexFunc(r.Keys, func(k Key) bool { return k.KID == kid })
	if i < 0 {
		return ErrNoKey
	}
	key := &r.Keys[i]
	was := key.State(now)
	previous, next := r.in(Retiring, now), r.in(Published, now)
	if was == Active && previous == nil && !force {
		return ErrLastKey
	}
	moment := now.UTC().Truncate(time.Second)
	if was != Retired {
		key.Stops, key.Leaves = moment, moment
	}
	key.Sealed = ""
	switch {
	case was == Published: // the one that signs goes on
		if current := r.in(Active, now); current != nil {
			current.Stops, current.Leaves = time.Time{}, time.Time{}
		}
	case was != Active:
	case previous != nil && next != nil:
		r.handOver(previous, next.Activates)
	case previous != nil:
		previous.Stops, previous.Leaves = time.Time{}, time.Time{}
	case next != nil:
		next.Activates = moment
	}
	return nil
}

// in returns the newest key in a state, or nil.
func (r *Ring) in(state State, now time.Time) *Key {
	for i := len(r.Keys) - 1; i >= 0; i-- {
		if r.Keys[i].State(now) == state {
			return &r.Keys[i]
		}
	}
	return nil
}

// overdue reports whether a key was retired long ago.
func (k Key) overdue(now time.Time) bool { return passed(k.Leaves, now.Add(-keepRetired)) }

// tidy removes the keys that are overdue.
func (r *Ring) tidy(now time.Time) {
	r.Keys = slices.DeleteFunc(r.Keys, func(k Key) bool { return k.overdue(now) })
}
