// Package tryit lets people of the portal try calls on simulated hospitals: with
// a key of the portal's own, only by reading, and only what they say in the parts
// of a form. No address, path or header that they give is ever used as such.
package tryit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"fhirgate/gateway/adminapi"
)

// The interactions that may be tried.
const (
	Capabilities = "capabilities"
	Read         = "read"
	Search       = "search-type"
)

// How often somebody may call.
const (
	callEvery = time.Second
	callBurst = 15
	maxUsers  = 4096 // whose pace is remembered
)

// callTimeout bounds a call.
const callTimeout = 30 * time.Second

// Keys gives the API key with which calls are made; *OwnKey is one.
type Keys interface {
	// Hospitals returns those that the key may reach now.
	Hospitals(ctx context.Context) ([]adminapi.Hospital, error)
	// Key returns the key to use now, and the ids of the hospitals that it reaches.
	Key(ctx context.Context) (secret string, reaches []string, err error)
	// Refused tells that the gateway does not take a key any more.
	Refused(secret string)
}

// Options say what is called. All but Client and Now are required.
type Options struct {
	Keys       Keys
	GatewayURL string           // where the portal reaches the gateway, without a slash at the end
	PublicURL  string           // where callers reach it, likewise: for what they may copy
	Client     *http.Client     // nil = one of its own; it must not follow redirects
	Now        func() time.Time // nil = time.Now
}

// Trier makes calls. It is safe for concurrent use.
type Trier struct {
	o     Options
	mu    sync.Mutex
	paces *lru.Cache[string, *rate.Limiter] // by user
}

// New returns a Trier.
func New(o Options) (*Trier, error) {
	paces, err := lru.New[string, *rate.Limiter](maxUsers)
	if err != nil {
		return nil, err
	}
	if o.Client == nil {
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Trier{o: o, paces: paces}, nil
}

// Hospital is one on which calls may be tried.
type Hospital struct {
	ID, Name string
	Vendor   string
	TimeZone string // of the IANA database
	Types    []Type // by name
}

// Reads reports whether resources of a type can be read there.
func (h Hospital) Reads(typ string) bool {
	return slices.ContainsFunc(h.Types, func(t Type) bool { return t.Name == typ && t.Read })
}

// Searches reports whether a type can be searched there.
func (h Hospital) Searches(typ string) bool {
	return slices.ContainsFunc(h.Types, func(t Type) bool { return t.Name == typ && t.Search })
}

// Type is a resource type with what may be tried on it.
type Type struct {
	Name         string
	Read, Search bool
}

// Mistake is something wrong with what was asked for.
type Mistake struct {
	Field string // of the form: hospital, interaction, type, id or parameters
	Text  string
}

// Error returns what is wrong.
func (m *Mistake) Error() string { return m.Text }

// What keeps a call from being made, whatever it asks for.
var (
	// ErrTooFast says that somebody calls too often.
	ErrTooFast = errors.New("too many calls at once")
	// ErrAway says that the gateway cannot be reached, or gives the portal no key.
	ErrAway = errors.New("the gateway cannot be called now")
)

func away(err error) error { return fmt.Errorf("%w: %w", ErrAway, err) }

// Hospitals returns those on which calls may be tried, by name.
func (t *Trier) Hospitals(ctx context.Context) ([]Hospital, error) {
	listed, err := t.o.Keys.Hospitals(ctx)
	if err != nil {
		return nil, away(err)
	}
	var hospitals []Hospital
	for _, h := range listed {
		if hospitalID.MatchString(h.ID) {
			hospitals = append(hospitals, Hospital{ID: h.ID, Name: h.Name, Vendor: h.Vendor, TimeZone: h.TimeZone, Types: typesOf(h)})
		}
	}
	slices.SortFunc(hospitals, func(a, b Hospital) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return hospitals, nil
}

func typesOf(h adminapi.Hospital) []Type {
	var types []Type
	for name, listed := range h.Interactions {
		t := Type{Name: name, Read: slices.Contains(listed, Read), Search: slices.Contains(listed, Search)}
		if typeName.MatchString(name) && (t.Read || t.Search) {
			types = append(types, t)
		}
	}
	slices.SortFunc(types, func(a, b Type) int { return cmp.Compare(a.Name, b.Name) })
	return types
}

// pace counts a call of a user.
func (t *Trier) pace(user string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	limiter, known := t.paces.Get(user)
	if !known {
		limiter = rate.NewLimiter(rate.Every(callEvery), callBurst)
		t.paces.Add(user, limiter)
	}
	if !limiter.AllowN(t.o.Now(), 1) {
		return ErrTooFast
	}
	return nil
}
