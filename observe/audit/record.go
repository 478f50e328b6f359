package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Kind is what a record tells.
type Kind string

// The kinds of records.
const (
	KindCall      Kind = "call"      // a call, or an entry of a batch
	KindGap       Kind = "gap"       // events that could not be recorded
	KindRecovered Kind = "recovered" // the process before was killed: what it did last may not be recorded
)

// Record is one record of the trail.
type Record struct {
	Node     string    // of which node
	Sequence uint64    // its number in the node's chain; the first is 1
	Previous string    // keyed hash of the record before it; "" for the first
	Key      string    // kid of the key that made the hashes in it and of it
	Written  time.Time // when the writer took it
	Kind     Kind

	// Event is the call of KindCall. In place of the ids of its patients and
	// resources are hashes, as in "Patient/xZ…".
	Event Event

	Lost        uint64    // of KindGap: how many events
	From, Until time.Time // of KindGap: the times of the first and the last
	Cut         int       // of KindRecovered: bytes of unfinished records that were cut away
	HeadMissing bool      // of KindRecovered: the sealed head was not there
}

// The extensions of records.
const (
	chainURL     = "urn:fhirgate:audit:chain"
	callURL      = "urn:fhirgate:audit:call"
	gapURL       = "urn:fhirgate:audit:gap"
	recoveredURL = "urn:fhirgate:audit:recovered"
)

const instant = "2006-01-02T15:04:05.000Z07:00"

func formatTime(t time.Time) string { return t.UTC().Format(instant) }

// encode returns r as a FHIR AuditEvent of a gateway that calls itself server.
func (r *Record) encode(server string) []byte {
	e := r.resource(server)
	return appendEvent(make([]byte, 0, 3<<10+len(r.Event.Patients)*160), e)
}

func (r *Record) resource(server string) *auditEvent {
	var resource *auditEvent
	if r.Kind == KindCall {
		resource = r.call(server)
	} else {
		resource = r.incident()
	}
	resource.ResourceType = "AuditEvent"
	resource.Source = source{
		Observer: reference{Type: "Device", Identifier: identifier{nodeSystem, r.Node}},
		Type:     []coding{{sourceTypes, "4"}}, // application server
	}
	resource.Extension = append(resource.Extension, extension{URL: chainURL, Extension: []extension{
		{URL: "node", String: r.Node},
		{URL: "sequence", String: strconv.FormatUint(r.Sequence, 10)},
		{URL: "previous", String: r.Previous},
		{URL: "key", String: r.Key},
		{URL: "written", Instant: formatTime(r.Written)},
	}})
	if r.Previous == "" {
		chain := &resource.Extension[len(resource.Extension)-1]
		chain.Extension = append(chain.Extension[:2], chain.Extension[3:]...)
	}
	return resource
}

// incident is the AuditEvent of what befell the trail itself.
func (r *Record) incident() *auditEvent {
	e := &auditEvent{
		Type:     coding{dicom, "110100"}, // application activity
		Subtype:  []coding{{"urn:fhirgate:audit:kind", string(r.Kind)}},
		Action:   "E",
		Recorded: formatTime(r.Written),
		Outcome:  "0",
		Agent: []agent{{
			Type: concept{Coding: []coding{{dicom, "110150"}}}, // application
			Who:  &reference{Type: "Device", Identifier: identifier{nodeSystem, r.Node}},
		}},
	}
	if r.Kind == KindGap {
		e.Outcome, e.OutcomeDesc = "8", "events could not be recorded"
		e.Extension = []extension{{URL: gapURL, Extension: []extension{
			{URL: "lost", String: strconv.FormatUint(r.Lost, 10)},
			{URL: "from", Instant: formatTime(r.From)},
			{URL: "until", Instant: formatTime(r.Until)},
		}}}
		return e
	}
	found := extension{URL: recoveredURL, Extension: []extension{{URL: "cut", Integer: &r.Cut}}}
	if r.HeadMissing {
		found.Extension = append(found.Extension, extension{URL: "head-missing", Boolean: true})
	}
	e.Extension = []extension{found}
	return e
}

var errNoRecord = errors.New("is no record of an audit trail")

// decodeRecord reads what encode wrote.
func decodeRecord(data []byte) (*Record, error) {
	var e auditEvent
	if err := json.Unmarshal(data, &e); err != nil || e.ResourceType != "AuditEvent" {
		return nil, errNoRecord
	}
	chain := fields(e.Extension, chainURL)
	r := &Record{Node: chain["node"].String, Previous: chain["previous"].String, Key: chain["key"].String}
	var err error
	if r.Sequence, err = strconv.ParseUint(chain["sequence"].String, 10, 64); err != nil || r.Sequence == 0 {
		return nil, errNoRecord
	}
	if r.Written, err = time.Parse(instant, chain["written"].Instant); err != nil {
		return nil, errNoRecord
	}
	switch gap, recovered := fields(e.Extension, gapURL), fields(e.Extension, recoveredURL); {
	case gap != nil:
		r.Kind = KindGap
		r.Lost, err = strconv.ParseUint(gap["lost"].String, 10, 64)
		r.From, _ = time.Parse(instant, gap["from"].Instant) // zero when it is not there
		r.Until, _ = time.Parse(instant, gap["until"].Instant)
	case recovered != nil:
		r.Kind = KindRecovered
		if cut := recovered["cut"].Integer; cut != nil {
			r.Cut = *cut
		}
		r.HeadMissing = recovered["head-missing"].Boolean
	default:
		r.Kind = KindCall
		r.Event, err = e.event()
	}
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", r.Sequence, errNoRecord)
	}
	return r, nil
}
