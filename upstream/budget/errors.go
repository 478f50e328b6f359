package budget

import (
	"net/http"
	"time"

	"fhirgate/fhir"
)

// unknownWait is the Retry-After of a call that waits for others to end: nobody
// knows when they will.
const unknownWait = time.Second

// refused returns the error of a call whose turn is too far away.
func refused(v verdict) error {
	text, after := "the hospital's own budget is used up", v.wait
	switch v.lacking {
	case lacksConcurrency:
		text, after = "as many calls to the hospital are under way as it allows", unknownWait
	case closed:
		text = "the hospital has asked for a pause"
	}
	return fhir.NewError(http.StatusTooManyRequests, fhir.IssueThrottled, text).After(max(after, time.Millisecond))
}

// unavailable returns the error of a call that nobody can say may be made.
func unavailable(err error) error {
	return fhir.NewError(http.StatusServiceUnavailable, fhir.IssueTransient,
		"the gateway cannot reach its store, where the hospital's budget is counted").Because(err)
}
