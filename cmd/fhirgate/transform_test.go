package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTransformPrintsWhatACallerWouldGet(t *testing.T) {
	bundle := func(more string) string {
		return `{ "resourceType":"Bundle", "entry": [{"resource": {"resourceType":"Patient", "gender":"M", "x": 1.50}}]` + more + "}\n"
	}
	inFolder(t, map[string]string{
		"transforms/acme.yaml": acmeRules,
		"patient.json":         "{ \"resourceType\":\"Patient\",\n \"gender\":\"F\" }\n",
		"bundle.json":          bundle(""),
		"signed.json":          bundle(`, "signature": {}`),
		"two.ndjson":           "{\"resourceType\":\"Patient\",\"gender\":\"M\"}\n{\"resourceType\":\"Patient\",\"gender\":\"F\"}\n",
		"one.ndjson":           "{\"resourceType\":\"Patient\",\"gender\":\"M\"}\n",
		"late.ndjson":          "{\"resourceType\":\"Patient\",\"gender\":\"M\"}\n{\"resourceType\":\"Encounter\",\"status\":\"Q\"}\n",
	})
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"a resource":      {[]string{"patient.json"}, "{ \"resourceType\":\"Patient\",\n \"gender\":\"female\" }\n"},
		"raw":             {[]string{"--raw", "patient.json"}, "{ \"resourceType\":\"Patient\",\n \"gender\":\"F\" }\n"},
		"a Bundle":        {[]string{"bundle.json"}, strings.Replace(bundle(""), `"M"`, `"male"`, 1)},
		"a signed Bundle": {[]string{"signed.json"}, bundle(`, "signature": {}`)},
		"lines":           {[]string{"two.ndjson"}, "{\"resourceType\":\"Patient\",\"gender\":\"male\"}\n{\"resourceType\":\"Patient\",\"gender\":\"female\"}\n"},
		"one line":        {[]string{"one.ndjson"}, "{\"resourceType\":\"Patient\",\"gender\":\"male\"}\n"},
		"an error":        {[]string{"--status", "403", "patient.json"}, "status: 429\nissue: throttled: the hospital is busy\nretry after: 1m30s\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := run(t, "", append([]string{"transform", "--vendor", "acme"}, tc.args...)...)
			require.NoError(t, err)
			require.Equal(t, tc.want, out)
		})
	}
	out, err := run(t, `{"resourceType":"Patient","gender":"M"}`, "transform", "--vendor", "acme", "-")
	require.NoError(t, err)
	require.Equal(t, `{"resourceType":"Patient","gender":"male"}`, out)

	out, err = run(t, "", "transform", "--vendor", "acme", "late.ndjson")
	require.ErrorContains(t, err, `(rule "known states" of vendor acme)`)
	require.Empty(t, out, "nothing is printed of a file that a rule fails on")
}

func TestTransformReadsALargeSignedBundleTwice(t *testing.T) {
	entry := `{"resource":{"resourceType":"Patient","gender":"M"}},`
	text := `{"resourceType":"Bundle","entry":[` + strings.TrimSuffix(strings.Repeat(entry, 10_000), ",") + `],"signature":{}}`
	inFolder(t, map[string]string{"transforms/acme.yaml": acmeRules, "signed.json": text})
	out, err := run(t, "", "transform", "--vendor", "acme", "signed.json")
	require.NoError(t, err)
	require.True(t, out == text, "a signed Bundle keeps every byte")

	_, err = run(t, text, "transform", "--vendor", "acme", "-")
	require.ErrorContains(t, err, "is signed and was already changed: give it as a file")
}

func TestTransformExplains(t *testing.T) {
	inFolder(t, map[string]string{"transforms/acme.yaml": acmeRules, "two.ndjson": "{\"resourceType\":\"Patient\",\"gender\":\"M\"}\n{\"resourceType\":\"Patient\",\"gender\":\"F\"}\n"})
	out, err := run(t, "", "transform", "--vendor", "acme", "--explain", "two.ndjson")
	require.NoError(t, err)
	require.Equal(t, `our genders (reversible): 2 changed
--- before
+++ after
@@ -1,4 +1,4 @@
 {
   "resourceType": "Patient",
-  "gender": "M"
+  "gender": "male"
 }

did nothing: no photos; known states; busy
`, out)

	out, err = run(t, "", "transform", "--vendor", "acme", "--explain", "--status", "403", "two.ndjson")
	require.NoError(t, err)
	require.Equal(t, "status: 429\nissue: throttled: the hospital is busy\nretry after: 1m30s\nsaid by: busy\n", out)
}

