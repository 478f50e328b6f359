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
		"neither":     {"tests: [{name: a, request: GET Patient}]", "acme_test.yaml:1:9: tests.0: needs either want or want_error"},
		"both":        {"tests: [{name: a, request: GET Patient, want: a, want_error: b}]", "acme_test.yaml:1:9: tests.0: needs either want or want_error"},
		"no name":     {"tests: [{request: GET Patient, want: a}]", "acme_test.yaml:1:9: tests.0.name: is missing"},
		"zone":        {"tests: [{name: a, request: GET Patient, want: a, time_zone: CST6}]", "acme_test.yaml:1:61: tests.0.time_zone: is not an IANA time zone"},
		"type":        {"tests: [{name: a, request: GET patient, want: a}]", "acme_test.yaml:1:28: tests.0.request: must be METHOD path?query as in GET Appointment?date=2026-11-22: "},
		"method":      {"tests: [{name: a, request: PUT, want: a}]", "acme_test.yaml:1:28: tests.0.request: must be METHOD"},
		"headers":     {"tests: [{name: a, request: GET Patient, want_error: a, want_headers: {a: b}}]", "acme_test.yaml:1:70: tests.0.want_headers: does not go with want_error"},
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
