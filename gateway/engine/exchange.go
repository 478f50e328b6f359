package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"runtime"
	"runtime/debug"
)

// exchange is one request and its answer on their way through Tyk. It is the
// http.ResponseWriter that Tyk gets, and never lets Tyk write to the client:
// what Tyk writes before our handler ran is a refusal, of which the status is
// kept; what it writes afterwards is dropped.
type exchange struct {
	answer answer        // what our handler writes to
	body   io.ReadCloser // the request body, before Tyk wraps it
	length int64         // the request's declared length
	log    *slog.Logger  // for panics of our handlers
	header http.Header   // what Tyk sets, for nobody
	status int           // what Tyk answered by itself; 0 = nothing
	state  exchangeState
}

type exchangeState int

const (
	passing  exchangeState = iota // in Tyk's hands
	answered                      // our handler wrote an answer
	failed                        // our handler failed before it wrote anything
	aborted                       // half an answer is out: the connection must break
)

type exchangeKey struct{}

// with returns r with x in its context.
func (x *exchange) with(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
}

func exchangeOf(r *http.Request) *exchange {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	return x
}

// serve runs our handler. Its panic is a 500 if nothing was written yet, and an
// aborted connection otherwise, as is http.ErrAbortHandler. A handler that
// writes nothing has failed, too: an empty 200 is no answer in FHIR.
func (x *exchange) serve(handler http.Handler, r *http.Request) {
	r.Body, r.ContentLength = x.body, x.length
	defer func() {
		// Tyk must find no body to read on, whatever it does afterwards.
		r.Body, r.ContentLength = http.NoBody, 0
		value := recover()
		abort := isAbort(value)
		switch {
		case value == nil && x.answer.wrote:
			x.state = answered
		case abort, value != nil && x.answer.wrote:
			x.state = aborted
		default:
			x.state = failed
		}
		if value != nil && !abort {
			x.log.Error("a handler panicked", "cause", panicCause(value), "stack", string(debug.Stack()))
		}
	}()
	handler.ServeHTTP(&x.answer, r)
}

// panicCause describes a recovered value without its text, which could hold
// anything; errors of the runtime only hold numbers and types.
func panicCause(value any) string {
	var err runtime.Error
	if e, ok := value.(error); ok && errors.As(e, &err) {
		return err.Error()
	}
	return reflect.TypeOf(value).String()
}

// Header implements http.ResponseWriter for Tyk.
func (x *exchange) Header() http.Header {
	if x.header == nil {
		x.header = make(http.Header)
	}
	return x.header
}

// WriteHeader implements http.ResponseWriter for Tyk.
func (x *exchange) WriteHeader(status int) {
	if x.state == passing && x.status == 0 {
		x.status = status
	}
}

// Write implements http.ResponseWriter for Tyk.
func (x *exchange) Write(p []byte) (int, error) {
	x.WriteHeader(http.StatusOK)
	return len(p), nil
}

// answer is net/http's own writer that remembers whether it was used. With
// Unwrap, http.ResponseController reaches deadlines and full duplex.
type answer struct {
	http.ResponseWriter
	wrote bool
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	a.wrote = a.wrote || status >= http.StatusOK
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.wrote = true
	return a.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom, so that io.Copy uses net/http's buffers.
func (a *answer) ReadFrom(src io.Reader) (int64, error) {
	a.wrote = true
	return io.Copy(a.ResponseWriter, src)
}

// FlushError sends what is buffered (http.ResponseController).
func (a *answer) FlushError() error {
	a.wrote = true
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Flush implements http.Flusher.
func (a *answer) Flush() { _ = a.FlushError() }

// Unwrap returns net/http's writer (http.ResponseController).
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// isAbort reports whether a panic's value asks for the connection to be broken
// off.
func isAbort(value any) bool {
	err, ok := value.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}