func TestTransformGoesBack(t *testing.T) {
	inFolder(t, map[string]string{"transforms/acme.yaml": acmeRules})
	back := func(body string, args ...string) (string, error) {
		return run(t, body, append([]string{"transform", "--vendor", "acme", "--back", "-"}, args...)...)
	}
	out, err := back(`{"resourceType":"Patient", "id":"1", "gender":"male"}`)
	require.NoError(t, err)
	require.Equal(t, `{"resourceType":"Patient", "id":"1", "gender":"M"}`, out)

	out, err = back(`[{"op":"replace","path":"/gender","value":"female"}]`, "--request", "PATCH Patient/1")
	require.NoError(t, err)
	require.Equal(t, `[{"op":"replace","path":"/gender","value":"F"}]`, out)

	out, err = back(`{"resourceType":"Patient","gender":"male"}`, "--explain")
	require.NoError(t, err)
	require.Equal(t, "changed by: our genders\n--- before\n+++ after\n@@ -1,4 +1,4 @@\n {\n   \"resourceType\": \"Patient\",\n-  \"gender\": \"male\"\n+  \"gender\": \"M\"\n }\n", out)

	_, err = back(`{"resourceType":"Practitioner","id":"1"}`)
	require.ErrorContains(t, err, `"no photos"`)
	_, err = back(`{"resourceType":"Practitioner","id":"1"}`, "--raw")
	require.NoError(t, err)
	_, err = back(`{"resourceType":"Practitioner"`)
	require.EqualError(t, err, "the file is not JSON")
	_, err = back(`[]`)
	require.ErrorContains(t, err, "say with --request what is sent")
}

func TestTransformTellsMistakes(t *testing.T) {
	inFolder(t, map[string]string{
		"transforms/acme.yaml": acmeRules, "patient.json": "{}", "group.json": `{"resourceType":"Group"}`,
		"transforms/varied.yaml": "version: 1\nvendor: varied\nresponse:\n  - {name: managed, effect: lossy, when: {type: Group}, do: [set: {path: name, value: {var: site}}]}\n",
	})
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no vendor":      {[]string{"patient.json"}, `required flag(s) "vendor" not set`},
		"unknown vendor": {[]string{"--vendor", "acne", "patient.json"}, `unknown vendor "acne"; did you mean "acme"?`},
		"no file":        {[]string{"--vendor", "acme", "none.json"}, "none.json"},
		"zone":           {[]string{"--vendor", "acme", "--time-zone", "Mars", "patient.json"}, "--time-zone: "},
		"var":            {[]string{"--vendor", "acme", "--set", "a", "patient.json"}, "--set must be name=value"},
		"no var":         {[]string{"--vendor", "varied", "group.json"}, "the rules read site: give each with --set NAME=VALUE"},
		"request":        {[]string{"--vendor", "acme", "--request", "FETCH Patient", "patient.json"}, "--request must be METHOD path?query: "},
		"config":         {[]string{"--vendor", "acme", "-c", "none.conf", "patient.json"}, "none.conf"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(t, "", append([]string{"transform"}, tc.args...)...)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestTransformKnowsTheShippedVendors(t *testing.T) {
	inFolder(t, nil)
	require.NoError(t, os.Remove("tyk.conf"))
	out, err := run(t, `{"resourceType":"Basic"}`, "transform", "--vendor", "epic", "-")
	require.NoError(t, err)
	require.Equal(t, `{"resourceType":"Basic"}`, out)
	_, err = run(t, "{}", "transform", "--vendor", "acme", "-")
	require.ErrorContains(t, err, `unknown vendor "acme"`)
	require.ErrorContains(t, err, "where there is no tyk.conf")
}

func TestTransformGuessesTheCall(t *testing.T) {
	for name, tc := range map[string]struct {
		back       bool
		head, want string
	}{
		"a resource":   {false, `{"resourceType":"Patient","id":"a"}`, "GET Patient/1"},
		"a Bundle":     {false, `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient"`, "GET Patient"},
		"empty Bundle": {false, `{"resourceType":"Bundle"}`, "GET "},
		"no resource":  {false, `<html>`, "GET metadata"},
		"an update":    {true, `{"resourceType":"Patient","id":"a"}`, "PUT Patient/a"},
		"a create":     {true, `{"resourceType":"Patient"}`, "POST Patient"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := (&transform{back: tc.back}).guess([]byte(tc.head))
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}
