package smart

import (
	"slices"
	"strings"
)

// kind is the form of the element that a search parameter looks at.
type kind uint8

const (
	conceptKind   kind = iota // CodeableConcept
	codingKind                // Coding
	codeKind                  // code
	uriKind                   // uri or canonical
	referenceKind             // Reference
)

// param is a search parameter that can be evaluated on a resource
// (https://hl7.org/fhir/R4/searchparameter-registry.html).
type param struct {
	name string
	kind kind
	path []string // element names from the resource down; lists of R4 end in "*"
}

// commonParams can be used on every type.
var commonParams = params("_security/coding meta.security*", "_tag/coding meta.tag*", "_profile/uri meta.profile*", "_source/uri meta.source")

// paramsByType are those of single types. Without a path the element has the
// parameter's name; without a kind it is a CodeableConcept.
var paramsByType = map[string][]param{
	"Account":                  params("type", "status/code"),
	"AllergyIntolerance":       params("category/code *", "code", "clinical-status clinicalStatus", "verification-status verificationStatus", "criticality/code", "type/code", "patient/reference"),
	"Appointment":              params("status/code", "service-type serviceType*", "service-category serviceCategory*", "specialty *", "appointment-type appointmentType", "location/reference participant*.actor"),
	"CarePlan":                 params("category *", "status/code", "intent/code", "subject/reference"),
	"CareTeam":                 params("category *", "status/code", "subject/reference"),
	"ClinicalImpression":       params("status/code", "subject/reference"),
	"Communication":            params("category *", "status/code", "medium *", "subject/reference"),
	"Composition":              params("category *", "type", "status/code", "confidentiality/code", "subject/reference"),
	"Condition":                params("category *", "code", "clinical-status clinicalStatus", "verification-status verificationStatus", "severity", "subject/reference"),
	"Consent":                  params("category *", "status/code", "scope", "patient/reference"),
	"Coverage":                 params("type", "status/code", "beneficiary/reference"),
	"Device":                   params("type", "status/code", "organization/reference owner", "location/reference", "patient/reference"),
	"DiagnosticReport":         params("category *", "code", "status/code", "subject/reference"),
	"DocumentReference":        params("category *", "type", "status/code", "security-label securityLabel*", "facility context.facilityType", "setting context.practiceSetting", "custodian/reference", "subject/reference"),
	"Encounter":                params("class/coding", "type *", "status/code", "service-provider/reference serviceProvider", "location/reference location*.location", "subject/reference"),
	"EpisodeOfCare":            params("type *", "status/code", "organization/reference managingOrganization", "patient/reference"),
	"FamilyMemberHistory":      params("relationship", "status/code", "patient/reference"),
	"Goal":                     params("category *", "lifecycle-status/code lifecycleStatus", "achievement-status achievementStatus", "subject/reference"),
	"ImagingStudy":             params("status/code", "modality/coding series*.modality", "reason reasonCode*", "subject/reference"),
	"Immunization":             params("status/code", "vaccine-code vaccineCode", "location/reference", "patient/reference"),
	"List":                     params("code", "status/code", "subject/reference"),
	"Location":                 params("type *", "status/code", "organization/reference managingOrganization"),
	"Media":                    params("type", "status/code", "modality", "subject/reference"),
	"Medication":               params("code", "status/code", "form"),
	"MedicationAdministration": params("status/code", "code medicationCodeableConcept", "subject/reference"),
	"MedicationDispense":       params("status/code", "type", "code medicationCodeableConcept", "subject/reference"),
	"MedicationRequest":        params("category *", "status/code", "intent/code", "priority/code", "code medicationCodeableConcept", "subject/reference"),
	"MedicationStatement":      params("category", "status/code", "code medicationCodeableConcept", "subject/reference"),
	"Observation":              params("category *", "code", "status/code", "method", "subject/reference"),
	"Organization":             params("type *", "partof/reference partOf"),
	"Patient":                  params("gender/code", "organization/reference managingOrganization", "general-practitioner/reference generalPractitioner*"),
	"PractitionerRole":         params("role code*", "specialty *", "organization/reference", "practitioner/reference"),
	"Procedure":                params("category", "code", "status/code", "subject/reference"),
	"QuestionnaireResponse":    params("status/code", "questionnaire/uri", "subject/reference"),
	"RelatedPerson":            params("relationship *", "patient/reference"),
	"Schedule":                 params("service-type serviceType*", "service-category serviceCategory*", "specialty *", "actor/reference *"),
	"ServiceRequest":           params("category *", "code", "status/code", "intent/code", "priority/code", "subject/reference"),
	"Slot":                     params("status/code", "service-type serviceType*", "service-category serviceCategory*", "specialty *", "appointment-type appointmentType", "schedule/reference"),
	"Specimen":                 params("type", "status/code", "subject/reference"),
	"Task":                     params("status/code", "intent/code", "priority/code", "code", "business-status businessStatus", "performer performerType*", "owner/reference", "patient/reference for"),
}

// params reads lines of the form "name[/kind] [path]"; a path "*" is a list of
// the parameter's name.
func params(lines ...string) []param {
	kinds := map[string]kind{"": conceptKind, "coding": codingKind, "code": codeKind, "uri": uriKind, "reference": referenceKind}
	list := make([]param, 0, len(lines))
	for _, line := range lines {
		head, path, given := strings.Cut(line, " ")
		name, form, _ := strings.Cut(head, "/")
		switch {
		case !given:
			path = name
		case path == "*":
			path = name + "*"
		}
		list = append(list, param{name: name, kind: kinds[form], path: strings.Split(path, ".")})
	}
	return list
}

// paramNames are the names of the parameters that can be evaluated on typ, its
// own ones first.
func paramNames(typ string) []string {
	var names []string
	for _, p := range slices.Concat(paramsByType[typ], commonParams) {
		names = append(names, p.name)
	}
	return names
}

// paramOf finds a parameter that can be evaluated on typ.
func paramOf(typ, name string) (param, bool) {
	for _, list := range [][]param{commonParams, paramsByType[typ]} {
		if i := slices.IndexFunc(list, func(p param) bool { return p.name == name }); i >= 0 {
			return list[i], true
		}
	}
	return param{}, false
}
