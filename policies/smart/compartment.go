package smart

import "strings"

// membership says how a resource of a type belongs to a patient.
type membership struct {
	param string     // the search parameter that finds what the patient owns
	owner [][]string // elements that make the patient the one whom it is about
	also  [][]string // further elements by which it is in the compartment; lists of R4 end in "*"
}

// compartment is the patient compartment of R4
// (https://hl7.org/fhir/R4/compartmentdefinition-patient.html). A Patient
// belongs to itself alone: its links lead to other people's records. Who may
// read what others wrote about them may not write in another's name, hence the
// difference between owner and also.
var compartment = map[string]membership{
	"Account":                     owned("patient subject*"),
	"AdverseEvent":                owned("subject"),
	"AllergyIntolerance":          owned("patient", "recorder", "asserter"),
	"Appointment":                 owned("patient participant*.actor"),
	"AppointmentResponse":         owned("patient actor"),
	"AuditEvent":                  owned("patient entity*.what", "agent*.who"),
	"Basic":                       owned("patient subject", "author"),
	"BodyStructure":               owned("patient"),
	"CarePlan":                    owned("patient subject", "activity*.detail.performer*"),
	"CareTeam":                    owned("patient subject", "participant*.member"),
	"ChargeItem":                  owned("patient subject"),
	"Claim":                       owned("patient", "payee.party"),
	"ClaimResponse":               owned("patient"),
	"ClinicalImpression":          owned("patient subject"),
	"Communication":               owned("patient subject", "sender", "recipient*"),
	"CommunicationRequest":        owned("patient subject", "sender", "recipient*", "requester"),
	"Composition":                 owned("patient subject", "author*", "attester*.party"),
	"Condition":                   owned("patient subject", "asserter"),
	"Consent":                     owned("patient"),
	"Coverage":                    owned("patient beneficiary", "policyHolder", "subscriber", "payor*"),
	"CoverageEligibilityRequest":  owned("patient"),
	"CoverageEligibilityResponse": owned("patient"),
	"DetectedIssue":               owned("patient"),
	"DeviceRequest":               owned("patient subject", "performer"),
	"DeviceUseStatement":          owned("patient subject"),
	"DiagnosticReport":            owned("patient subject"),
	"DocumentManifest":            owned("patient subject", "author*", "recipient*"),
	"DocumentReference":           owned("patient subject", "author*"),
	"Encounter":                   owned("patient subject"),
	"EnrollmentRequest":           owned("patient candidate"),
	"EpisodeOfCare":               owned("patient"),
	"ExplanationOfBenefit":        owned("patient", "payee.party"),
	"FamilyMemberHistory":         owned("patient"),
	"Flag":                        owned("patient subject"),
	"Goal":                        owned("patient subject"),
	"Group":                       owned("member member*.entity"),
	"ImagingStudy":                owned("patient subject"),
	"Immunization":                owned("patient"),
	"ImmunizationEvaluation":      owned("patient"),
	"ImmunizationRecommendation":  owned("patient"),
	"Invoice":                     owned("patient subject", "recipient"),
	"List":                        owned("patient subject", "source"),
	"MeasureReport":               owned("patient subject"),
	"Media":                       owned("patient subject"),
	"MedicationAdministration":    owned("patient subject", "performer*.actor"),
	"MedicationDispense":          owned("patient subject", "receiver*"),
	"MedicationRequest":           owned("patient subject"),
	"MedicationStatement":         owned("patient subject"),
	"MolecularSequence":           owned("patient"),
	"NutritionOrder":              owned("patient"),
	"Observation":                 owned("patient subject", "performer*"),
	"Patient":                     {param: "_id"},
	"Person":                      owned("patient link*.target"),
	"Procedure":                   owned("patient subject", "performer*.actor"),
	"Provenance":                  owned("patient target*"),
	"QuestionnaireResponse":       owned("patient subject", "author"),
	"RelatedPerson":               owned("patient"),
	"RequestGroup":                owned("patient subject", "action*.participant*"),
	"ResearchSubject":             owned("patient individual"),
	"RiskAssessment":              owned("patient subject"),
	"Schedule":                    owned("actor actor*"),
	"ServiceRequest":              owned("patient subject", "performer*"),
	"Specimen":                    owned("patient subject"),
	"SupplyDelivery":              owned("patient"),
	"SupplyRequest":               owned("subject deliverTo"),
	"VisionPrescription":          owned("patient"),
}

// openTypes are outside of every patient compartment and say nothing of
// patients: who works where, what a medication is, what a form asks. A
// patient/ scope permits to read and search them. All other types outside of
// the compartment it does not reach, Binary among them: nothing in a Binary
// tells whose it is.
var openTypes = map[string]bool{
	"CodeSystem":              true,
	"Endpoint":                true,
	"HealthcareService":       true,
	"InsurancePlan":           true,
	"Location":                true,
	"Medication":              true,
	"Organization":            true,
	"OrganizationAffiliation": true,
	"Practitioner":            true,
	"PractitionerRole":        true,
	"Questionnaire":           true,
	"ValueSet":                true,
}

// owned reads "param [path]" of the owner and the paths of the others.
func owned(owner string, also ...string) membership {
	name, path, given := strings.Cut(owner, " ")
	if !given {
		path = name
	}
	m := membership{param: name, owner: [][]string{strings.Split(path, ".")}}
	for _, p := range also {
		m.also = append(m.also, strings.Split(p, "."))
	}
	return m
}
