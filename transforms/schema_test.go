package transforms

import (
	"encoding/json"
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

	"fhirgate/transforms/resource"
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
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal(data, &document))
	datesAreTexts(&document)
	var instance any
	require.NoError(t, document.Decode(&instance))
	return schema.Validate(instance)
}

// datesAreTexts makes dates texts, as they are for editors and for the loader.
func datesAreTexts(n *yaml.Node) {
	if n.Tag == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, child := range n.Content {
		datesAreTexts(child)
	}
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
		{"request:", "respond: []\nrequest:"},
		{"request:", "limits: {bare_429: soon}\nrequest:"},
		{"request:", "sources: [{}]\nrequest:"},
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

// TestTheSchemaRefusesWhatTheLoaderRefusesInAnswers puts one mistake at a time
// into the rule for answers of a good file.
func TestTheSchemaRefusesWhatTheLoaderRefusesInAnswers(t *testing.T) {
	schema := schema(t)
	require.NoError(t, valid(t, schema, []byte(goodAnswers)))
	_, problems := Parse("acme.yaml", []byte(goodAnswers))
	require.Empty(t, problems)
	for _, change := range [][2]string{
		{"effect: reversible", "effect: harmless"},
		{"type: Patient", "type: patient!"},
		{"type: Patient", "status: 4x"},
		{"type: Patient", "status: []"},
		{"type: Patient", "body: ''"},
		{"type: Patient", "where: {a*: b}"},
		{"type: Patient", "where: {a: []}"},
		{"type: Patient", "method: GET"},
		{"when: {type: Patient}", "unless: {}"},
		{mapGender, "{}"},
		{mapGender, "code.map:"},
		{mapGender, "param.cap: {name: _count, max: 1}"},
		{mapGender, "require: [birthDate]"},
		{mapGender, "reference.relative: {path: subject}"},
		{mapGender, "ifMatch.fromVersion: {}"},
		{mapGender, "attachment.inline: {path: content.attachment}"},
		{mapGender, "code.map: {path: gender}"},
		{mapGender, "code.map: {path: gender, map: {}}"},
		{mapGender, "code.map: {path: gender, map: {M: ''}}"},
		{mapGender, "code.map: {path: gender, map: {M: male}, unmapped: drop}"},
		{mapGender, "code.map: {path: gender, map: {M: male}, params: ['a:b']}"},
		{mapGender, "code.map: {path: a.coding, map: {M: male}, from: {system: a}}"},
		{mapGender, "code.map: {path: a.coding, map: {M: male}, from: {system: a}, to: {}}"},
		{mapGender, "set: {path: active}"},
		{mapGender, "set: {path: a..b, value: c}"},
		{mapGender, "set: {path: resourceType, value: Person}"},
		{mapGender, "set: {path: 'name.{a}', value: c}"},
		{mapGender, "default: {path: active, value: ''}"},
		{mapGender, "drop: []"},
		{mapGender, "drop: birthDate"},
		{mapGender, "dropIf: {path: birthDate, is: []}"},
		{mapGender, "dropIf: {path: birthDate, is: [{var: none}]}"},
		{mapGender, "trim: {}"},
		{mapGender, "prefix: {path: identifier.system}"},
		{mapGender, "move: {from: a}"},
		{mapGender, "move: {from: a, to: b, lossy: perhaps}"},
		{mapGender, "copy: {to: a}"},
		{mapGender, "coding.keepOnly: {path: type.coding, systems: []}"},
		{mapGender, "time.ensure: {path: date, at: noon}"},
		{mapGender, "identifier.system: {system: a}"},
		{mapGender, "identifier.system: {system: a, where: {system: b}}"},
		{mapGender, "identifier.system: {system: a, where: {use: ''}}"},
		{mapGender, "absent.drop: []"},
		{mapGender, "name.currentFirst: {path: ''}"},
		{mapGender, "patient.merged: {path: meta}"},
		{mapGender, "total.drop: {a: b}"},
		{mapGender, "outcome.drop: []"},
		{mapGender, "outcome.warn: ['']"},
		{mapGender, "status.set: 200"},
		{mapGender, "issue: {code: oops, text: a}"},
		{mapGender, "issue: {code: throttled}"},
		{mapGender, "retryAfter: {}"},
		{mapGender, "retryAfter: {until: hour}"},
		{mapGender, "retryAfter: {after: soon}"},
		{mapGender, "retryAfter: {until: day, after: 30s}"},
		{mapGender, "success.if: {path: success, is: true}"},
		{mapGender, "success.if: {path: success, is: [], text: a}"},
		{mapGender, "success.if: {path: success, is: true, text: a, status: 200}"},
	} {
		changed := []byte(strings.Replace(goodAnswers, change[0], change[1], 1))
		require.NotEqual(t, goodAnswers, string(changed))
		require.Error(t, valid(t, schema, changed), change[1])
		_, problems := Parse("acme.yaml", changed)
		require.NotEmpty(t, problems, change[1])
	}
}

// TestTheSchemaHasTheVocabulary compares the words of the schema with those of
// the forms that the loader decodes, from the file down to the last key.
func TestTheSchemaHasTheVocabulary(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	var root definition
	require.NoError(t, json.Unmarshal(data, &root))
	definitions := definitions(root["$defs"].(definition))
	definitions.compare(t, "file", reflect.TypeFor[file](), root)

	listed := func(place ...string) []string {
		d := definition(definitions)
		for _, name := range place {
			d = d[name].(definition)
		}
		var words []string
		for _, word := range d["enum"].([]any) {
			words = append(words, word.(string))
		}
		return words
	}
	require.ElementsMatch(t, interactions, listed("interaction"))
	require.ElementsMatch(t, issueCodes, listed("answerStep", "properties", "issue", "properties", "code"))
}

// definition is a part of the schema.
type definition = map[string]any

// definitions are the parts that others refer to.
type definitions definition

// resolve returns what d says, and what the definition says that it refers to.
func (ds definitions) resolve(d definition) definition {
	ref, ok := d["$ref"].(string)
	if !ok {
		return d
	}
	out := maps.Clone(ds.resolve(ds[strings.TrimPrefix(ref, "#/$defs/")].(definition)))
	maps.Copy(out, d)
	return out
}

var readsItself = reflect.TypeFor[yaml.Unmarshaler]()

// compare requires that the definition d has the keys of a form, each with a
// description for editors, and so on for the forms of the keys.
func (ds definitions) compare(t *testing.T, place string, form reflect.Type, d definition) {
	t.Helper()
	d = ds.resolve(d)
	if form.Kind() == reflect.Pointer {
		form = form.Elem()
	}
	switch {
	case reflect.PointerTo(form).Implements(readsItself):
	case form.Kind() == reflect.Struct:
		properties, ok := d["properties"].(definition)
		require.True(t, ok, "%s has no properties", place)
		require.Equal(t, keys(form), slices.Sorted(maps.Keys(properties)), place)
		require.Equal(t, false, d["additionalProperties"], place)
		for _, field := range fields(form) {
			name := field.Tag.Get("yaml")
			property := ds.resolve(properties[name].(definition))
			require.NotEmpty(t, property["description"], "%s.%s has no description", place, name)
			ds.compare(t, place+"."+name, field.Type, property)
		}
		if form == reflect.TypeFor[step]() || form == reflect.TypeFor[answerStep]() {
			require.EqualValues(t, []any{1.0, 1.0}, []any{d["minProperties"], d["maxProperties"]}, "%s is exactly one operation", place)
		}
	case form.Kind() == reflect.Slice:
		require.Equal(t, "array", d["type"], place)
		ds.compare(t, place+"[]", form.Elem(), d["items"].(definition))
	case form.Kind() == reflect.Map:
		require.Equal(t, "object", d["type"], place)
		ds.compare(t, place+"{}", form.Elem(), d["additionalProperties"].(definition))
	}
}

// fields returns the fields of a form that have a key, those of embedded forms
// too, without operations that have no place there.
func fields(form reflect.Type) (found []reflect.StructField) {
	for _, field := range reflect.VisibleFields(form) {
		if field.Tag.Get("yaml") == "" || form == reflect.TypeFor[answerStep]() && oneWay(field.Type) {
			continue
		}
		found = append(found, field)
	}
	return found
}

// oneWay reports whether an operation has a place in requests only.
func oneWay(operation reflect.Type) bool {
	o, ok := reflect.New(operation.Elem()).Interface().(resource.Operation)
	return ok && o.Effect() == resource.OneWay
}

// keys returns the yaml keys of a form, sorted.
func keys(form reflect.Type) (out []string) {
	for _, field := range fields(form) {
		out = append(out, field.Tag.Get("yaml"))
	}
	slices.Sort(out)
	return out
}
