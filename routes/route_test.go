package routes

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

const good = `version: 1
id: st-mary
name: St. Mary's Hospital
environment: sandbox
time_zone: America/Chicago
upstream:
  base_url: https://ehr.st-mary.example/r4/9f2c
interactions: {Patient: [read, search-type], DocumentReference: [create, conditional-create], system: [batch]}
operations: {Patient: ["$everything"]}
`

func TestAGoodFileIsRead(t *testing.T) {
	route, problems := Parse("routes/st-mary.yaml", []byte(good))
	require.Empty(t, problems)
	require.Equal(t, "st-mary", route.ID)
	require.Equal(t, AuthNone, route.Upstream.Auth.Kind)
	require.Equal(t, "America/Chicago", route.Location.String())
}

// TestEachMistakeIsNamedWithItsPlace changes one thing of a good file at a time.
func TestEachMistakeIsNamedWithItsPlace(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, want string }{
		"version":          {"version: 1", "version: 2", "1:10: version: must be 1"},
		"id not file":      {"id: st-mary", "id: st-john", `2:5: id: must equal the file name, "st-mary"`},
		"id form":          {"id: st-mary", "id: St_Mary", "2:5: id: must be 1 to 63 of a-z, 0-9 and '-', starting and ending with a letter or digit"},
		"environment":      {"sandbox", "test", "4:14: environment: must be production or sandbox: a key of one never works in the other"},
		"zone":             {"America/Chicago", "CST6", "5:12: time_zone: is not an IANA time zone such as America/Chicago"},
		"unknown key":      {"  base_url", "  baseurl", `7:3: upstream: unknown key "baseurl"; did you mean "base_url"?`},
		"relative base":    {"https://ehr.st-mary.example", "", "7:13: upstream.base_url: must be an absolute http or https URL"},
		"base with slash":  {"9f2c", "9f2c/", "7:13: upstream.base_url: must not end with a slash"},
		"base with query":  {"9f2c", "9f2c?a=b", "7:13: upstream.base_url: must have no user, query or fragment"},
		"type":             {"{Patient: [read", "{patient: [read", `8:25: interactions.patient: is not a resource type of R4 (names are case-sensitive) and not "system"`},
		"interaction":      {"search-type", "search", `8:32: interactions.Patient.1: unknown interaction "search"; allowed are`},
		"system":           {"system: [batch]", "system: [read]", `8:104: interactions.system.0: unknown interaction "read"; allowed are batch, history-system, search-system, transaction`},
		"operation":        {`"$everything"`, `everything`, `9:24: operations.Patient.0: must be the name of an operation, such as "$everything"`},
		"auth kind":        {"interactions:", "  auth: {kind: basci}\ninteractions:", `8:16: upstream.auth.kind: unknown kind of auth "basci"; did you mean "basic"?`},
		"auth field":       {"interactions:", "  auth: {kind: bearer}\ninteractions:", `8:9: upstream.auth: kind bearer needs token`},
		"foreign field":    {"interactions:", "  auth: {kind: none, alg: RS384}\ninteractions:", `8:27: upstream.auth.alg: does not go with kind none`},
		"secret in file":   {"interactions:", "  auth: {kind: bearer, token: abc}\ninteractions:", `8:31: upstream.auth.token: must not stand in the file: write {env: NAME} or {file: PATH}`},
		"secret not there": {"interactions:", "  auth: {kind: bearer, token: {env: UNSET_VARIABLE}}\ninteractions:", `8:31: upstream.auth.token: the environment variable UNSET_VARIABLE is not set`},
		"header":           {"interactions:", "  headers: {Authorization: x}\ninteractions:", `8:28: upstream.headers.Authorization: is set by the gateway itself`},
		"link host":        {"interactions:", "  link_hosts: [\"https://x\"]\ninteractions:", `8:16: upstream.link_hosts.0: must be a host name`},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(good, tc.old, tc.new, 1)
			require.NotEqual(t, good, changed)
			_, problems := Parse("routes/st-mary.yaml", []byte(changed))
			require.NotEmpty(t, problems)
			require.Contains(t, problems.Error(), "routes/st-mary.yaml:"+tc.want)
		})
	}
}

func TestLoadReportsAllFilesAtOnce(t *testing.T) {
	fsys := fstest.MapFS{
		"routes/a.yaml":      {Data: []byte("version: 1\nid: b\n")},
		"routes/b.yaml":      {Data: []byte("version: 1\nid: b\ncolour: red\n")},
		"routes/b_test.yaml": {Data: []byte("anything")},
	}
	err := Read(fsys, "routes").Problems.Err()
	require.ErrorContains(t, err, `routes/a.yaml:2:5: id: must equal the file name, "a"`)
	require.ErrorContains(t, err, `routes/b.yaml:3:1: unknown key "colour"`)
	err = Read(fstest.MapFS{"routes": {Mode: fs.ModeDir}}, "routes").Problems.Err()
	require.ErrorContains(t, err, "holds no hospital file")
	err = Read(fstest.MapFS{}, "routes").Problems.Err()
	require.EqualError(t, err, "routes: there is no such folder")
}

func TestAllows(t *testing.T) {
	route, problems := Parse("st-mary.yaml", []byte(good))
	require.Empty(t, problems)
	for name, tc := range map[string]struct {
		req  fhir.Request
		want bool
	}{
		"listed":                 {fhir.Request{Interaction: fhir.Read, Type: "Patient"}, true},
		"not listed":             {fhir.Request{Interaction: fhir.Delete, Type: "Patient"}, false},
		"type not listed":        {fhir.Request{Interaction: fhir.Read, Type: "Claim"}, false},
		"capabilities":           {fhir.Request{Interaction: fhir.Capabilities}, true},
		"system":                 {fhir.Request{Interaction: fhir.Batch}, true},
		"system not listed":      {fhir.Request{Interaction: fhir.Transaction}, false},
		"conditional listed":     {fhir.Request{Interaction: fhir.Create, Conditional: true, Type: "DocumentReference"}, true},
		"conditional not listed": {fhir.Request{Interaction: fhir.Delete, Conditional: true, Type: "DocumentReference"}, false},
		"operation listed":       {fhir.Request{Interaction: fhir.Operation, Type: "Patient", Operation: "$everything"}, true},
		"operation elsewhere":    {fhir.Request{Interaction: fhir.Operation, Operation: "$everything"}, false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, route.Allows(tc.req)) })
	}
}

// A reload keeps the client of a route that did not change: a certificate that
// was replaced under its name is a change.
func TestAReplacedCertificateIsAChangeOfTheRoute(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := []byte(strings.Replace(good, "interactions:", "  ca_file: "+file+"\ninteractions:", 1))
	read := func(content string) Upstream {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		route, problems := Parse("st-mary.yaml", text)
		require.Empty(t, problems)
		return route.Upstream
	}
	first, same, other := read("a"), read("a"), read("b")
	require.True(t, reflect.DeepEqual(first, same))
	require.False(t, reflect.DeepEqual(first, other))
}
