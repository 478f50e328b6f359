package smart

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

// caller is who makes a call in a test.
type caller struct {
	scopes string // words
	holder Holder
	deny   []Filter
}

func (c caller) access(t testing.TB) Access {
	return NewAccess(c.holder, c.deny, mustParse(t, strings.Fields(c.scopes)...))
}

// status returns 0 for a call that is permitted.
func status(t testing.TB, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var refused *fhir.Error
	require.ErrorAs(t, err, &refused)
	if refused.Status == http.StatusForbidden {
		require.Equal(t, fhir.IssueForbidden, refused.Code)
	}
	return refused.Status
}

// TestQueries holds what parameters bring in, on a search of Observation.
func TestQueries(t *testing.T) {
	const (
		own  = "system/Observation.rs"
		lab  = "system/Observation.rs?category=laboratory"
		all  = "system/*.rs"
		tags = "system/*.rs?_tag=a"
	)
	with := func(more ...string) string { return own + " " + strings.Join(more, " ") }
	const read, search = "system/Patient.r", "system/Patient.s"
	for _, tc := range []struct {
		query, scopes string
		status        int
		names         string // a scope that the refusal names
	}{
		{query: "", scopes: own},
		{query: "code=x&category=laboratory&_count=1&_sort=-date&_elements=code&_summary=text&_lastUpdated=gt2020&date=ge2020", scopes: own},
		{query: "subject=Patient/1&patient=1&subject:Patient=1&subject:identifier=a|b&code:in=http://x&code:not=x&performer:missing=true", scopes: own},
		{query: "&&", scopes: own},
		{query: "_total=none&_contained=false&_summary=data", scopes: own},

		{query: "_include=Observation:patient", scopes: own, status: 403, names: "system/Patient.r,"},
		{query: "_include=Observation:patient", scopes: with(read)},
		{query: "_include=Observation:patient", scopes: with(search), status: 403, names: "system/Patient.r,"},
		{query: "_include=Observation:patient", scopes: with("system/Patient.r?gender=male")},
		{query: "_include=Observation:subject", scopes: with(read), status: 403, names: "system/Group.r,"},
		{query: "_include=Observation:subject:Patient", scopes: with(read)},
		{query: "_include=Observation:unheard-of", scopes: with(read), status: 403, names: "system/*.r,"},
		{query: "_include=Observation:unheard-of:Patient", scopes: with(read)},
		{query: "_include=Observation:patient:Nothing", scopes: with(read)},
		{query: "_include=Observation:*", scopes: with(read), status: 403, names: "system/*.r,"},
		{query: "_include=*", scopes: with(read), status: 403, names: "system/*.r,"},
		{query: "_include=*", scopes: all},
		{query: "_include=*", scopes: tags},
		{query: "_include=*", scopes: with("system/*.r")},
		{query: "_include=Observation:patient&_include=Observation:encounter", scopes: with(read), status: 403, names: "system/Encounter.r,"},
		{query: "_include=Observation:patient,Observation:encounter", scopes: with(read), status: 403, names: "system/Encounter.r,"},
		{query: "_include:iterate=Patient:organization", scopes: with(read), status: 403, names: "system/Organization.r,"},
		{query: "_include:recurse=Patient:general-practitioner", scopes: with(read), status: 403, names: "system/Practitioner.r,"},
		{query: "_INCLUDE=Observation:patient", scopes: own, status: 403, names: "system/Patient.r,"},
		{query: "%5Finclude=Observation:patient", scopes: own, status: 403, names: "system/Patient.r,"},
		{query: "_include=Observation%3Apatient", scopes: own, status: 403, names: "system/Patient.r,"},
		{query: "code=x&_include=", scopes: own},

		{query: "_revinclude=Provenance:target", scopes: own, status: 403, names: "system/Provenance.s,"},
		{query: "_revinclude=Provenance:target", scopes: with("system/Provenance.r"), status: 403, names: "system/Provenance.s,"},
		{query: "_revinclude=Provenance:target", scopes: with("system/Provenance.s")},
		{query: "_revinclude:iterate=Provenance:target", scopes: own, status: 403, names: "system/Provenance.s,"},
		{query: "_revinclude=*", scopes: own, status: 403, names: "system/*.s,"},
		{query: "_revinclude=*", scopes: all},
		{query: "_revinclude=provenance:target", scopes: own, status: 403, names: "system/*.s,"},

		{query: "patient.name=x", scopes: own, status: 403, names: "system/Patient.s,"},
		{query: "patient.name=x", scopes: with(read), status: 403, names: "system/Patient.s,"},
		{query: "patient.name=x", scopes: with(search)},
		{query: "patient.name=x", scopes: with("system/Patient.s?gender=male"), status: 403, names: "system/Patient.s without"},
		{query: "subject:Patient.name=x", scopes: with(search)},
		{query: "subject:Patient.name:exact=x", scopes: with(search)},
		{query: "subject:Group.code=x", scopes: with(search), status: 403, names: "system/Group.s,"},
		{query: "subject.name=x", scopes: with(search), status: 403, names: "system/Group.s,"},
		{query: "unheard-of.name=x", scopes: with(search), status: 403, names: "system/*.s,"},
		{query: "unheard-of.name=x", scopes: all},
		{query: "unheard-of.name=x", scopes: tags, status: 403, names: "system/*.s without"},
		{query: "subject:unheard.name=x", scopes: with(search), status: 403, names: "system/*.s,"},
		{query: "patient.organization.name=x", scopes: with(search), status: 403, names: "system/Organization.s,"},
		{query: "patient.organization.name=x", scopes: with(search, "system/Organization.s")},
		{query: "patient.general-practitioner:Practitioner.name=x", scopes: with(search), status: 403, names: "system/Practitioner.s,"},
		{query: "patient%2Ename=x", scopes: own, status: 403, names: "system/Patient.s,"},
		{query: "patient._has:Group:member:_id=x", scopes: with(search), status: 403, names: "system/Group.s,"},
		{query: "patient._filter=x", scopes: with(search), status: 403, names: "system/*.s,"},
		{query: "_tag.x=y", scopes: own, status: 403, names: "system/*.s,"},
		{query: "_sort=patient.name", scopes: own, status: 403, names: "system/*.s,"},

		{query: "_has:DiagnosticReport:result:code=x", scopes: own, status: 403, names: "system/DiagnosticReport.s,"},
		{query: "_has:DiagnosticReport:result:code=x", scopes: with("system/DiagnosticReport.s")},
		{query: "_HAS:DiagnosticReport:result:code=x", scopes: own, status: 403, names: "system/DiagnosticReport.s,"},
		{query: "_has:DiagnosticReport:result:code=x", scopes: with("system/DiagnosticReport.s?status=final"), status: 403, names: "system/DiagnosticReport.s without"},
		{query: "_has:DiagnosticReport:result:_has:Provenance:target:agent=x", scopes: with("system/DiagnosticReport.s"), status: 403, names: "system/Provenance.s,"},
		{query: "_has:DiagnosticReport:result:patient.name=x", scopes: with("system/DiagnosticReport.s"), status: 403, names: "system/Patient.s,"},
		{query: "_has:Thing:result:code=x", scopes: own, status: 403, names: "system/*.s,"},
		{query: "_has:Observation=x", scopes: own, status: 400},
		{query: "_has=x", scopes: own, status: 403, names: "system/*.s,"},

		{query: "_filter=code+eq+x", scopes: own, status: 403, names: "system/*.s,"},
		{query: "_filter=code+eq+x", scopes: all},
		{query: "_filter=code+eq+x", scopes: tags, status: 403, names: "system/*.s without"},
		{query: "_query=x", scopes: own, status: 403, names: "system/*.s,"},
		{query: "_text=x", scopes: own, status: 403, names: "system/*.s,"},
		{query: "_content=x", scopes: own, status: 403, names: "system/*.s,"},
		{query: "_list=x", scopes: own, status: 403, names: "system/*.s,"},
		{query: "_contained=both", scopes: own, status: 403, names: "system/*.s,"},
		{query: "_containedType=contained", scopes: own, status: 403, names: "system/*.s,"},
		{query: "_unheard=x", scopes: own, status: 403, names: "system/*.s,"},
		{query: "_type=Patient", scopes: own, status: 403, names: "system/*.s,"},

		{query: "_summary=count", scopes: own},
		{query: "_summary=count", scopes: lab, status: 403, names: "system/Observation.s without"},
		{query: "_summary=Count", scopes: lab, status: 403, names: "system/Observation.s without"},
		{query: "_total=accurate", scopes: own},
		{query: "_total=accurate", scopes: lab, status: 403, names: "system/Observation.s without"},
		{query: "_total=none", scopes: lab},
		{query: "_count=0", scopes: own},
		{query: "_count=0", scopes: lab, status: 403, names: "system/Observation.s without"},
		{query: "_count=00", scopes: lab, status: 403, names: "system/Observation.s without"},
		{query: "_count=-1", scopes: lab, status: 403, names: "system/Observation.s without"},
		{query: "_count=10", scopes: lab},
		{query: "_elements=code&_summary=true", scopes: lab},

		{query: "%zz=1", scopes: own, status: 400},
		{query: "code=%", scopes: own, status: 400},
		{query: "a;b=1", scopes: own, status: 400},
		{query: "code=a;_include=Observation:patient", scopes: own, status: 400},
		{query: "=x", scopes: own, status: 400},
		{query: "_include%00=Observation:patient", scopes: own, status: 400},
		{query: "+_include=Observation:patient", scopes: own, status: 400},
		{query: "_include%5B%5D=Observation:patient", scopes: own, status: 400},
		{query: "_ınclude=Observation:patient", scopes: own, status: 400},
		{query: strings.Repeat("a.", 300) + "a=1", scopes: own, status: 400},
	} {
		t.Run(tc.scopes+"?"+tc.query, func(t *testing.T) {
			for _, form := range []bool{false, true} {
				query, more := tc.query, ""
				if form {
					query, more = more, query
				}
				_, err := caller{scopes: tc.scopes}.access(t).Check(fhir.Request{Interaction: fhir.SearchType, Type: "Observation"}, query, more)
				require.Equal(t, tc.status, status(t, err))
				if tc.names != "" {
					require.ErrorContains(t, err, "needs the scope "+tc.names)
				}
			}
		})
	}
}

