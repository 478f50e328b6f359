package transforms

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const acme = `version: 1
vendor: acme
request:
  - name: small pages
    when: {type: Patient, interaction: search-type}
    do:
      - param.cap: {name: _count, max: 10}
      - param.requireAny: [name]
      - header.set: {name: Accept, value: text/plain}
  - name: sealed
    when: {interaction: conditional-delete}
    do: [param.requireAny: [_id]]
`

func run(t *testing.T, tests string) []Result {
	t.Helper()
	results, err := RunTests(fstest.MapFS{
		"transforms/acme.yaml":      {Data: []byte(acme)},
		"transforms/acme_test.yaml": {Data: []byte(tests)},
	}, "transforms")
	require.NoError(t, err)
	return untimed(results)
}

// untimed leaves out how long tests took, which differs from run to run.
func untimed(results []Result) []Result {
	for i := range results {
		results[i].Took = 0
	}
	return results
}

func TestAPassingTest(t *testing.T) {
	require.Equal(t, []Result{
		{File: "transforms/acme_test.yaml", Line: 2, Name: "cap", OK: true, Rules: []string{"small pages"}},
		{File: "transforms/acme_test.yaml", Line: 3, Name: "no rule", OK: true},
		{File: "transforms/acme_test.yaml", Line: 4, Name: "refusal", OK: true, Rules: []string{"small pages"}},
		{File: "transforms/acme_test.yaml", Line: 5, Name: "conditional", OK: true, Rules: []string{"sealed"}},
	}, run(t, `tests:
  - {name: cap, request: "GET Patient?name=roe&_count=11", want: "GET Patient?name=roe&_count=10", want_headers: {Accept: text/plain}}
  - {name: no rule, request: GET Patient/1, want: GET Patient/1}
  - {name: refusal, request: GET Patient, want_error: "400 one of these parameters: name"}
  - {name: conditional, request: "DELETE Patient?identifier=1", want_error: 400}
`))
}

func TestAFailingTestShowsWhatCame(t *testing.T) {
	for name, tc := range map[string]struct{ test, diff string }{
		"query":         {`request: "GET Patient?name=roe", want: "GET Patient?name=doe"`, "want: GET Patient?name=doe\n got: GET Patient?name=roe"},
		"refused":       {"request: GET Patient, want: GET Patient", "want: GET Patient\n got: 400 the hospital takes this call only with one of these parameters: name (rule \"small pages\" of vendor acme)"},
		"not refused":   {`request: "GET Patient?name=roe", want_error: 400 x`, "want: 400 x\n got: GET Patient?name=roe"},
		"other status":  {"request: GET Patient, want_error: 422 one of", "want: 422 one of\n got: 400 the hospital takes this call only with one of these parameters: name (rule \"small pages\" of vendor acme)"},
		"other text":    {"request: GET Patient, want_error: 400 none of", "want: 400 none of\n got: 400 the hospital takes this call only with one of these parameters: name (rule \"small pages\" of vendor acme)"},
		"header":        {`request: "GET Patient?name=roe", want: "GET Patient?name=roe", want_headers: {Accept: a, Prefer: b}`, "want Accept: a\n got Accept: text/plain\nwant Prefer: b\n got Prefer: "},
		"query, header": {"request: GET Patient/1, want: GET Patient/2, want_headers: {Accept: a}", "want: GET Patient/2\n got: GET Patient/1\nwant Accept: a\n got Accept: "},
	} {
		t.Run(name, func(t *testing.T) {
			results := run(t, "tests:\n  - {name: x, "+tc.test+"}\n")
			require.Len(t, results, 1)
			require.False(t, results[0].OK)
			require.Equal(t, tc.diff, results[0].Diff)
		})
	}
}

