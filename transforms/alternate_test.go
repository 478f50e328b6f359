package transforms

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

const dayList = `version: 1
vendor: acme
request:
  - name: practice
    do: [param.set: {name: practice, value: "7"}]
  - name: day list
    when: {type: Appointment, interaction: search-type}
    do:
      - alternate:
          url: "/v1/{practice}/booked"
          query:
            kind: short
            departments: {var: departments}
            start: {param: date, layout: MM/DD/YYYY, bound: from}
            end: {param: date, layout: MM/DD/YYYY, bound: to}
          answer:
            items: appointments
            resource: {resourceType: Appointment, id: "{id}"}
  - name: again
    when: {type: Basic}
    do:
      - alternate:
          url: /v1/basic
          query: {patient: {param: patient}, x: {var: departments}}
          answer: {resource: {resourceType: Basic, code: {text: {var: departments}}}}
`

func dayListVendor(t *testing.T) *Vendor {
	t.Helper()
	vendor, problems := Parse("acme.yaml", []byte(dayList))
	require.Empty(t, problems)
	require.NoError(t, valid(t, schema(t), []byte(dayList)))
	return vendor
}

func dayCall(t *testing.T, form bool) Call {
	t.Helper()
	zone, err := time.LoadLocation("America/Chicago")
	require.NoError(t, err)
	return Call{
		Type: "Appointment", Interaction: fhir.SearchType, Form: form, Zone: zone,
		Vars: map[string]string{"practice": "9/..", "departments": "1,7 8"},
	}
}

func TestTheDaysOfAnAlternateRoute(t *testing.T) {
	vendor := dayListVendor(t)
	for query, want := range map[string]string{
		"date=2026-11-22":                     "11/22/2026 11/22/2026",
		"date=eq2026-11-22&_count=7":          "11/22/2026 11/22/2026",
		"date=2026-11":                        "11/01/2026 11/30/2026",
		"date=2028-02":                        "02/01/2028 02/29/2028",
		"date=2026":                           "01/01/2026 12/31/2026",
		"date=ge2026-11-22&date=le2026-11-24": "11/22/2026 11/24/2026",
		"date=gt2026-11-22&date=lt2026-11-24": "11/23/2026 11/23/2026",
		"date=gt2026-10&date=lt2027":          "11/01/2026 12/31/2026",
		"date=2026-11&date=ge2026-11-05":      "11/05/2026 11/30/2026",
		"date=ge2026-11-22T06:00:00Z&date=lt2026-11-23T06:00:00Z":        "11/22/2026 11/22/2026",
		"date=ge2026-11-22T00:00:00-06:00&date=lt2026-11-24T00:00-06:00": "11/22/2026 11/23/2026",
		"date=ge2026-10-31T05:00:00Z&date=lt2026-11-02T06:00:00Z":        "10/31/2026 11/01/2026",
	} {
		t.Run(query, func(t *testing.T) {
			for _, form := range []bool{false, true} {
				out, err := vendor.Apply(dayCall(t, form), query, make(http.Header))
				require.NoError(t, err)
				first, last, _ := strings.Cut(want, " ")
				require.Equal(t, "/v1/9%2F../booked?departments=1,7%208&end="+last+"&kind=short&start="+first, out.Alternate.URL)
				require.Equal(t, "day list", out.Alternate.Rule)
				require.False(t, out.Form)
				require.Equal(t, []string{"practice", "day list"}, out.Applied)
			}
		})
	}
}

func TestSearchesThatAnAlternateRouteRefuses(t *testing.T) {
	vendor := dayListVendor(t)
	const wants = `the hospital wants a day in the parameter date, such as 2026-11-22, or whole days from one to another with ge and lt (rule "day list" of vendor acme)`
	const takes = `the hospital takes only these parameters, without a modifier: _count, date (rule "day list" of vendor acme)`
	for query, want := range map[string]string{
		"":                                    wants,
		"date=":                               wants,
		"date=secret":                         wants,
		"date=ge2026-11-22":                   wants,
		"date=lt2026-11-22":                   wants,
		"date=ne2026-11-22":                   wants,
		"date=sa2026-11-22&date=eb2026-11-24": wants,
		"date=2026-11-22,2026-11-23":          wants,
		"date=2026-11-22T08:00:00Z":           wants,
		"date=2026-11-22T06:00:00Z":           wants,
		"date=ge2026-11-22T06:00:01Z&date=lt2026-11-23T06:00:00Z": wants,
		"date=le2026-11-22T06:00:00Z&date=gt2026-11-21T06:00:00Z": wants,
		"date=2026-02-29":                     wants,
		"date=0000-02-28":                     wants,
		"date:missing=false":                  takes,
		"date=2026-11-22&patient=secret":      takes,
		"date=2026-11-22&practitioner.name=x": takes,
		"date=2026-11-22&practice=8&status=x": takes,
	} {
		t.Run(query, func(t *testing.T) {
			out, err := vendor.Apply(dayCall(t, false), query, make(http.Header))
			require.EqualError(t, err, want)
			require.Equal(t, Outgoing{Applied: []string{"practice", "day list"}}, out)
		})
	}
}

