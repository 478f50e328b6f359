package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// FindOptions say where to look and for what. Without Patient and Resource all
// calls match, without Hospital those of all hospitals.
type FindOptions struct {
	Folder string
	Keys   jose.JSONWebKeySet

	Hospital string    // id of a hospital
	Patient  string    // such as "Patient/123": as the patient, or as the resource itself; needs Hospital
	Resource string    // such as "Observation/7"; needs Hospital
	From     time.Time // the first time that matches; zero for all before Until
	Until    time.Time // the first time that does not match any more; zero for all
	Consumer string    // id of a consumer
}

// Found is a call that matches.
type Found struct {
	Record
	// Maybe says that what was looked for is not in the record, but that the
	// record holds fewer references than there were.
	Maybe bool
}

// clockSlack is how far clocks may have been set back between two files.
const clockSlack = time.Hour

// Find returns the calls that match, one node after the other, each node's in
// the order of its chain. Memory does not grow with the trail. A line that
// can't be read is an error, and the search goes on behind it; see Verify.
func Find(ctx context.Context, o FindOptions) iter.Seq2[*Found, error] {
	return func(yield func(*Found, error) bool) {
		if o.Hospital == "" && (o.Patient != "" || o.Resource != "") {
			yield(nil, errors.New("a patient or a resource is looked for at a hospital: name it"))
			return
		}
		ring, err := newKeyring(o.Keys)
		if err != nil {
			yield(nil, err)
			return
		}
		found, err := list(o.Folder)
		if err != nil {
			yield(nil, err)
			return
		}
		s := search{FindOptions: o, ring: ring, sought: make(map[string][2]string)}
		for _, node := range found.nodes() {
			if !s.node(ctx, found.files[node], yield) {
				return
			}
		}
	}
}

// search is one run of Find.
type search struct {
	FindOptions
	ring   *keyring
	sought map[string][2]string // by kid: the patient and the resource, concealed
}

// node searches the files of a node and reports whether to go on.
func (s *search) node(ctx context.Context, files []logFile, yield func(*Found, error) bool) bool {
	for i, file := range files {
		if i+1 < len(files) && s.before(files[i+1]) {
			continue
		}
		for line := range scan(s.ring, file.path) {
			switch {
			case ctx.Err() != nil:
				yield(nil, ctx.Err())
				return false
			case line.record == nil && !line.whole && line.number > 0 && i == len(files)-1:
				continue // it is being written, or the next start repairs it
			case line.record == nil:
				if !yield(nil, lineError(file.path, line.number, line.err)) {
					return false
				}
				continue
			}
			if hit, maybe := s.matches(line.record); hit && !yield(&Found{*line.record, maybe}, nil) {
				return false
			}
		}
	}
	return true
}

// before reports whether all that is in the file before next is too old: what
// is in it was written, and so happened, before the first record of next.
func (s *search) before(next logFile) bool {
	if s.From.IsZero() {
		return false
	}
	for line := range scan(s.ring, next.path) {
		return line.record != nil && line.record.Written.Add(clockSlack).Before(s.From)
	}
	return false
}

func (s *search) matches(r *Record) (hit, maybe bool) {
	e := &r.Event
	switch {
	case r.Kind != KindCall,
		s.Hospital != "" && e.Hospital != s.Hospital,
		s.Consumer != "" && e.Consumer != s.Consumer,
		!s.From.IsZero() && e.Time.Before(s.From),
		!s.Until.IsZero() && !e.Time.Before(s.Until):
		return false, false
	}
	sought, ok := s.sought[r.Key]
	if !ok {
		key := s.ring.byID[r.Key]
		sought = [2]string{key.conceal(s.Hospital, s.Patient), key.conceal(s.Hospital, s.Resource)}
		s.sought[r.Key] = sought
	}
	patient := s.Patient == "" || slices.Contains(e.Patients, sought[0]) || slices.Contains(e.Resources, sought[0])
	resource := s.Resource == "" || slices.Contains(e.Resources, sought[1]) || slices.Contains(e.Patients, sought[1])
	if patient && resource {
		return true, false
	}
	return e.More, e.More
}

// lineError tells where an error is.
func lineError(path string, line int, err error) error {
	if line == 0 {
		return fmt.Errorf("%s: %w", path, err)
	}
	return fmt.Errorf("%s:%d: %w", path, line, err)
}
