package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// style is the form that a vendor gives to what happens in its hospital.
type style struct {
	id          func(typ string, n int) string
	instant     func(at time.Time) string
	patient     func(r renderer, n int) json.RawMessage
	identifiers func(kind, value string) json.RawMessage // of everything but patients
	attachment  func(binaryID string) string             // url of a document's PDF
	contained   bool                                     // encounters carry their Location inside
	local       string                                   // code system of the vendor's own codings, marked userSelected; empty for none
}

// renderer writes a world's resources in a style.
type renderer struct {
	*world
	style
}

// seedWorld stores all of a world's resources.
func seedWorld(t *tx, w *world, s style) error {
	r := renderer{w, s}
	var err error
	put := func(typ string, n int, raw json.RawMessage, content *blob) {
		if err == nil {
			_, err = t.put(http.MethodPost, typ, s.id(typ, n), raw, content)
		}
	}
	put("Organization", 0, r.organizationResource(), nil)
	for n := range w.rooms {
		put("Location", n, r.location(n), nil)
	}
	for n := range w.staff {
		put("Practitioner", n, r.practitioner(n), nil)
	}
	for n := range w.patients {
		put("Patient", n, s.patient(r, n), nil)
	}
	for n := range w.appointments {
		put("Appointment", n, r.appointment(n), nil)
	}
	for n := range w.encounters {
		put("Encounter", n, r.encounter(n), nil)
	}
	for n, d := range w.documents {
		content, readErr := newBlob("application/pdf", bytes.NewReader(pdf(d.title, "Synthetic report "+s.id("DocumentReference", n))))
		if readErr != nil {
			return readErr
		}
		put("Binary", n, obj("resourceType", "Binary", "contentType", "application/pdf"), content)
		put("DocumentReference", n, r.document(n), nil)
	}
	for n := range w.observations {
		put("Observation", n, r.observation(n), nil)
	}
	return err
}

// concept writes a CodeableConcept: a standard coding and, in styles that have them, the vendor's own.
func (r renderer) concept(system, code, display string) json.RawMessage {
	var own json.RawMessage
	if r.local != "" {
		own = obj("system", r.local, "code", "L"+code, "display", display, "userSelected", true)
	}
	return obj("coding", arr(own, obj("system", system, "code", code, "display", display)), "text", display)
}

// ref writes a literal reference with a display.
func (r renderer) ref(typ string, n int, display string) json.RawMessage {
	return obj("reference", typ+"/"+r.id(typ, n), "display", display)
}

func (r renderer) patientRef(n int) json.RawMessage {
	p := r.patients[n]
	return r.ref("Patient", n, p.family+", "+p.given+" "+p.middle)
}

func (r renderer) staffRef(n int) json.RawMessage {
	return r.ref("Practitioner", n, r.staff[n].family+", "+r.staff[n].given+", MD")
}

func (r renderer) organizationResource() json.RawMessage {
	return obj("resourceType", "Organization", "identifier", r.identifiers("NPI", "9912345678"), "active", true, "name", r.organization,
		"telecom", arr(obj("system", "phone", "value", "+1-555-0100", "use", "work")),
		"address", arr(obj("line", arr("1 Hospital Way"), "city", "Springfield", "state", "IL", "postalCode", "62701", "country", "US")))
}

func (r renderer) location(n int) json.RawMessage {
	return obj("resourceType", "Location", "identifier", r.identifiers("LOC", "ROOM"+string(rune('A'+n))), "status", "active", "name", r.rooms[n],
		"mode", "instance", "type", arr(r.concept("http://terminology.hl7.org/CodeSystem/v3-RoleCode", "RADDX", "Radiology diagnostics or therapeutics unit")),
		"managingOrganization", r.ref("Organization", 0, r.organization))
}

func (r renderer) practitioner(n int) json.RawMessage {
	p := r.staff[n]
	return obj("resourceType", "Practitioner", "identifier", r.identifiers("NPI", p.npi), "active", true,
		"name", arr(obj("use", "official", "text", p.given+" "+p.family+", MD", "family", p.family, "given", arr(p.given, p.middle), "suffix", arr("MD"))),
		"telecom", arr(obj("system", "phone", "value", p.phone, "use", "work")), "gender", p.gender)
}