func TestWhatTakesNoAlternateRoute(t *testing.T) {
	vendor := dayListVendor(t)
	for name, change := range map[string]func(*Call){
		"a compartment": func(c *Call) { c.Compartment = true },
		"another type":  func(c *Call) { c.Type = "Encounter" },
		"a read":        func(c *Call) { c.Type, c.Interaction = "Basic", fhir.Read },
	} {
		call := dayCall(t, false)
		change(&call)
		out, err := vendor.Apply(call, "date=2026-11-22", make(http.Header))
		require.NoError(t, err, name)
		require.Nil(t, out.Alternate, name)
	}
}

func TestAValueOfTheCallerInAnAlternateRoute(t *testing.T) {
	vendor := dayListVendor(t)
	call := dayCall(t, false)
	call.Type = "Basic"
	out, err := vendor.Apply(call, "patient=a%26b", make(http.Header))
	require.NoError(t, err)
	require.Equal(t, "/v1/basic?patient=a%26b&x=1,7%208", out.Alternate.URL)
	out, err = vendor.Apply(call, "", make(http.Header))
	require.NoError(t, err)
	require.Equal(t, "/v1/basic?x=1,7%208", out.Alternate.URL)
	bundle, err := out.Alternate.Map([]byte(`[{}]`))
	require.NoError(t, err)
	require.Contains(t, string(bundle), `"code":{"text":"1,7 8"}`)

	call.Form = true
	_, err = vendor.Apply(call, "patient=a", make(http.Header))
	require.EqualError(t, err, `the hospital takes this search by GET only: its parameters would go into a URL (rule "again" of vendor acme)`)
}

func TestASplitOfAnAlternateRoute(t *testing.T) {
	text := strings.Replace(dayList, "      - alternate:\n          url: /v1/basic", "      - search.split: {param: patient, at_most: 1}\n      - alternate:\n          url: /v1/basic", 1)
	vendor, problems := Parse("acme.yaml", []byte(text))
	require.Empty(t, problems)
	call := dayCall(t, false)
	call.Type = "Basic"
	out, err := vendor.Apply(call, "patient=1,2", make(http.Header))
	require.NoError(t, err)
	require.Equal(t, "/v1/basic?patient=1&x=1,7%208", out.Alternate.URL)
	require.Equal(t, "again", out.Rest.Rule)
	out, err = vendor.Resume(call, out.Rest)
	require.NoError(t, err)
	require.Equal(t, "/v1/basic?patient=2&x=1,7%208", out.Alternate.URL)
	require.Nil(t, out.Rest)
}

func TestVarsOfAnAlternateRouteAreNeeded(t *testing.T) {
	require.Equal(t, []string{"departments", "practice"}, dayListVendor(t).CheckVars("x", nil, nil))
}

func TestMistakesOfAnAlternateRoute(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, want string }{
		"url":          {`"/v1/{practice}/booked"`, "https://x/y", "10:16: request.1.do.0.alternate.url: must be a path that starts with a slash"},
		"dots":         {`"/v1/{practice}/booked"`, "/v1/../x", "10:16: request.1.do.0.alternate.url: must hold no dot segment"},
		"source":       {"{var: departments}", "{env: departments}", "13:26: request.1.do.0.alternate.query.departments: must be a text, {var: name}, {var: name, repeat: true}, {param: name}"},
		"empty source": {"kind: short", "kind: ''", "12:19: request.1.do.0.alternate.query.kind: must be a text"},
		"layout":       {"MM/DD/YYYY, bound: from", "MM/DD/YY, bound: from", "14:20: request.1.do.0.alternate.query.start: the layout must be YYYY, MM, DD"},
		"time":         {"MM/DD/YYYY, bound: from", "'MM/DD/YYYY hh:mm', bound: from", "14:20: request.1.do.0.alternate.query.start: the layout must be that of a day"},
		"bound":        {"bound: from", "bound: begin", "14:20: request.1.do.0.alternate.query.start: must be a text"},
		"param":        {"{param: date, layout: MM/DD/YYYY, bound: from}", "{param: 'date:x'}", "14:20: request.1.do.0.alternate.query.start: must be the name of a parameter"},
		"items":        {"items: appointments", "items: '@this'", "17:20: request.1.do.0.alternate.answer.items: must be a path of gjson"},
		"element":      {`id: "{id}"`, `id: "{id"`, "18:23: request.1.do.0.alternate.answer.resource: id has a brace without its other one"},
		"another type": {"resourceType: Appointment", "resourceType: Encounter", "18:23: request.1.do.0.alternate.answer.resource: makes Encounter: the rule must say when: {type: Encounter}"},
		"two types":    {"type: Appointment,", "type: [Appointment, Encounter],", "18:23: request.1.do.0.alternate.answer.resource: makes Appointment: the rule must say when: {type: Appointment}"},
		"no answer":    {"answer: {resource: {resourceType: Basic, code: {text: {var: departments}}}}", "answer: {}", "25:19: request.2.do.0.alternate.answer.resource: must be a resource"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(dayList, tc.old, tc.new, 1)
			require.NotEqual(t, dayList, changed)
			_, problems := Parse("acme.yaml", []byte(changed))
			require.ErrorContains(t, problems.Err(), "acme.yaml:"+tc.want)
		})
	}
}
