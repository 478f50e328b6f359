package fhir

import "strings"

// resourceTypes are the concrete resource types of R4
// (https://hl7.org/fhir/R4/resourcelist.html). Resource and DomainResource
// are abstract and never appear in a URL.
var resourceTypes = func() map[string]string {
	types := make(map[string]string, 160)
	for _, t := range strings.Fields(`
		Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic
		Binary BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry
		ChargeItem ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication
		CommunicationRequest CompartmentDefinition Composition ConceptMap Condition Consent Contract Coverage
		CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric
		DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis
		Encounter Endpoint EnrollmentRequest EnrollmentResponse EpisodeOfCare EventDefinition Evidence
		EvidenceVariable ExampleScenario ExplanationOfBenefit FamilyMemberHistory Flag Goal GraphDefinition Group
		GuidanceResponse HealthcareService ImagingStudy Immunization ImmunizationEvaluation
		ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice Library Linkage List Location Measure
		MeasureReport Media Medication MedicationAdministration MedicationDispense MedicationKnowledge
		MedicationRequest MedicationStatement MedicinalProduct MedicinalProductAuthorization
		MedicinalProductContraindication MedicinalProductIndication MedicinalProductIngredient
		MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged
		MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition MessageHeader
		MolecularSequence NamingSystem NutritionOrder Observation ObservationDefinition OperationDefinition
		OperationOutcome Organization OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation
		Person PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse
		RelatedPerson RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject
		RiskAssessment RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen
		SpecimenDefinition StructureDefinition StructureMap Subscription Substance SubstanceNucleicAcid
		SubstancePolymer SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial
		SubstanceSpecification SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport TestScript
		ValueSet VerificationResult VisionPrescription`) {
		types[t] = t
	}
	return types
}()

// IsResourceType reports whether name is a concrete R4 resource type. The
// comparison is exact: FHIR paths are case-sensitive.
func IsResourceType(name string) bool {
	_, ok := resourceTypes[name]
	return ok
}

// TypeName returns raw as a text, and does not allocate where it is the name of a
// concrete R4 resource type.
func TypeName(raw []byte) string {
	if name, ok := resourceTypes[string(raw)]; ok {
		return name
	}
	return string(raw)
}

// maxIDLength bounds ids. FHIR says 64 characters, but real hospitals send
// longer ones (66 were seen), and a client must be able to read those back.
const maxIDLength = 128

// IsID reports whether s can stand as an id in a path: characters of A-Z, a-z,
// 0-9, '-' and '.' (https://hl7.org/fhir/R4/datatypes.html#id), and '_', which
// real hospitals use as well. "." and ".." are refused, because they are path
// segments with a meaning of their own.
func IsID(s string) bool {
	if s == "" || len(s) > maxIDLength || s == "." || s == ".." {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}
