// Package facade is a request's way through the gateway: from the path to the
// hospital and back. Each stage is a file and a verb; handle shows their order.
package facade

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"fhirgate/fhir"
	"fhirgate/observe"
	"fhirgate/policies/smart"
	"fhirgate/transforms"
)

// Prefix is the path under which the facade serves hospitals.
const Prefix = "/fhir/"

// Facade serves everything below /fhir/. It is an http.Handler that knows
// nothing of the engine it runs in.
type Facade struct {
	snapshot  atomic.Pointer[Snapshot]
	consumers Consumers
	proxies   Proxies
	limiter   Limiter
	sealer    atomic.Pointer[Sealer]
	bodies    *semaphore.Weighted // bytes of JSON request bodies held at once
	limits    BodyLimits
	access    *observe.AccessLog
	metrics   *observe.Metrics
	usage     Usage
	trail     Trail
	log       *slog.Logger
	people    bool
}

// BodyLimits bound request bodies, in bytes.
type BodyLimits struct {
	JSON   int64 // one JSON or form body, held in memory; default 100 MiB
	Held   int64 // all such bodies at once; default 4 times JSON
	Binary int64 // one raw Binary, streamed; default 2 GiB
}

// Usage counts what consumers call, for themselves to see.
type Usage interface {
	// Record counts a finished call of a known consumer. It must not wait, nor keep
	// the call. Its hospital is one that the consumer reaches, or "".
	Record(call *observe.Call)
}

// Options are the parts a Facade is made of. All but Limits, Proxies, Usage and Trail are required.
type Options struct {
	Consumers Consumers
	Proxies   Proxies // in front of the gateway; none by default
	Limiter   Limiter
	Sealer    *Sealer
	Limits    BodyLimits
	Access    *observe.AccessLog
	Metrics   *observe.Metrics
	Usage     Usage // nil = it is not counted
	Trail     Trail // who touched what; nil = it is not kept
	Log       *slog.Logger
	People    bool // tokens of an outside identity provider are taken, which stand for persons
}

// New returns a Facade that serves snapshot until Swap gives it another.
func New(snapshot *Snapshot, o Options) *Facade {
	if o.Limits.JSON == 0 {
		o.Limits.JSON = 100 << 20
	}
	if o.Limits.Held == 0 {
		o.Limits.Held = 4 * o.Limits.JSON
	}
	if o.Limits.Binary == 0 {
		o.Limits.Binary = 2 << 30
	}
	f := &Facade{
		consumers: o.Consumers,
		proxies:   o.Proxies,
		limiter:   o.Limiter,
		bodies:    semaphore.NewWeighted(o.Limits.Held),
		limits:    o.Limits,
		access:    o.Access,
		metrics:   o.Metrics,
		usage:     o.Usage,
		trail:     o.Trail,
		log:       o.Log,
		people:    o.People,
	}
	f.snapshot.Store(snapshot)
	f.sealer.Store(o.Sealer)
	return f
}

// Swap makes calls that begin from now on see snapshot.
func (f *Facade) Swap(snapshot *Snapshot) { f.snapshot.Store(snapshot) }

// Rekey makes links be sealed and opened with sealer from now on.
func (f *Facade) Rekey(sealer *Sealer) { f.sealer.Store(sealer) }

// Snapshot returns the configuration in force.
func (f *Facade) Snapshot() *Snapshot { return f.snapshot.Load() }

// call is one request on its way.
type call struct {
	w        *answerWriter
	r        *http.Request
	id       string // request id
	began    time.Time
	snapshot *Snapshot
	sealer   *Sealer

	hospital    *Hospital             // nil until identify, or unknown
	req         fhir.Request          // what is asked for
	sealed      *sealedLink           // the opened link, when the path is one
	address     netip.Addr            // the caller's
	consumer    *Consumer             // nil until authenticate
	access      smart.Access          // what the consumer may do at the hospital
	permission  smart.Permission      // what has still to be looked at in resources
	onBehalfOf  string                // for whom the caller calls,
	purpose     string                // and why, if it says so
	touched     *touched              // for the audit trail; nil = there is none
	created     string                // the resource that the call created, or that a sealed link led to, as a reference at the hospital
	batch       *batch                // entries of a batch or transaction
	held        int64                 // bytes of f.bodies to give back
	attachments map[string]bool       // what sealed links of attachments in the body stand for
	query       string                // the parameters, of URL and form, as the vendor's rules got them
	ruled       transforms.Outgoing   // what the vendor's rules made of a call that is no batch
	rest        *transforms.Rest      // what a split search asks for after its last page; nil = nothing
	alternate   *transforms.Alternate // the call of the vendor's own API in place of a search; nil = none
	out         *http.Request         // the request to the hospital
	answer      *http.Response        // its answer
	waited      time.Duration         // time spent waiting for the hospital
	upstreamID  string                // the hospital's own id of the request
	rules       *transforms.Answer    // what the vendor's rules do to the answer; nil = nothing
	fetched     int64                 // bytes of attachments that were fetched for the body
	raw         bool                  // the caller speaks the hospital's own dialect
	lines       bool                  // the answer is NDJSON
	err         error                 // what ended the call, for the record
}

// ServeHTTP takes one call through all stages. Errors of every stage end here
// and become an OperationOutcome. An answer that fails after it has begun is
// broken off with http.ErrAbortHandler, so that no client takes half of it for
// the whole (decision 5 of the design). So is that to a client which seems to
// have left: one that has only closed its sending side must not take silence
// for an empty 200.
func (f *Facade) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := f.newCall(w, r)
	end := f.metrics.Begin()
	defer end()
	defer f.release(c)
	w.Header().Set("X-Request-Id", c.id)
	c.pace()

	c.err = f.handle(c)
	left := c.err != nil && c.r.Context().Err() != nil
	if left { // whatever failed, it was not the hospital
		c.err = fhir.NewError(http.StatusServiceUnavailable, fhir.IssueTimeout, "the caller left").Because(errLeft)
	}
	if c.err != nil && !c.w.begun && !left {
		f.refuse(c)
	}
	f.record(c)
	f.audit(c)
	if c.err != nil && !c.w.refused {
		panic(http.ErrAbortHandler)
	}
}