func TestSearchesOfTheSystem(t *testing.T) {
	for _, tc := range []struct {
		query, scopes string
		status        int
	}{
		{"", "system/*.s", 0},
		{"", "system/*.r", 403},
		{"", "system/Patient.s", 403},
		{"_type=Patient", "system/Patient.s", 0},
		{"_type=Patient,Observation", "system/Patient.s", 403},
		{"_type=Patient&_type=Observation", "system/Patient.s", 403},
		{"_type=Patient&_TYPE=Observation", "system/Patient.s", 403},
		{"_type=Patient,Observation", "system/Patient.s system/Observation.s?category=a", 0},
		{"_type=Patient&_total=accurate", "system/Patient.s", 0},
		{"_total=accurate&_type=Patient,Observation", "system/Patient.s system/Observation.s?category=a", 403},
		{"_type=patient", "system/*.s", 400},
		{"_type=", "system/Patient.s", 403},
		{"_type=Patient&organization.name=x", "system/Patient.s", 403},
	} {
		for _, i := range []fhir.Interaction{fhir.SearchSystem, fhir.HistorySystem} {
			t.Run(string(i)+" "+tc.scopes+"?"+tc.query, func(t *testing.T) {
				_, err := caller{scopes: tc.scopes}.access(t).Check(fhir.Request{Interaction: i}, tc.query)
				require.Equal(t, tc.status, status(t, err))
			})
		}
	}
}

