package facade

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/transforms"
)

// TestBatchEntriesThatArePlayedWith sends one entry beside a good one, and says
// what becomes of it: the start of its status, or that of the whole batch.
func TestBatchEntriesThatArePlayedWith(t *testing.T) {
	b := newBench(t, nil)
	for name, tc := range map[string]struct {
		entry string
		want  string // status of the entry; "whole 4xx" = of the batch
	}{
		"a read":                     {`{"request":{"method":"GET","url":"Patient/100001"}}`, "200"},
		"a system in the query":      {`{"request":{"method":"GET","url":"Patient?identifier=http://hospital.example/mrn|1"}}`, "200"},
		"a slash first":              {`{"request":{"method":"GET","url":"/Patient/100001"}}`, "200"},
		"a question mark alone":      {`{"request":{"method":"GET","url":"?_type=Patient"}}`, "400"},
		"not listed":                 {`{"request":{"method":"GET","url":"Claim/1"}}`, "403"},
		"escaped key":                {`{"request":{"method":"GET","ur\u006c":"Claim/1"}}`, "403"},
		"escaped key, good":          {`{"request":{"method":"GET","ur\u006c":"Patient/100001"}}`, "200"},
		"escaped value":              {`{"request":{"method":"GET","url":"\u0043laim/1"}}`, "403"},
		"a key twice":                {`{"request":{"method":"GET","url":"Patient/1","url":"Claim/1"}}`, "whole 400"},
		"a key twice, escaped":       {`{"request":{"method":"GET","url":"Patient/1","ur\u006c":"Claim/1"}}`, "whole 400"},
		"a key twice, capitals":      {`{"request":{"method":"GET","url":"Patient/1","URL":"Claim/1"}}`, "whole 400"},
		"request twice":              {`{"request":{"method":"GET","url":"Patient/1"},"request":{"method":"GET","url":"Claim/1"}}`, "whole 400"},
		"no request":                 {`{"resource":{"resourceType":"Patient"}}`, "405"},
		"no object":                  {`7`, "405"},
		"null":                       {`null`, "405"},
		"method in lower case":       {`{"request":{"method":"delete","url":"Patient/1"}}`, "405"},
		"method of HTTP alone":       {`{"request":{"method":"CONNECT","url":"Patient/1"}}`, "405"},
		"batch in a batch":           {`{"request":{"method":"POST","url":""},"resource":{"resourceType":"Bundle","type":"batch"}}`, "400"},
		"Bundle as a resource":       {`{"request":{"method":"POST","url":"Bundle"},"resource":{"resourceType":"Bundle","type":"batch"}}`, "403"},
		"system history":             {`{"request":{"method":"GET","url":"_history"}}`, "400"},
		"metadata":                   {`{"request":{"method":"GET","url":"metadata"}}`, "400"},
		"sealed":                     {`{"request":{"method":"GET","url":"_sealed/x"}}`, "404"},
		"the hospital's own address": {`{"request":{"method":"GET","url":"HARBOR/Patient/1"}}`, "400"},
		"another hospital":           {`{"request":{"method":"GET","url":"STMARY/Patient/1"}}`, "422"},
		"another, by the gateway":    {`{"request":{"method":"GET","url":"GATEWAY/fhir/st-mary/Patient/1"}}`, "422"},
		"another, without scheme":    {`{"request":{"method":"GET","url":"//GWHOST/fhir/st-mary/Patient/1"}}`, "422"},
		"another scheme":             {`{"request":{"method":"GET","url":"file:///etc/passwd"}}`, "400"},
		"no scheme at all":           {`{"request":{"method":"GET","url":"//elsewhere.example/Patient/1"}}`, "400"},
		"dot segments":               {`{"request":{"method":"GET","url":"Patient/../Claim/1"}}`, "400"},
		"encoded slash":              {`{"request":{"method":"GET","url":"Patient%2f1"}}`, "400"},
		"a fragment":                 {`{"request":{"method":"GET","url":"Patient/1#x"}}`, "400"},
		"a line break":               {`{"request":{"method":"GET","url":"Patient/1\r\nX: y"}}`, "400"},
		"another in the query":       {`{"request":{"method":"GET","url":"Observation?subject=GATEWAY/fhir/st-mary/Patient/1"}}`, "422"},
		"another in a condition":     {`{"request":{"method":"POST","url":"Patient","ifNoneExist":"general-practitioner=GATEWAY/fhir/st-mary/Practitioner/1"},"resource":{"resourceType":"Patient"}}`, "422"},
		"another in fullUrl":         {`{"fullUrl":"GATEWAY/fhir/st-mary/Patient/1","request":{"method":"POST","url":"Patient"},"resource":{"resourceType":"Patient"}}`, "whole 422"},
		"condition not listed":       {`{"request":{"method":"POST","url":"Observation","ifNoneExist":"identifier=1"},"resource":{"resourceType":"Observation"}}`, "403"},
		"condition on nothing":       {`{"request":{"method":"POST","url":"Patient","ifNoneExist":"_format=json"},"resource":{"resourceType":"Patient"}}`, "400"},
		"delete of all":              {`{"request":{"method":"DELETE","url":"Patient?"}}`, "400"},
		"delete of all, by a value":  {`{"request":{"method":"DELETE","url":"Patient?identifier="}}`, "400"},
		"delete of all, by a format": {`{"request":{"method":"DELETE","url":"Patient?_format=json"}}`, "400"},
		"another type":               {`{"request":{"method":"POST","url":"Patient"},"resource":{"resourceType":"Observation"}}`, "400"},
		"operation":                  {`{"request":{"method":"POST","url":"$reindex"}}`, "403"},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.resetCalls()
			a := b.call("POST", "/fhir/harbor", b.fill(`{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/100001"}},`+tc.entry+`]}`))
			if status, whole := strings.CutPrefix(tc.want, "whole "); whole {
				require.Equal(t, status, fmt.Sprint(a.StatusCode), "%s", a.body)
				require.Zero(t, b.hospitalCalls())
				return
			}
			require.Equal(t, 200, a.StatusCode, "%s", a.body)
			entries := gjson.GetBytes(a.body, "entry").Array()
			require.Len(t, entries, 2)
			require.True(t, strings.HasPrefix(entries[0].Get("response.status").Str, "200"))
			require.Equal(t, tc.want, entries[1].Get("response.status").Str[:3], "%s", entries[1].Raw)
			sent := b.lastBody()
			require.NoError(t, uniqueKeys(sent), "%s", sent)
			if tc.want != "200" {
				require.Len(t, gjson.GetBytes(sent, "entry").Array(), 1, "%s", sent)
			}
		})
	}
}

