package policies

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
	"fhirgate/policies/smart"
)

func TestTheShippedPlansAreGood(t *testing.T) {
	read := Read(os.DirFS("."), ".")
	require.NoError(t, read.Problems.Err())
	plans := read.Sorted()
	require.Len(t, plans, 2)
	day := plans[0]
	require.Equal(t, "screening-day", day.ID)
	require.Equal(t, 500, day.Rate)
	require.Equal(t, time.Second, day.Per)
	require.Equal(t, 1000, day.Burst)
	require.Equal(t, 24*time.Hour, day.QuotaPeriod)
	require.Equal(t, DefaultCost(), day.Cost)
	require.Zero(t, day.Requires)
}

// TestTheShippedPlansPermitNoMoreThanTheyNeed asks what a PACS backend must be
// able to do, and what nobody gave it.
func TestTheShippedPlansPermitNoMoreThanTheyNeed(t *testing.T) {
	read := Read(os.DirFS("."), ".")
	require.NoError(t, read.Problems.Err())
	plans := read.Sorted()
	require.Len(t, plans, 2)
	for _, tc := range []struct {
		call       fhir.Request
		query      string
		day, trial bool
	}{
		{fhir.Request{Interaction: fhir.Read, Type: "Patient", ID: "1"}, "", true, true},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Appointment"}, "date=2026-11-22", true, true},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Appointment"}, "_include=Appointment:patient", true, true},
		{fhir.Request{Interaction: fhir.Create, Type: "DocumentReference"}, "", true, true},
		{fhir.Request{Interaction: fhir.Create, Type: "DocumentReference", Conditional: true}, "identifier=1", true, true},
		{fhir.Request{Interaction: fhir.Update, Type: "DocumentReference", ID: "1"}, "", true, true},
		{fhir.Request{Interaction: fhir.Create, Type: "Binary"}, "", true, true},
		{fhir.Request{Interaction: fhir.Read, Type: "Binary", ID: "1"}, "", true, true},
		{fhir.Request{Interaction: fhir.Update, Type: "Patient", ID: "1"}, "", false, true},
		{fhir.Request{Interaction: fhir.Delete, Type: "DocumentReference", ID: "1"}, "", false, true},
		{fhir.Request{Interaction: fhir.Patch, Type: "Appointment", ID: "1"}, "", false, true},
		{fhir.Request{Interaction: fhir.Read, Type: "MedicationRequest", ID: "1"}, "", false, false},
		{fhir.Request{Interaction: fhir.SearchSystem}, "", false, false},
		{fhir.Request{Interaction: fhir.Operation, Type: "Patient", ID: "1", Operation: "$everything"}, "", false, false},
	} {
		for i, want := range []bool{tc.day, tc.trial} {
			_, err := smart.NewAccess(smart.Holder{}, nil, plans[i].Clinical).Check(tc.call, tc.query)
			require.Equal(t, want, err == nil, "%s: %+v", plans[i].ID, tc.call)
		}
	}
}

func TestReaches(t *testing.T) {
	plan := Plan{Active: true, Hospitals: []string{"st-mary"}, Environments: []string{"production"}}
	require.True(t, plan.Reaches("st-mary", "production"))
	require.False(t, plan.Reaches("st-john", "production"))
	require.False(t, plan.Reaches("st-mary", "sandbox"))
	plan.Hospitals = []string{AllHospitals}
	require.True(t, plan.Reaches("st-john", "production"))
	require.False(t, plan.Reaches("st-john", "sandbox"))
	plan.Active = false
	require.False(t, plan.Reaches("st-john", "production"))
}

func TestRequires(t *testing.T) {
	for text, want := range map[string]Requires{
		`[]`:                          {},
		`["purpose"]`:                 {Purpose: true},
		`["on-behalf-of"]`:            {OnBehalfOf: true},
		`["purpose", "on-behalf-of"]`: {OnBehalfOf: true, Purpose: true},
	} {
		plan, problems := Parse("trial.json", []byte(withMember(t, `"requires": `+text)))
		require.Empty(t, problems, text)
		require.Equal(t, want, plan.Requires, text)
	}
}

func TestScopes(t *testing.T) {
	plan, problems := Parse("trial.json", []byte(withScopes(t, `["system/Patient.read", "fhirgate/raw", "user/Observation.rs?category=laboratory"]`)))
	require.Empty(t, problems)
	require.True(t, plan.Grants(ScopeRaw))
	require.Len(t, plan.Scopes, 3)
	require.Equal(t, []string{"system/Patient.rs", "user/Observation.rs?category=laboratory"}, plan.Clinical.Strings())
	plan, _ = Parse("trial.json", []byte(withScopes(t, `["system/Patient.r"]`)))
	require.False(t, plan.Grants(ScopeRaw))
}

// trial returns a good plan.
func trial(t *testing.T) string {
	t.Helper()
	good, err := os.ReadFile("trial.json")
	require.NoError(t, err)
	return string(good)
}

// withMember returns a good plan with one member more in its meta data, on the
// line of the environments.
func withMember(t *testing.T, member string) string {
	t.Helper()
	return strings.Replace(trial(t), `"environments": ["sandbox"],`, `"environments": ["sandbox"], `+member+`,`, 1)
}

