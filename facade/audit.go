package facade

import (
	"bytes"
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"fhirgate/fhir"
	"fhirgate/observe/audit"
)

// Trail keeps who touched which patient. *audit.Trail is one.
type Trail interface {
	// Ready returns an error while calls must be refused because they could not
	// be recorded.
	Ready() error
	// Record keeps what a call, or an entry of a batch, did.
	Record(audit.Event)
}

// auditable refuses a call of which no record could be kept.
func (f *Facade) auditable(c *call) error {
	if f.trail == nil {
		return nil
	}
	if err := f.trail.Ready(); err != nil {
		return fhir.NewError(http.StatusServiceUnavailable, fhir.IssueNoStore, "the audit trail cannot be written, and calls that it would miss are refused").After(10 * time.Second).Because(err)
	}
	c.touched = new(touched)
	c.touched.asked(c.req, conditionOf(c))
	if c.sealed != nil {
		c.askedBySeal()
	}
	return nil
}

// askedBySeal notes whom and what a sealed link is about, which only its address
// tells.
func (c *call) askedBySeal() {
	target, err := url.Parse(c.sealed.URL)
	if err != nil {
		return // belongsTo has refused it
	}
	c.touched.asked(c.req, target.RawQuery)
	if c.req.Interaction == fhir.Read {
		c.created = createdAt(target.Path)
		c.touched.seen([]byte(target.Path))
	}
}

// touched are the patients that a call is about.
type touched struct {
	known    map[string]bool // by logical id at the hospital
	patients []string        // as references
	more     bool
}

// maxTouched bounds the patients of one call.
const maxTouched = 1000

func (t *touched) patient(id []byte) {
	if t.known[string(id)] || len(id) > maxTouchedID || !fhir.IsID(string(id)) {
		return
	}
	if len(t.patients) == maxTouched {
		t.more = true
		return
	}
	if t.known == nil {
		t.known = make(map[string]bool)
	}
	t.known[string(id)] = true
	t.patients = append(t.patients, "Patient/"+string(id))
}

// maxTouchedID is the longest id that is taken for one, in bytes; hospitals have
// longer ones than FHIR's 64.
const maxTouchedID = 256

// seen notes the patient that a locator leads to, if it does.
func (t *touched) seen(locator []byte) {
	rest, ok := bytes.CutPrefix(locator, []byte("Patient/"))
	if !ok {
		at := bytes.LastIndex(locator, []byte("/Patient/"))
		if at < 0 {
			return
		}
		rest = locator[at+len("/Patient/"):]
	}
	if end := bytes.IndexAny(rest, "/?#|"); end >= 0 {
		rest = rest[:end]
	}
	t.patient(rest)
}

// asked notes the patients that a request names.
func (t *touched) asked(req fhir.Request, query string) {
	if req.ID != "" && (req.Compartment == "Patient" || req.Compartment == "" && req.Type == "Patient") {
		t.patient([]byte(req.ID))
	}
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(name)
		plain, err := url.QueryUnescape(value)
		if errName != nil || err != nil {
			continue
		}
		name, modifier, _ := strings.Cut(name, ":")
		if name != "patient" && name != "subject" && !(name == "_id" && req.Type == "Patient") {
			continue
		}
		for one := range strings.SplitSeq(plain, ",") {
			if (name != "subject" || modifier == "Patient") && !strings.Contains(one, "/") {
				t.patient([]byte(one))
			} else {
				t.seen([]byte(one))
			}
		}
	}
}

// audit records the call and the entries of a batch.
func (f *Facade) audit(c *call) {
	if f.trail == nil || c.consumer == nil {
		return // nobody touched anything: the access log and the metrics tell
	}
	event := audit.Event{
		Time:        c.began,
		RequestID:   c.id,
		Consumer:    c.consumer.KeyID,
		Plan:        c.consumer.PlanID,
		Way:         string(c.consumer.Way),
		OnBehalfOf:  c.onBehalfOf,
		Purpose:     c.purpose,
		Address:     c.address,
		Interaction: string(c.req.Listed()),
		Type:        c.req.Type,
		Operation:   c.req.Operation,
		Status:      c.w.status,
		Entry:       -1,
	}
	if c.consumer.User != "" { // which was verified, as what a header says is not
		event.OnBehalfOf = c.consumer.User
	}
	if c.hospital != nil {
		event.Hospital = c.hospital.Route.ID
	}
	if c.err != nil {
		event.Issue = string(asError(c.err).Code)
		event.Aborted = c.w.begun && !c.w.refused
	}
	if c.touched != nil {
		event.Patients, event.More = c.touched.patients, c.touched.more
	}
	event.Resources = resourcesOf(c.req, c.created)
	f.trail.Record(event)
	if c.batch != nil {
		f.auditEntries(c, event)
	}
}

// resourcesOf returns the resource that a call is about, or has created.
func resourcesOf(req fhir.Request, created string) []string {
	switch {
	case created != "":
		return []string{created}
	case req.Type != "" && req.ID != "" && req.Compartment == "":
		return []string{req.Type + "/" + req.ID}
	}
	return nil
}

// createdAt returns the resource that the Location of an answer names.
func createdAt(location string) string {
	path, _, _ := strings.Cut(location, "?")
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for i := len(segments) - 2; i >= 0; i-- {
		if fhir.IsResourceType(segments[i]) && fhir.IsID(segments[i+1]) {
			return segments[i] + "/" + segments[i+1]
		}
	}
	return ""
}

// auditEntries records each entry of a batch, with the call's own event as the
// frame.
func (f *Facade) auditEntries(c *call, call audit.Event) {
	for i := range c.batch.entries {
		entry := &c.batch.entries[i]
		event := call
		event.Entry = i
		event.Interaction, event.Type, event.Operation = string(entry.req.Listed()), entry.req.Type, entry.req.Operation
		event.Patients, event.Resources, event.More = nil, resourcesOf(entry.req, entry.created), false
		var about touched
		about.asked(entry.req, entry.condition)
		event.Patients = about.patients
		switch refusal := c.batch.refused[i]; {
		case refusal != nil:
			event.Status, event.Issue = refusal.Status, string(refusal.Code)
		case entry.status != 0:
			event.Status, event.Issue = entry.status, cmp.Or(string(entry.issue), event.Issue)
		}
		f.trail.Record(event)
	}
}

// statusIn returns the number at the start of Bundle.entry.response.status, 0
// when there is none.
func statusIn(text string) int {
	number, _, _ := strings.Cut(text, " ")
	status, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return status
}
