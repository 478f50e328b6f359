package transforms

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/resource"
	"fhirgate/transforms/tree"
)

// answering is a vendor with a rule of each sort.
const answering = `version: 1
vendor: acme
request:
  - name: notes hold their text
    when: {type: DocumentReference}
    do: [attachment.inline: {path: "content.#.attachment"}]
  - name: versions are asked for
    when: {type: Patient, interaction: update}
    do: [ifMatch.fromVersion: {}]
  - name: references are local
    when: {type: Observation}
    do: [reference.relative: {path: subject}]
response:
  - name: our genders
    effect: reversible
    when: {type: Patient}
    do: [code.map: {path: gender, map: {M: male, F: female}}]
  - name: no notes on observations
    effect: lossy
    when: {type: Observation}
    do: [drop: [note]]
  - name: known kinds of encounters
    effect: reversible
    when: {type: Encounter}
    do: [code.map: {path: status, map: {D: finished}, unmapped: fail}]
  - name: no totals
    when: {interaction: search-type}
    do: [total.drop: {}]
  - name: whole entries
    do: [entry.complete: {}]
  - name: quiet warnings
    do: [outcome.drop: ["4119"]]
  - name: throttled
    when: {status: 403, body: too many}
    do:
      - status.set: 429
      - issue: {code: throttled, text: the hospital is busy}
      - retryAfter: {until: minute}
  - name: failures inside
    when: {type: Task}
    do: [success.if: {path: result.ok, is: ["true"], text: the hospital refused the task}]
`

func answers(t *testing.T, files map[string]string, tests string) []Result {
	t.Helper()
	fsys := fstest.MapFS{
		"t/acme.yaml":      {Data: []byte(answering)},
		"t/acme_test.yaml": {Data: []byte("tests:\n" + tests)},
	}
	for name, data := range files {
		fsys["t/"+name] = &fstest.MapFile{Data: []byte(data)}
	}
	results, err := RunTests(fsys, "t")
	require.NoError(t, err)
	return untimed(results)
}

