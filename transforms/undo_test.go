package transforms

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"fhirgate/fhir"
	"fhirgate/transforms/resource"
)

// rulesOf is a vendor with these rules.
func rulesOf(t *testing.T, rules string) *Vendor {
	t.Helper()
	v, problems := Parse("acme.yaml", []byte("version: 1\nvendor: acme\n"+rules))
	require.Empty(t, problems)
	return v
}

// genders is a vendor with a reversible rule, which has these conditions.
func genders(t *testing.T, when string) *Vendor {
	t.Helper()
	return rulesOf(t, `response:
  - name: our genders
    effect: reversible
    when: `+when+`
    do: [code.map: {path: gender, map: {F: female}, params: [gender]}]
`)
}

// TestLossyRulesThatACallEscapes has a caller read with a lossy rule and update
// in a way that the rule's exception is for.
func TestLossyRulesThatACallEscapes(t *testing.T) {
	update := Call{Hospital: "harbor", Type: "Encounter", Interaction: fhir.Update, Header: http.Header{"X-App": {"1"}}}
	for unless, lossy := range map[string]bool{
		"{hospital: harbor}":                      false,
		"{hospital: harbor, type: Encounter}":     false,
		"{type: Encounter}":                       false,
		"{hospital: other}":                       true,
		"{hospital: harbor, type: Patient}":       true,
		"{hospital: harbor, interaction: update}": true,
		"{hospital: harbor, header: X-App}":       true,
		"{hospital: harbor, param: x}":            true,
		"{hospital: harbor, status: 404}":         true,
		"{where: {status: finished}}":             true,
	} {
		v := rulesOf(t, `response:
  - name: no notes
    effect: lossy
    unless: `+unless+`
    do: [drop: [note]]
`)
		require.Equal(t, lossy, v.Lossy(update) != nil, unless)
	}
}

// TestBundlesThatAreKept has rules change the resources in a Bundle that the
// hospital keeps as one: nothing takes that back.
func TestBundlesThatAreKept(t *testing.T) {
	v := genders(t, "{type: Patient}")
	call := Call{Type: "Bundle", Interaction: fhir.Update}
	require.ErrorContains(t, v.Lossy(call), "change in what the Bundle holds")
	_, _, err := v.Patch(call, resource.Call{}, []byte(`[{"op":"remove","path":"/entry/0"}]`))
	require.Error(t, err)
	call.Raw = true
	require.NoError(t, v.Lossy(call))

	v = rulesOf(t, `response:
  - name: no totals
    do: [total.drop: {}]
  - name: no outcomes
    do: [outcome.drop: ["4101"]]
`)
	for interaction, drops := range map[fhir.Interaction]bool{fhir.Read: false, fhir.Create: false, fhir.SearchType: true} {
		edit := v.Answer(Call{Type: "Bundle", Interaction: interaction}, "", 200, "", time.Now()).Edit()
		require.Equal(t, drops, edit.DropTotal, interaction)
	}
}

// TestParamsAreTakenBackLastFirst has a hospital's own rule change what its
// vendor's made.
func TestParamsAreTakenBackLastFirst(t *testing.T) {
	v := rulesOf(t, `response:
  - name: vendor's
    effect: reversible
    when: {type: Patient}
    do: [code.map: {path: gender, map: {F: female}, params: [gender]}]
  - name: hospital's
    effect: reversible
    when: {type: Patient}
    do: [code.map: {path: gender, map: {female: woman}, params: [gender]}]
`)
	require.Equal(t, "gender=F", v.Condition(Call{Type: "Patient"}, "gender=woman"))
}

func TestPatchesThatAreRefused(t *testing.T) {
	lossy := rulesOf(t, `response:
  - name: r
    effect: lossy
    when: {type: Patient}
    do: [drop: [birthDate, name.given]]
`)
	for _, c := range []struct {
		name, path string
		vendor     *Vendor
		ok         bool
	}{
		{"beside what is left out", "/_birthDate", lossy, false},
		{"beside an element that is left out", "/name/0/_given/1", lossy, false},
		{"in an array that may be shorter", "/name/1/family", lossy, false},
		{"deeper than any resource", strings.Repeat("/0", 201), lossy, false},
		{"elsewhere", "/telecom/0/value", lossy, true},
		{"a rule with a condition on the resource", "/gender", genders(t, `{type: Patient, where: {active: "true"}}`), false},
		{"elsewhere beside such a rule", "/active", genders(t, `{type: Patient, where: {active: "true"}}`), true},
		{"a rule without one", "/gender", genders(t, `{type: Patient}`), true},
		{"deeper than any resource, beside a rule", "/gender" + strings.Repeat("/0", 200), genders(t, `{type: Patient}`), false},
	} {
		out, _, err := c.vendor.Patch(Call{Type: "Patient", Interaction: fhir.Patch}, resource.Call{}, []byte(`[{"op":"add","path":"`+c.path+`","value":"x"}]`))
		require.Equal(t, c.ok, err == nil, "%s: %s", c.name, out)
	}
}

