package tryit

import (
	"context"
	"slices"
	"sync"
	"time"

	"fhirgate/gateway/adminapi"
)

// When a key is replaced.
const (
	renewBefore = 10 * time.Minute // its end
	renewAfter  = time.Minute      // it was made: a newer one that is refused is not at fault
)

// Gateway tells what hospitals and plans there are; *adminapi.Client is one.
type Gateway interface {
	Hospitals(ctx context.Context) ([]adminapi.Hospital, error)
	Plans(ctx context.Context) ([]adminapi.Plan, error)
}

// Make makes a key for exactly these hospitals, in place of any before it, and
// tells when it ends; zero = never.
type Make func(ctx context.Context, hospitals []string) (secret string, ends time.Time, err error)

// KeyOptions say what a key is made for. All but Now are required.
type KeyOptions struct {
	Gateway Gateway
	Plan    string // id of the key's plan
	Make    Make
	Now     func() time.Time // nil = time.Now
}

// OwnKey is a key that is made on first use, kept in memory only, and made anew
// before it ends, when the gateway refuses it, or when the hospitals that it may
// reach are others than those that it was made for.
type OwnKey struct {
	o KeyOptions

	mu      sync.Mutex
	secret  string
	reaches []string // ids, sorted
	made    time.Time
	ends    time.Time
}

// NewOwnKey returns a key that is not made yet.
func NewOwnKey(o KeyOptions) *OwnKey {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &OwnKey{o: o}
}

// Hospitals returns those that the key may reach now: of the simulated ones those
// of its plan. A plan that does not exist, or is not active, has none.
func (k *OwnKey) Hospitals(ctx context.Context) ([]adminapi.Hospital, error) {
	plans, err := k.o.Gateway.Plans(ctx)
	if err != nil {
		return nil, err
	}
	listed, err := k.o.Gateway.Hospitals(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(plans, func(p adminapi.Plan) bool { return p.ID == k.o.Plan && p.Active })
	if i < 0 {
		return nil, nil
	}
	var hospitals []adminapi.Hospital
	for _, h := range listed {
		if h.Simulated() && slices.Contains(plans[i].Hospitals, h.ID) {
			hospitals = append(hospitals, h)
		}
	}
	return hospitals, nil
}

// Key returns the key, and the ids of the hospitals that it reaches, sorted; "" and
// none when there is nothing to reach. It looks what there is to reach each time.
// Who comes while a key is being made waits.
func (k *OwnKey) Key(ctx context.Context) (secret string, reaches []string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	hospitals, err := k.Hospitals(ctx)
	if err != nil {
		return "", nil, err
	}
	for _, h := range hospitals {
		reaches = append(reaches, h.ID)
	}
	slices.Sort(reaches)
	if len(reaches) == 0 {
		k.secret = ""
		return "", nil, nil
	}
	if k.secret != "" && slices.Equal(k.reaches, reaches) && (k.ends.IsZero() || k.o.Now().Add(renewBefore).Before(k.ends)) {
		return k.secret, reaches, nil
	}
	k.secret = "" // if no other one can be made, there is none
	secret, ends, err := k.o.Make(ctx, reaches)
	if err != nil {
		return "", nil, err
	}
	k.secret, k.reaches, k.made, k.ends = secret, reaches, k.o.Now(), ends
	return secret, reaches, nil
}

// Refused forgets a key that the gateway does not take any more, unless another
// one has taken its place already or it is very new.
func (k *OwnKey) Refused(secret string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.secret == secret && !k.o.Now().Before(k.made.Add(renewAfter)) {
		k.secret = ""
	}
}
