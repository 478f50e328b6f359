package sandbox

import (
	"encoding/json"
	"strconv"
	"time"
)

func (h hapi) seed(t *tx, base string) error {
	return seedWorld(t, newWorld(h.options), style{
		id:          hapiID,
		instant:     func(at time.Time) string { return at.Format(time.RFC3339) },
		patient:     hapiPatient,
		identifiers: hapiIdentifiers,
		attachment:  func(binaryID string) string { return base + "/Binary/" + binaryID },
	})
}

// hapiID is a number, as HAPI gives them; each type has a range of its own.
func hapiID(typ string, n int) string {
	start := map[string]int{
		"Organization": 1, "Location": 10, "Practitioner": 20, "Patient": 100_000, "Appointment": 2_000, "Encounter": 3_000, "Binary": 4_000,
		"DocumentReference": 5_000, "Observation": 6_000,
	}[typ]
	return strconv.Itoa(start + n)
}

func hapiIdentifiers(kind, value string) json.RawMessage {
	return arr(obj("use", "official", "system", "https://hospital.example/"+kind, "value", value))
}

func hapiPatient(r renderer, n int) json.RawMessage {
	p := r.patients[n]
	coded := func(code, display, system, value string) json.RawMessage {
		return obj("use", "usual", "type", obj("coding", arr(obj("system", "http://terminology.hl7.org/CodeSystem/v2-0203", "code", code, "display", display)), "text", display),
			"system", system, "value", value)
	}
	return obj("resourceType", "Patient", "id", r.id("Patient", n), "meta", obj("profile", arr(usCore+"us-core-patient")), "text", obj("status", "generated",
		"div", `<div xmlns="http://www.w3.org/1999/xhtml"><div class="hapiHeaderText">`+p.given+` <b>`+p.family+`</b></div></div>`),
		"extension", usCoreExtensions(p), "identifier", arr(coded("MR", "Medical Record Number", "https://hospital.example/mrn", p.mrn),
			coded("SS", "Social Security Number", "http://hl7.org/fhir/sid/us-ssn", p.ssn)), "active", true,
		"name", arr(humanName("official", p), humanName("usual", p)), "telecom", telecom(p), "gender", p.gender,
		"birthDate", p.born.Format(time.DateOnly), "deceasedBoolean", false, "address", arr(postalAddress(p)), "maritalStatus", maritalStatus(),
		"multipleBirthBoolean", false, "contact", relative(p), "communication", speaksEnglish(),
		"generalPractitioner", arr(r.staffRef(n%practitionerCount)), "managingOrganization", r.ref("Organization", 0, r.organization))
}
