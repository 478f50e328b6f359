package openapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"fhirgate/gateway/adminapi"
)

// How statements are fetched.
const (
	fetchTimeout = 10 * time.Second
	fetchAtOnce  = 8
	maxStatement = 4 << 20 // bytes
)

// How long a document is kept.
const (
	keepWhole = 10 * time.Minute
	keepPart  = time.Minute // one that lacks something
)

// Lister lists the hospitals of a gateway; *adminapi.Client is one.
type Lister interface {
	Hospitals(ctx context.Context) ([]adminapi.Hospital, error)
}

// Keys gives the API key with which statements are asked for.
type Keys interface {
	// Key returns the key to use now, and the ids of the hospitals that it reaches;
	// none of them = there is no key.
	Key(ctx context.Context) (secret string, reaches []string, err error)
	// Refused tells that the gateway does not take a key any more.
	Refused(secret string)
}

// Options say where a Source asks. All but Now and Client are required.
type Options struct {
	Gateway    Lister
	Keys       Keys
	GatewayURL string           // where the portal reaches the gateway, without a slash at the end
	PublicURL  string           // where callers reach it, likewise
	Client     *http.Client     // nil = one of its own
	Now        func() time.Time // nil = time.Now
}

// Source makes the document of a gateway from what its hospitals answer, and
// keeps it for some minutes. A hospital that the Source's key does not reach is not
// asked; it is described from its route, which the gateway knows, and so is one that
// does not answer: then without its search parameters. The document tells so. One
// is there also when nothing answers.
type Source struct {
	o      Options
	flight singleflight.Group

	mu    sync.Mutex
	kept  *Described
	until time.Time
}

// Described is a document as it is sent.
type Described struct {
	JSON      []byte
	Hospitals int     // that are described
	Problems  []error // why a hospital that was asked is told from its route only, or nothing is known; for the log
}

// NewSource returns a Source.
func NewSource(o Options) *Source {
	if o.Client == nil {
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Source{o: o}
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
	var told []error
	secret, reaches, err := s.o.Keys.Key(ctx)
	if err != nil {
		told = append(told, fmt.Errorf("no hospital can be asked for its CapabilityStatement: %w", err))
	}
	hospitals := make([]*Hospital, len(listed))
	problems := make([]error, len(listed))
	var group errgroup.Group
	group.SetLimit(fetchAtOnce)
	for i, h := range listed {
		if !slices.Contains(reaches, h.ID) {
			hospitals[i] = fromRoute(h)
			continue
		}
		group.Go(func() error {
			hospitals[i], problems[i] = s.hospital(ctx, secret, h)
			return nil
		})
	}
	_ = group.Wait() // none of them fails
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
func (s *Source) hospital(ctx context.Context, secret string, listed adminapi.Hospital) (*Hospital, error) {
	h, err := s.ask(ctx, secret, listed)
	if err != nil {
		return fromRoute(listed), err
	}
	h.AddRoute(listed.Interactions, listed.Operations)
	return h, nil
}

func fromRoute(listed adminapi.Hospital) *Hospital {
	return FromRoute(listed.ID, listed.Name, listed.Interactions, listed.Operations)
}

func (s *Source) ask(ctx context.Context, secret string, listed adminapi.Hospital) (*Hospital, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	body, err := s.fetch(ctx, secret, listed.ID)
	if err != nil {
		return nil, fmt.Errorf("hospital %s: its CapabilityStatement is not to be had: %w", listed.ID, err)
	}
	return Parse(listed.ID, listed.Name, body)
}

func (s *Source) fetch(ctx context.Context, secret, id string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.o.GatewayURL+"/fhir/"+url.PathEscape(id)+"/metadata", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Accept", fhirJSON)
	answer, err := s.o.Client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusUnauthorized {
		s.o.Keys.Refused(secret)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the gateway answered %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxStatement+1))
	if err == nil && len(body) > maxStatement {
		err = errors.New("it is too large")
	}
	return body, err
}
