package sandbox

import (
	"encoding/json"
	"time"
)

const (
	absentReason = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
	oracleMRN    = "urn:oid:2.16.840.1.113883.6.1000"

	oracleMerged   = 33 // the patient that was merged into the next one
	oracleNameless = 35 // the patient whose name is not known
)

func (o *oracle) seed(t *tx, base string) error {
	return seedWorld(t, newWorld(o.options), style{
		id:          oracleID,
		instant:     func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") },
		patient:     oraclePatient,
		identifiers: oracleIdentifiers,
		attachment:  func(binaryID string) string { return base + "/Binary/" + binaryID }, // absolute
		contained:   true,
		local:       codeSet72 + o.options.Tenant + "/codeSet/14249",
	})
}

func oracleIdentifiers(kind, value string) json.RawMessage {
	return arr(obj("use", "usual", "type", obj("coding", arr(obj("system", "http://terminology.hl7.org/CodeSystem/v2-0203", "code", map[string]string{
		"NPI": "NPI", "LOC": "FI", "APPT": "PLAC", "VISIT": "VN", "DOC": "FILL",
	}[kind])), "text", kind), "system", "https://fhir.cerner.com/sandbox/"+kind, "value", value))
}

func oraclePatient(r renderer, n int) json.RawMessage {
	p := r.patients[n]
	rendered := obj("extension", arr(obj("url", "http://hl7.org/fhir/StructureDefinition/rendered-value", "valueString", p.mrn)))
	mrn := obj("id", "CI-"+p.mrn+"-0", "use", "usual", "type", obj("coding", arr(
		obj("system", codeSet72+"codeSet/4", "code", "10", "display", "MRN", "userSelected", true),
		obj("system", "http://terminology.hl7.org/CodeSystem/v2-0203", "code", "MR", "display", "Medical record number", "userSelected", false)), "text", "MRN"),
		"system", oracleMRN, "value", p.mrn, "_value", rendered, "period", obj("start", "2019-05-01T10:00:00.000Z"))
	names := arr(obj("id", "CI-"+p.mrn+"-N0", "use", "official", "text", p.family+", "+p.given+" "+p.middle, "family", p.family,
		"given", arr(p.given, p.middle), "period", obj("start", "2019-05-01T10:00:00.000Z")), humanName("usual", p))
	var merged json.RawMessage
	switch n {
	case oracleMerged:
		merged = arr(obj("other", r.patientRef(n+1), "type", "replaced-by"))
	case oracleNameless:
		names = arr(obj("extension", arr(obj("url", absentReason, "valueCode", "unknown"))))
	}
	return obj("resourceType", "Patient", "id", r.id("Patient", n), "text", obj("status", "generated",
		"div", `<div xmlns="http://www.w3.org/1999/xhtml"><p><b>Patient</b></p><p><b>Name</b>: `+p.family+", "+p.given+`</p><p><b>DOB</b>: `+p.born.Format(time.DateOnly)+`</p></div>`),
		"extension", usCoreExtensions(p), "identifier", arr(mrn, obj("use", "secondary", "type", obj("text", "Federated Person Principal"),
			"system", "urn:oid:2.16.840.1.113883.3.13.6", "value", "FP"+p.mrn)), "active", n != oracleMerged, "name", names, "telecom", telecom(p),
		"gender", p.gender, "birthDate", p.born.Format(time.DateOnly), "address", arr(postalAddress(p)), "maritalStatus", maritalStatus(),
		"contact", relative(p), "communication", speaksEnglish(), "generalPractitioner", arr(r.staffRef(n%practitionerCount)), "link", merged)
}
