package tokens

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	// lifeWithoutExpiry is assumed when a token answer has no expires_in, which
	// RFC 6749 section 5.1 only recommends.
	lifeWithoutExpiry = time.Minute
	// A token is renewed when a fifth of its life is left, within these bounds,
	// and never in the first half of its life.
	aheadLeast, aheadMost = 20 * time.Second, 5 * time.Minute
	// skewMost is how long before its end a token is no longer used, since
	// clocks differ; a tenth of its life when that is less.
	skewMost = 10 * time.Second
	// refusalPause is how long a token that replaced a refused one is kept,
	// even if it is refused as well.
	refusalPause = 10 * time.Second
)

// record is a token as it is sealed. Times are Unix milliseconds.
type record struct {
	Value       string `json:"value"`
	Type        string `json:"type,omitempty"`
	Scope       string `json:"scope,omitempty"`
	Obtained    int64  `json:"obtained"`
	Expires     int64  `json:"expires"`
	Replacement bool   `json:"replacement,omitempty"`
}

// held is a token in memory.
type held struct {
	token       Token
	version     string // of the value in Redis, "" when it is not there
	obtained    time.Time
	until       time.Time // from then on it is not used
	replacement bool      // fetched because the hospital refused the one before
	dropped     atomic.Bool
	// due is when to renew it, in Unix nanoseconds; far away while that is under way.
	due atomic.Int64
}

// hold returns a token that was asked for at obtained.
func hold(token Token, version string, obtained time.Time, replacement bool) *held {
	if token.Expires.IsZero() {
		token.Expires = obtained.Add(lifeWithoutExpiry)
	}
	life := token.Expires.Sub(obtained)
	h := &held{
		token:       token,
		version:     version,
		obtained:    obtained,
		until:       token.Expires.Add(-min(skewMost, life/10)),
		replacement: replacement,
	}
	ahead := min(max(life/5, aheadLeast), aheadMost, life/2)
	if ahead > 0 { // up to a quarter later, so that nodes do not come together
		ahead -= rand.N(ahead/4 + 1) //nolint:gosec // jitter
	}
	h.due.Store(token.Expires.Add(-ahead).UnixNano())
	return h
}

// record returns what to seal of h.
func (h *held) record() record {
	return record{
		Value: h.token.Value, Type: h.token.Type, Scope: h.token.Scope,
		Obtained: h.obtained.UnixMilli(), Expires: h.token.Expires.UnixMilli(),
		Replacement: h.replacement,
	}
}

// hold returns the token of a record that was opened.
func (r record) hold(version string) *held {
	token := Token{Value: r.Value, Type: r.Type, Scope: r.Scope, Expires: time.UnixMilli(r.Expires)}
	return hold(token, version, time.UnixMilli(r.Obtained), r.Replacement)
}

// serves reports whether h can be used at now by a caller who was refused stale.
func (h *held) serves(now time.Time, stale string) bool {
	return h != nil && h.token.Value != stale && now.Before(h.until) && !h.dropped.Load()
}

// refused reports whether stale is h, which a refusal lets us replace.
func (h *held) refused(stale string) bool {
	return h != nil && h.token.Value == stale
}

// settled reports whether h may be replaced because it is refused. A hospital
// that refuses every token would otherwise have one fetched with each call.
func (h *held) settled(now time.Time) bool {
	return !h.replacement || now.Sub(h.obtained) >= refusalPause || !now.Before(h.until)
}

// claim reports whether h is due for renewal and the caller the one to do it.
func (h *held) claim(now time.Time) bool {
	due := h.due.Load()
	return now.UnixNano() >= due && h.due.CompareAndSwap(due, h.token.Expires.UnixNano())
}

// postpone makes h due again at t.
func (h *held) postpone(t time.Time) { h.due.Store(t.UnixNano()) }
