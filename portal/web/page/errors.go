package page

import (
	"errors"
	"net/http"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/store"
)

// Error is an error that its reader is told of, on a page of its own.
type Error struct {
	Status int    // HTTP status
	Title  string // a few words
	Text   string // what is wrong and what to do
	Err    error  // for the log; nil = nothing more
}

// Error returns the title and, for the log, what lies below.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Title + ": " + e.Err.Error()
	}
	return e.Title
}

// Unwrap returns what lies below.
func (e *Error) Unwrap() error { return e.Err }

// NotFound is what does not exist, or not for the reader.
func NotFound() error { return notFound(nil) }

// notFound is NotFound with what lies below.
func notFound(err error) *Error {
	return &Error{Status: http.StatusNotFound, Title: "Not found", Text: "There is nothing at this address, or you have no access to it.", Err: err}
}

// Forbidden is what the reader may see but not do.
func Forbidden(text string) error {
	return &Error{Status: http.StatusForbidden, Title: "Not allowed", Text: text}
}

// Conflict is what cannot be done any more, because something has changed.
func Conflict(text string) error {
	return &Error{Status: http.StatusConflict, Title: "Already changed", Text: text}
}

// asError returns err as the page that its reader sees.
func asError(err error) *Error {
	var known *Error
	var refusal *adminapi.Refusal
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, store.ErrNotFound):
		return notFound(err)
	case errors.Is(err, store.ErrOwnRequest):
		return &Error{Status: http.StatusForbidden, Title: "Not your own request", Text: "A request is decided by somebody who did not make it and is not in its team: ask another administrator.", Err: err}
	case errors.Is(err, store.ErrConflict):
		return &Error{Status: http.StatusConflict, Title: "Already changed", Text: "Somebody has changed this meanwhile, or it is not in a state in which this can be done. Look at it again.", Err: err}
	case errors.Is(err, adminapi.ErrUnreachable):
		return &Error{Status: http.StatusServiceUnavailable, Title: "The gateway does not answer", Text: "The portal cannot reach the gateway just now. Nothing was changed that you would have to repeat by hand: try again in a minute.", Err: err}
	case errors.As(err, &refusal) && refusal.Status == http.StatusNotFound:
		return &Error{Status: http.StatusNotFound, Title: "Not found", Text: "The gateway does not know this any more.", Err: err}
	case errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError && refusal.Status != http.StatusUnauthorized:
		return &Error{Status: refusal.Status, Title: "The gateway refuses", Text: refusal.Text, Err: err}
	default:
		return &Error{Status: http.StatusInternalServerError, Title: "Something went wrong", Text: "It is our fault. The request id below finds the cause in the portal's log.", Err: err}
	}
}