func (r renderer) appointment(n int) json.RawMessage {
	a := r.appointments[n]
	attends := func(who json.RawMessage) json.RawMessage {
		return obj("actor", who, "required", "required", "status", "accepted")
	}
	return obj("resourceType", "Appointment", "identifier", r.identifiers("APPT", r.id("Appointment", n)), "status", a.status,
		"serviceType", arr(r.concept("http://loinc.org", a.exam.code, a.exam.name)),
		"appointmentType", r.concept("http://terminology.hl7.org/CodeSystem/v2-0276", "ROUTINE", "Routine appointment"),
		"reasonCode", arr(obj("text", a.exam.reason)), "description", a.exam.name,
		"start", r.instant(a.start), "end", r.instant(a.start.Add(time.Duration(a.minutes)*time.Minute)), "minutesDuration", a.minutes,
		"created", r.instant(r.midnight.AddDate(0, 0, -9)), "participant", arr(attends(r.patientRef(a.patient)),
			attends(r.staffRef(a.staff)), attends(r.ref("Location", a.room, r.rooms[a.room]))))
}

func (r renderer) encounter(n int) json.RawMessage {
	e := r.encounters[n]
	var end any
	if !e.end.IsZero() {
		end = r.instant(e.end)
	}
	exam := r.appointments[e.appointment].exam
	room, contained := r.ref("Location", e.room, r.rooms[e.room]), json.RawMessage(nil)
	if r.contained {
		room = obj("reference", "#room", "display", r.rooms[e.room])
		contained = arr(obj("resourceType", "Location", "id", "room", "name", r.rooms[e.room], "mode", "instance"))
	}
	return obj("resourceType", "Encounter", "contained", contained, "identifier", r.identifiers("VISIT", "V"+r.patients[e.patient].mrn), "status", e.status,
		"class", obj("system", "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code", "AMB", "display", "ambulatory"),
		"type", arr(r.concept("http://snomed.info/sct", "185349003", "Encounter for check up")), "subject", r.patientRef(e.patient),
		"participant", arr(obj("period", obj("start", r.instant(e.start)), "individual", r.staffRef(e.staff))),
		"appointment", arr(r.ref("Appointment", e.appointment, exam.name)), "period", obj("start", r.instant(e.start), "end", end),
		"reasonCode", arr(obj("text", exam.reason)), "location", arr(obj("location", room)),
		"serviceProvider", r.ref("Organization", 0, r.organization))
}

func (r renderer) document(n int) json.RawMessage {
	d := r.documents[n]
	return obj("resourceType", "DocumentReference", "identifier", r.identifiers("DOC", r.id("DocumentReference", n)), "status", "current",
		"docStatus", "final", "type", r.concept("http://loinc.org", "18748-4", "Diagnostic imaging study"),
		"category", arr(r.concept("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note", "Clinical Note")),
		"subject", r.patientRef(d.patient), "date", r.instant(d.at), "author", arr(r.staffRef(d.staff)),
		"content", arr(obj("attachment", obj("contentType", "application/pdf", "url", r.attachment(r.id("Binary", n)), "title", d.title, "creation", r.instant(d.at)),
			"format", obj("system", "http://ihe.net/fhir/ValueSet/IHE.FormatCode.codesystem", "code", "urn:ihe:iti:xds:2017:mimeTypeSufficient"))),
		"context", obj("encounter", arr(r.ref("Encounter", d.encounter, "Radiology visit")), "period", obj("start", r.instant(d.at.Add(-30*time.Minute)), "end", r.instant(d.at))))
}

func (r renderer) observation(n int) json.RawMessage {
	o := r.observations[n]
	return obj("resourceType", "Observation", "status", "final",
		"category", arr(r.concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs", "Vital Signs")),
		"code", r.concept("http://loinc.org", o.sign.loinc, o.sign.name), "subject", r.patientRef(o.patient),
		"effectiveDateTime", r.instant(o.at), "issued", r.instant(o.at.Add(time.Minute)), "performer", arr(r.staffRef(n%practitionerCount)),
		"valueQuantity", obj("value", json.RawMessage(o.value), "unit", o.sign.unit, "system", "http://unitsofmeasure.org", "code", o.sign.ucum))
}