func TestBodiesAndAnswersThatPass(t *testing.T) {
	files := map[string]string{
		"testdata/a/patient.json":       `{ "resourceType": "Patient", "id": "p1", "gender": "M" }`,
		"testdata/a/patient.want.json":  "{\n \"resourceType\": \"Patient\", \"id\": \"p1\", \"gender\": \"male\" }\n",
		"testdata/a/patients.ndjson":    "{\"resourceType\":\"Patient\",\"gender\":\"M\"}\n\n{\"resourceType\":\"Patient\", \"gender\":\"F\"}\n",
		"testdata/a/patients.want.json": "{\"resourceType\":\"Patient\",\"gender\":\"male\"}\n{\"resourceType\":\"Patient\",\"gender\":\"female\"}\n",
	}
	for name, tc := range map[string]struct {
		test  string
		rules []string
	}{
		"a body of a file":      {"request: PUT Patient/p1, body: testdata/a/patient.want.json, want_body: testdata/a/patient.json", []string{"our genders"}},
		"a body as YAML":        {`request: POST Patient, body: {resourceType: Patient, gender: female, x: 1.50}, want_body: '{"resourceType":"Patient","gender":"F","x":1.50}'`, []string{"our genders"}},
		"a body that stays":     {"request: POST Patient, body: {resourceType: Patient}, want_body: same", nil},
		"raw":                   {"request: PUT Patient/p1, raw: true, body: {resourceType: Patient, gender: male}, want_body: same", nil},
		"a patch":               {"request: PATCH Patient/p1, body: [{op: replace, path: /gender, value: male}], want_body: [{op: replace, path: /gender, value: M}]", []string{"our genders"}},
		"headers of a body":     {`request: PUT Patient/p1, body: {resourceType: Patient, meta: {versionId: "3"}}, want_headers: {If-Match: W/"3"}`, []string{"versions are asked for"}},
		"headers of the caller": {`request: PUT Patient/p1, headers: {If-Match: W/"2", X-Other: a}, body: {resourceType: Patient, meta: {versionId: "3"}}, want_headers: {If-Match: W/"2", X-Other: ""}`, nil},
		"fetch": {
			`request: POST DocumentReference, fetch: {Binary/b: {content_type: text/plain, text: hello}},` +
				`body: {resourceType: DocumentReference, content: [{attachment: {url: Binary/b}}]}, want_body: {resourceType: DocumentReference, content: [{attachment: {contentType: text/plain, data: aGVsbG8=}}]}`,
			[]string{"notes hold their text"},
		},
		"fetch in vain":     {"request: POST DocumentReference, body: {resourceType: DocumentReference, content: [{attachment: {url: Binary/b}}]}, want_error: 422 cannot be fetched", []string{"notes hold their text"}},
		"bases":             {"request: POST Observation, body: {resourceType: Observation, subject: {reference: 'https://hospital.example/fhir/Patient/1'}}, want_body: {resourceType: Observation, subject: {reference: Patient/1}}", []string{"references are local"}},
		"a lossy update":    {"request: PUT Observation/1, body: {resourceType: Observation}, want_error: '422 \"no notes on observations\"'", []string{"no notes on observations"}},
		"a search value":    {`request: "GET Patient?name=a", want: "GET Patient?name=a"`, nil},
		"an answer":         {"request: GET Patient/p1, answer: testdata/a/patient.json, want_answer: testdata/a/patient.want.json", []string{"our genders"}},
		"an answer, raw":    {"request: GET Patient/p1, raw: true, answer: testdata/a/patient.json, want_answer: same", nil},
		"NDJSON":            {"request: GET Patient, answer: testdata/a/patients.ndjson, want_answer: testdata/a/patients.want.json", []string{"our genders"}},
		"a lossy answer":    {"request: GET Observation/1, answer: {resourceType: Observation, note: [{text: a}], status: final}, want_answer: {resourceType: Observation, status: final}", []string{"no notes on observations"}},
		"a request besides": {"request: GET Patient/p1, want: GET Patient/p1, answer: {resourceType: Patient}, want_answer: same", nil},
		"a Bundle": {
			`request: GET Patient, answer: {resourceType: Bundle, total: 12, entry: [{resource: {resourceType: Patient, id: p1}}]},` +
				`want_answer: {resourceType: Bundle, entry: [{resource: {resourceType: Patient, id: p1}, search: {mode: match}, fullUrl: 'https://gateway.example/fhir/harbor/Patient/p1'}]}, hospital: harbor`,
			[]string{"no totals", "whole entries"},
		},
		"an outcome less": {
			`request: GET Patient, answer: {resourceType: Bundle, entry: [{resource: {resourceType: OperationOutcome, issue: [{details: {coding: [{code: "4119"}]}}]}}, {resource: {resourceType: Patient, gender: M}, search: {mode: match}}]},` +
				`want_answer: {resourceType: Bundle, entry: [{resource: {resourceType: Patient, gender: male}, search: {mode: match}}]}`,
			[]string{"our genders", "whole entries", "quiet warnings"},
		},
		"searches in a batch": {
			`request: "POST ", body: {resourceType: Bundle, type: batch, entry: [{request: {method: GET, url: Patient/1}}, {request: {method: GET, url: "Patient?name=a"}}]},` +
				`answer: {resourceType: Bundle, entry: [{resource: {resourceType: Patient, gender: F}}, {resource: {resourceType: Bundle, total: 1, type: searchset}}]},` +
				`want_answer: {resourceType: Bundle, entry: [{resource: {resourceType: Patient, gender: female}}, {resource: {resourceType: Bundle, type: searchset}}]}`,
			[]string{"our genders", "no totals"},
		},
		"a rule that fails":       {"request: GET Encounter/1, answer: {resourceType: Encounter, status: Q}, want_error: '502 (rule \"known kinds of encounters\"'", []string{"known kinds of encounters"}},
		"a failure inside":        {"request: POST Task, answer: {result: {ok: false}}, status: 201, want_error: 422 the hospital refused the task", []string{"failures inside"}},
		"an error":                {"request: GET Patient/1, now: 2026-11-22T12:00:18Z, status: 403, answer: '<p>too many calls</p>', want_status: 429, want_issue: throttled, want_retry_after: 42", []string{"throttled"}},
		"its text":                {"request: GET Patient/1, status: 403, answer: '<p>too many calls</p>', want_error: 429 is busy", []string{"throttled"}},
		"its own Retry-After":     {"request: GET Patient/1, status: 403, answer: '<p>too many calls</p>', answer_headers: {retry-after: 7}, want_retry_after: 7", []string{"throttled"}},
		"an error without a rule": {"request: GET Patient/1, status: 404, want_status: 404", nil},
		"an outcome of an error":  {"request: GET Patient/1, status: 404, answer: {resourceType: OperationOutcome, issue: [{code: not-found}]}, want_answer: same", nil},
	} {
		t.Run(name, func(t *testing.T) {
			results := answers(t, files, "  - {name: x, "+tc.test+"}\n")
			require.Empty(t, results[0].Diff)
			require.True(t, results[0].OK)
			require.ElementsMatch(t, tc.rules, results[0].Rules)
		})
	}
}

