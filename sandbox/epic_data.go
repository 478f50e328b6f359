package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

const epicOID = "urn:oid:1.2.840.114350.1.13.0.1.7."

func (e *epic) seed(t *tx, _ string) error {
	return seedWorld(t, newWorld(e.options), style{
		id:          func(typ string, n int) string { return epicID(e.options.Seed, typ, n) },
		instant:     func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05Z") },
		patient:     epicPatient,
		identifiers: epicIdentifiers,
		attachment:  func(binaryID string) string { return "Binary/" + binaryID }, // relative
	})
}

// epicID makes an id as Epic's look: `e`, 22 characters and `3`; those of Binary start with `f` and are longer.
func epicID(seed int64, typ string, n int) string {
	sum := sha256.Sum256([]byte(strconv.FormatInt(seed, 10) + typ + strconv.Itoa(n)))
	letters := strings.NewReplacer("+", "-", "/", ".").Replace(base64.StdEncoding.EncodeToString(sum[:]))
	if typ == "Binary" {
		return "f" + letters[:41] + "4"
	}
	return "e" + letters[:22] + "3"
}

// epicIdentifiers tells kinds apart by type.text alone, and pads the internal value with spaces.
func epicIdentifiers(kind, value string) json.RawMessage {
	system := epicOID + map[string]string{"NPI": "5.737384.60", "LOC": "2.686980", "APPT": "3.698084.8", "VISIT": "3.698084.8", "DOC": "8.688883"}[kind]
	return arr(obj("use", "usual", "type", obj("text", "INTERNAL"), "system", system, "value", "     "+value),
		obj("use", "usual", "type", obj("text", "EXTERNAL"), "system", system, "value", value))
}

func epicPatient(r renderer, n int) json.RawMessage {
	p := r.patients[n]
	identifier := func(kind, system, value string) json.RawMessage {
		return obj("use", "usual", "type", obj("text", kind), "system", system, "value", value)
	}
	return obj("resourceType", "Patient", "id", r.id("Patient", n), "extension", usCoreExtensions(p), "identifier", arr(
		identifier("CEID", epicOID+"3.688884.100", "FHR"+p.mrn),
		identifier("EPIC", epicOID+"5.737384.0", "E"+p.mrn),
		identifier("EXTERNAL", epicOID+"2.698084", "Z"+p.mrn),
		identifier("INTERNAL", epicOID+"2.698084", "     Z"+p.mrn),
		identifier("EPI", epicOID+"5.737384.14", p.mrn),
		identifier("MRN", epicOID+"5.737384.14", p.mrn),
		identifier("FHIR STU3", "http://open.epic.com/FHIR/StructureDefinition/patient-fhir-id", r.id("Patient", n)),
		obj("use", "usual", "type", obj("text", "SSN"), "system", "http://hl7.org/fhir/sid/us-ssn", "_value", obj("extension", arr(
			obj("url", "http://hl7.org/fhir/StructureDefinition/rendered-value", "valueString", "xxx-xx-"+p.ssn[7:])))),
	), "active", true, "name", arr(humanName("official", p), humanName("usual", p)), "telecom", telecom(p), "gender", p.gender,
		"birthDate", p.born.Format(time.DateOnly), "deceasedBoolean", false, "address", arr(postalAddress(p)), "maritalStatus", maritalStatus(),
		"contact", relative(p), "communication", speaksEnglish(), "generalPractitioner", arr(r.staffRef(n%practitionerCount)),
		"managingOrganization", r.ref("Organization", 0, r.organization))
}