func TestATestFileIsStrictToo(t *testing.T) {
	for name, tc := range map[string]struct{ file, want string }{
		"unknown key": {"tests: [{name: a, request: GET Patient, wants: x}]", `acme_test.yaml:1:41: tests.0: unknown key "wants"; did you mean "want"?`},
		"neither":     {"tests: [{name: a, request: GET Patient}]", "acme_test.yaml:1:9: tests.0: wants nothing: give it want,"},
		"both":        {"tests: [{name: a, request: GET Patient, want: a, want_error: b}]", "acme_test.yaml:1:62: tests.0.want_error: does not go with want, want_headers"},
		"no name":     {"tests: [{request: GET Patient, want: a}]", "acme_test.yaml:1:9: tests.0.name: is missing"},
		"zone":        {"tests: [{name: a, request: GET Patient, want: a, time_zone: CST6}]", "acme_test.yaml:1:61: tests.0.time_zone: is not an IANA time zone"},
		"type":        {"tests: [{name: a, request: GET patient, want: a}]", "acme_test.yaml:1:28: tests.0.request: must be METHOD path?query as in GET Appointment?date=2026-11-22: "},
		"method":      {"tests: [{name: a, request: PUT, want: a}]", "acme_test.yaml:1:28: tests.0.request: must be METHOD"},
		"headers":     {"tests: [{name: a, request: GET Patient, want_error: a, want_headers: {a: b}}]", "acme_test.yaml:1:53: tests.0.want_error: does not go with want, want_headers"},
		"now":         {"tests: [{name: a, request: GET Patient, want: a, now: today}]", "acme_test.yaml:1:55: tests.0.now: must be an instant such as 2026-11-22T12:00:00Z"},
		"body":        {"tests: [{name: a, request: GET Patient, want: a, body: '{}'}]", "tests.0.body: has no place in the interaction search-type"},
		"no JSON":     {"tests: [{name: a, request: PUT Patient/1, want: a, body: '{'}]", "tests.0.body: is not JSON"},
		"no file":     {"tests: [{name: a, request: PUT Patient/1, want: a, body: testdata/none.json}]", "tests.0.body: the file testdata/none.json cannot be read"},
		"outside":     {"tests: [{name: a, request: PUT Patient/1, want: a, body: ../a.json}]", "tests.0.body: must be JSON, which starts with { or [, or the path of a file below"},
		"no number":   {"tests: [{name: a, request: PUT Patient/1, want: a, body: {a: 0x1F}}]", "tests.0.body: holds a number or a word that is none in JSON"},
		"batch":       {`tests: [{name: a, request: "POST ", want: a, body: {entry: [{request: {method: GET, url: patient}}]}}]`, "tests.0.body: entry[0].request: "},
		"batch body":  {`tests: [{name: a, request: "POST ", want_body: same, body: {entry: []}}]`, "tests.0.want_body: needs the body of a create, update or patch"},
		"want_body":   {"tests: [{name: a, request: PUT Patient/1, want_body: same}]", "tests.0.want_body: needs the body"},
		"fetch":       {"tests: [{name: a, request: PUT Patient/1, want: a, fetch: {a: {text: b}}}]", "tests.0.fetch: needs a body"},
		"fetched":     {"tests: [{name: a, request: PUT Patient/1, want: a, body: '{}', fetch: {a: {txt: b}}}]", `unknown key "txt"; did you mean "text"?`},
		"no answer":   {"tests: [{name: a, request: GET Patient/1, want_answer: same}]", "tests.0.want_answer: needs an answer"},
		"bare status": {"tests: [{name: a, request: GET Patient/1, want: a, status: 200}]", "acme_test.yaml:1:9: tests.0: needs an answer beside its status"},
		"status":      {"tests: [{name: a, request: GET Patient/1, want: a, answer: '{}', status: 99}]", "tests.0.status: must be a status from 200 to 599"},
		"no failure":  {"tests: [{name: a, request: GET Patient/1, answer: '{}', want_status: 404}]", "tests.0: has want_status, want_retry_after or want_issue: they need a status of 400 or more"},
		"two ends":    {"tests: [{name: a, request: GET Patient/1, answer: '{}', want_answer: same, want_error: 502}]", "tests.0.want_answer: does not go with want_error"},
		"half JSON":   {"tests: [{name: a, request: GET Patient/1, answer: '{', want_error: 502}]", "tests.0.answer: is neither JSON nor NDJSON"},
		"want JSON":   {"tests: [{name: a, request: GET Patient/1, answer: '{}', want_answer: '{'}]", "tests.0.want_answer: is not JSON"},
		"none":        {"tests: []", "acme_test.yaml:1:8: tests: holds no test"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := RunTests(fstest.MapFS{
				"acme.yaml":      {Data: []byte(acme)},
				"acme_test.yaml": {Data: []byte(tc.file)},
			}, ".")
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestTestsNeedTheirVendor(t *testing.T) {
	_, err := RunTests(fstest.MapFS{"t/emca_test.yaml": {Data: []byte("tests: []")}}, "t")
	require.EqualError(t, err, "t/emca_test.yaml: there is no emca.yaml beside it to test")
	_, err = RunTests(fstest.MapFS{"t/acme.yaml": {Data: []byte("version: 2\nvendor: acme")}}, "t")
	require.ErrorContains(t, err, "t/acme.yaml:1:10: version: must be 1")
}
