package openapi

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func parsed(t *testing.T, id string) *Hospital {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", id+".json"))
	require.NoError(t, err)
	h, err := Parse(id, "The "+id, body)
	require.NoError(t, err)
	return h
}

func written(t *testing.T, d *Document) []byte {
	t.Helper()
	body, err := json.MarshalIndent(d, "", "  ")
	require.NoError(t, err)
	return append(body, '\n')
}

func routed() *Hospital {
	return FromRoute("west", "West | <b>", map[string][]string{
		"system":  {"search-system", "transaction"},
		"Patient": {"read", "search-type", "update", "conditional-update", "patch", "conditional-patch"},
	}, map[string][]string{"Patient": {"$match"}, "system": {"$convert"}})
}

// The order in which hospitals come makes no difference.
func TestBuildMakesTheGolden(t *testing.T) {
	north := parsed(t, "north")
	got := written(t, Build("https://gateway.example", []*Hospital{north, parsed(t, "south"), routed()}))
	require.Equal(t, string(got), string(written(t, Build("https://gateway.example", []*Hospital{routed(), parsed(t, "south"), north}))))
	golden := filepath.Join("testdata", "document.golden.json")
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(golden, got, 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run with UPDATE=1 to take it over")
}

func TestADocumentOfNoHospitals(t *testing.T) {
	d := Build("https://gateway.example", nil)
	require.Contains(t, d.Info.Description, "No hospital is described")
	require.Equal(t, []Server{{URL: "https://gateway.example/fhir", Description: "The gateway"}}, d.Servers)
	require.Contains(t, string(written(t, d)), `"paths": {}`)
}

func operations(d *Document) map[string]*Operation {
	all := map[string]*Operation{}
	for path, item := range d.Paths {
		for method, op := range map[string]*Operation{"GET": item.Get, "PUT": item.Put, "POST": item.Post, "PATCH": item.Patch, "DELETE": item.Delete} {
			if op != nil {
				all[method+" "+path] = op
			}
		}
	}
	return all
}

func TestEachCallNamesItsHospitals(t *testing.T) {
	all := operations(Build("https://g.example", []*Hospital{parsed(t, "north"), parsed(t, "south"), routed()}))
	got := map[string]string{}
	for name, op := range all {
		got[name] = strings.Join(op.Parameters[0].Schema.Enum, " ")
	}
	require.Equal(t, map[string]string{
		"GET /{hospital}":                                 "west",
		"POST /{hospital}":                                "north west",
		"POST /{hospital}/_search":                        "west",
		"GET /{hospital}/_history":                        "north",
		"GET /{hospital}/metadata":                        "north south west",
		"GET /{hospital}/$export":                         "north",
		"POST /{hospital}/$export":                        "north",
		"POST /{hospital}/$convert":                       "west",
		"GET /{hospital}/Patient":                         "north south west",
		"POST /{hospital}/Patient":                        "north",
		"PUT /{hospital}/Patient":                         "west",
		"PATCH /{hospital}/Patient":                       "west",
		"DELETE /{hospital}/Patient":                      "north",
		"POST /{hospital}/Patient/_search":                "north south west",
		"GET /{hospital}/Patient/{id}":                    "north south west",
		"PUT /{hospital}/Patient/{id}":                    "north west",
		"PATCH /{hospital}/Patient/{id}":                  "south west",
		"DELETE /{hospital}/Patient/{id}":                 "north",
		"GET /{hospital}/Patient/{id}/_history":           "north",
		"GET /{hospital}/Patient/{id}/_history/{version}": "north",
		"GET /{hospital}/Patient/$everything":             "north",
		"POST /{hospital}/Patient/$everything":            "north",
		"GET /{hospital}/Patient/{id}/$everything":        "north",
		"POST /{hospital}/Patient/{id}/$everything":       "north",
		"POST /{hospital}/Patient/$own-thing":             "north",
		"POST /{hospital}/Patient/{id}/$own-thing":        "north",
		"POST /{hospital}/Patient/$match":                 "west",
		"GET /{hospital}/Binary/{id}":                     "north",
		"POST /{hospital}/Binary":                         "north",
		"GET /{hospital}/Observation":                     "south",
		"POST /{hospital}/Observation/_search":            "south",
		"GET /{hospital}/Observation/_history":            "south",
	}, got)
}

// What a validator of schemas does not see: ids are unique, each part of a path is
// a parameter, no parameter comes twice, each reference leads somewhere.
func TestTheDocumentIsConsistent(t *testing.T) {
	d := Build("https://g.example", []*Hospital{parsed(t, "north"), parsed(t, "south"), routed()})
	ids := map[string]string{}
	tags := map[string]bool{}
	for _, tag := range d.Tags {
		require.False(t, tags[tag.Name])
		tags[tag.Name] = true
	}
	for name, op := range operations(d) {
		require.Empty(t, ids[op.OperationID], "%s and %s are both %s", name, ids[op.OperationID], op.OperationID)
		ids[op.OperationID] = name
		for _, tag := range op.Tags {
			require.True(t, tags[tag], "%s has the tag %s, which is not declared", name, tag)
		}
		seen := map[string]bool{}
		for _, p := range op.Parameters {
			if p.Ref != "" {
				p = d.Components.Parameters[strings.TrimPrefix(p.Ref, parameterPrefix)]
				require.NotNil(t, p, name)
			}
			require.False(t, seen[p.In+p.Name], "%s has %s twice", name, p.Name)
			seen[p.In+p.Name] = true
		}
		for _, part := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(name, -1) {
			require.True(t, seen["path"+part[1]], "%s does not declare %s", name, part[1])
		}
		for _, way := range op.Security {
			for scheme, scopes := range way {
				require.Contains(t, d.Components.SecuritySchemes, scheme)
				for _, scope := range scopes {
					require.Contains(t, d.Components.SecuritySchemes[schemeOAuth].Flows.ClientCredentials.Scopes, scope)
				}
			}
		}
	}
	refs := regexp.MustCompile(`"\$ref": "#/components/(\w+)/([^"]+)"`).FindAllStringSubmatch(string(written(t, d)), -1)
	require.NotEmpty(t, refs)
	known := map[string][]string{
		"schemas": sortedKeys(d.Components.Schemas), "responses": sortedKeys(d.Components.Responses),
		"parameters": sortedKeys(d.Components.Parameters), "headers": sortedKeys(d.Components.Headers),
	}
	for _, ref := range refs {
		require.True(t, slices.Contains(known[ref[1]], ref[2]), ref[0])
	}
}

// Two names that become one operationId stay two operations.
func TestOperationIDsThatClash(t *testing.T) {
	h := FromRoute("h", "H", map[string][]string{"Patient": {"read"}}, map[string][]string{"Patient": {"$a-b", "$aB", "$a_b", "$aB2"}})
	seen := map[string]bool{}
	for name, op := range operations(Build("https://g.example", []*Hospital{h})) {
		require.False(t, seen[op.OperationID], "%s %s", name, op.OperationID)
		seen[op.OperationID] = true
	}
	require.Len(t, seen, 1+1+8)
}

func TestParseRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"no JSON":        {`<html>`, "hospital h1: its CapabilityStatement cannot be read"},
		"half":           {`{"resourceType":"CapabilityStatement"`, "hospital h1: its CapabilityStatement cannot be read"},
		"nothing":        {``, "hospital h1: its CapabilityStatement cannot be read"},
		"an outcome":     {`{"resourceType":"OperationOutcome"}`, "hospital h1: what it answers is no CapabilityStatement"},
		"null":           {`null`, "hospital h1: what it answers is no CapabilityStatement"},
		"a wrong kind":   {`{"resourceType":"CapabilityStatement","rest":{}}`, "hospital h1: its CapabilityStatement cannot be read"},
		"a wrong member": {`{"resourceType":"CapabilityStatement","rest":[{"mode":"server","resource":[{"type":7}]}]}`, "hospital h1: its CapabilityStatement cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("h1", "H", []byte(tt.body))
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestTheRouteAddsWhatStatementsLeaveOut(t *testing.T) {
	h := parsed(t, "south")
	h.AddRoute(map[string][]string{"Patient": {"conditional-patch", "conditional-update", "delete"}, "Device": {"read"}}, map[string][]string{"Patient": {"$validate"}})
	all := operations(Build("https://g.example", []*Hospital{h}))
	require.Contains(t, all, "PATCH /{hospital}/Patient")
	require.Contains(t, all, "POST /{hospital}/Patient/$validate")
	for _, not := range []string{"PUT /{hospital}/Patient", "DELETE /{hospital}/Patient/{id}", "GET /{hospital}/Device/{id}"} {
		require.NotContains(t, all, not)
	}
}

// A statement that lists without end does not become a document without end.
func TestListsAreBounded(t *testing.T) {
	var types, parameters, operations []string
	for i := range 2 * maxListed {
		types = append(types, `{"type":"T`+strings.Repeat("x", i%60)+strings.Repeat("y", i/60)+`","interaction":[{"code":"read"}]}`)
		parameters = append(parameters, fmt.Sprintf(`{"name":"p%d","type":"token"}`, i))
		operations = append(operations, fmt.Sprintf(`{"name":"o%d"}`, i))
	}
	types[0] = `{"type":"Patient","interaction":[{"code":"search-type"}],"searchParam":[` + strings.Join(parameters, ",") + `],"operation":[` + strings.Join(operations, ",") + `]}`
	h, err := Parse("h", "H", []byte(`{"resourceType":"CapabilityStatement","rest":[{"mode":"server","resource":[`+strings.Join(types, ",")+`]}]}`))
	require.NoError(t, err)
	require.Len(t, h.types, maxListed)
	require.Len(t, h.types["Patient"].parameters, maxListed)
	require.Len(t, h.types["Patient"].operations, maxListed)
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"north", "south"} {
		body, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		require.NoError(f, err)
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := Parse("h", "H", body)
		if err != nil {
			require.ErrorContains(t, err, "hospital h")
			return
		}
		written(t, Build("https://g.example", []*Hospital{h}))
	})
}

// TestTextsOfHospitalsAreNoMarkup gives a hospital's documentation to viewers that
// take CommonMark and HTML.
func TestTextsOfHospitalsAreNoMarkup(t *testing.T) {
	h, err := Parse("east", "East", []byte(`{"resourceType":"CapabilityStatement","rest":[{"mode":"server","resource":[{"type":"Patient",
		"interaction":[{"code":"search-type"}],"searchParam":[{"name":"name","type":"string",
		"documentation":"<form action=/logout method=post><button>Log in again</button></form> [Log in](https://evil.example) ![](https://evil.example/p)"}]}]}]}`))
	require.NoError(t, err)
	body := written(t, Build("https://gate.example", []*Hospital{h}))
	var doc Document
	require.NoError(t, json.Unmarshal(body, &doc))
	found := false
	for _, p := range doc.Paths["/{hospital}/Patient"].Get.Parameters {
		if p.Name == "name" {
			found = true
			require.Contains(t, p.Description, "Log in again")
			require.NotContains(t, p.Description, "<")
			require.Contains(t, p.Description, `\[Log in\](https`)
			require.NotRegexp(t, `(^|[^\\])[\[\]]`, p.Description)
		}
	}
	require.True(t, found)
}
