package openapi

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"fhirgate/gateway/adminapi"
)

// How hospitals are asked. Some may not answer: the document does not wait for all
// of them one after the other.
const (
	askTimeout = 10 * time.Second
	askAtOnce  = 8
	askAll     = 30 * time.Second
)

// How long a document is kept, and what a hospital says of itself: to ask costs it
// a call of its budget.
const (
	keepWhole     = 10 * time.Minute
	keepPart      = time.Minute // one that lacks something
	keepStatement = time.Hour
)

// Gateway tells of its hospitals; *adminapi.Client is one.
type Gateway interface {
	Hospitals(ctx context.Context) ([]adminapi.Hospital, error)
	// Capabilities returns the CapabilityStatement of a hospital as JSON.
	Capabilities(ctx context.Context, hospital string) ([]byte, error)
}

// Options say where a Source asks. All but Now are required.
type Options struct {
	Gateway   Gateway
	PublicURL string           // where callers reach the gateway, without a slash at the end
	Now       func() time.Time // nil = time.Now
}

// Source makes the document of a gateway from what its hospitals answer, and
// keeps it for some minutes, and the answers for an hour, as long as the hospital's
// route stays as it is. A hospital that does not answer is described from its route,
// which the gateway knows: then without its search parameters. The document tells so.
// One is there also when nothing answers.
type Source struct {
	o      Options
	flight singleflight.Group

	mu     sync.Mutex
	kept   *Described
	until  time.Time
	spoken map[string]spoken // by hospital
}

// spoken is a hospital as it was described by itself under a route.
type spoken struct {
	route    adminapi.Hospital
	hospital *Hospital
	until    time.Time
}

// Described is a document as it is sent.
type Described struct {
	JSON      []byte
	Hospitals int     // that are described
	Problems  []error // why which hospital is told from its route only, or nothing is known

	told sync.Once
}

// Tell tells of each problem, for the log: once, however many read the document.
func (d *Described) Tell(problem func(error)) {
	d.told.Do(func() {
		for _, p := range d.Problems {
			problem(p)
		}
	})
}

// NewSource returns a Source.
func NewSource(o Options) *Source {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Source{o: o, spoken: make(map[string]spoken)}
}

// Document returns the document: a kept one, or a new one when that is too old.
// Callers who come meanwhile wait for the same. The only error is that of a
// context that ends before.
func (s *Source) Document(ctx context.Context) (*Described, error) {
	if d := s.current(); d != nil {
		return d, nil
	}
	answer := s.flight.DoChan("", func() (any, error) {
		if d := s.current(); d != nil {
			return d, nil
		}
		d, err := s.make(context.WithoutCancel(ctx)) // others wait for it, too
		if err != nil {
			return nil, err
		}
		s.keep(d)
		return d, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case made := <-answer:
		if made.Err != nil {
			return nil, made.Err
		}
		return made.Val.(*Described), nil //nolint:forcetypeassert // it is what the function above returns
	}
}

func (s *Source) current() *Described {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.Now().Before(s.until) {
		return s.kept
	}
	return nil
}

func (s *Source) keep(d *Described) {
	life := keepWhole
	if len(d.Problems) > 0 {
		life = keepPart
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept, s.until = d, s.o.Now().Add(life)
}

func (s *Source) make(ctx context.Context) (*Described, error) {
	listed, err := s.o.Gateway.Hospitals(ctx)
	if err != nil {
		return s.described(nil, []error{fmt.Errorf("the gateway's hospitals are not known: %w", err)})
	}
	ctx, cancel := context.WithTimeout(ctx, askAll)
	defer cancel()
	hospitals := make([]*Hospital, len(listed))
	problems := make([]error, len(listed))
	var group errgroup.Group
	group.SetLimit(askAtOnce)
	for i, h := range listed {
		group.Go(func() error {
			hospitals[i], problems[i] = s.hospital(ctx, h)
			return nil
		})
	}
	_ = group.Wait() // none of them fails
	var told []error
	for _, problem := range problems {
		if problem != nil {
			told = append(told, problem)
		}
	}
	return s.described(hospitals, told)
}

func (s *Source) described(hospitals []*Hospital, problems []error) (*Described, error) {
	body, err := json.Marshal(Build(s.o.PublicURL, hospitals))
	return &Described{JSON: body, Hospitals: len(hospitals), Problems: problems}, err
}

// hospital returns what a hospital says of itself, and else what its route says,
// with the reason.
func (s *Source) hospital(ctx context.Context, listed adminapi.Hospital) (*Hospital, error) {
	if h := s.recall(listed); h != nil {
		return h, nil
	}
	h, err := s.ask(ctx, listed)
	if err != nil {
		return FromRoute(listed.ID, listed.Name, listed.Interactions, listed.Operations), err
	}
	h.AddRoute(listed.Interactions, listed.Operations)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoken[listed.ID] = spoken{listed, h, s.o.Now().Add(keepStatement)}
	return h, nil
}

// recall returns what a hospital has said of itself not long ago, if its route is
// still the same.
func (s *Source) recall(listed adminapi.Hospital) *Hospital {
	s.mu.Lock()
	defer s.mu.Unlock()
	said, found := s.spoken[listed.ID]
	if !found || !s.o.Now().Before(said.until) || said.route.Name != listed.Name ||
		!reflect.DeepEqual(said.route.Interactions, listed.Interactions) || !reflect.DeepEqual(said.route.Operations, listed.Operations) {
		delete(s.spoken, listed.ID)
		return nil
	}
	return said.hospital
}

func (s *Source) ask(ctx context.Context, listed adminapi.Hospital) (*Hospital, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	statement, err := s.o.Gateway.Capabilities(ctx, listed.ID)
	if err != nil {
		return nil, fmt.Errorf("hospital %s: its CapabilityStatement is not to be had: %w", listed.ID, err)
	}
	return Parse(listed.ID, listed.Name, statement)
}
