package smart

import (
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

func deny(t testing.TB, typ, params string) Filter {
	t.Helper()
	f, err := ParseFilter(typ, params)
	require.NoError(t, err)
	return f
}

func TestParseFilter(t *testing.T) {
	for _, bad := range [][2]string{{"Nothing", ""}, {"", ""}, {"Patient", "name=x"}, {"*", "category=x"}, {"Observation", "category:not=x"}, {"Observation", "category"}} {
		_, err := ParseFilter(bad[0], bad[1])
		require.Error(t, err, bad)
	}
}

// TestDenyRules holds what a rule hides from a caller who may do everything.
func TestDenyRules(t *testing.T) {
	restricted := deny(t, AllTypes, "_security=R,V")
	sensitive := deny(t, "Condition", "category=s|mental")
	for _, tc := range []struct {
		name, resource string
		rule           Filter
		sees           bool
	}{
		{"no label", `{"resourceType":"Patient"}`, restricted, true},
		{"another label", `{"resourceType":"Patient","meta":{"security":[{"code":"N"}]}}`, restricted, true},
		{"the label", `{"resourceType":"Patient","meta":{"security":[{"code":"N"},{"code":"R"}]}}`, restricted, false},
		{"another case", `{"resourceType":"Patient","meta":{"security":[{"code":"r"}]}}`, restricted, false},
		{"unreadable", `{"resourceType":"Patient","meta":{"security":"R"}}`, restricted, false},
		{"twice", `{"resourceType":"Patient","meta":{},"meta":{"security":[{"code":"R"}]}}`, restricted, false},
		{"contained", `{"resourceType":"Patient","contained":[{"resourceType":"Basic","meta":{"security":[{"code":"R"}]}}]}`, restricted, false},
		{"contained, harmless", `{"resourceType":"Patient","contained":[{"resourceType":"Basic"}]}`, restricted, true},
		{"contained, no resource", `{"resourceType":"Patient","contained":[{"id":"x"}]}`, restricted, false},
		{"contained in contained", `{"resourceType":"Patient","contained":[{"resourceType":"Basic","contained":[]}]}`, restricted, false},
		{"contained, unreadable", `{"resourceType":"Patient","contained":["x"]}`, restricted, false},
		{"contained, other case", `{"resourceType":"Patient","Contained":[]}`, restricted, false},
		{"in a Bundle", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Basic","meta":{"security":[{"code":"V"}]}}}]}`, restricted, false},
		{"the Bundle itself", `{"resourceType":"Bundle","type":"collection","meta":{"security":[{"code":"V"}]}}`, restricted, false},
		{"another type", `{"resourceType":"Observation","category":[{"coding":[{"system":"s","code":"mental"}]}]}`, sensitive, true},
		{"the type", `{"resourceType":"Condition","category":[{"coding":[{"system":"s","code":"mental"}]}]}`, sensitive, false},
		{"contained in another", `{"resourceType":"Encounter","contained":[{"resourceType":"Condition","category":[{"coding":[{"system":"s","code":"mental"}]}]}]}`, sensitive, false},
		{"another system", `{"resourceType":"Condition","category":[{"coding":[{"system":"t","code":"mental"}]}]}`, sensitive, true},
		{"a whole type", `{"resourceType":"Condition"}`, deny(t, "Condition", ""), false},
		{"an outcome", `{"resourceType":"OperationOutcome"}`, restricted, true},
		{"both parameters, one met", `{"resourceType":"Condition","code":{"coding":[{"code":"x"}]}}`, deny(t, "Condition", "code=x&category=y"), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := caller{scopes: "system/*.cruds", deny: []Filter{tc.rule}}.search(t, "Patient", "")
			require.False(t, p.Free())
			require.True(t, p.Looks("Patient"))
			require.Equal(t, tc.sees, p.Sees([]byte(tc.resource)))
		})
	}
}

// TestDenyRulesRefuseCalls holds the calls that could tell of what is denied.
func TestDenyRulesRefuseCalls(t *testing.T) {
	rules := []Filter{deny(t, "Condition", "category=mental"), deny(t, "Consent", "")}
	for _, tc := range []struct {
		req    fhir.Request
		query  string
		status int
	}{
		{fhir.Request{Interaction: fhir.SearchType, Type: "Condition"}, "", 0},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Condition"}, "_summary=count", 403},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Condition"}, "_total=accurate", 403},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Condition"}, "_count=0", 403},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Condition"}, "_elements=code", 403},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Condition"}, "_summary=true", 403},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Condition"}, "_summary=text", 403},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Condition"}, "_summary=data", 0},
		{fhir.Request{Interaction: fhir.Read, Type: "Condition", ID: "1"}, "_elements=code", 403},
		{fhir.Request{Interaction: fhir.Read, Type: "Condition", ID: "1"}, "_Summary=false", 0},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Patient"}, "_total=accurate", 0},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Patient"}, "_summary=count", 0},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Patient"}, "_has:Condition:patient:code=x", 403},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Patient"}, "_has:Encounter:patient:class=x", 0},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Patient"}, "_revinclude=Condition:patient", 0},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Patient"}, "_revinclude=Consent:patient", 403},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Encounter"}, "diagnosis:Condition.code=x", 403},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Patient"}, "_filter=x", 403},
		{fhir.Request{Interaction: fhir.SearchSystem}, "", 0},
		{fhir.Request{Interaction: fhir.SearchSystem}, "_total=accurate", 403},
		{fhir.Request{Interaction: fhir.Read, Type: "Consent", ID: "1"}, "", 403},
		{fhir.Request{Interaction: fhir.SearchType, Type: "Consent"}, "", 403},
		{fhir.Request{Interaction: fhir.Create, Type: "Consent"}, "", 403},
		{fhir.Request{Interaction: fhir.Delete, Type: "Condition", ID: "1"}, "", 0},
		{fhir.Request{Interaction: fhir.Delete, Type: "Condition", Conditional: true}, "code=x", 403},
		{fhir.Request{Interaction: fhir.Create, Type: "Condition", Conditional: true}, "", 403},
		{fhir.Request{Interaction: fhir.Delete, Type: "Patient", Conditional: true}, "_id=x", 0},
		{fhir.Request{Interaction: fhir.Operation, Type: "Patient", ID: "1", Operation: "$everything"}, "", 0},
		{fhir.Request{Interaction: fhir.Operation, Type: "Consent", Operation: "$match"}, "", 403},
		{fhir.Request{Interaction: fhir.Operation, Operation: "$export"}, "", 403},
		{fhir.Request{Interaction: fhir.Operation, Type: "Patient", ID: "1", Operation: "$summary"}, "", 403},
		{fhir.Request{Interaction: fhir.Operation, Type: "Observation", Operation: "$lastn"}, "", 0},
		{fhir.Request{Interaction: fhir.Operation, Type: "Patient", Operation: "$merge"}, "", 403},
		{fhir.Request{Interaction: fhir.Capabilities}, "", 0},
	} {
		t.Run(string(tc.req.Interaction)+" "+tc.req.Path()+"?"+tc.query, func(t *testing.T) {
			_, err := caller{scopes: "system/*.cruds", deny: rules}.access(t).Check(tc.req, tc.query)
			require.Equal(t, tc.status, status(t, err))
		})
	}
}