func TestBodiesAndAnswersThatDoNotPass(t *testing.T) {
	for name, tc := range map[string]struct{ test, diff string }{
		"body":              {"request: POST Patient, body: {resourceType: Patient, gender: male}, want_body: same", "want body: {\"resourceType\":\"Patient\",\"gender\":\"male\"}\n got body: {\"resourceType\":\"Patient\",\"gender\":\"M\"}"},
		"order":             {"request: POST Patient, body: {a: 1, b: 2}, want_body: {b: 2, a: 1}", "want body: {\"b\":2,\"a\":1}\n got body: {\"a\":1,\"b\":2}"},
		"digits":            {"request: POST Patient, body: {a: 1.0}, want_body: {a: 1.00}", "want body: {\"a\":1.00}\n got body: {\"a\":1.0}"},
		"escapes":           {`request: POST Patient, body: '{"a":"\u0041"}', want_body: '{"a":"A"}'`, "want body: {\"a\":\"A\"}\n got body: {\"a\":\"\\u0041\"}"},
		"refused":           {"request: PUT Observation/1, body: {resourceType: Observation}, want_body: same", "want: no error\n got: 422 an update would destroy what these rules leave out or reorder on the way to you: \"no notes on observations\" of vendor acme. Read the resource with X-Fhirgate-Raw: true, change that, and send it with the same header"},
		"answer":            {"request: GET Patient/1, answer: {resourceType: Patient, gender: M}, want_answer: same", "want answer: {\"resourceType\":\"Patient\",\"gender\":\"M\"}\n got answer: {\"resourceType\":\"Patient\",\"gender\":\"male\"}"},
		"missing golden":    {"request: GET Patient/1, answer: {resourceType: Patient}, want_answer: testdata/new.json", "want answer: what is in t/testdata/new.json, which does not exist yet\n got answer: {\"resourceType\":\"Patient\"}"},
		"failed answer":     {"request: GET Encounter/1, answer: {resourceType: Encounter, status: Q}, want_answer: same", "want answer: no error\n got answer: 502 Encounter.status "},
		"no failure":        {"request: GET Patient/1, answer: {resourceType: Patient}, want_error: 502 x", "want error: 502 x\n got error: no error"},
		"other failure":     {"request: POST Task, answer: {result: {ok: false}}, want_error: 502 x", "want error: 502 x\n got error: 422 the hospital refused the task"},
		"status":            {"request: GET Patient/1, status: 403, answer: '<too many>', want_status: 403", "want status: 403\n got status: 429"},
		"issue":             {"request: GET Patient/1, status: 403, answer: '<too many>', want_issue: login", "want issue: login\n got issue: throttled"},
		"no issue":          {"request: GET Patient/1, status: 404, want_issue: login", "want issue: login\n got issue: none: no rule says"},
		"wait":              {"request: GET Patient/1, status: 403, answer: '<too many>', want_retry_after: 1", "want Retry-After: 1\n got Retry-After: 60"},
		"no wait":           {"request: GET Patient/1, status: 404, want_retry_after: 0", "want Retry-After: 0\n got Retry-After: none: no rule says"},
		"no outcome":        {"request: GET Patient/1, status: 404, answer: '<p>', want_answer: '{}'", "want answer: the hospital's\n got answer: the gateway's own: the hospital's is no OperationOutcome"},
		"request of answer": {"request: PUT Observation/1, answer: {resourceType: Observation}, want_error: 502 x", "want: no error\n got: 422 an update would destroy"},
	} {
		t.Run(name, func(t *testing.T) {
			results := answers(t, nil, "  - {name: x, "+tc.test+"}\n")
			require.False(t, results[0].OK)
			require.Contains(t, results[0].Diff, tc.diff)
		})
	}
}