// TestLongChains holds that types are followed once, however often a chain
// comes by them.
func TestLongChains(t *testing.T) {
	scopes := "system/Patient.s system/Practitioner.s system/Organization.s system/PractitionerRole.s"
	chain := strings.Repeat("general-practitioner.", 20) + "name=x"
	_, err := caller{scopes: scopes}.access(t).Check(fhir.Request{Interaction: fhir.SearchType, Type: "Patient"}, chain)
	require.NoError(t, err)
	require.Len(t, targets([]string{"Patient", "Group", "Person"}, "general-practitioner"), 3)
}

func TestRefusalsHoldNoValue(t *testing.T) {
	for _, query := range []string{"_include=canary:x", "_type=canary", "canary.name=x", "_canary=1", "_has:canary:x:y=1", "canary%zz=1", "_query=canary", "subject:canary.x=1"} {
		_, err := caller{scopes: "system/Observation.rs"}.access(t).Check(fhir.Request{Interaction: fhir.SearchSystem}, query)
		var refused *fhir.Error
		require.True(t, errors.As(err, &refused), query)
		require.NotContains(t, strings.ToLower(refused.Error()), "canary")
	}
}

// TestOperations holds the operations, called on the type Patient.
func TestOperations(t *testing.T) {
	for _, tc := range []struct {
		name, id, scopes string
		patient          string
		status           int
	}{
		{"$everything", "1", "system/*.rs", "", 0},
		{"$everything", "1", "system/*.r", "", 403},
		{"$document", "1", "system/*.rs", "", 403}, // it can store what it makes
		{"$document", "1", "system/*.rs system/Bundle.c", "", 0},
		{"$everything", "1", "system/Patient.cruds", "", 403},
		{"$everything", "1", "system/*.rs?_tag=a", "", 403},
		{"$everything", "1", "patient/*.rs", "1", 0},
		{"$everything", "2", "patient/*.rs", "1", 403},
		{"$everything", "", "patient/*.rs", "1", 403},
		{"$everything", "1", "patient/*.rs", "", 403},
		{"$everything", "1", "patient/Patient.rs", "1", 403},
		{"$export", "", "system/*.rs", "", 0},
		{"$export", "", "system/Patient.cruds", "", 403},
		{"$export", "1", "patient/*.rs", "1", 403},
		{"$match", "", "system/Patient.rs", "", 0},
		{"$match", "", "system/Patient.s", "", 403},
		{"$match", "", "system/Patient.rs?gender=male", "", 403},
		{"$merge", "", "system/Patient.rs", "", 403},
		{"$merge", "", "system/Patient.cruds", "", 0},
		{"$Match", "", "system/Patient.rs", "", 403},
	} {
		t.Run(tc.name+" "+tc.id+" "+tc.scopes, func(t *testing.T) {
			access := caller{scopes: tc.scopes, holder: Holder{Patient: tc.patient}}.access(t)
			_, err := access.Check(fhir.Request{Interaction: fhir.Operation, Type: "Patient", ID: tc.id, Operation: tc.name}, "")
			require.Equal(t, tc.status, status(t, err))
		})
	}
	_, err := caller{scopes: "system/Patient.cruds"}.access(t).Check(fhir.Request{Interaction: fhir.Operation, Operation: "$match"}, "")
	require.ErrorContains(t, err, "system/*.rs")
}

