package engine

import (
	"log/slog"
	"net/http"
	"time"

	"fhirgate/fhir"
)

// front is the handler of the public server: it puts each request through Tyk
// and sees to it that exactly one answer, and never Tyk's own, comes out.
type front struct {
	tyk    http.Handler
	refuse func(w http.ResponseWriter, r *http.Request, status int)
	log    *slog.Logger
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Tyk would answer "Upgrade: h2c" by reading the whole body into memory
	// (RFC 9113 has dropped that upgrade), and there is nothing else to
	// upgrade to here.
	delete(r.Header, "Upgrade")
	stripIdentity(r.Header)
	closeBehind(w, r)
	boundBody(w, r)
	x := &exchange{answer: answer{ResponseWriter: w}, body: r.Body, length: r.ContentLength, log: f.log}
	f.tyk.ServeHTTP(x, x.with(r))
	switch x.state {
	case answered:
	case aborted:
		panic(http.ErrAbortHandler)
	case failed:
		f.fail(w, r, http.StatusInternalServerError)
	case passing:
		// A status below 400 means that the chain ended at Tyk's own proxy.
		if x.status < http.StatusBadRequest {
			x.status = http.StatusInternalServerError
		}
		f.fail(w, r, x.status)
	}
}

func (f *front) fail(w http.ResponseWriter, r *http.Request, status int) {
	clear(w.Header())
	closeBehind(w, r)
	f.refuse(w, r, status)
}

// closeBehind has the connection closed behind a request whose end another
// server may see elsewhere: net/http takes chunks for the body and forgets a
// Content-Length beside them, and Transfer-Encoding in HTTP/1.0. What a proxy in
// front takes for the rest of the body must never be read as a request
// (RFC 9112 section 6.1).
func closeBehind(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0) {
		w.Header().Set("Connection", "close")
	}
}

// boundBody sets the time for a body that no handler reads: net/http waits for
// its rest before it sends a refusal. A handler that takes longer to read sets
// deadlines of its own.
func boundBody(w http.ResponseWriter, r *http.Request) {
	if r.Body != http.NoBody {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // net/http has deadlines
	}
}

// refuse answers with an OperationOutcome that says no more than the status.
func refuse(w http.ResponseWriter, _ *http.Request, status int) {
	code := fhir.IssueException
	switch status {
	case http.StatusUnauthorized:
		code = fhir.IssueLogin
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusForbidden:
		code = fhir.IssueForbidden
	case http.StatusNotFound:
		code = fhir.IssueNotFound
	case http.StatusRequestEntityTooLarge:
		code = fhir.IssueTooLong
	case http.StatusTooManyRequests:
		code = fhir.IssueThrottled
		w.Header().Set("Retry-After", "1")
	case http.StatusServiceUnavailable:
		code = fhir.IssueTransient
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", fhir.MediaType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(fhir.Outcome("", fhir.Issue{Code: code, Diagnostics: http.StatusText(status)}))
}
