package transforms

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

// vendorOf returns a vendor of one rule that does these operations on every
// call.
func vendorOf(t testing.TB, operations ...string) *Vendor {
	t.Helper()
	vendor, problems := Parse("acme.yaml", []byte("version: 1\nvendor: acme\nrequest:\n  - name: the rule\n    do:\n      - "+strings.Join(operations, "\n      - ")+"\n"))
	require.Empty(t, problems)
	return vendor
}

func TestEachOperation(t *testing.T) {
	for name, tc := range map[string]struct{ operation, query, want string }{
		"cap lowers":                  {"param.cap: {name: _count, max: 10}", "a=1&_count=11&b=2", "a=1&_count=10&b=2"},
		"cap leaves a modifier":       {"param.cap: {name: _count, max: 10}", "_count:x=11", "_count:x=11"},
		"cap decodes":                 {"param.cap: {name: _count, max: 10}", "_coun%74=1%31", "_count=10"},
		"default fills in":            {"param.default: {name: _count, value: 50}", "a=1", "a=1&_count=50"},
		"default of an empty query":   {"param.default: {name: _count, value: 50}", "", "_count=50"},
		"default of an empty value":   {"param.default: {name: _count, value: 50}", "_count=&a=1", "_count=50&a=1"},
		"default yields":              {"param.default: {name: status, value: final}", "status:not=a%62", "status:not=a%62"},
		"set replaces all":            {"param.set: {name: a, value: x y}", "b=1&a=1&a:not=2&c=3&a.b=4", "b=1&a=x%20y&c=3&a.b=4"},
		"set escapes":                 {"param.set: {name: a, value: 'A/1&b=c|d,e:f+g%'}", "", "a=A/1%26b%3Dc%7Cd,e:f%2Bg%25"},
		"add":                         {"param.add: {name: a, value: x}", "a=1", "a=1&a=x"},
		"drop":                        {"param.drop: [a, c]", "a=1&b=2&c:not=3&a:X.y=4&&c.d=5", "b=2&a:X.y=4&&c.d=5"},
		"drop all":                    {"param.drop: [a]", "a=1", ""},
		"rename":                      {"param.rename: {from: subject, to: patient}", "subject:Patient=a%2cb&subject&x=1&subject.name=y", "patient:Patient=a%2cb&patient&x=1&subject.name=y"},
		"once with different ones":    {"param.once: [a, b]", "a=1&b=2&a.c=3", "a=1&b=2&a.c=3"},
		"exclusive":                   {"param.exclusive: [a, b, c]", "b:x=1&a=&b.c=2&b=3", "b:x=1&a=&b.c=2&b=3"},
		"header drop":                 {"header.drop: [prefer]", "a=%zz&&", "a=%zz&&"},
		"require with modifier":       {"param.requireAny: [patient]", "patient:Patient=1", "patient:Patient=1"},
		"header leaves the query":     {"header.set: {name: Accept, value: x}", "a=%zz&&", "a=%zz&&"},
		"range":                       {"param.dayRange: {name: date}", "date=2026-11-22", "date=ge2026-11-22T00:00:00Z&date=lt2026-11-23T00:00:00Z"},
		"range of eq":                 {"param.dayRange: {name: date}", "date=eq2026-11-22", "date=ge2026-11-22T00:00:00Z&date=lt2026-11-23T00:00:00Z"},
		"range of ge and le":          {"param.dayRange: {name: date}", "date=ge2026-11-22&a=1&date=le2026-11-23", "date=ge2026-11-22T00:00:00Z&a=1&date=lt2026-11-24T00:00:00Z"},
		"range of gt and lt":          {"param.dayRange: {name: date}", "date=gt2026-11-22&date=lt2026-11-30", "date=ge2026-11-23T00:00:00Z&date=lt2026-11-30T00:00:00Z"},
		"range of a month":            {"param.dayRange: {name: date}", "date=2026-12", "date=ge2026-12-01T00:00:00Z&date=lt2027-01-01T00:00:00Z"},
		"range of a year":             {"param.dayRange: {name: date}", "date=2026", "date=ge2026-01-01T00:00:00Z&date=lt2027-01-01T00:00:00Z"},
		"range leaves instants":       {"param.dayRange: {name: date}", "date=ge2026-11-22T10:00Z,2026-11-22T11%3A00Z", "date=ge2026-11-22T10:00Z,2026-11-22T11%3A00Z"},
		"range leaves other prefixes": {"param.dayRange: {name: date}", "date=sa2026-11-22&date=ne2026-11-22", "date=sa2026-11-22&date=ne2026-11-22"},
		"range leaves modifiers":      {"param.dayRange: {name: date}", "date:missing=true&date=", "date:missing=true&date="},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := vendorOf(t, tc.operation).Apply(Call{}, tc.query, http.Header{})
			require.NoError(t, err)
			require.Equal(t, tc.want, got.Query)
		})
	}
}