func TestCompartmentSearches(t *testing.T) {
	req := fhir.Request{Interaction: fhir.SearchType, Type: "Observation", Compartment: "Patient", ID: "1"}
	for _, tc := range []struct {
		scopes, patient string
		status          int
	}{
		{"system/Observation.s system/Patient.r", "", 0},
		{"system/Observation.s", "", 403},
		{"system/Patient.rs", "", 403},
		{"system/Observation.s system/Patient.r?gender=male", "", 403},
		{"patient/Observation.s patient/Patient.r", "1", 0},
		{"patient/Observation.s patient/Patient.r", "2", 403},
		{"patient/Observation.s", "1", 403},
	} {
		_, err := caller{scopes: tc.scopes, holder: Holder{Patient: tc.patient}}.access(t).Check(req, "")
		require.Equal(t, tc.status, status(t, err), tc.scopes)
	}
}

func TestTheMissingScopeIsNamedInAContextThatTheHolderHas(t *testing.T) {
	for _, tc := range []struct {
		holder Holder
		typ    string
		want   string
	}{
		{Holder{}, "Patient", "system/Patient.r,"},
		{Holder{User: true}, "Patient", "user/Patient.r,"},
		{Holder{Patient: "1"}, "Patient", "patient/Patient.r,"},
		{Holder{Patient: "1"}, "Binary", "system/Binary.r,"},
		{Holder{Patient: "1", User: true}, "Binary", "user/Binary.r,"},
	} {
		_, err := NewAccess(tc.holder, nil, mustParse(t)).Check(fhir.Request{Interaction: fhir.Read, Type: tc.typ, ID: "1"}, "")
		require.ErrorContains(t, err, "the call needs the scope "+tc.want+" for the interaction read")
	}
}
