package transforms

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// Refusal is what an error of a hospital means.
type Refusal struct {
	Status     int            // of HTTP
	Code       fhir.IssueCode // for a body that is no OperationOutcome; empty = by the status
	Text       string         // likewise
	RetryAfter time.Duration  // 0 = by the hospital's own header, or the gateway's default
	Rules      []string       // that said so
}

// errorOperation changes what an error means.
type errorOperation interface {
	checked
	applyError(r *Refusal, header http.Header, now time.Time)
}

// Refuse returns what an error means by the rules: an answer to call with a
// status of 400 or more, whose body begins with body.
func (v *Vendor) Refuse(call Call, query string, status int, header http.Header, body []byte, now time.Time) Refusal {
	out := Refusal{Status: status}
	if v == nil {
		return out
	}
	var e *failure
	for _, r := range v.answers {
		if len(r.errors) == 0 {
			continue
		}
		if e == nil {
			e = readFailure(call, query, status, body)
		}
		if !e.meets(&r.when) || r.unless != nil && e.meets(r.unless) {
			continue
		}
		for _, o := range r.errors {
			o.applyError(&out, header, now)
		}
		out.Rules = append(out.Rules, r.name)
	}
	return out
}

// failure is an error of a hospital, or what may be one, as conditions see it.
type failure struct {
	call   Call
	params params
	status int
	body   []byte
	doc    tree.Doc
	typ    string // of a body that is a resource, else the call's
	json   bool
}

func readFailure(call Call, query string, status int, body []byte) *failure {
	e := &failure{call: call, params: parseParams(query), status: status, body: body, typ: call.Type}
	if e.json = gjson.ValidBytes(body); e.json {
		e.doc.Reset(body)
		if typ := e.doc.Text(e.doc.Get(e.doc.Root(), "resourceType")); typ != "" {
			e.typ = typ
		}
	}
	return e
}

func (e *failure) meets(c *answerCondition) bool {
	return c.holds(&e.call, e.params, e.status) && c.wants(e.typ) &&
		(c.body == "" || bytes.Contains(e.body, []byte(c.body))) &&
		(len(c.where) == 0 || e.json && hold(c.where, &e.doc, e.doc.Root()))
}

// statusSet gives an error another status.
type statusSet int

func (o *statusSet) check(doc *strict.Document, place string) {
	if *o < 400 || *o > 599 {
		doc.Fail(place, "must be a status from 400 to 599")
	}
}

func (o *statusSet) applyError(r *Refusal, _ http.Header, _ time.Time) { r.Status = int(*o) }

// issue says what an error means whose body is no OperationOutcome.
type issue struct {
	Code string `yaml:"code"` // of the value set issue-type
	Text string `yaml:"text"` // for people; no value of a resource
}

// issueCodes are those of https://hl7.org/fhir/R4/valueset-issue-type.html.
var issueCodes = []string{
	"business-rule", "code-invalid", "conflict", "deleted", "duplicate", "exception", "expired", "extension", "forbidden",
	"incomplete", "informational", "invalid", "invariant", "lock-error", "login", "multiple-matches", "no-store", "not-found",
	"not-supported", "processing", "required", "security", "structure", "suppressed", "throttled", "timeout", "too-costly",
	"too-long", "transient", "unknown", "value",
}

func (o *issue) check(doc *strict.Document, place string) {
	if !slices.Contains(issueCodes, o.Code) {
		doc.Fail(place+".code", "%s", strict.Unknown("issue code", o.Code, issueCodes))
	}
	if o.Text == "" {
		doc.Fail(place+".text", "is missing: it is what the caller reads")
	}
}

func (o *issue) applyError(r *Refusal, _ http.Header, _ time.Time) {
	r.Code, r.Text = fhir.IssueCode(o.Code), o.Text
}

// retryAfter says when to come back, where the hospital does not say so in
// Retry-After. Exactly one of its fields is given.
type retryAfter struct {
	Until        string        `yaml:"until"`        // minute, or day: when it turns, by GMT
	After        time.Duration `yaml:"after"`        // such as 30s
	Milliseconds string        `yaml:"milliseconds"` // the header that says so
}

func (o *retryAfter) check(doc *strict.Document, place string) {
	given := 0
	for _, is := range []bool{o.Until != "", o.After > 0, o.Milliseconds != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		doc.Fail(place, "must be one of until, after and milliseconds")
	}
	if o.Until != "" && o.Until != "minute" && o.Until != "day" {
		doc.Fail(place+".until", "must be minute or day")
	}
}

func (o *retryAfter) applyError(r *Refusal, header http.Header, now time.Time) {
	if header.Get("Retry-After") != "" {
		return
	}
	switch {
	case o.Until == "minute":
		r.RetryAfter = now.Truncate(time.Minute).Add(time.Minute).Sub(now)
	case o.Until == "day":
		r.RetryAfter = now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now)
	case o.After > 0:
		r.RetryAfter = o.After
	default:
		if wait, err := strconv.ParseUint(header.Get(o.Milliseconds), 10, 31); err == nil {
			r.RetryAfter = time.Duration(wait) * time.Millisecond
		}
	}
}

// successIf makes an error of an answer with a status of success that says
// otherwise in its body.
type successIf struct {
	Path   string `yaml:"path"`   // in gjson's syntax; an answer without it is a success
	Is     words  `yaml:"is"`     // what stands there in case of success
	Status int    `yaml:"status"` // of the error; default 422
	Text   string `yaml:"text"`   // for people; no value of a resource
}

func (o *successIf) check(doc *strict.Document, place string) {
	if _, err := tree.ParsePath(o.Path); err != nil {
		doc.Fail(place+".path", "%s", err)
	}
	if len(o.Is) == 0 {
		doc.Fail(place+".is", "names no value")
	}
	if o.Status == 0 {
		o.Status = http.StatusUnprocessableEntity
	}
	if o.Status < 400 || o.Status > 599 {
		doc.Fail(place+".status", "must be a status from 400 to 599")
	}
	if o.Text == "" {
		doc.Fail(place+".text", "is missing: it is what the caller reads")
	}
}

// Succeeded returns the error that an answer with a status of success is by the
// rules, or nil. body is the whole of it, or its beginning.
func (v *Vendor) Succeeded(call Call, query string, status int, body []byte) error {
	if v == nil || !v.answersMayFail {
		return nil
	}
	for _, r := range v.answers {
		for _, o := range r.success {
			found := gjson.GetBytes(body, o.Path)
			if !found.Exists() || slices.Contains(o.Is, found.String()) || !r.when.calls(&call) {
				continue
			}
			e := readFailure(call, query, status, body) // seldom: a failure has been found
			if e.meets(&r.when) && !(r.unless != nil && e.meets(r.unless)) {
				return v.named(fhir.NewError(o.Status, fhir.IssueProcessing, o.Text), r.name)
			}
		}
	}
	return nil
}