func (f *Facade) newCall(w http.ResponseWriter, r *http.Request) *call {
	return &call{
		w:        &answerWriter{ResponseWriter: w},
		r:        r,
		id:       RequestID(r),
		began:    time.Now(),
		snapshot: f.snapshot.Load(),
		sealer:   f.sealer.Load(),
	}
}

// Admit takes a call through the stages that decide about it, and no further:
// for measurements. When it returns false the call has been refused.
func (f *Facade) Admit(w http.ResponseWriter, r *http.Request) bool {
	c := f.newCall(w, r)
	c.pace()
	if c.err = f.admit(c); c.err != nil {
		f.refuse(c)
	}
	return c.err == nil
}

var errLeft = errors.New("the caller left before it had the whole answer")

// handle is the order of the stages: admit decides about the call, the others do
// what it asks for.
func (f *Facade) handle(c *call) error {
	if handled, err := f.discover(c); handled || err != nil { // what anyone may know
		return err
	}
	return inOrder(c,
		f.admit,
		f.adapt,      // into the hospital's form
		f.guardWrite, // what it changes is looked at first
		f.send,       // there and back
		f.present,    // into ours
	)
}

func (f *Facade) admit(c *call) error {
	return inOrder(c,
		f.identify,     // what is asked of which hospital
		f.authenticate, // who asks
		f.authorise,    // may they
		f.limit,        // not too often
		f.auditable,    // and it can be kept who touched what
	)
}

func inOrder(c *call, stages ...func(*call) error) error {
	for _, stage := range stages {
		if err := stage(c); err != nil {
			return err
		}
	}
	return nil
}

// release closes and gives back what a call holds.
func (f *Facade) release(c *call) {
	if c.answer != nil {
		_ = c.answer.Body.Close() // read to its end or not wanted any more
	}
	if c.held > 0 {
		f.bodies.Release(c.held)
	}
	c.rules.Release()
}

// refuse answers with the error that ended the call. What the hospital's answer
// had put into the header goes with it.
func (f *Facade) refuse(c *call) {
	c.w.refused = true
	h := c.w.Header()
	for _, name := range passedAnswerHeaders {
		delete(h, name)
	}
	for _, name := range mappedAnswerHeaders {
		delete(h, name)
	}
	asError(c.err).Write(c.w, c.id)
}

// asError returns err as the error that the caller sees. An error that no
// stage gave a form is a fault of ours, and its text is for the log alone.
func asError(err error) *fhir.Error {
	var fhirErr *fhir.Error
	if errors.As(err, &fhirErr) {
		return fhirErr
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fhir.NewError(http.StatusServiceUnavailable, fhir.IssueTimeout, "the call was ended before the hospital answered").Because(err)
	}
	return fhir.NewError(http.StatusInternalServerError, fhir.IssueException, "the gateway failed; the request id finds the cause in its log").Because(err)
}

// record writes the access log line, the metrics and the usage.
func (f *Facade) record(c *call) {
	line := observe.Call{
		RequestID:   c.id,
		Interaction: string(c.req.Interaction),
		Type:        c.req.Type,
		Status:      c.w.status,
		Bytes:       c.w.written,
		Total:       time.Since(c.began),
		Upstream:    c.waited,
		UpstreamID:  c.upstreamID,
	}
	if c.hospital != nil {
		line.Hospital = c.hospital.Route.ID
	}
	if c.consumer != nil {
		line.Consumer = c.consumer.KeyID
	}
	if c.err != nil {
		fhirErr := asError(c.err)
		line.Issue = string(fhirErr.Code)
		if fhirErr.Err != nil {
			line.Cause = fhirErr.Err.Error()
		}
		line.Aborted = c.w.begun && !c.w.refused
	}
	f.access.Record(&line)
	f.metrics.Record(&line)
	if f.usage == nil || c.consumer == nil {
		return
	}
	if !c.reaches() { // and must not learn from its usage that there is such a hospital
		line.Hospital = ""
	}
	f.usage.Record(&line)
}

// reaches reports whether the consumer's plan and record reach the hospital.
func (c *call) reaches() bool {
	plan := c.plan()
	return plan != nil && c.hospital != nil && c.consumer.reaches(plan, c.hospital.Route)
}

// RequestID returns the caller's X-Request-Id when it is a plain token, and
// else a new one.
func RequestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if isToken(id) {
		return id
	}
	return rand.Text()
}

// isToken reports whether id is 1 to 64 letters, digits, '-', '_' and '.'.
func isToken(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}

// answerWriter knows whether an answer has begun and how much of it was sent.
type answerWriter struct {
	http.ResponseWriter
	begun   bool
	refused bool // the answer is the gateway's own refusal
	status  int
	written int64

	deadline func(time.Time) error // sets the connection's write deadline
}

func (w *answerWriter) WriteHeader(status int) {
	w.begun, w.status = true, status
	w.ResponseWriter.WriteHeader(status)
}

func (w *answerWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	_ = w.deadline(time.Now().Add(clientPause)) // a server without deadlines has none to keep
	n, err := w.ResponseWriter.Write(p)         //nolint:gosec // JSON, or a Binary that browsers are told not to sniff
	w.written += int64(n)
	return n, err
}

// Unwrap gives http.ResponseController the writer below.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
