package transforms

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

func TestConditions(t *testing.T) {
	search := Call{Hospital: "harbor", Type: "Patient", Interaction: fhir.SearchType, Header: http.Header{"If-Match": {"x"}}}
	for name, tc := range map[string]struct {
		conditions string
		query      string
		applies    bool
	}{
		"hospital":                 {"when: {hospital: [lakeside, harbor]}", "", true},
		"another hospital":         {"when: {hospital: lakeside}", "", false},
		"param":                    {"when: {param: a}", "a=1", true},
		"param with modifier":      {"when: {param: a}", "a:not=1", true},
		"param without value":      {"when: {param: a}", "a=&b=1", false},
		"param chained":            {"when: {param: a}", "a.b=1", false},
		"all params":               {"when: {param: [a, b]}", "b=1&a=1", true},
		"one of the params":        {"when: {param: [a, b]}", "a=1", false},
		"header":                   {"when: {header: if-match}", "", true},
		"header not sent":          {"when: {header: [If-Match, If-None-Exist]}", "", false},
		"all kinds":                {"when: {hospital: harbor, type: Patient, interaction: search-type, param: a, header: If-Match}", "a=1", true},
		"all kinds but one":        {"when: {hospital: harbor, type: Patient, interaction: read, param: a, header: If-Match}", "a=1", false},
		"unless":                   {"unless: {param: a}", "a=1", false},
		"unless what is not there": {"unless: {param: a}", "b=1", true},
		"unless all of it":         {"unless: {param: a, hospital: harbor, header: If-Match}", "a=1", false},
		"unless half of it":        {"unless: {param: a, hospital: lakeside}", "a=1", true},
		"when and unless":          {"when: {param: a}\n    unless: {param: b}", "a=1", true},
		"when but unless":          {"when: {param: a}\n    unless: {param: b}", "a=1&b=1", false},
	} {
		t.Run(name, func(t *testing.T) {
			vendor, problems := Parse("acme.yaml", []byte("version: 1\nvendor: acme\nrequest:\n  - name: the rule\n    "+tc.conditions+"\n    do: [{header.set: {name: Accept, value: x}}]\n"))
			require.Empty(t, problems)
			got, err := vendor.Apply(search, tc.query, make(http.Header))
			require.NoError(t, err)
			require.Equal(t, tc.applies, len(got.Applied) == 1)
		})
	}
}

func TestAConditionSeesWhatRulesBeforeMade(t *testing.T) {
	vendor, problems := Parse("acme.yaml", []byte(`version: 1
vendor: acme
request:
  - {name: first, do: [param.rename: {from: subject, to: patient}]}
  - {name: second, when: {param: patient}, do: [param.add: {name: seen, value: 1}]}
`))
	require.Empty(t, problems)
	got, err := vendor.Apply(Call{}, "subject=1", make(http.Header))
	require.NoError(t, err)
	require.Equal(t, "patient=1&seen=1", got.Query)
}

func TestVarsOfOtherHospitalsAreNotMissed(t *testing.T) {
	vendor, problems := Parse("acme.yaml", []byte(`version: 1
vendor: acme
url: "{base_url}/r4/{tenant}"
request:
  - {name: one, when: {hospital: harbor}, do: [param.set: {name: a, value: {var: practice}}]}
`))
	require.Empty(t, problems)
	require.Equal(t, []string{"practice", "tenant"}, vendor.CheckVars("harbor", nil, nil))
	require.Equal(t, []string{"tenant"}, vendor.CheckVars("lakeside", nil, nil))
}

// TestHeadersOfFurtherPages holds which rules change the header of a page whose
// address an earlier answer told.
func TestHeadersOfFurtherPages(t *testing.T) {
	vendor, problems := Parse("acme.yaml", []byte(`version: 1
vendor: acme
request:
  - {name: any, do: [param.requireAny: [patient], header.set: {name: Accept, value: x}, header.drop: [Prefer]]}
  - {name: of a parameter, when: {param: a}, do: [header.set: {name: Accept, value: y}]}
  - {name: without a parameter, unless: {param: a}, do: [header.set: {name: Accept, value: y}]}
  - {name: another type, when: {type: Encounter}, do: [header.set: {name: Accept, value: y}]}
  - {name: another client, unless: {type: Patient}, do: [header.set: {name: Accept, value: y}]}
`))
	require.Empty(t, problems)
	header := http.Header{"Prefer": {"p"}}
	require.NoError(t, vendor.ApplyHeaders(Call{Type: "Patient", Interaction: fhir.SearchType}, header))
	require.Equal(t, http.Header{"Accept": {"x"}}, header)
	require.NoError(t, (*Vendor)(nil).ApplyHeaders(Call{}, nil))
}
