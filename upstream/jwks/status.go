package jwks

import (
	"context"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Status is what there is to tell of a ring. It holds nothing secret.
type Status struct {
	Name    string                  `json:"name"`
	Alg     jose.SignatureAlgorithm `json:"alg"`
	Bits    int                     `json:"bits,omitempty"`
	After   string                  `json:"after,omitempty"`   // as "30h0m0s"; none for a file
	File    string                  `json:"file,omitempty"`    // its name, for a ring that is a file
	Problem string                  `json:"problem,omitempty"` // why it cannot be used, or its file's change was not taken
	Keys    []KeyStatus             `json:"keys"`              // the oldest first
}

// KeyStatus is what there is to tell of a key. Times that are zero are not
// known: of a key that signs until further notice, and of files.
type KeyStatus struct {
	KID       string    `json:"kid"`
	State     State     `json:"state"`
	Published time.Time `json:"published,omitzero"`
	Activates time.Time `json:"activates,omitzero"`
	Stops     time.Time `json:"stops,omitzero"`
	Leaves    time.Time `json:"leaves,omitzero"`
}

// List returns all rings by name, with those that this node cannot open.
// Errors: Redis'.
func (r *Rings) List(ctx context.Context) ([]Status, error) {
	view, now := r.current(ctx), r.now()
	if view.err != nil {
		return nil, view.err
	}
	all := make([]Status, 0, len(view.rings))
	for _, name := range view.names() {
		all = append(all, statusOf(view.rings[name], now))
	}
	return all, nil
}

func statusOf(o *opened, now time.Time) Status {
	ring := o.ring
	s := Status{Name: ring.Name, Alg: ring.Alg, Bits: ring.Bits, Keys: make([]KeyStatus, 0, len(ring.Keys))}
	if o.problem != nil {
		s.Problem = o.problem.Error()
	}
	if o.file != "" {
		s.File = filepath.Base(o.file)
		for _, kid := range o.fixed.Published {
			state := Published
			if kid == o.fixed.Signing {
				state = Active
			}
			s.Keys = append(s.Keys, KeyStatus{KID: kid, State: state})
		}
		return s
	}
	s.After = ring.After.String()
	for _, key := range ring.Keys {
		s.Keys = append(s.Keys, KeyStatus{
			KID: key.KID, State: key.State(now),
			Published: key.Published, Activates: key.Activates, Stops: key.Stops, Leaves: key.Leaves,
		})
	}
	return s
}
