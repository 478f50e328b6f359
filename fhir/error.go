package fhir

import (
	"net/http"
	"strconv"
	"time"
)

// Error is a failure that has its HTTP form: every stage of the gateway
// returns one (or a plain error, which becomes a 500 that says nothing), and
// one place renders it.
//
// Text is shown to the caller and written to logs; it must never hold a value,
// a query string or a reference of a resource.
type Error struct {
	Status     int           // HTTP status, 400 to 599
	Code       IssueCode     // OperationOutcome.issue.code
	Text       string        // OperationOutcome.issue.diagnostics
	Expression string        // FHIRPath or JSON path of the place, may be empty
	RetryAfter time.Duration // sent as whole seconds, rounded up; 0 = no header
	Header     http.Header   // further headers of the answer, e.g. WWW-Authenticate or Allow
	Err        error         // the cause, for the log; never shown
}

// Error returns the text and, when there is one, the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Text + ": " + e.Err.Error()
	}
	return e.Text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// NewError returns an Error of this status, issue code and text.
func NewError(status int, code IssueCode, text string) *Error {
	return &Error{Status: status, Code: code, Text: text}
}

// At sets the place in the body that is wrong and returns e.
func (e *Error) At(expression string) *Error {
	e.Expression = expression
	return e
}

// Because sets the cause and returns e.
func (e *Error) Because(err error) *Error {
	e.Err = err
	return e
}

// With adds a header to the answer and returns e.
func (e *Error) With(name, value string) *Error {
	if e.Header == nil {
		e.Header = make(http.Header)
	}
	e.Header.Add(name, value)
	return e
}

// After sets Retry-After and returns e.
func (e *Error) After(d time.Duration) *Error {
	e.RetryAfter = d
	return e
}

// Issue returns the error as an OperationOutcome.issue.
func (e *Error) Issue() Issue {
	issue := Issue{Severity: "error", Code: e.Code, Diagnostics: e.Text}
	if e.Expression != "" {
		issue.Expression = []string{e.Expression}
	}
	return issue
}

// Write sends the error as an OperationOutcome with its headers. It must be
// the first thing written to w.
func (e *Error) Write(w http.ResponseWriter, requestID string) {
	body := Outcome(requestID, e.Issue())
	h := w.Header()
	for name, values := range e.Header {
		h[name] = values
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	h.Set("Content-Type", MediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(e.Status)
	_, _ = w.Write(body) // the client is gone when this fails: there is nobody left to tell
}