func TestConditionsOfEntriesAreMapped(t *testing.T) {
	b := newBench(t, nil)
	for _, key := range []string{"ifNoneExist", `ifNoneExis\u0074`} {
		b.resetCalls()
		a := b.call("POST", "/fhir/harbor", b.fill(`{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"POST","url":"Patient","`+key+`":"?general-practitioner=GATEWAY/fhir/harbor/Practitioner/1"},"resource":{"resourceType":"Patient"}}]}`))
		require.Equal(t, 200, a.StatusCode)
		sent := b.lastBody()
		require.NotContains(t, string(sent), b.server.URL)
		require.NoError(t, uniqueKeys(sent), "%s", sent)
	}
}

func TestEntriesPassTheRulesOfTheVendor(t *testing.T) {
	b := newBench(t, nil)
	vendors, err := transforms.Load(fstest.MapFS{"hapi.yaml": {Data: []byte(`
version: 1
vendor: hapi
request:
  - name: needs a patient
    when: {type: Observation, interaction: search-type}
    do: [{param.requireAny: [patient, _id]}, {param.set: {name: _count, value: "5"}}]
`)}}, ".")
	require.NoError(t, err)
	b.facade.Snapshot().Hospitals["harbor"].Vendor = vendors["hapi"]
	b.resetCalls()
	a := b.call("POST", "/fhir/harbor", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Observation?status=final"}},{"request":{"method":"GET","url":"Observation?patient=100001"}}]}`)
	require.Equal(t, 200, a.StatusCode, "%s", a.body)
	require.Equal(t, "400", gjson.GetBytes(a.body, "entry.0.response.status").Str[:3])
	require.Equal(t, "Observation?patient=100001&_count=5", gjson.GetBytes(b.lastBody(), "entry.0.request.url").Str)
}

func TestBatchesAreBounded(t *testing.T) {
	b := newBench(t, nil)
	batch := func(entries string) string { return `{"resourceType":"Bundle","type":"batch","entry":` + entries + `}` }
	many := "[" + strings.TrimSuffix(strings.Repeat("{},", 2_000_000), ",") + "]"
	require.Equal(t, 413, b.call("POST", "/fhir/harbor", batch(many)).StatusCode)
	var keys strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&keys, `"k%d":1,`, i)
	}
	require.Equal(t, 400, b.call("POST", "/fhir/harbor", batch(`[{`+strings.TrimSuffix(keys.String(), ",")+`}]`)).StatusCode)
	for _, empty := range []string{"[]", "null", "{}"} {
		a := b.call("POST", "/fhir/harbor", batch(empty))
		require.Equal(t, 200, a.StatusCode, "%s", a.body)
		require.Equal(t, "batch-response", gjson.GetBytes(a.body, "type").Str)
	}
	require.Zero(t, b.hospitalCalls())
}

// TestBatchAnswersThatDoNotFit holds what a hospital can answer to a batch of
// which an entry was refused.
func TestBatchAnswersThatDoNotFit(t *testing.T) {
	b := newBench(t, nil)
	body := `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/1"}},{"request":{"method":"GET","url":"Claim/1"}},{"request":{"method":"GET","url":"Patient/2"}}]}`
	answerOf := func(entries string) string {
		return `{"resourceType":"Bundle","type":"batch-response","entry":` + entries + `}`
	}
	for name, tc := range map[string]struct {
		answer string
		status int
	}{
		"as many":         {answerOf(`[{"response":{"status":"200"}},{"response":{"status":"404"}}]`), 200},
		"too few":         {answerOf(`[{"response":{"status":"200"}}]`), 502},
		"too many":        {answerOf(`[{},{},{}]`), 502},
		"none":            {answerOf(`[]`), 502},
		"not a list":      {answerOf(`7`), 502},
		"outcome":         {`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception"}]}`, 502},
		"HTML":            {`<html>`, 502},
		"far too large":   {answerOf(`[{"x":"` + strings.Repeat("x", 2*holdBack) + `"},{}]`), 502},
		"a whole Patient": {`{"resourceType":"Patient","entry":[{},{}]}`, 502},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.harborAnswers(answering(200, tc.answer, "Content-Type", fhirJSON))
			a := b.call("POST", "/fhir/harbor", body)
			require.Equal(t, tc.status, a.StatusCode, "%s", a.body)
			require.NoError(t, a.err)
			if tc.status == 200 {
				require.Equal(t, "403 Forbidden", gjson.GetBytes(a.body, "entry.1.response.status").Str)
				require.Equal(t, "404", gjson.GetBytes(a.body, "entry.2.response.status").Str)
			}
		})
	}
}
