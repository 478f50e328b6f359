package tokens

import (
	"errors"
	"net/http"
	"time"

	"fhirgate/fhir"
)

// ErrPermanent is wrapped by the error of a [Fetch] that repetition will not
// cure, such as invalid_client, unauthorized_client, invalid_grant or
// invalid_scope (RFC 6749 section 5.2). It is remembered for 30 s, growing to
// 5 min with each attempt; other errors for 1 s, growing to 30 s.
var ErrPermanent = errors.New("the token endpoint will go on refusing this")

// ErrRemembered is in the chain of an error that [Cache.Get] returned without
// asking the token endpoint, because it failed a short while ago.
var ErrRemembered = errors.New("remembered from the last attempt")

// ErrRefusedAgain is in the chain of the error for a token that the hospital
// refuses although it was fetched less than 10 s ago to replace a refused one.
var ErrRefusedAgain = errors.New("the token had just been replaced")

// ErrClosed is returned when a token is needed after [Cache.Close].
var ErrClosed = errors.New("the token cache is closed")

const (
	transientFirst, transientMost = time.Second, 30 * time.Second
	permanentFirst, permanentMost = 30 * time.Second, 5 * time.Minute
	// askedMost bounds the pause that a Retry-After can ask for.
	askedMost = 10 * time.Minute
	// attemptsMemory is how long after the last pause attempts count on.
	attemptsMemory = time.Minute
)

// failure is a failed fetch as it is sealed: what of it may be told.
type failure struct {
	Status    int            `json:"status"`
	Code      fhir.IssueCode `json:"code"`
	Text      string         `json:"text"`
	Permanent bool           `json:"permanent,omitempty"`
}

// remembered is a failure in memory.
type remembered struct {
	failure
	attempts int
	until    time.Time
}

// tell returns err with a *fhir.Error in its chain.
func tell(err error) error {
	var told *fhir.Error
	if errors.As(err, &told) {
		return err
	}
	return fhir.NewError(http.StatusBadGateway, fhir.IssueTransient, "the gateway could not log in to the hospital").Because(err)
}

// describe returns what is remembered of a fetch's error, and the least pause
// that it asks for.
func describe(err error) (failure, time.Duration) {
	var told *fhir.Error
	errors.As(tell(err), &told)
	f := failure{Status: told.Status, Code: told.Code, Text: told.Text, Permanent: errors.Is(err, ErrPermanent)}
	return f, min(told.RetryAfter, askedMost)
}

// pauses returns how long f is remembered at first, and at most.
func (f failure) pauses() (first, most time.Duration) {
	if f.Permanent {
		return permanentFirst, permanentMost
	}
	return transientFirst, transientMost
}

// after returns f as the attempt that followed before, which may be nil, with
// a pause of at least least. It is what fail.lua does for all nodes.
func (f failure) after(before *remembered, least time.Duration, now time.Time) *remembered {
	attempts := 1
	if before != nil && now.Before(before.until.Add(attemptsMemory)) {
		attempts += before.attempts
	}
	first, most := f.pauses()
	pause := max(min(first<<min(attempts-1, 20), most), least)
	return &remembered{failure: f, attempts: attempts, until: now.Add(pause)}
}

// lasts reports whether the failure is still remembered at now.
func (r *remembered) lasts(now time.Time) bool { return r != nil && now.Before(r.until) }

// err returns the error for a caller at now.
func (r *remembered) err(now time.Time) error {
	cause := ErrRemembered
	if r.Permanent {
		cause = errors.Join(ErrRemembered, ErrPermanent)
	}
	return fhir.NewError(r.Status, r.Code, r.Text).After(r.until.Sub(now)).Because(cause)
}

func refusedAgain(left time.Duration) error {
	return fhir.NewError(http.StatusBadGateway, fhir.IssueTransient, "the hospital refuses the gateway's access token, although it is fresh").
		After(left).Because(ErrRefusedAgain)
}