func TestAMismatchKnowsTheFileThatHelps(t *testing.T) {
	results := answers(t, map[string]string{"testdata/p.json": "{}"},
		"  - {name: x, request: GET Patient/1, answer: '{ \"resourceType\": \"Patient\", \"gender\": \"M\" }', want_answer: testdata/p.json}\n")
	require.Equal(t, []Mismatch{{
		What: " answer", Want: "{}", Got: `{"resourceType":"Patient","gender":"male"}`,
		File: "t/testdata/p.json", Content: []byte(`{ "resourceType": "Patient", "gender": "male" }`),
	}}, results[0].Mismatches)
}

func TestLongTextsAreShownWhereTheyDiffer(t *testing.T) {
	long := strings.Repeat("a", 400)
	m := Mismatch{What: " body", Want: long + "é1" + long, Got: long + "è2" + long}
	require.Equal(t, "want body: …"+long[:59]+"é1"+long[:118]+"…\n got body: …"+long[:59]+"è2"+long[:118]+"…", m.String())
}

// hasty is an operation that claims to have an inverse.
type hasty struct{ resource.Inverse }

func (hasty) Apply(r *resource.Resource) (bool, *fhir.Error) {
	r.Doc.Remove(r.Doc.Get(r.Node, "photo"))
	return true, nil
}

func (hasty) Undo(r *resource.Resource) (bool, *fhir.Error) {
	if r.Doc.Get(r.Node, "deceasedBoolean") != tree.None {
		return false, fhir.NewError(422, fhir.IssueProcessing, "cannot be undone")
	}
	return false, nil
}

func TestARoundTripThatLosesSomethingFailsTheTest(t *testing.T) {
	vendor, problems := Parse("acme.yaml", []byte(answering))
	require.Empty(t, problems)
	vendor.answers = append(vendor.answers, &answerRule{
		name: "no photos", effect: resource.Reversible, when: answerCondition{condition: condition{types: []string{"Patient"}}}, resources: []resource.Operation{hasty{}},
	})
	for name, tc := range map[string]struct{ resource, diff string }{
		"lost":      {`{"resourceType":"Patient","photo":[]}`, "want round trip of the Patient (the hospital's resource, against what an unchanged update would make of it): {\"resourceType\":\"Patient\",\"photo\":[]}\n got round trip of the Patient (the hospital's resource, against what an unchanged update would make of it): {\"resourceType\":\"Patient\"}"},
		"refused":   {`{"resourceType":"Patient","deceasedBoolean":true}`, " got round trip of the Patient (the hospital's resource, against what an unchanged update would make of it): 422 cannot be undone"},
		"in vain":   {`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","photo":[]}}]}}]}`, "want round trip of the Patient"},
		"no losses": {`{"resourceType":"Patient","id":"1"}`, ""},
		"signed":    {`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","photo":[],"gender":"M"}}],"signature":{}}`, ""},
		"lines":     {"{\"resourceType\":\"Patient\"}\n      {\"resourceType\":\"Patient\",\"photo\":[]}", "want round trip of the Patient"},
	} {
		t.Run(name, func(t *testing.T) {
			tests := "tests:\n  - name: x\n    request: GET Patient/1\n    want: GET Patient/1\n    answer: |\n      " + tc.resource + "\n"
			results, problems := runFile(fstest.MapFS{}, Tested{Vendor: vendor}, "acme_test.yaml", []byte(tests))
			require.Empty(t, problems)
			require.Equal(t, tc.diff == "", results[0].OK, results[0].Diff)
			require.Contains(t, results[0].Diff, tc.diff)
		})
	}
}

