package policies

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

// costs are what calls cost by default. docs/plans.md has the same table, made
// from the plan's keys.
var costs = []struct {
	name, method, path, query string
	cost                      int
}{
	{"read", "GET", "Patient/1", "", 1},
	{"vread", "GET", "Patient/1/_history/2", "", 1},
	{"read of a Binary", "GET", "Binary/1", "", 5},
	{"vread of a Binary", "GET", "Binary/1/_history/2", "", 5},
	{"search without a count", "GET", "Patient", "name=x", 5},
	{"no query", "GET", "Patient", "", 5},
	{"of one", "GET", "Patient", "_count=1", 1},
	{"of ten", "GET", "Patient", "_count=10", 1},
	{"of eleven", "GET", "Patient", "_count=11", 2},
	{"of a hundred, last", "GET", "Patient", "name=x&_count=100", 10},
	{"huge", "GET", "Patient", "_count=100000", 100},
	{"beyond any number", "GET", "Patient", "_count=" + strings.Repeat("9", 40), 100},
	{"not a number", "GET", "Patient", "_count=many", 5},
	{"negative", "GET", "Patient", "_count=-1", 5},
	{"empty", "GET", "Patient", "_count=", 5},
	{"of none, which counts them", "GET", "Patient", "_count=0", 1},
	{"escaped name", "GET", "Patient", "%5Fcount=100", 10},
	{"escaped value", "GET", "Patient", "_count=%31%30%30", 10},
	{"broken escape", "GET", "Patient", "_count=%zz", 5},
	{"other case is another parameter", "GET", "Patient", "_COUNT=100", 5},
	{"twice, the dearer", "GET", "Patient", "_count=100&_count=1", 10},
	{"a mere count", "GET", "Patient", "_summary=count&name=x", 1},
	{"a mere count, whatever the page", "GET", "Patient", "_count=500&_summary=count", 1},
	{"another summary", "GET", "Patient", "_summary=true", 5},
	{"summaries that disagree", "GET", "Patient", "_summary=count&_summary=true&_count=500", 50},
	{"compartment", "GET", "Patient/1/Observation", "_count=20", 2},
	{"system search", "GET", "", "_count=20", 2},
	{"history of one", "GET", "Patient/1/_history", "", 5},
	{"history of a type", "GET", "Patient/_history", "_count=10", 1},
	{"history of all", "GET", "_history", "_count=10", 1},
	{"create", "POST", "Patient", "", 20},
	{"update", "PUT", "Patient/1", "", 20},
	{"conditional update", "PUT", "Patient", "identifier=1", 20},
	{"patch", "PATCH", "Patient/1", "", 20},
	{"delete", "DELETE", "Patient/1", "", 20},
	{"operation", "POST", "Patient/$match", "", 20},
	{"everything", "GET", "Patient/1/$everything", "_count=1", 50},
	{"export", "GET", "$export", "", 100},
	{"metadata", "GET", "metadata", "", 0},
	{"batch, whose entries count", "POST", "", "", 0},
}

func TestCostOfCalls(t *testing.T) {
	for _, tc := range costs {
		t.Run(tc.name, func(t *testing.T) {
			req, err := fhir.Parse(tc.method, tc.path, make(http.Header), tc.query)
			require.NoError(t, err)
			require.Equal(t, tc.cost, DefaultCost().Of(req, tc.query))
			require.Equal(t, tc.cost, (*Cost)(nil).Of(req, tc.query), "a plan without costs has the defaults")
		})
	}
}

func TestReadsAndSearchesArePricedWithoutAllocation(t *testing.T) {
	cost := DefaultCost()
	for _, query := range []string{"", "date=2026-11-22&_count=50&status=final"} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			cost.Of(fhir.Request{Interaction: fhir.Read, Type: "Patient"}, query)
			cost.Of(fhir.Request{Interaction: fhir.SearchType, Type: "Patient"}, query)
		}))
	}
}

func FuzzCostOfAQuery(f *testing.F) {
	for _, tc := range costs {
		f.Add(tc.query)
	}
	cost := DefaultCost()
	f.Fuzz(func(t *testing.T, query string) {
		got := cost.Of(fhir.Request{Interaction: fhir.SearchType, Type: "Patient"}, query)
		require.True(t, got >= 1 && got <= MaxCount/10, "%d", got)
	})
}

func TestAPlanSetsCosts(t *testing.T) {
	search := fhir.Request{Interaction: fhir.SearchType, Type: "Patient"}
	for name, tc := range map[string]struct {
		text  string
		req   fhir.Request
		query string
		cost  int
	}{
		"what is not given keeps its default": {`{"read": 3}`, fhir.Request{Interaction: fhir.Create}, "", 20},
		"read":                                {`{"read": 3}`, fhir.Request{Interaction: fhir.Read}, "", 3},
		"free":                                {`{"search": 0}`, search, "_count=500", 0},
		"step":                                {`{"search_step": 100, "search": 7}`, search, "_count=101", 14},
		"default count":                       {`{"default_count": 100}`, search, "", 10},
		"operation":                           {`{"operation": 2}`, fhir.Request{Interaction: fhir.Operation, Operation: "$match"}, "", 2},
		"named operation":                     {`{"operations": {"$match": 9}}`, fhir.Request{Interaction: fhir.Operation, Operation: "$match"}, "", 9},
		"other operations stay":               {`{"operations": {"$match": 9}}`, fhir.Request{Interaction: fhir.Operation, Operation: "$export"}, "", 100},
		"capabilities":                        {`{"capabilities": 1}`, fhir.Request{Interaction: fhir.Capabilities}, "", 1},
		"all":                                 {`{"read": 1, "binary": 2, "search": 3, "search_step": 4, "default_count": 5, "create": 6, "update": 7, "patch": 8, "delete": 9, "operation": 10, "operations": {}, "capabilities": 11}`, fhir.Request{Interaction: fhir.Delete}, "", 9},
	} {
		t.Run(name, func(t *testing.T) {
			plan, problems := Parse("trial.json", []byte(withMember(t, `"cost": `+tc.text)))
			require.Empty(t, problems)
			require.Equal(t, tc.cost, plan.Cost.Of(tc.req, tc.query))
		})
	}
	require.Equal(t, DefaultCost(), defaultCost, "no plan changes the defaults")
}
