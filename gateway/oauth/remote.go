package oauth

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

const (
	// refreshPause is between two fetches of a set, so that tokens of unknown
	// keys do not make us attack a provider.
	refreshPause = 30 * time.Second
	// retryPause is between two while there is no set at all.
	retryPause = 5 * time.Second
	// staleFor is how long a set is used that cannot be fetched again.
	staleFor = 24 * time.Hour
)

// remote is a key set that somebody else publishes.
type remote struct {
	load   func(context.Context) ([]jose.JSONWebKey, time.Duration, error)
	now    func() time.Time
	log    *slog.Logger
	name   string // for the log
	flight singleflight.Group
	last   atomic.Pointer[fetched]
}

func newRemote(now func() time.Time, log *slog.Logger, name string, load func(context.Context) ([]jose.JSONWebKey, time.Duration, error)) *remote {
	r := &remote{load: load, now: now, log: log, name: name}
	r.last.Store(&fetched{})
	return r
}

// fetched is what is known of a set. It is never changed.
type fetched struct {
	keys  []jose.JSONWebKey
	read  time.Time // when keys were fetched; zero = never
	until time.Time // when they are to be fetched again
	tried time.Time // when that was last attempted
	err   error     // of the last attempt
}

// find returns the keys that may have signed a token, or an error when there is
// no set that can be relied on. A kid that the set does not have may be new: the
// set is then fetched again.
func (r *remote) find(ctx context.Context, kid string, alg jose.SignatureAlgorithm) ([]jose.JSONWebKey, error) {
	set, now := r.last.Load(), r.now()
	found := candidates(set.keys, kid, alg)
	if (len(found) == 0 || !now.Before(set.until)) && set.mayTry(now) {
		set = r.refresh(ctx, set)
		found = candidates(set.keys, kid, alg)
	}
	if !set.usable(now) {
		return nil, set.err
	}
	return found, nil
}

func (f *fetched) mayTry(now time.Time) bool {
	pause := refreshPause
	if f.read.IsZero() {
		pause = retryPause
	}
	return f.tried.IsZero() || now.Sub(f.tried) >= pause || now.Before(f.tried)
}

func (f *fetched) usable(now time.Time) bool {
	return !f.read.IsZero() && (f.err == nil || now.Sub(f.read) < staleFor)
}

// refresh fetches the set, once for all who want it now. When that fails the set
// of before stays.
func (r *remote) refresh(ctx context.Context, seen *fetched) *fetched {
	result, _, _ := r.flight.Do("", func() (any, error) {
		last := r.last.Load()
		if last != seen { // somebody else has, a moment ago
			return last, nil
		}
		next := &fetched{keys: last.keys, read: last.read, tried: r.now()}
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*fetchTimeout)
		defer cancel()
		keys, age, err := r.load(bounded)
		if err == nil {
			next.keys, next.read, next.until = keys, next.tried, next.tried.Add(age)
		} else {
			next.err = err
			r.log.Warn("a key set cannot be fetched", "of", r.name, "problem", err)
		}
		r.last.Store(next)
		return next, nil
	})
	return result.(*fetched)
}

// remotes are the key sets of clients that publish theirs, by URL.
type remotes struct {
	fetcher *fetcher
	now     func() time.Time
	log     *slog.Logger
	sets    sync.Map // of *remote
}

// of returns the set of a URL, which a client is registered with.
func (r *remotes) of(url string) *remote {
	if known, ok := r.sets.Load(url); ok {
		return known.(*remote)
	}
	set, _ := r.sets.LoadOrStore(url, newRemote(r.now, r.log, "a client", func(ctx context.Context) ([]jose.JSONWebKey, time.Duration, error) {
		return fetchKeys(ctx, r.fetcher, url)
	}))
	return set.(*remote)
}

func fetchKeys(ctx context.Context, f *fetcher, url string) ([]jose.JSONWebKey, time.Duration, error) {
	data, age, err := f.get(ctx, url)
	if err != nil {
		return nil, 0, err
	}
	keys, err := readKeys(data)
	return keys, age, err
}
