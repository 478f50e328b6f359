package tryit

import (
	"context"
	"sync"
	"time"
)

// When a key is replaced.
const (
	renewBefore = 10 * time.Minute // its end
	renewAfter  = time.Minute      // it was made: a newer one that is refused is not at fault
)

// Make makes a key and tells when it ends; zero = never.
type Make func(ctx context.Context) (secret string, ends time.Time, err error)

// OwnKey is a key that is made on first use, kept in memory only, and made anew
// before it ends or when the gateway refuses it.
type OwnKey struct {
	make Make
	now  func() time.Time

	mu     sync.Mutex
	secret string
	made   time.Time
	ends   time.Time
}

// NewOwnKey returns a key that make makes. A nil now is time.Now.
func NewOwnKey(make Make, now func() time.Time) *OwnKey {
	if now == nil {
		now = time.Now
	}
	return &OwnKey{make: make, now: now}
}

// Secret returns the key. Who comes while it is being made waits.
func (k *OwnKey) Secret(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.secret != "" && (k.ends.IsZero() || k.now().Add(renewBefore).Before(k.ends)) {
		return k.secret, nil
	}
	secret, ends, err := k.make(ctx)
	if err != nil {
		return "", err
	}
	k.secret, k.made, k.ends = secret, k.now(), ends
	return secret, nil
}

// Refused forgets a key that the gateway does not take any more, unless another
// one has taken its place already or it is very new.
func (k *OwnKey) Refused(secret string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.secret == secret && !k.now().Before(k.made.Add(renewAfter)) {
		k.secret = ""
	}
}