// TestMarksDoNotReachTheHospital has a caller change or remove what came with a
// mark: with the mark every later answer would fail.
func TestMarksDoNotReachTheHospital(t *testing.T) {
	v := rulesOf(t, `response:
  - name: r
    effect: reversible
    when: {type: Patient}
    do:
      - code.map: {path: gender, map: {F: female}}
      - code.map: {path: maritalStatus.coding, from: {system: x}, to: {system: y}, map: {A: B}}
      - identifier.system: {where: {type.text: MRN}, system: "urn:a"}
`)
	const mark = `{"extension":[{"url":"urn:fhirgate:own","valueString":"?"}]}`
	for _, elements := range []string{
		`"gender":"other","_gender":` + mark,
		`"_gender":` + mark,
		`"maritalStatus":{"coding":[{"system":"y","code":"C","_code":` + mark + `}]}`,
		`"identifier":[{"type":{"text":"MRN"},"_system":` + mark + `}]`,
		`"identifier":[{"type":{"text":"MRN"},"system":"urn:b","_system":` + mark + `}]`,
		`"identifier":[{"system":"urn:a","_system":` + mark + `}]`,
	} {
		body := []byte(`{"resourceType":"Patient",` + elements + `}`)
		call := Call{Type: "Patient", Interaction: fhir.Update}
		out, _, err := v.Body(call, resource.Call{}, body)
		require.NoError(t, err)
		require.NotContains(t, string(out), "urn:fhirgate:own", elements)

		call.Raw = true
		_, _, err = v.Body(call, resource.Call{}, body)
		require.ErrorContains(t, err, "was read without X-Fhirgate-Raw", elements)
	}
}

// TestABatchThatFailsAsAWhole is answered for no entry: rules of another
// hospital stay away all the same.
func TestABatchThatFailsAsAWhole(t *testing.T) {
	v := rulesOf(t, `response:
  - name: r
    when: {type: OperationOutcome, hospital: other}
    do: [set: {path: issue.0.code, value: x}]
`)
	now := time.Now()
	require.Nil(t, v.Answer(Call{Hospital: "harbor", Interaction: fhir.Batch}, "", 400, "", now))
	require.NotNil(t, v.Answer(Call{Hospital: "other", Interaction: fhir.Batch}, "", 400, "", now))
}

// TestBodiesOfTooManyParts has a body that is small as text, and would take
// gigabytes to look at.
func TestBodiesOfTooManyParts(t *testing.T) {
	v := genders(t, "{type: Patient}")
	call := Call{Type: "Patient", Interaction: fhir.Update}
	body := []byte(`{"resourceType":"Patient","gender":[0` + strings.Repeat(",0", maxParts) + `]}`)
	_, _, err := v.Body(call, resource.Call{}, body)
	require.ErrorContains(t, err, "more parts")
	_, _, err = v.Patch(call, resource.Call{}, []byte(`[{"op":"add","path":"","value":`+string(body)+`}]`))
	require.ErrorContains(t, err, "more parts")
	call.Type = "Basic"
	out, _, err := v.Body(call, resource.Call{}, body)
	require.NoError(t, err)
	require.Len(t, out, len(body))
}

// TestConditionsOfAnswersHoldAsAWhole has exceptions with a type and more, and
// entries of a batch with statuses of their own.
func TestConditionsOfAnswersHoldAsAWhole(t *testing.T) {
	const patient = `{"resourceType":"Patient","note":"x"}`
	for _, c := range []struct {
		name, conditions, query string
		status                  int
		drops                   bool
	}{
		{"an exception with a parameter", "unless: {type: Patient, param: x}", "x=1", 200, false},
		{"without it", "unless: {type: Patient, param: x}", "", 200, true},
		{"an exception with a status", "unless: {type: Patient, status: 4xx}", "", 404, false},
		{"with another", "unless: {type: Patient, status: 4xx}", "", 200, true},
	} {
		v := rulesOf(t, "response:\n  - {name: r, effect: lossy, "+c.conditions+", do: [drop: [note]]}\n")
		a := v.Answer(Call{Type: "Patient", Interaction: fhir.Read}, c.query, c.status, "", time.Now())
		out, err := a.Edit().Resource([]byte(patient), -1, "")
		require.NoError(t, err)
		require.Equal(t, c.drops, !strings.Contains(string(out), "note"), c.name)
	}

	v := rulesOf(t, "response:\n  - {name: r, effect: lossy, when: {status: 4xx}, do: [drop: [note]]}\n")
	a := v.Answer(Call{Interaction: fhir.Batch}, "", 200, "", time.Now())
	a.Entries = make([]Call, 1)
	for status, drops := range map[string]bool{"404 Not Found": true, "409": true, "200 OK": false, "": false, "x": false, "-12": false} {
		out, err := a.Edit().Resource([]byte(`{"response":{"status":"`+status+`"},"resource":`+patient+`}`), 0, "")
		require.NoError(t, err)
		require.Equal(t, drops, !strings.Contains(string(out), "note"), status)
	}
}