func TestDenyRulesHoldForWrites(t *testing.T) {
	const (
		mental = `{"resourceType":"Condition","category":[{"coding":[{"code":"mental"}]}]}`
		other  = `{"resourceType":"Condition"}`
	)
	c := caller{scopes: "system/*.cruds", deny: []Filter{deny(t, "Condition", "category=mental")}}
	for _, i := range []fhir.Interaction{fhir.Create, fhir.Update, fhir.Patch, fhir.Delete} {
		p := c.write(t, i, "Condition")
		require.Equal(t, i != fhir.Create, p.NeedsPresent())
		require.NoError(t, p.Changes([]byte(other)))
		refused := p.Changes([]byte(mental))
		require.Equal(t, 403, status(t, refused))
		byScope := caller{scopes: "system/Condition.cud?category=x"}.write(t, fhir.Update, "Condition").Changes([]byte(mental))
		require.Equal(t, byScope.Error(), refused.Error(), "a rule is not told from a scope")
	}
	create := c.write(t, fhir.Create, "Condition")
	require.NoError(t, create.Sends([]byte(other)))
	require.Error(t, create.Sends([]byte(mental)))
	encounter := c.write(t, fhir.Create, "Encounter")
	require.Error(t, encounter.Sends([]byte(`{"resourceType":"Encounter","contained":[`+mental+`]}`)))
	patch := c.write(t, fhir.Patch, "Condition")
	require.NoError(t, patch.Sends([]byte(`[{"op":"replace","path":"/onsetString","value":"x"}]`)))
	require.Error(t, patch.Sends([]byte(`[{"op":"replace","path":"/category","value":[]}]`)))
	require.Error(t, patch.Sends([]byte(`[{"op":"add","path":"/contained/-","value":{}}]`)))
	require.False(t, c.write(t, fhir.Update, "Encounter").NeedsPresent())
}