func TestEachRefusal(t *testing.T) {
	for name, tc := range map[string]struct {
		operation, query string
		code             fhir.IssueCode
		want             string
	}{
		"none given":       {`param.requireAny: [_id, "patient,date"]`, "patient=secret", "required", "the hospital takes this call only with one of these parameters: _id; patient and date"},
		"empty value":      {"param.requireAny: [_id]", "_id=", "required", "the hospital takes this call only with one of these parameters: _id"},
		"only chained":     {"param.requireAny: [patient]", "patient:Patient.name=secret", "required", "the hospital takes this call only with one of these parameters: patient"},
		"twice":            {"param.once: [b, a]", "a=secret&a:not=secret", "not-supported", "the hospital takes the parameter a only once; values of which any may match are joined by commas"},
		"two that exclude": {"param.exclusive: [c, a, b]", "b:x=secret&d=1&c=secret", "not-supported", "the hospital takes only one of these parameters in a call: c, b"},
		"no date":          {"param.dayRange: {name: date}", "date=secret", "value", "the parameter date is not a date such as 2026-11-22, with or without a prefix and a time"},
		"no such day":      {"param.dayRange: {name: date}", "date=2026-02-29", "value", "the parameter date is not a date such as 2026-11-22, with or without a prefix and a time"},
		"last day of all":  {"param.dayRange: {name: date}", "date=9999-12-31", "value", "the parameter date is not a date such as 2026-11-22, with or without a prefix and a time"},
		"year zero":        {"param.dayRange: {name: date}", "date=0000-06-01", "value", "the parameter date is not a date such as 2026-11-22, with or without a prefix and a time"},
		"list of days":     {"param.dayRange: {name: date}", "date=2026-11-22,2026-11-23T00:00Z", "not-supported", "the hospital takes no list of days in the parameter date: ask for one day, or from one to another with ge and lt"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := vendorOf(t, tc.operation).Apply(Call{}, tc.query, http.Header{})
			var refusal *fhir.Error
			require.True(t, errors.As(err, &refusal))
			require.Equal(t, http.StatusBadRequest, refusal.Status)
			require.Equal(t, tc.code, refusal.Code)
			require.Equal(t, tc.want+` (rule "the rule" of vendor acme)`, refusal.Text)
			require.Equal(t, Outgoing{Applied: []string{"the rule"}}, got)
		})
	}
}

