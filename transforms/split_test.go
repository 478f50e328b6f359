package transforms

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

var appointments = Call{Type: "Appointment", Interaction: fhir.SearchType, Vars: map[string]string{"locations": "A,B,C,D,E"}}

// parts returns the queries of all parts of a search.
func parts(t testing.TB, vendor *Vendor, call Call, query string) []string {
	t.Helper()
	out, err := vendor.Apply(call, query, make(http.Header))
	require.NoError(t, err)
	queries := []string{out.Query}
	for out.Rest != nil {
		var rest Rest // as it comes back from a link
		data, err := json.Marshal(out.Rest)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &rest))
		out, err = vendor.Resume(call, &rest)
		require.NoError(t, err)
		queries = append(queries, out.Query)
	}
	return queries
}

func TestThePartsOfASearch(t *testing.T) {
	fill := "search.split: {param: location, values: {var: locations}, at_most: 2}"
	bare := "search.split: {param: patient, at_most: 1}"
	for name, tc := range map[string]struct {
		operations []string
		query      string
		want       []string
	}{
		"filled in":            {[]string{fill}, "date=x%2cy", []string{"date=x%2cy&location=A,B", "date=x%2cy&location=C,D", "date=x%2cy&location=E"}},
		"few":                  {[]string{fill}, "location=A%2CB&x=1", []string{"location=A%2CB&x=1"}},
		"many":                 {[]string{fill}, "location=A%2CB,C&x=1", []string{"location=A,B&x=1", "location=C&x=1"}},
		"with a type":          {[]string{bare}, "patient:Patient=1,2", []string{"patient:Patient=1", "patient:Patient=2"}},
		"one by one":           {[]string{bare}, "patient=1,2,3", []string{"patient=1", "patient=2", "patient=3"}},
		"none":                 {[]string{bare}, "date=x", []string{"date=x"}},
		"the same twice":       {[]string{bare}, "patient=1,2,1,,2", []string{"patient=1", "patient=2"}},
		"escaped comma":        {[]string{bare}, `patient=a\,b,c`, []string{"patient=a%5C,b", "patient=c"}},
		"backslash at the end": {[]string{bare}, `patient=a,b\`, []string{"patient=a", "patient=b%5C"}},
		"chained":              {[]string{bare}, "patient.name=a,b", []string{"patient.name=a,b"}},
		"rules after it hold":  {[]string{fill, "param.cap: {name: _count, max: 9}", "param.add: {name: z, value: 1}"}, "_count=50", []string{"_count=9&location=A,B&z=1", "_count=9&location=C,D&z=1", "_count=9&location=E&z=1"}},
		"renamed before it":    {[]string{"param.rename: {from: subject, to: patient}", bare}, "subject=1,2", []string{"patient=1", "patient=2"}},
		"renamed after it":     {[]string{bare, "param.rename: {from: patient, to: subject}"}, "patient=1,2", []string{"subject=1,2"}},
		"shortened after it":   {[]string{bare, "param.set: {name: patient, value: 3}"}, "patient=1,2", []string{"patient=3"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, parts(t, vendorOf(t, tc.operations...), appointments, tc.query))
		})
	}
}

func TestWhatIsNotSplit(t *testing.T) {
	vendor := vendorOf(t, "search.split: {param: patient, values: '1,2', at_most: 1}")
	for name, call := range map[string]Call{
		"a read":        {Type: "Patient", Interaction: fhir.Read},
		"a compartment": {Type: "Appointment", Interaction: fhir.SearchType, Compartment: true},
	} {
		out, err := vendor.Apply(call, "patient=1,2,3", make(http.Header))
		require.NoError(t, err)
		require.Equal(t, Outgoing{Query: "patient=1,2,3"}, out, name)
	}
}

func TestListsThatCannotBeSplit(t *testing.T) {
	for name, tc := range map[string]struct {
		operations []string
		query      string
		want       string
	}{
		"not":         {[]string{"search.split: {param: a, at_most: 1}"}, "a:not=secret,secrets", "the hospital takes a long list of values in the parameter a only once and without a modifier"},
		"twice":       {[]string{"search.split: {param: a, at_most: 1}"}, "a=secret,secrets&a=secret", "the hospital takes a long list of values in the parameter a only once and without a modifier"},
		"two of them": {[]string{"search.split: {param: a, at_most: 1}", "search.split: {param: b, at_most: 1}"}, "a=secret,x&b=secret,x", "the hospital takes a long list of values in only one of these parameters: a, b"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := vendorOf(t, tc.operations...).Apply(appointments, tc.query, make(http.Header))
			require.EqualError(t, err, tc.want+` (rule "the rule" of vendor acme)`)
		})
	}
}

func TestARestWhoseRouteIsGone(t *testing.T) {
	_, err := vendorOf(t, "param.drop: [a]").Resume(appointments, &Rest{Query: "a=1", Param: "a", AtMost: 1, Rule: "gone"})
	require.EqualError(t, err, "the vendor's rules have changed: search again")
	_, err = (*Vendor)(nil).Resume(appointments, &Rest{Query: "a=1", Param: "a", AtMost: 1, Rule: "gone"})
	require.Error(t, err)
}

// FuzzSplit takes any list through all its parts: every value is asked for
// exactly once, and no part is too long.
func FuzzSplit(f *testing.F) {
	vendor := vendorOf(f, "search.split: {param: patient, at_most: 2}")
	for _, list := range []string{"", "a", "a,b,c", "a,,b,c,", `a\,b,c\\,d`, "%2C,%zz,é", "a,a,a", `\`, ",,,"} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		if strings.ContainsAny(list, "&=") {
			return
		}
		var got []string
		for _, query := range parts(t, vendor, appointments, "x=1&patient="+url.QueryEscape(list)) {
			rest, value, ok := strings.Cut(query, "&patient=")
			require.True(t, ok)
			require.Equal(t, "x=1", rest)
			values := listed(unescape(value))
			require.LessOrEqual(t, len(values), 2)
			got = append(got, values...)
		}
		require.True(t, slices.Equal(listed(list), got), "%q %q", list, got)
	})
}
