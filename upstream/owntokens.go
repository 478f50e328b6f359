package upstream

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"fhirgate/upstream/tokens"
)

// refreshEarly is how long before its end a token of ownTokens is no longer used.
const refreshEarly = 20 * time.Second

// ownTokens is the TokenCache of one client that shares its token with nobody:
// of a command that looks at a hospital once.
type ownTokens struct {
	flight singleflight.Group

	mu      sync.Mutex
	current tokens.Token
	until   time.Time
}

// Get returns the current token, or a fresh one that all callers wait for.
func (o *ownTokens) Get(ctx context.Context, _ tokens.Identity, stale string, fetch tokens.Fetch) (tokens.Token, error) {
	o.mu.Lock()
	current, usable := o.current, time.Now().Before(o.until)
	o.mu.Unlock()
	if usable && current.Value != stale {
		return current, nil
	}
	// The request outlives the caller that happened to come first: others wait
	// for it too.
	result := o.flight.DoChan("token", func() (any, error) { return o.refresh(context.WithoutCancel(ctx), fetch) })
	select {
	case r := <-result:
		if r.Err != nil {
			return tokens.Token{}, r.Err
		}
		return r.Val.(tokens.Token), nil
	case <-ctx.Done():
		return tokens.Token{}, context.Cause(ctx)
	}
}

// Drop makes the next Get fetch, when value is the current token.
func (o *ownTokens) Drop(_ tokens.Identity, value string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.current.Value == value {
		o.until = time.Time{}
	}
}

// State tells until when the current token is good.
func (o *ownTokens) State(context.Context, tokens.Identity) (tokens.State, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !time.Now().Before(o.until) {
		return tokens.State{}, nil
	}
	return tokens.State{Held: true, Scope: o.current.Scope, Expires: o.current.Expires}, nil
}

func (o *ownTokens) refresh(ctx context.Context, fetch tokens.Fetch) (tokens.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	fresh, err := fetch(ctx)
	if err != nil {
		return tokens.Token{}, err
	}
	life := time.Until(fresh.Expires)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.current, o.until = fresh, time.Now().Add(life-min(refreshEarly, life/4))
	return fresh, nil
}