func TestFoldersOfTestDataHoldNoVendors(t *testing.T) {
	vendors, err := Load(fstest.MapFS{
		"t/acme.yaml":                {Data: []byte(answering)},
		"t/testdata/acme/other.yaml": {Data: []byte("nothing")},
	}, "t")
	require.NoError(t, err)
	require.Len(t, vendors, 1)
}

func TestExplain(t *testing.T) {
	vendor, problems := Parse("acme.yaml", []byte(answering))
	require.Empty(t, problems)
	call, query, err := ParseCall(Call{}, "GET Patient?name=a")
	require.NoError(t, err)
	require.Equal(t, Call{Type: "Patient", Interaction: fhir.SearchType}, call)
	require.Equal(t, "name=a", query)
	trial := &Trial{Call: call, Query: query, Status: 200, Base: "https://gateway.example/fhir/a"}
	answer := `{"resourceType":"Bundle","total":3,"entry":[{"resource":{"resourceType":"Patient","gender":"M"},"search":{}},{"resource":{"resourceType":"Patient","gender":"F"},"search":{"mode":"match"}}]}`
	out, reports, err := vendor.Explain(trial, []byte(answer))
	require.NoError(t, err)
	require.Equal(t, `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","gender":"male"},"search":{"mode":"match"}},{"resource":{"resourceType":"Patient","gender":"female"},"search":{"mode":"match"}}]}`, string(out))
	require.Equal(t, []RuleReport{
		{Name: "our genders", Effect: "reversible", Changed: 2, Before: []byte(`{"resourceType":"Patient","gender":"M"}`), After: []byte(`{"resourceType":"Patient","gender":"male"}`)},
		{Name: "no notes on observations", Effect: "lossy"},
		{Name: "known kinds of encounters", Effect: "reversible"},
		{Name: "no totals", Changed: 1, Before: []byte(`{"total":3}`), After: []byte("{}")},
		{
			Name: "whole entries", Changed: 1,
			Before: []byte(`{"resource":{"resourceType":"Patient","gender":"male"},"search":{}}`), After: []byte(`{"resource":{"resourceType":"Patient","gender":"male"},"search":{"mode":"match"}}`),
		},
		{Name: "quiet warnings"},
		{Name: "throttled"},
		{Name: "failures inside"},
	}, reports)

	signed := strings.TrimSuffix(answer, "}") + `,"signature":{}}`
	out, reports, err = vendor.Explain(trial, []byte(signed))
	require.NoError(t, err)
	require.Equal(t, signed, string(out))
	for _, report := range reports {
		require.Zero(t, report.Changed, report.Name)
	}

	out, reports, err = (*Vendor)(nil).Explain(trial, []byte(answer))
	require.NoError(t, err)
	require.Equal(t, answer, string(out))
	require.Empty(t, reports)

	_, _, err = ParseCall(Call{}, "FETCH Patient")
	require.Error(t, err)
}

func TestATestFileNamesTheMistakesOfItsKeys(t *testing.T) {
	var f testFile
	doc := strict.Decode("a_test.yaml", []byte("tests: [{name: a, want_answers: x, bodys: {}}]"), &f)
	require.ErrorContains(t, doc.Problems(), `did you mean "want_answer"?`)
	require.ErrorContains(t, doc.Problems(), `did you mean "body"?`)
}
