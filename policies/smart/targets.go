package smart

import (
	"slices"
	"strings"
)

// targets returns the types that a reference parameter of these types can lead
// to, AllTypes for one that is not known.
func targets(types []string, param string) []string {
	var all []string
	for _, typ := range types {
		found, ok := targetsOf[typ+":"+param]
		if !ok {
			found, ok = targetsOf[param]
		}
		if !ok {
			return []string{AllTypes}
		}
		for _, target := range found {
			if !slices.Contains(all, target) {
				all = append(all, target)
			}
		}
	}
	return all
}

// targetsOf holds the reference parameters of R4 whose targets are the same
// wherever they occur, and those of single types as Type:parameter
// (https://hl7.org/fhir/R4/searchparameter-registry.html).
var targetsOf = func() map[string][]string {
	m := make(map[string][]string)
	for line := range strings.Lines(`
		account Account
		beneficiary Patient
		care-team CareTeam
		encounter Encounter
		endpoint Endpoint
		episode-of-care EpisodeOfCare
		general-practitioner Practitioner Organization PractitionerRole
		insurer Organization
		location Location
		medication Medication
		organization Organization
		patient Patient
		practitioner Practitioner
		schedule Schedule
		service-provider Organization
		slot Slot
		specimen Specimen
		AllergyIntolerance:asserter Practitioner Patient PractitionerRole RelatedPerson
		AllergyIntolerance:recorder Practitioner Patient PractitionerRole RelatedPerson
		Appointment:actor Practitioner Device Patient HealthcareService PractitionerRole RelatedPerson Location
		CarePlan:condition Condition
		CarePlan:goal Goal
		CarePlan:subject Group Patient
		CareTeam:subject Group Patient
		Communication:subject Group Patient
		Composition:author Practitioner Organization Device Patient PractitionerRole RelatedPerson
		Condition:asserter Practitioner Patient PractitionerRole RelatedPerson
		Condition:subject Group Patient
		Coverage:payor Organization Patient RelatedPerson
		DiagnosticReport:performer Practitioner Organization CareTeam PractitionerRole
		DiagnosticReport:result Observation
		DiagnosticReport:subject Group Device Patient Location
		DocumentReference:author Practitioner Organization Device Patient PractitionerRole RelatedPerson
		DocumentReference:authenticator Practitioner Organization PractitionerRole
		DocumentReference:custodian Organization
		DocumentReference:encounter Encounter EpisodeOfCare
		DocumentReference:relatesto DocumentReference
		DocumentReference:subject Practitioner Group Device Patient
		Encounter:diagnosis Condition Procedure
		Encounter:participant Practitioner PractitionerRole RelatedPerson
		Encounter:part-of Encounter
		Encounter:subject Group Patient
		Goal:subject Group Organization Patient
		ImagingStudy:subject Group Device Patient
		Immunization:performer Practitioner Organization PractitionerRole
		Location:partof Location
		MedicationRequest:requester Practitioner Organization Device Patient PractitionerRole RelatedPerson
		MedicationRequest:subject Group Patient
		Observation:derived-from Media Observation ImagingStudy MolecularSequence QuestionnaireResponse DocumentReference
		Observation:device Device DeviceMetric
		Observation:has-member Observation MolecularSequence QuestionnaireResponse
		Observation:performer Practitioner Organization CareTeam Patient PractitionerRole RelatedPerson
		Observation:subject Group Device Patient Location
		Organization:partof Organization
		Patient:link Patient RelatedPerson
		PractitionerRole:service HealthcareService
		Procedure:performer Practitioner Organization Device Patient PractitionerRole RelatedPerson
		Procedure:subject Group Patient
		QuestionnaireResponse:author Practitioner Organization Device Patient PractitionerRole RelatedPerson
		Schedule:actor Practitioner Device Patient HealthcareService PractitionerRole RelatedPerson Location
		ServiceRequest:requester Practitioner Organization Device Patient PractitionerRole RelatedPerson
		ServiceRequest:subject Group Device Patient Location
		Specimen:subject Group Device Patient Substance Location`) {
		if words := strings.Fields(line); len(words) > 1 {
			m[words[0]] = words[1:]
		}
	}
	return m
}()