// TestPatchesInOddLetters has operations that only a lenient hospital takes.
func TestPatchesInOddLetters(t *testing.T) {
	v := rulesOf(t, "response:\n  - {name: r, effect: lossy, when: {type: Patient}, do: [drop: [photo]]}\n")
	for _, op := range []string{
		`{"op":"remove","Path":"/photo"}`, `{"OP":"remove","path":"/a"}`, `{"op":"move","FROM":"/photo","path":"/a"}`,
		`{"op":"Remove","path":"/a"}`, `{"path":"/a"}`, `{"op":"add"}`, `{"op":"add","path":1}`, `1`,
	} {
		_, _, err := v.Patch(Call{Type: "Patient", Interaction: fhir.Patch}, resource.Call{}, []byte("["+op+"]"))
		require.Error(t, err, op)
	}
}

// TestAPatchReadsTheVarsOfTheRoute has the inverse of a rule that reads one.
func TestAPatchReadsTheVarsOfTheRoute(t *testing.T) {
	v, problems := Parse("acme.yaml", []byte(`version: 1
vendor: acme
response:
  - name: numbers have a system
    effect: reversible
    when: {type: Patient}
    do: [{identifier.system: {where: {type.text: MRN}, system: {var: mrn}}}]
`))
	require.Empty(t, problems)
	call := Call{Type: "Patient", Interaction: fhir.Patch, Vars: map[string]string{"mrn": "urn:oid:1.2.3"}}
	out, applied, err := v.Patch(call, resource.Call{}, []byte(`[{"op":"add","path":"/identifier/-","value":{"type":{"text":"MRN"},"system":"urn:oid:1.2.3","value":"8"}}]`))
	require.NoError(t, err)
	require.Equal(t, []string{"numbers have a system"}, applied)
	require.NotContains(t, string(out), "urn:oid")
}

// TestTwoRulesOnOneParameter has what one rule makes of a code changed by the
// next: the way back is the other way round.
func TestTwoRulesOnOneParameter(t *testing.T) {
	v, problems := Parse("acme.yaml", []byte(`version: 1
vendor: acme
response:
  - name: one
    effect: reversible
    when: {type: Patient}
    do: [{code.map: {path: gender, map: {F: female}, params: [gender]}}]
  - name: two
    effect: reversible
    when: {type: Patient}
    do: [{code.map: {path: gender, map: {female: woman}, params: [gender]}}]
`))
	require.Empty(t, problems)
	out, err := v.Apply(Call{Type: "Patient", Interaction: fhir.SearchType}, "gender=woman", nil)
	require.NoError(t, err)
	require.Equal(t, "gender=F", out.Query)
	require.Equal(t, []string{"two", "one"}, out.Applied)
}

// TestWhoseRuleItIs names a hospital's own rules as its.
func TestWhoseRuleItIs(t *testing.T) {
	rules := "response:\n  - {name: no phones, effect: lossy, when: {type: Patient}, do: [{drop: [telecom]}]}\n"
	vendor, problems := Parse("acme.yaml", []byte("version: 1\nvendor: acme\n"+strings.Replace(rules, "no phones", "no photos", 1)))
	require.Empty(t, problems)
	var node yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(rules), &node))
	for _, c := range []struct {
		vendor *Vendor
		want   string
	}{
		{vendor, `"no photos" of vendor acme, "no phones" of hospital north.`},
		{nil, `to you: "no phones" of hospital north.`},
	} {
		extended, problems := c.vendor.Extend("north", "routes/north.yaml", node.Content[0])
		require.Empty(t, problems)
		require.ErrorContains(t, extended.Lossy(Call{Type: "Patient", Interaction: fhir.Update}), c.want)
	}
}
