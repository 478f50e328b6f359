package transforms

import (
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const schemaFile = "vendor.schema.json"

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile(schemaFile)
	require.NoError(t, err)
	return compiled
}

func valid(t *testing.T, schema *jsonschema.Schema, data []byte) error {
	t.Helper()
	var instance any
	require.NoError(t, yaml.Unmarshal(data, &instance))
	return schema.Validate(instance)
}

func TestTheSchemaTakesTheShippedFiles(t *testing.T) {
	schema := schema(t)
	names, err := fs.Glob(Shipped, "*.yaml")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, testSuffix) {
			continue
		}
		data, err := fs.ReadFile(Shipped, name)
		require.NoError(t, err)
		require.NoError(t, valid(t, schema, data), name)
		require.True(t, strings.HasPrefix(string(data), "# yaml-language-server: $schema="+schemaFile+"\n"), "%s tells editors its schema", name)
	}
}

func TestTheSchemaRefusesWhatTheLoaderRefuses(t *testing.T) {
	schema := schema(t)
	require.NoError(t, valid(t, schema, []byte(good)))
	for _, change := range [][2]string{
		{"version: 1", "version: 2"},
		{"vendor: acme", "vendor: Acme!"},
		{"request:", "response: []\nrequest:"},
		{"name: small pages", "name: ''"},
		{"type: Patient", "type: []"},
		{"search-type", "search-typ"},
		{"param.cap", "param.cpa"},
		{"- param.cap: {name: _count, max: 100}\n      - param.default", "- param.cap: {name: _count, max: 100}\n        param.default"},
		{"param.cap: {name: _count, max: 100}", "{}"},
		{"param.cap: {name: _count, max: 100}", "param.cap:"},
		{", max: 100", ""},
		{"max: 100", "max: 0"},
		{"name: _count", "name: '_count:x'"},
		{"{var: site}", "{env: site}"},
		{"{var: site}", "''"},
		{`[patient, "name,birthdate"]`, "[]"},
		{"name,birthdate", "name,,birthdate"},
		{"name: Accept", "name: 'A ccept'"},
		{"type: Patient", "hospital: Harbor"},
		{"type: Patient", "param: 'a:b'"},
		{"type: Patient", "header: []"},
		{"    do:\n", "    unless: {}\n    do:\n"},
		{`param.requireAny: [patient, "name,birthdate"]`, "param.exclusive: [date]"},
		{"header.set: {name: Accept, value: text/plain}", "header.drop: []"},
		{"param.cap: {name: _count, max: 100}", "search.split: {param: a}"},
		{"param.cap: {name: _count, max: 100}", "search.post: {a: b}"},
		{"param.cap: {name: _count, max: 100}", "alternate: {url: /x, answer: {resource: {id: x}}}"},
		{"param.cap: {name: _count, max: 100}", "alternate: {url: x, answer: {resource: {resourceType: Patient}}}"},
		{"param.cap: {name: _count, max: 100}", "alternate: {url: /x, query: {a: {param: b, bound: to}}, answer: {resource: {resourceType: Patient}}}"},
	} {
		changed := []byte(strings.Replace(good, change[0], change[1], 1))
		require.NotEqual(t, good, string(changed))
		require.Error(t, valid(t, schema, changed), change[1])
		_, problems := Parse("acme.yaml", changed)
		require.NotEmpty(t, problems, change[1])
	}
}

// TestTheSchemaHasTheVocabulary compares the words of the schema with those of
// the forms that the loader decodes.
func TestTheSchemaHasTheVocabulary(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	var root map[string]any
	require.NoError(t, yaml.Unmarshal(data, &root)) // JSON is YAML
	definitions := root["$defs"].(map[string]any)
	words := func(definition any) []string {
		return slices.Sorted(maps.Keys(definition.(map[string]any)["properties"].(map[string]any)))
	}
	require.Equal(t, keys(file{}), words(root))
	require.Equal(t, keys(fileRule{}), words(definitions["rule"]))
	require.Equal(t, keys(fileWhen{}), words(definitions["when"]))
	require.Equal(t, keys(step{}), words(definitions["step"]))

	var listed []string
	for _, word := range definitions["interaction"].(map[string]any)["enum"].([]any) {
		listed = append(listed, word.(string))
	}
	require.ElementsMatch(t, interactions, listed)

	steps := definitions["step"].(map[string]any)["properties"].(map[string]any)
	forms := reflect.TypeFor[step]()
	for i := range forms.NumField() {
		name, form := forms.Field(i).Tag.Get("yaml"), forms.Field(i).Type.Elem()
		definition := steps[name].(map[string]any)
		if ref, ok := definition["$ref"].(string); ok {
			definition = definitions[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		}
		if form.Kind() == reflect.Struct {
			require.Equal(t, keys(reflect.New(form).Elem().Interface()), words(definition), name)
		} else {
			require.Equal(t, "array", definition["type"], name)
		}
	}
}

// keys returns the yaml keys of a struct, sorted.
func keys(form any) []string {
	var out []string
	for i := range reflect.TypeOf(form).NumField() {
		if key := reflect.TypeOf(form).Field(i).Tag.Get("yaml"); key != "" {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}