// withScopes returns a good plan with other scopes.
func withScopes(t *testing.T, scopes string) string {
	t.Helper()
	text := trial(t)
	from, to := strings.Index(text, `"scopes": [`), strings.Index(text, `"burst"`)
	return text[:from] + `"scopes": ` + scopes + ",\n      " + text[to:]
}

func TestEachMistakeIsNamedWithItsPlace(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, want string }{
		"unknown key":    {`"rate"`, `"rates"`, `trial.json:5:3: unknown key "rates"; did you mean "rate"?`},
		"tyk's own":      {`"rate"`, `"throttle_interval"`, `5:3: unknown key "throttle_interval"`},
		"id":             {`"trial"`, `"other"`, `2:9: id: must equal the file name, "trial"`},
		"rate":           {`"rate": 100`, `"rate": 1.5`, `5:11: rate: must be a whole number of cost units`},
		"quota":          {`86400`, `0`, `8:25: quota_renewal_rate: must be a number of seconds above 0`},
		"all rights":     {`"fhir": {"api_id": "fhir", "api_name": "fhir", "versions": ["Default"]}`, ``, `9:20: access_rights: must hold exactly`},
		"no hospitals":   {`["*"]`, `[]`, `14:20: meta_data.fhirgate.hospitals: must name at least one hospital`},
		"empty hospital": {`["*"]`, `["*", ""]`, `14:26: meta_data.fhirgate.hospitals.1: must not be empty`},
		"environment":    {`["sandbox"]`, `["test"]`, `15:24: meta_data.fhirgate.environments.0: must be production or sandbox`},
		"no meta":        {`"fhirgate"`, `"other"`, `unknown key "other"`},
		"negative burst": {`"burst": 500`, `"burst": -1`, `27:16: meta_data.fhirgate.burst: must be a number of cost units`},
		"scope":          {`"system/Encounter.crus"`, `"system/Encounter.crux"`, `19:9: meta_data.fhirgate.scopes.2: `},
	} {
		t.Run(name, func(t *testing.T) {
			good := trial(t)
			changed := strings.Replace(good, tc.old, tc.new, 1)
			require.NotEqual(t, good, changed)
			mistake(t, changed, tc.want)
		})
	}
}

func mistake(t *testing.T, text, want string) {
	t.Helper()
	_, problems := Parse("trial.json", []byte(text))
	require.Len(t, problems, 1)
	require.Contains(t, problems.Error(), want)
}

func TestMistakesInNewMembers(t *testing.T) {
	for name, tc := range map[string]struct{ member, want string }{
		"requires":         {`"requires": ["purpose", "reason"]`, `15:60: meta_data.fhirgate.requires.1: must be on-behalf-of or purpose`},
		"cost key":         {`"cost": {"raed": 1}`, `15:45: meta_data.fhirgate.cost: unknown key "raed"; did you mean "read"?`},
		"cost negative":    {`"cost": {"read": -1}`, `15:53: meta_data.fhirgate.cost.read: must be a whole number of 0 or more`},
		"cost fraction":    {`"cost": {"create": 1.5}`, `15:55: meta_data.fhirgate.cost.create: must be a whole number of 0 or more`},
		"cost text":        {`"cost": {"create": "5"}`, `meta_data.fhirgate.cost.create: must be a whole number of 0 or more`},
		"cost no mapping":  {`"cost": 5`, `15:44: meta_data.fhirgate.cost: must be a mapping with the keys read, `},
		"no step":          {`"cost": {"search_step": 0}`, `15:60: meta_data.fhirgate.cost.search_step: must be at least 1`},
		"no default count": {`"cost": {"default_count": 0}`, `15:62: meta_data.fhirgate.cost.default_count: must be 1 to 1000`},
		"default count":    {`"cost": {"default_count": 1001}`, `default_count: must be 1 to 1000`},
		"operation":        {`"cost": {"operations": {"everything": 5}}`, `meta_data.fhirgate.cost.operations.everything: must be named as it is called, "$everything"`},
	} {
		t.Run(name, func(t *testing.T) { mistake(t, withMember(t, tc.member), tc.want) })
	}
}

func TestAPlanMustSayWhatItPermits(t *testing.T) {
	const want = `meta_data.fhirgate.scopes: must say what the plan permits, in SMART scopes such as "system/Patient.rs"`
	mistake(t, withScopes(t, `[]`), "16:17: "+want)
	mistake(t, withScopes(t, `["fhirgate/raw"]`), want)
	old := trial(t)
	from, to := strings.Index(old, `"scopes": [`), strings.Index(old, `"burst"`)
	mistake(t, old[:from]+old[to:], `"system/*.cruds" is whatever the hospitals' files list, which a plan without scopes used to permit`)
}

func TestLoadWithoutPlans(t *testing.T) {
	err := Read(fstest.MapFS{"policies": {Mode: fs.ModeDir}}, "policies").Problems.Err()
	require.ErrorContains(t, err, "holds no plan")
	err = Read(fstest.MapFS{}, "policies").Problems.Err()
	require.EqualError(t, err, "policies: there is no such folder")
}
