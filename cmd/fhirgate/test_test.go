package main

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate"
)

const acmeRules = `version: 1
vendor: acme
request:
  - name: small pages
    when: {type: Patient, interaction: search-type}
    do: [param.cap: {name: _count, max: 10}]
response:
  - name: our genders
    effect: reversible
    when: {type: Patient}
    do: [code.map: {path: gender, map: {M: male, F: female}}]
  - name: no photos
    effect: lossy
    when: {type: Practitioner}
    do: [drop: [photo]]
  - name: known states
    effect: reversible
    when: {type: Encounter}
    do: [code.map: {path: status, map: {D: finished}, unmapped: fail}]
  - name: busy
    when: {status: 403}
    do:
      - status.set: 429
      - issue: {code: throttled, text: the hospital is busy}
      - retryAfter: {after: 90s}
`

// inFolder makes a folder with these files the working directory. Their folders
// are made, and a tyk.conf that names transforms.
func inFolder(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	conf, err := fhirgate.Defaults.ReadFile("tyk.conf")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("tyk.conf", conf, 0o600))
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o750))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
}

func run(t *testing.T, stdin string, args ...string) (out string, err error) {
	t.Helper()
	var buf bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&buf)
	err = root.Execute()
	return buf.String(), err
}

const acmeTests = `tests:
  - {name: small, request: "GET Patient?_count=99", want: "GET Patient?_count=10"}
  - {name: large, request: "GET Patient?_count=99", want: "GET Patient?_count=99"}
  - {name: patient, request: GET Patient/1, answer: '{"resourceType":"Patient","gender":"M"}', want_answer: testdata/patient.json}
`

const smallPassed = "1 test passed\n"

func TestTestRunsTheConfiguredFolderOrAnother(t *testing.T) {
	passing := acmeTests[:strings.Index(acmeTests, "  - {name: large")]
	inFolder(t, map[string]string{"transforms/acme.yaml": acmeRules, "transforms/acme_test.yaml": passing})
	out, err := run(t, "", "test")
	require.NoError(t, err)
	require.Equal(t, smallPassed, out)

	require.NoError(t, os.Remove("tyk.conf"))
	require.NoError(t, os.Rename("transforms", "elsewhere"))
	_, err = run(t, "", "test")
	require.ErrorContains(t, err, "tyk.conf")
	out, err = run(t, "", "test", "elsewhere")
	require.NoError(t, err)
	require.Equal(t, smallPassed, out)

	_, err = run(t, "", "test", "--run", "(", "elsewhere")
	require.ErrorContains(t, err, "--run: ")
}

// TestTestRunsThoseOfHospitals has a hospital's own rules tested together with
// its vendor's, its vars and its time zone.
func TestTestRunsThoseOfHospitals(t *testing.T) {
	route := `version: 1
id: north
name: North
vendor: acme
environment: sandbox
time_zone: America/Chicago
upstream: {base_url: "https://ehr.north.example/fhir"}
interactions: {Patient: [search-type]}
vars: {room: A}
rules:
  request:
    - name: a day in our room
      when: {type: Patient}
      do: [{param.dayRange: {name: _lastUpdated}}, {param.set: {name: location, value: {var: room}}}]
`
	plan, err := fhirgate.Defaults.ReadFile("policies/trial.json")
	require.NoError(t, err)
	inFolder(t, map[string]string{
		"transforms/acme.yaml": acmeRules, "policies/trial.json": string(plan), "routes/north.yaml": route,
		"routes/north_test.yaml": "tests:\n  - {name: a day, request: \"GET Patient?_lastUpdated=2026-11-22&_count=99\", want: \"GET Patient?_lastUpdated=ge2026-11-22T06:00:00Z&_lastUpdated=lt2026-11-23T06:00:00Z&_count=10&location=A\"}\n",
	})
	out, err := run(t, "", "test")
	require.NoError(t, err, out)
	require.Equal(t, smallPassed, out)

	require.NoError(t, os.WriteFile("routes/south_test.yaml", []byte("tests:\n  - {name: x, request: GET Patient/1, want: GET Patient/1}\n"), 0o600))
	_, err = run(t, "", "test")
	require.ErrorContains(t, err, "there is no south.yaml beside it to test")
}

