package routes

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"fhirgate/fhir"
)

const schemaFile = "route.schema.json"

// TestTheSchemaAgreesWithTheLoader changes a good file and asks both: what the
// loader refuses without knowing the world, the schema refuses as well.
func TestTheSchemaAgreesWithTheLoader(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	require.NoError(t, err)
	t.Setenv("SOME_SECRET", "x")
	for name, tc := range map[string]struct {
		old, new string
		good     bool
	}{
		"as it is":         {"", "", true},
		"version":          {"version: 1", "version: 2", false},
		"id form":          {"id: st-mary", "id: St_Mary", false},
		"environment":      {"sandbox", "test", false},
		"unknown key":      {"name:", "nmae:", false},
		"unknown upstream": {"  base_url", "  baseurl", false},
		"relative base":    {"https://ehr.st-mary.example", "", false},
		"base with slash":  {"9f2c", "9f2c/", false},
		"bare base":        {"/r4/9f2c", "", true},
		"base with query":  {"9f2c", "9f2c?a=b", false},
		"base with user":   {"https://", "https://me@", false},
		"type":             {"{Patient: [read", "{patient: [read", false},
		"interaction":      {"search-type", "search", false},
		"system":           {"system: [batch]", "system: [read]", false},
		"operation":        {`"$everything"`, "everything", false},
		"only operations":  {"interactions: {Patient: [read, search-type], DocumentReference: [create, conditional-create], system: [batch]}\n", "", true},
		"accept":           {"time_zone", "accept: [token, api-key+certificate]\ntime_zone", true},
		"accept nothing":   {"time_zone", "accept: []\ntime_zone", false},
		"unknown way":      {"time_zone", "accept: [password]\ntime_zone", false},
		"deny":             {"time_zone", "deny: [{type: \"*\", where: \"_security=R\"}, {type: Observation}]\ntime_zone", true},
		"deny lower case":  {"time_zone", "deny: [{type: observation}]\ntime_zone", false},
		"vars":             {"time_zone", "vars: {mrn_system: \"urn:x\"}\ntime_zone", true},
		"all upstream":     {"interactions:", "  aliases: [\"http://a.example\"]\n  link_hosts: [\"b.example:8443\"]\n  headers: {Epic-Client-ID: x}\n  timeouts: {connect: 1m30s, first_byte: 500ms, idle: 1h}\n  private_network: true\ninteractions:", true},
		"timeout":          {"interactions:", "  timeouts: {connect: soon}\ninteractions:", false},
		"link host":        {"interactions:", "  link_hosts: [\"https://x\"]\ninteractions:", false},
		"auth none":        {"interactions:", "  auth: {kind: none}\ninteractions:", true},
		"auth bearer":      {"interactions:", "  auth: {kind: bearer, token: {env: SOME_SECRET}}\ninteractions:", true},
		"auth basic":       {"interactions:", "  auth: {kind: basic, username: u, password: {env: SOME_SECRET}}\ninteractions:", true},
		"auth secret":      {"interactions:", "  auth: {kind: client_secret_post, token_url: discover, client_id: c, client_secret: {env: SOME_SECRET}, scope: [a]}\ninteractions:", true},
		"auth smart":       {"interactions:", "  auth: {kind: smart-backend, token_url: \"https://t.example\", client_id: {env: SOME_SECRET}, key: {env: SOME_SECRET}, alg: ES384, key_id: k}\ninteractions:", true},
		"auth kind":        {"interactions:", "  auth: {kind: basci}\ninteractions:", false},
		"auth field":       {"interactions:", "  auth: {kind: bearer}\ninteractions:", false},
		"foreign field":    {"interactions:", "  auth: {kind: none, alg: RS384}\ninteractions:", false},
		"foreign scope":    {"interactions:", "  auth: {kind: bearer, token: {env: SOME_SECRET}, scope: [a]}\ninteractions:", false},
		"secret in file":   {"interactions:", "  auth: {kind: bearer, token: abc}\ninteractions:", false},
		"token url":        {"interactions:", "  auth: {kind: client_secret_post, token_url: /token, client_id: c, client_secret: {env: SOME_SECRET}}\ninteractions:", false},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(good, tc.old, tc.new, 1)
			var instance any
			require.NoError(t, yaml.Unmarshal([]byte(changed), &instance))
			bySchema := schema.Validate(instance)
			_, problems := Parse("routes/st-mary.yaml", []byte(changed))
			require.Equal(t, tc.good, bySchema == nil, "the schema says: %v", bySchema)
			require.Equal(t, tc.good, len(problems) == 0, "the loader says: %v", problems)
		})
	}
}

// TestTheSchemaHasTheVocabulary compares the words of the schema with those of
// the structs that the loader decodes.
func TestTheSchemaHasTheVocabulary(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	var root map[string]any
	require.NoError(t, yaml.Unmarshal(data, &root)) // JSON is YAML
	below := func(from map[string]any, path ...string) map[string]any {
		for _, key := range path {
			from = from[key].(map[string]any)
		}
		return from
	}
	upstream, auth := below(root, "$defs", "upstream", "properties"), below(root, "$defs", "auth", "properties")
	require.Equal(t, keys[Route](), slices.Sorted(maps.Keys(below(root, "properties"))))
	require.Equal(t, keys[Upstream](), slices.Sorted(maps.Keys(upstream)))
	require.Equal(t, keys[Auth](), slices.Sorted(maps.Keys(auth)))
	require.Equal(t, keys[Budget](), slices.Sorted(maps.Keys(below(root, "$defs", "budget", "properties"))))
	require.Equal(t, keys[ClientCert](), slices.Sorted(maps.Keys(below(upstream, "client_cert", "properties"))))
	resilience := below(root, "$defs", "resilience", "properties")
	require.Equal(t, keys[Resilience](), slices.Sorted(maps.Keys(resilience)))
	require.Equal(t, keys[Breaker](), slices.Sorted(maps.Keys(below(resilience, "breaker", "properties"))))
	require.Equal(t, keys[Timeouts](), slices.Sorted(maps.Keys(below(upstream, "timeouts", "properties"))))

	require.ElementsMatch(t, slices.Collect(maps.Keys(authFields)), below(auth, "kind")["enum"])
	require.ElementsMatch(t, algorithms, below(auth, "alg")["enum"])
	require.ElementsMatch(t, Ways, below(root, "properties", "accept", "items")["enum"])
	require.Equal(t, keys[Denial](), slices.Sorted(maps.Keys(below(root, "properties", "deny", "items", "properties"))))
	interactions := below(root, "properties", "interactions")
	require.ElementsMatch(t, words(fhir.SystemInteractions), below(interactions, "properties", System, "items")["enum"])
	require.ElementsMatch(t, words(fhir.TypeInteractions), below(interactions, "patternProperties", "^[A-Z][A-Za-z]+$", "items")["enum"])
}

// keys returns the yaml keys of a struct, sorted.
func keys[T any]() []string {
	var out []string
	for i := range reflect.TypeFor[T]().NumField() {
		if key := reflect.TypeFor[T]().Field(i).Tag.Get("yaml"); key != "" && key != "-" {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}
