package smart

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

// read returns the permission to read a resource of this type.
func (c caller) read(t testing.TB, typ string) Permission {
	t.Helper()
	p, err := c.access(t).Check(fhir.Request{Interaction: fhir.Read, Type: typ, ID: "1"}, "")
	require.NoError(t, err)
	return p
}

// search returns the permission to search a type.
func (c caller) search(t testing.TB, typ, query string) Permission {
	t.Helper()
	p, err := c.access(t).Check(fhir.Request{Interaction: fhir.SearchType, Type: typ}, query)
	require.NoError(t, err)
	return p
}

// TestConstraintsOnResources holds which values fit a constraint.
func TestConstraintsOnResources(t *testing.T) {
	const observation = `{"resourceType":"Observation",`
	coded := func(codings string) string { return observation + `"category":[{"coding":[` + codings + `]}]}` }
	for _, tc := range []struct {
		scope, resource string
		sees            bool
	}{
		{"Observation.r?category=a", coded(`{"code":"a"}`), true},
		{"Observation.r?category=a", coded(`{"system":"s","code":"a"}`), true},
		{"Observation.r?category=a", coded(`{"system":"s","code":"b"},{"code":"a"}`), true},
		{"Observation.r?category=a", observation + `"category":[{"text":"x"},{"coding":[{"code":"a"}]}]}`, true},
		{"Observation.r?category=a", coded(`{"code":"A"}`), false},
		{"Observation.r?category=a", coded(`{"code":"ab"}`), false},
		{"Observation.r?category=a", coded(``), false},
		{"Observation.r?category=a", `{"resourceType":"Observation"}`, false},
		{"Observation.r?category=a,b", coded(`{"code":"b"}`), true},
		{"Observation.r?category=a&category=b", coded(`{"code":"a"}`), false},
		{"Observation.r?category=a&category=b", coded(`{"code":"a"},{"code":"b"}`), true},
		{"Observation.r?category=s|a", coded(`{"system":"s","code":"a"}`), true},
		{"Observation.r?category=s|a", coded(`{"system":"t","code":"a"}`), false},
		{"Observation.r?category=s|a", coded(`{"code":"a"}`), false},
		{"Observation.r?category=s|a", coded(`{"system":"s"},{"code":"a"}`), false},
		{"Observation.r?category=|a", coded(`{"code":"a"}`), true},
		{"Observation.r?category=|a", coded(`{"system":"s","code":"a"}`), false},
		{"Observation.r?category=s|", coded(`{"system":"s","code":"x"}`), true},
		{"Observation.r?category=s|", coded(`{"system":"t","code":"x"}`), false},
		{"Observation.r?status=final", observation + `"status":"final"}`, true},
		{"Observation.r?status=final", observation + `"status":["final"]}`, false},
		{"Observation.r?status=final", observation + `"status":"draft"}`, false},
		{"Observation.r?status=final", observation + `"status":{"x":"final"}}`, false},
		{"Observation.r?_tag=s|a", observation + `"meta":{"tag":[{"system":"s","code":"a"}]}}`, true},
		{"*.r?_security=N", observation + `"meta":{"security":[{"code":"N"}]}}`, true},
		{"*.r?_security=N", observation + `"meta":{"security":[{"code":"R"}]}}`, false},
		{"*.r?_profile=http://x/p", observation + `"meta":{"profile":["http://x/q","http://x/p"]}}`, true},
		{"*.r?_profile=http://x/p", observation + `"meta":{"profile":["http://x/pp"]}}`, false},
		{"Observation.r?subject=Patient/1", observation + `"subject":{"reference":"Patient/1"}}`, true},
		{"Observation.r?subject=Patient/1", observation + `"subject":{"reference":"Patient/1/_history/2"}}`, true},
		{"Observation.r?subject=Patient/1", observation + `"subject":{"reference":"https://own/fhir/Patient/1"}}`, true},
		{"Observation.r?subject=Patient/1", observation + `"subject":{"reference":"https://other/fhir/Patient/1"}}`, false},
		{"Observation.r?subject=Patient/1", observation + `"subject":{"reference":"Patient/11"}}`, false},
		{"Observation.r?subject=Patient/1", observation + `"subject":{"reference":"#p"}}`, false},
		{"Observation.r?subject=Patient/1", observation + `"subject":{"reference":"/Patient/1"}}`, false},
		{"Observation.r?subject=Patient/1", observation + `"subject":{"identifier":{"value":"1"}}}`, false},
		{"Encounter.r?class=AMB", `{"resourceType":"Encounter","class":{"system":"s","code":"AMB"}}`, true},
		{"Encounter.r?class=AMB", `{"resourceType":"Encounter","class":[{"code":"AMB"},{"code":"IMP"}]}`, false},
		{"Encounter.r?type=x", `{"resourceType":"Encounter","type":{"coding":[{"code":"x"}]}}`, true},
		{"Encounter.r?class=AMB", `{"resourceType":"Encounter","class":{"coding":[{"code":"AMB"}]}}`, false},
		{"Task.r?patient=Patient/1", `{"resourceType":"Task","for":{"reference":"Patient/1"}}`, true},
		{"ImagingStudy.r?modality=CT", `{"resourceType":"ImagingStudy","series":[{"modality":{"code":"MR"}},{"modality":{"code":"CT"}}]}`, true},

		// What could be read in two ways, or not at all.
		{"Observation.r?category=a", observation + `"category":[{"coding":[{"code":"b"}]}],"category":[{"coding":[{"code":"a"}]}]}`, false},
		{"Observation.r?category=a", observation + `"category":[{"coding":[{"code":"a"}]}],"category":[{"coding":[{"code":"b"}]}]}`, false},
		{"Observation.r?category=a", observation + `"category":[{"coding":[{"code":"a"}]}],"Category":[{"coding":[{"code":"b"}]}]}`, false},
		{"Observation.r?category=a", observation + `"category":[{"coding":[{"code":"a"}]}],"c\u0061tegory":[]}`, false},
		{"Observation.r?category=a", observation + `"c\u0061tegory":[{"coding":[{"code":"a"}]}]}`, true},
		{"Observation.r?category=a", coded(`{"code":"a","code":"b"}`), false},
		{"Observation.r?category=a", coded(`{"code":1}`), false},
		{"Observation.r?category=a", coded(`"a"`), false},
		{"Observation.r?category=a", observation + `"category":null}`, false},
		{"Observation.r?category=a", observation + `"category":[[{"coding":[{"code":"a"}]}]]}`, false},
		{"Observation.r?category=a", `{"resourceType":"Observation","resourceType":"Patient","category":[{"coding":[{"code":"a"}]}]}`, false},
		{"Observation.r?category=a", `{"resourceType":"Observation","reſourceType":"Patient","category":[{"coding":[{"code":"a"}]}]}`, false},
		{"Observation.r?category=a", `{"resourceType":"observation","category":[{"coding":[{"code":"a"}]}]}`, false},
		{"Observation.r?category=a", coded(`{"code":"a"}`) + "x", false},
		{"Observation.r?category=a", `[` + coded(`{"code":"a"}`) + `]`, false},
		{"Observation.r?category=a", ``, false},
		{"Observation.r?category=a", observation + `"x":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `,"category":[{"coding":[{"code":"a"}]}]}`, false},
	} {
		typ := "Observation"
		if name, _, _ := strings.Cut(tc.scope, "."); name != AllTypes {
			typ = name
		}
		t.Run(tc.scope+" "+tc.resource[:min(len(tc.resource), 150)], func(t *testing.T) {
			p := caller{scopes: "system/" + tc.scope, holder: Holder{Base: "https://own/fhir"}}.read(t, typ)
			require.False(t, p.Free())
			require.True(t, p.Looks(typ))
			require.Equal(t, tc.sees, p.Sees([]byte(tc.resource)))
		})
	}
}

// TestThePatientCompartment holds what a patient scope shows and lets write.
func TestThePatientCompartment(t *testing.T) {
	for _, tc := range []struct {
		resource   string
		sees, owns bool
	}{
		{`{"resourceType":"Patient","id":"1"}`, true, true},
		{`{"resourceType":"Patient","id":"2"}`, false, false},
		{`{"resourceType":"Patient","id":"2","link":[{"other":{"reference":"Patient/1"}}]}`, false, false},
		{`{"resourceType":"Patient"}`, false, false},
		{`{"resourceType":"Observation","subject":{"reference":"Patient/1"}}`, true, true},
		{`{"resourceType":"Observation","subject":{"reference":"Patient/2"},"performer":[{"reference":"Patient/1"}]}`, true, false},
		{`{"resourceType":"Observation","subject":{"reference":"Group/1"}}`, false, false},
		{`{"resourceType":"Observation"}`, false, false},
		{`{"resourceType":"Observation","subject":{"reference":"Patient/1"},"subject":{"reference":"Patient/2"}}`, false, false},
		{`{"resourceType":"Appointment","participant":[{"actor":{"reference":"Practitioner/1"}},{"actor":{"reference":"Patient/1"}}]}`, true, true},
		{`{"resourceType":"Appointment","participant":[{"actor":{"reference":"Practitioner/1"}},{"actor":{"display":"x"}}]}`, false, false},
		{`{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/1"}},{"actor":{"reference":"Patient/2"}}]}`, true, false},
		{`{"resourceType":"Observation","subject":[{"reference":"Patient/1"},{"reference":"Patient/2"}]}`, false, false},
		{`{"resourceType":"Provenance","target":[{"reference":"Patient/1"},{"reference":"Observation/2"}]}`, true, true},
		{`{"resourceType":"DocumentReference","subject":{"reference":"Patient/2"},"author":[{"reference":"Patient/1"}]}`, true, false},
		{`{"resourceType":"Coverage","beneficiary":{"reference":"Patient/2"},"subscriber":{"reference":"Patient/1"}}`, true, false},
		{`{"resourceType":"Practitioner","id":"1"}`, true, false},
		{`{"resourceType":"Medication","id":"1"}`, true, false},
		{`{"resourceType":"Binary","id":"1"}`, false, false},
		{`{"resourceType":"Device","patient":{"reference":"Patient/1"}}`, false, false},
		{`{"resourceType":"Task","for":{"reference":"Patient/1"}}`, false, false},
	} {
		t.Run(tc.resource, func(t *testing.T) {
			c := caller{scopes: "patient/*.cruds", holder: Holder{Patient: "1"}}
			typ := typeOf(gjsonOf(tc.resource))
			p := c.search(t, "Patient", "_include=*")
			require.Equal(t, tc.sees, p.Sees([]byte(tc.resource)))
			require.Equal(t, !openTypes[typ], p.Looks(typ))
			change, err := c.access(t).Check(fhir.Request{Interaction: fhir.Update, Type: typ, ID: "1"}, "")
			if err == nil {
				err = change.Changes([]byte(tc.resource))
			}
			require.Equal(t, tc.owns, err == nil)
		})
	}
}

// TestEveryTypeOfTheCompartmentIsOfR4 keeps slips out of the tables.
func TestEveryTypeOfTheTablesIsOfR4(t *testing.T) {
	for typ := range compartment {
		require.True(t, fhir.IsResourceType(typ), typ)
		require.False(t, openTypes[typ], typ)
	}
	for typ := range openTypes {
		require.True(t, fhir.IsResourceType(typ), typ)
	}
	for typ := range paramsByType {
		require.True(t, fhir.IsResourceType(typ), typ)
	}
	for param, types := range targetsOf {
		if typ, _, typed := strings.Cut(param, ":"); typed {
			require.True(t, fhir.IsResourceType(typ), typ)
		}
		for _, typ := range types {
			require.True(t, fhir.IsResourceType(typ), typ)
		}
	}
	require.Len(t, compartment, 66)
}

// TestAnswers holds what of the answer to a search of Observation may be seen.
func TestAnswers(t *testing.T) {
	const (
		lab     = `{"resourceType":"Observation","category":[{"coding":[{"code":"laboratory"}]}]}`
		vital   = `{"resourceType":"Observation","category":[{"coding":[{"code":"vital-signs"}]}]}`
		patient = `{"resourceType":"Patient","id":"1"}`
		outcome = `{"resourceType":"OperationOutcome","issue":[]}`
	)
	bundle := func(kind string, resources ...string) string {
		return `{"resourceType":"Bundle","type":"` + kind + `","entry":[{"resource":` + strings.Join(resources, `},{"resource":`) + `}]}`
	}
	for _, tc := range []struct {
		scopes, query, resource string
		sees                    bool
	}{
		{"system/Observation.s", "", lab, true},
		{"system/Observation.s", "", patient, false},
		{"system/Observation.s system/Patient.r", "", patient, true},
		{"system/Observation.s system/Patient.s", "", patient, false},
		{"system/Observation.s system/Patient.s", "_revinclude=Patient:link", patient, true},
		{"system/Observation.s?category=laboratory", "", lab, true},
		{"system/Observation.s?category=laboratory", "", vital, false},
		{"system/Observation.s?category=laboratory", "", outcome, true},
		{"system/Observation.s?category=laboratory", "", bundle("searchset", lab, outcome), true},
		{"system/Observation.s?category=laboratory", "", bundle("searchset", lab, vital), false},
		{"system/Observation.s?category=laboratory", "", bundle("searchset", lab, patient), false},
		{"system/Observation.s?category=laboratory", "", bundle("collection", lab), false},
		{"system/Observation.s?category=laboratory system/Bundle.r", "", bundle("collection", lab), true},
		{"system/Observation.s?category=laboratory", "", bundle("searchset", bundle("searchset", vital)), false},
		{"system/Observation.s?category=laboratory", "", `{"resourceType":"Bundle","type":"searchset"}`, true},
		{"system/Observation.s?category=laboratory", "", `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":` + lab + `,"resource":` + vital + `}]}`, false},
		{"system/Observation.s?category=laboratory", "", `{"resourceType":"Bundle","type":"searchset","Entry":[{"resource":` + vital + `}]}`, false},
		{"system/Observation.s?category=laboratory", "", `{"resourceType":"Bundle","type":"searchset","entry":["x"]}`, false},
		{"system/Observation.s?category=laboratory", "", `{"resourceType":"Parameters","parameter":[{"name":"x","resource":` + lab + `},{"name":"y","valueString":"z"}]}`, true},
		{"system/Observation.s?category=laboratory", "", `{"resourceType":"Parameters","parameter":[{"part":[{"resource":` + vital + `}]}]}`, false},
		{"system/Observation.s?category=a system/Observation.r?category=laboratory", "", lab, false},
		{"system/Observation.s?category=a system/Observation.r?category=laboratory", "", vital, false},
		{"system/Observation.s?category=vital-signs system/Observation.s?category=laboratory", "", vital, true},
		{"system/Observation.s?category=laboratory system/*.s", "", vital, true},
		{"system/Observation.s", "", `{"resourceType":"Unheard"}`, false},
		{"system/Observation.s", "", " \n" + lab + "\n", true},
		{"system/Observation.s", "", "\ufeff" + lab, false},
		{"system/Observation.s system/Bundle.r", "", nested(maxBundles, lab), true},
		{"system/Observation.s system/Bundle.r", "", nested(maxBundles+1, lab), false},
		{"system/Observation.s", "", nested(1, lab), true},
		{"system/Observation.s", "", nested(2, lab), false},
	} {
		t.Run(tc.scopes+" "+tc.resource, func(t *testing.T) {
			p := caller{scopes: tc.scopes}.search(t, "Observation", tc.query)
			require.Equal(t, tc.sees, p.Free() || p.Sees([]byte(tc.resource)))
		})
	}
}

// nested puts a resource into so many Bundles.
func nested(depth int, resource string) string {
	return strings.Repeat(`{"resourceType":"Bundle","type":"searchset","entry":[{"resource":`, depth) + resource + strings.Repeat(`}]}`, depth)
}

func TestConstraintsOnWhatSaysNothingOfPatients(t *testing.T) {
	p := caller{scopes: "patient/Location.rs?status=active", holder: Holder{Patient: "1"}}.search(t, "Location", "")
	require.True(t, p.Sees([]byte(`{"resourceType":"Location","status":"active"}`)))
	require.False(t, p.Sees([]byte(`{"resourceType":"Location","status":"suspended"}`)))
}

func TestAReferenceBelowNoBase(t *testing.T) {
	p := caller{scopes: "patient/*.rs", holder: Holder{Patient: "1"}}.read(t, "Observation")
	require.True(t, p.Sees([]byte(`{"resourceType":"Observation","subject":{"reference":"Patient/1"}}`)))
	require.False(t, p.Sees([]byte(`{"resourceType":"Observation","subject":{"reference":"/Patient/1"}}`)))
}

func TestAStoredBundleIsAResourceWhateverItsType(t *testing.T) {
	p := caller{scopes: "system/Bundle.r?_tag=a system/Patient.r"}.read(t, "Bundle")
	require.False(t, p.Sees([]byte(`{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Patient"}}]}`)))
	require.True(t, p.Sees([]byte(`{"resourceType":"Bundle","type":"searchset","meta":{"tag":[{"code":"a"}]},"entry":[{"resource":{"resourceType":"Patient"}}]}`)))
}

func TestEverySetMustPermit(t *testing.T) {
	plan, token := mustParse(t, "system/*.cruds"), mustParse(t, "patient/Observation.rs?category=a", "system/Patient.r")
	access := NewAccess(Holder{Patient: "1"}, nil, plan, token)
	p, err := access.Check(fhir.Request{Interaction: fhir.Read, Type: "Observation", ID: "1"}, "")
	require.NoError(t, err)
	require.True(t, p.Sees([]byte(`{"resourceType":"Observation","category":[{"coding":[{"code":"a"}]}],"subject":{"reference":"Patient/1"}}`)))
	require.False(t, p.Sees([]byte(`{"resourceType":"Observation","category":[{"coding":[{"code":"a"}]}],"subject":{"reference":"Patient/2"}}`)))
	require.False(t, p.Sees([]byte(`{"resourceType":"Observation","subject":{"reference":"Patient/1"}}`)))
	for name, a := range map[string]Access{
		"zero":     {},
		"no set":   NewAccess(Holder{}, nil),
		"nil set":  NewAccess(Holder{}, nil, plan, nil),
		"too many": NewAccess(Holder{}, nil, plan, plan, plan, plan, plan),
		"no id":    NewAccess(Holder{Patient: "a/b"}, nil, mustParse(t, "patient/*.cruds")),
	} {
		_, err := a.Check(fhir.Request{Interaction: fhir.Read, Type: "Patient", ID: "1"}, "")
		require.Equal(t, 403, status(t, err), name)
	}
}

func TestTheZeroPermissionPermitsNothing(t *testing.T) {
	batch, err := caller{scopes: "system/*.cruds"}.access(t).Check(fhir.Request{Interaction: fhir.Batch}, "")
	require.NoError(t, err)
	for _, p := range []Permission{{}, batch} {
		resource := []byte(`{"resourceType":"OperationOutcome"}`)
		require.False(t, p.Free())
		require.True(t, p.Looks("Patient"))
		require.False(t, p.Sees(resource))
		require.Error(t, p.Changes(resource))
		require.Error(t, p.Sends(resource))
		require.False(t, p.MayReturn("Patient"))
		require.False(t, p.NeedsPresent())
		require.Equal(t, "a=b", p.Narrow("a=b"))
	}
}

// TestFree holds when an answer may be passed on unseen.
func TestFree(t *testing.T) {
	for _, tc := range []struct {
		scopes, typ  string
		read, search bool
	}{
		{"system/*.cruds", "Patient", true, true},
		{"system/*.rs", "Patient", true, true},
		{"system/Patient.rs", "Patient", true, false}, // a search may bring other types in unasked
		{"system/*.rs", "Bundle", true, true},
		{"system/Bundle.rs", "Bundle", false, false}, // and a Bundle holds others
		{"system/Patient.rs?gender=male", "Patient", false, false},
		{"system/Patient.rs?gender=male system/*.r system/*.s", "Patient", true, true},
	} {
		c := caller{scopes: tc.scopes}
		require.Equal(t, tc.read, c.read(t, tc.typ).Free(), tc.scopes)
		require.Equal(t, tc.search, c.search(t, tc.typ, "").Free(), tc.scopes)
	}
	p := caller{scopes: "system/Patient.rs"}.search(t, "Patient", "")
	require.False(t, p.Looks("Patient"))
	require.False(t, p.Looks("OperationOutcome"))
	require.True(t, p.Looks("Practitioner"))
	found := []byte(`{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Patient"}}]}`)
	patients := caller{scopes: "system/Patient.rs"}.search(t, "Patient", "")
	require.True(t, patients.Sees(found), "the answer")
	require.False(t, patients.SeesEntry(found), "a Bundle that was found")

	documents := caller{scopes: "system/Patient.rs system/Bundle.rs system/Parameters.rs"}.search(t, "Patient", "")
	require.True(t, documents.Looks("Bundle"))
	require.True(t, documents.Looks("Parameters"))
	capabilities, err := caller{}.access(t).Check(fhir.Request{Interaction: fhir.Capabilities}, "")
	require.NoError(t, err)
	require.True(t, capabilities.Free())
}

// TestNarrowedSearches holds what a search gets before it goes to the hospital.
func TestNarrowedSearches(t *testing.T) {
	for _, tc := range []struct{ scopes, typ, query, want string }{
		{"system/Observation.s", "Observation", "code=x", "code=x"},
		{"system/Observation.s?category=a", "Observation", "", "category=a"},
		{"system/Observation.s?category=a", "Observation", "code=x", "code=x&category=a"},
		{"system/Observation.s?category=a", "Observation", "category=b", "category=b&category=a"},
		{"system/Observation.s?category=http://x|a,b", "Observation", "", "category=http%3A%2F%2Fx%7Ca%2Cb"},
		{"system/Observation.s?category=a&status=final", "Observation", "", "category=a&status=final"},
		{"system/Observation.s?category=a system/Observation.s?category=b,c", "Observation", "", "category=a%2Cb%2Cc"},
		{"system/Observation.s?category=a system/Observation.s?status=final", "Observation", "", ""},
		{"system/Observation.s?category=a system/Observation.r?category=b", "Observation", "", "category=a"},
		{"system/Observation.s?category=a system/Observation.rs", "Observation", "", ""},
		{"system/Observation.s?category=a system/*.s?_tag=t", "Observation", "", ""},
		{"patient/*.rs", "Patient", "", "_id=1"},
		{"patient/*.rs", "Observation", "code=x", "code=x&patient=Patient%2F1"},
		{"patient/*.rs", "Schedule", "", "actor=Patient%2F1"},
		{"patient/*.rs", "Practitioner", "name=x", "name=x"},
		{"patient/Observation.rs?category=a", "Observation", "", "patient=Patient%2F1&category=a"},
		{"patient/Observation.rs?category=a patient/Observation.rs?status=final", "Observation", "", "patient=Patient%2F1"},
		{"patient/Observation.rs system/Observation.rs?category=a", "Observation", "", ""},
		{"patient/Location.rs?status=active", "Location", "", "status=active"},
	} {
		t.Run(tc.scopes+" "+tc.query, func(t *testing.T) {
			p := caller{scopes: tc.scopes, holder: Holder{Patient: "1"}}.search(t, tc.typ, tc.query)
			require.Equal(t, tc.want, p.Narrow(tc.query))
		})
	}
	plan, token := mustParse(t, "system/Observation.s?category=a"), mustParse(t, "system/Observation.s?category=a", "patient/Patient.r")
	p, err := NewAccess(Holder{}, nil, plan, token).Check(fhir.Request{Interaction: fhir.SearchType, Type: "Observation"}, "")
	require.NoError(t, err)
	require.Equal(t, "category=a", p.Narrow(""), "once, though both say it")
	history, err := NewAccess(Holder{}, nil, plan).Check(fhir.Request{Interaction: fhir.HistoryType, Type: "Observation"}, "")
	require.NoError(t, err)
	require.Equal(t, "_count=1", history.Narrow("_count=1"))
}