func TestTestShowsWhatFails(t *testing.T) {
	inFolder(t, map[string]string{"acme.yaml": acmeRules, "acme_test.yaml": acmeTests, "testdata/patient.json": `{"resourceType":"Patient", "gender":"F"}`})
	out, err := run(t, "", "test", ".")
	require.EqualError(t, err, "2 of 3 tests failed")
	require.Equal(t, `acme_test.yaml:3: large
  want: GET Patient?_count=99
   got: GET Patient?_count=10
acme_test.yaml:4: patient
  want answer: {"resourceType":"Patient","gender":"F"}
   got answer: {"resourceType":"Patient","gender":"male"}
`, out)

	out, err = run(t, "", "test", "--run", "^acme_test.yaml: small$", ".")
	require.NoError(t, err)
	require.Equal(t, smallPassed, out)

	out, err = run(t, "", "test", "--diff", "--run", "patient", ".")
	require.EqualError(t, err, "1 of 1 tests failed")
	require.Equal(t, `acme_test.yaml:4: patient
  --- want answer
  +++ got answer
  @@ -1,4 +1,4 @@
   {
     "resourceType": "Patient",
  -  "gender": "F"
  +  "gender": "male"
   }
`, out)
}

func TestTestUpdatesGoldens(t *testing.T) {
	inFolder(t, map[string]string{"acme.yaml": acmeRules, "acme_test.yaml": acmeTests})
	out, err := run(t, "", "test", "--update", ".")
	require.EqualError(t, err, "1 of 3 tests failed")
	require.Equal(t, `testdata/patient.json: updated
acme_test.yaml:3: large
  want: GET Patient?_count=99
   got: GET Patient?_count=10
  (--update cannot change this: it stands in the test itself)
`, out)
	written, err := os.ReadFile("testdata/patient.json")
	require.NoError(t, err)
	require.Equal(t, `{"resourceType":"Patient","gender":"male"}`, string(written))

	out, err = run(t, "", "test", "--update", "--run", "patient", ".")
	require.NoError(t, err)
	require.Equal(t, smallPassed, out)
}

func TestTestWritesJUnit(t *testing.T) {
	inFolder(t, map[string]string{
		"acme.yaml": acmeRules, "acme_test.yaml": acmeTests, "testdata/patient.json": `{"resourceType":"Patient","gender":"male"}`,
		"beta.yaml": strings.Replace(acmeRules, "vendor: acme", "vendor: beta", 1), "beta_test.yaml": acmeTests[:strings.Index(acmeTests, "  - {name: large")],
	})
	_, err := run(t, "", "test", "--junit", "report.xml", ".")
	require.EqualError(t, err, "1 of 4 tests failed")
	data, err := os.ReadFile("report.xml")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(data), xml.Header))
	var report junitReport
	require.NoError(t, xml.Unmarshal(data, &report))
	require.Equal(t, []int{4, 1, 2}, []int{report.Tests, report.Failures, len(report.Suites)})
	acme := report.Suites[0]
	require.Equal(t, "acme", acme.Name)
	require.Equal(t, "acme_test.yaml", acme.File)
	require.Equal(t, []int{3, 1}, []int{acme.Tests, acme.Failures})
	require.Nil(t, acme.Cases[0].Failure)
	require.Equal(t, "large", acme.Cases[1].Name)
	require.Equal(t, 3, acme.Cases[1].Line)
	require.Equal(t, "want: GET Patient?_count=99\n got: GET Patient?_count=10", acme.Cases[1].Failure.Text)
	require.Equal(t, []int{1, 0}, []int{report.Suites[1].Tests, report.Suites[1].Failures})

	_, err = run(t, "", "test", "--junit", "none/report.xml", ".")
	require.ErrorContains(t, err, "none/report.xml")
}

func TestTestTellsMistakesInFiles(t *testing.T) {
	inFolder(t, map[string]string{"acme.yaml": acmeRules, "acme_test.yaml": "tests: [{name: a, request: GET Patient, wants: a}]"})
	_, err := run(t, "", "test", ".")
	require.ErrorContains(t, err, `acme_test.yaml:1:41: tests.0: unknown key "wants"`)
}
