package policies

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// The schema is not beside the plans, where it would be read as one.
const schemaFile = "schema/plan.schema.json"

// TestTheSchemaAgreesWithTheLoader asks both about good and bad plans.
func TestTheSchemaAgreesWithTheLoader(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	require.NoError(t, err)
	good := trial(t)
	change := func(old, text string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, text, 1)
	}
	for name, tc := range map[string]struct {
		text string
		good bool
	}{
		"as it is":             {good, true},
		"for editors":          {change(`{`, `{"$schema": "schema/plan.schema.json", `), true},
		"id form":              {change(`"trial"`, `"Trial"`), false},
		"unknown key":          {change(`"rate"`, `"rates"`), false},
		"fraction":             {change(`"rate": 100`, `"rate": 1.5`), false},
		"no rate":              {change(`"rate": 100`, `"rate": 0`), true},
		"no quota":             {change(`"quota_max": 100000`, `"quota_max": -1`), true},
		"quota without a time": {change(`86400`, `0`), false},
		"rights":               {change(`"fhir": {`, `"other": {`), false},
		"no hospitals":         {change(`["*"]`, `[]`), false},
		"empty hospital":       {change(`["*"]`, `[""]`), false},
		"environment":          {change(`["sandbox"]`, `["test"]`), false},
		"burst":                {change(`500`, `-1`), false},
		"no scopes":            {withScopes(t, `[]`), false},
		"only raw":             {withScopes(t, `["fhirgate/raw"]`), false},
		"raw":                  {withScopes(t, `["fhirgate/raw", "system/*.cruds"]`), true},
		"version 1":            {withScopes(t, `["patient/Patient.read", "user/*.*", "system/Patient.write"]`), true},
		"constraint":           {withScopes(t, `["system/Observation.rs?category=laboratory"]`), true},
		"no action":            {withScopes(t, `["system/Patient."]`), false},
		"actions in disorder":  {withScopes(t, `["system/Patient.sr"]`), false},
		"context":              {withScopes(t, `["client/Patient.r"]`), false},
		"requires":             {withMember(t, `"requires": ["purpose", "on-behalf-of"]`), true},
		"requires what":        {withMember(t, `"requires": ["reason"]`), false},
		"cost":                 {withMember(t, `"cost": {"read": 0, "search_step": 20, "default_count": 100, "operations": {"$match": 3}}`), true},
		"cost key":             {withMember(t, `"cost": {"raed": 0}`), false},
		"cost negative":        {withMember(t, `"cost": {"read": -1}`), false},
		"cost too large":       {withMember(t, `"cost": {"read": 4294967296}`), false},
		"cost step":            {withMember(t, `"cost": {"search_step": 0}`), false},
		"cost count":           {withMember(t, `"cost": {"default_count": 1001}`), false},
		"cost operation":       {withMember(t, `"cost": {"operations": {"match": 3}}`), false},
		"cost operation units": {withMember(t, `"cost": {"operations": {"$match": -3}}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := Parse("trial.json", []byte(tc.text))
			require.Equal(t, tc.good, len(problems) == 0, "the loader: %v", problems)
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(tc.text))
			require.NoError(t, err)
			err = schema.Validate(value)
			require.Equal(t, tc.good, err == nil, "the schema: %v", err)
		})
	}
}

// TestTheSchemaHasTheVocabulary compares the words and defaults of the schema
// with those of the loader.
func TestTheSchemaHasTheVocabulary(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	var root map[string]any
	require.NoError(t, json.Unmarshal(data, &root))
	below := func(path ...string) map[string]any {
		at := root
		for _, key := range path {
			at = at[key].(map[string]any)
		}
		return at
	}
	cost := below("$defs", "cost", "properties")
	require.Equal(t, keys[file](), slices.Sorted(maps.Keys(below("properties"))))
	require.Equal(t, keys[access](), slices.Sorted(maps.Keys(below("properties", "access_rights", "properties", "fhir", "properties"))))
	require.Equal(t, keys[meta](), slices.Sorted(maps.Keys(below("$defs", "fhirgate", "properties"))))
	require.Equal(t, keys[Cost](), slices.Sorted(maps.Keys(cost)))

	defaults := reflect.ValueOf(*DefaultCost())
	for field := range defaults.NumField() {
		key := defaults.Type().Field(field).Tag.Get("yaml")
		if key != "operations" {
			require.EqualValues(t, defaults.Field(field).Uint(), cost[key].(map[string]any)["default"], key)
		}
	}
}

// keys returns the yaml keys of a struct, sorted.
func keys[T any]() []string {
	var out []string
	for i := range reflect.TypeFor[T]().NumField() {
		out = append(out, reflect.TypeFor[T]().Field(i).Tag.Get("yaml"))
	}
	slices.Sort(out)
	return out
}