func TestOnlyMatchingRulesApplyAndAreNamed(t *testing.T) {
	vendor, problems := Parse("acme.yaml", []byte(`version: 1
vendor: acme
request:
  - {name: any, do: [header.set: {name: Accept, value: x}]}
  - {name: type, when: {type: [Patient, Encounter]}, do: [param.add: {name: a, value: 1}]}
  - {name: interaction, when: {interaction: [read, conditional-update]}, do: [param.add: {name: b, value: 2}]}
  - {name: both, when: {type: Encounter, interaction: search-type}, do: [param.cap: {name: _count, max: 3}, param.drop: [c]]}
`))
	require.Empty(t, problems)
	for name, tc := range map[string]struct {
		call    Call
		query   string
		want    string
		applied []string
	}{
		"type":          {Call{Type: "Patient", Interaction: fhir.SearchType}, "", "a=1", []string{"any", "type"}},
		"interaction":   {Call{Type: "Location", Interaction: fhir.ConditionalUpdate}, "", "b=2", []string{"any", "interaction"}},
		"both":          {Call{Type: "Encounter", Interaction: fhir.SearchType}, "_count=4", "_count=3&a=1", []string{"any", "type", "both"}},
		"nothing to do": {Call{Type: "Encounter", Interaction: fhir.SearchType}, "_count=2", "_count=2&a=1", []string{"any", "type"}},
		"system":        {Call{Interaction: fhir.Batch}, "x=1", "x=1", []string{"any"}},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{"Accept": {"y", "z"}}
			got, err := vendor.Apply(tc.call, tc.query, header)
			require.NoError(t, err)
			require.Equal(t, Outgoing{Query: tc.want, Applied: tc.applied}, got)
			require.Equal(t, http.Header{"Accept": {"x"}}, header)
		})
	}
}

func TestNoVendorAppliesNothing(t *testing.T) {
	got, err := (*Vendor)(nil).Apply(Call{}, "a=%zz;", nil)
	require.NoError(t, err)
	require.Equal(t, Outgoing{Query: "a=%zz;"}, got)
	require.Empty(t, (*Vendor)(nil).Rules())
}

func TestACallThatNoRuleMatchesAllocatesNothing(t *testing.T) {
	vendors, err := Load(Shipped, ".")
	require.NoError(t, err)
	oracle := vendors["oracle"]
	call := Call{Type: "Basic", Interaction: fhir.SearchType}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if got, err := oracle.Apply(call, "name=roe", nil); err != nil || got.Query != "name=roe" {
			t.Fail()
		}
	}))
}

// FuzzApply takes any query through an operation of each kind: no panic, no
// value in an error, and what no operation names keeps its bytes and order.
func FuzzApply(f *testing.F) {
	vendor := vendorOf(f,
		"param.rename: {from: from, to: to}",
		"param.dayRange: {name: date}",
		"param.cap: {name: _count, max: 10}",
		"param.default: {name: preset, value: a}",
		"param.set: {name: set, value: b}",
		"param.add: {name: add, value: c}",
		"param.drop: [drop]",
		"param.once: [once]",
		"header.set: {name: Accept, value: d}",
	)
	named := []string{"from", "to", "date", "_count", "preset", "set", "add", "drop", "once"}
	untouched := func(query string) []string {
		var out []string
		for _, p := range parseParams(query) {
			if !slices.ContainsFunc(named, p.is) {
				out = append(out, p.raw)
			}
		}
		return out
	}
	for _, query := range []string{
		"", "&", "a=1&&b", "date=2026-11-22&x=%2C+y", "date=gt0000-01-01", "%64ate=2026", "_count=1e9&_count=99", "once=1&once:not=2",
		"drop.a=1&drop:b=2&drop", "from:exact=%zz&from=", "=&==&a==b", "date=eq&date=,", "set%3Anot=a;b", "date=9999",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		before := untouched(query)
		got, err := vendor.Apply(Call{}, query, http.Header{})
		if err != nil {
			var refusal *fhir.Error
			require.True(t, errors.As(err, &refusal))
			require.Contains(t, []string{
				`the hospital takes the parameter once only once; values of which any may match are joined by commas (rule "the rule" of vendor acme)`,
				`the hospital takes no list of days in the parameter date: ask for one day, or from one to another with ge and lt (rule "the rule" of vendor acme)`,
				`the parameter date is not a date such as 2026-11-22, with or without a prefix and a time (rule "the rule" of vendor acme)`,
			}, refusal.Text)
			return
		}
		require.Equal(t, []string{"the rule"}, got.Applied)
		after := untouched(got.Query)
		if query == "" {
			require.Empty(t, after)
			return
		}
		require.Equal(t, before, after)
		again, err := vendor.Apply(Call{}, got.Query, http.Header{})
		require.NoError(t, err, "what went through once goes through again")
		require.Equal(t, before, untouched(again.Query))
	})
}
