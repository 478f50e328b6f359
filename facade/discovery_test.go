package facade

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/policies/smart"
)

// discoveryBench has a consumer "viewer", who may read patients of harbor and
// nothing else.
func discoveryBench(t *testing.T) *bench {
	b := newBench(t, nil)
	plan := *b.facade.Snapshot().Plans["harbor-only"]
	plan.ID, plan.Clinical = "viewer", scopesOf(t, "system/Patient.r")
	b.facade.Snapshot().Plans["viewer"] = &plan
	b.consumers.add("viewer", Consumer{PlanID: "viewer"})
	return b
}

func scopesOf(t *testing.T, texts ...string) *smart.Scopes {
	t.Helper()
	scopes, err := smart.Parse(texts)
	require.NoError(t, err)
	return scopes
}

// anonymous calls without a credential.
func (b *bench) anonymous(method, path string, header ...string) answer {
	b.t.Helper()
	return b.call(method, path, "", append([]string{"Authorization", ""}, header...)...)
}

func TestDiscoveryWithoutACredential(t *testing.T) {
	b := discoveryBench(t)
	for _, document := range []string{"metadata", ".well-known/smart-configuration"} {
		base := b.anonymous("GET", "/fhir/"+document)
		known := b.anonymous("GET", "/fhir/harbor/"+document)
		unknown := b.anonymous("GET", "/fhir/harbar/"+document)
		for _, a := range []answer{base, known, unknown} {
			require.Equal(t, http.StatusOK, a.StatusCode, "%s", a.body)
			require.Equal(t, "public, max-age=3600", a.Header.Get("Cache-Control"))
			require.Equal(t, "Authorization, X-Api-Key", a.Header.Get("Vary"))
			require.True(t, json.Valid(a.body))
		}
		require.Equal(t, string(known.body), strings.ReplaceAll(string(unknown.body), "/fhir/harbar", "/fhir/harbor"), document)
		known.Header.Del("X-Request-Id")
		unknown.Header.Del("X-Request-Id")
		known.Header.Del("Date")
		unknown.Header.Del("Date")
		require.Equal(t, known.Header, unknown.Header, document)

		head := b.anonymous("HEAD", "/fhir/harbor/"+document)
		require.Equal(t, http.StatusOK, head.StatusCode)
		require.Empty(t, head.body)
		require.Equal(t, known.ContentLength, head.ContentLength)
	}
	require.Zero(t, b.hospitalCalls(), "no hospital is asked")
	require.Empty(t, b.limiter.costs, "nobody is charged")
}

func TestTheSmartConfiguration(t *testing.T) {
	b := discoveryBench(t)
	a := b.anonymous("GET", "/fhir/.well-known/smart-configuration", "Accept", "text/html")
	require.Equal(t, "application/json", a.Header.Get("Content-Type"))
	require.JSONEq(t, `{
		"token_endpoint": "`+b.server.URL+`/oauth/token",
		"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
		"token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
		"revocation_endpoint": "`+b.server.URL+`/oauth/revoke",
		"grant_types_supported": ["client_credentials"],
		"scopes_supported": ["system/*.cruds"],
		"code_challenge_methods_supported": ["S256"],
		"capabilities": ["client-confidential-symmetric", "client-confidential-asymmetric", "permission-v1", "permission-v2"]
	}`, string(a.body))

	b.facade.people = true
	a = b.anonymous("GET", "/fhir/.well-known/smart-configuration")
	require.Contains(t, string(a.body), `"permission-patient","permission-user"`)
	require.Contains(t, string(a.body), `["system/*.cruds","user/*.cruds","patient/*.cruds"]`)

	for _, path := range []string{"/fhir/", "/fhir/harbor/"} {
		a = b.call("GET", path+".well-known/smart-configuration", "", "Authorization", "Bearer viewer")
		require.Equal(t, http.StatusOK, a.StatusCode)
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
		require.Equal(t, "Authorization, X-Api-Key", a.Header.Get("Vary"))
		require.Equal(t, `["system/Patient.r"]`, gjson.GetBytes(a.body, "scopes_supported").Raw)
	}
}

func TestTheGatewaysOwnStatement(t *testing.T) {
	b := discoveryBench(t)
	a := b.anonymous("GET", "/fhir/metadata")
	require.Equal(t, "application/fhir+json; charset=utf-8", a.Header.Get("Content-Type"))
	statement := gjson.ParseBytes(a.body)
	require.Equal(t, "CapabilityStatement", statement.Get("resourceType").Str)
	require.Equal(t, b.server.URL+"/fhir", statement.Get("implementation.url").Str)
	require.Equal(t, b.server.URL+"/oauth/token", statement.Get(`rest.0.security.extension.0.extension.#(url=="token").valueUri`).Str)
	require.Equal(t, "SMART-on-FHIR", statement.Get("rest.0.security.service.0.coding.0.code").Str)
	require.NotContains(t, string(a.body), "harbor")

	for key, want := range map[string]string{
		aliceKey:     "The caller's plan reaches harbor, lakeside, st-mary. Each is",
		"viewer":     "The caller's plan reaches harbor. Each is",
		"production": "The caller's plan reaches no hospital.",
	} {
		a = b.call("GET", "/fhir/metadata", "", "Authorization", "Bearer "+key)
		require.Equal(t, http.StatusOK, a.StatusCode)
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
		require.True(t, strings.HasPrefix(gjson.GetBytes(a.body, "rest.0.documentation").Str, want), "%s", a.body)
	}
	require.Equal(t, b.server.URL+"/fhir/anything", gjson.GetBytes(b.anonymous("GET", "/fhir/anything/metadata").body, "implementation.url").Str)
}

func TestDiscoveryRefuses(t *testing.T) {
	b := discoveryBench(t)
	gone := *b.facade.Snapshot().Plans["all"]
	gone.Active = false
	b.facade.Snapshot().Plans["inactive"] = &gone
	b.consumers.add("inactive", Consumer{PlanID: "inactive"})
	for name, tc := range map[string]struct {
		method, path string
		header       []string
		status       int
	}{
		"unknown key":                    {"GET", "/fhir/metadata", []string{"Authorization", "Bearer none"}, 401},
		"unknown key, a hospital":        {"GET", "/fhir/harbor/metadata", []string{"Authorization", "Bearer none"}, 401},
		"unknown key, configuration":     {"GET", "/fhir/.well-known/smart-configuration", []string{"Authorization", "Bearer none"}, 401},
		"unknown key in the other way":   {"GET", "/fhir/metadata", []string{"Authorization", "", "X-Api-Key", "none"}, 401},
		"expired key":                    {"GET", "/fhir/metadata", []string{"Authorization", "Bearer late"}, 401},
		"no key after the scheme":        {"GET", "/fhir/metadata", []string{"Authorization", "Bearer "}, 401},
		"other scheme":                   {"GET", "/fhir/metadata", []string{"Authorization", "Basic eDp5"}, 401},
		"key in the URL":                 {"GET", "/fhir/metadata?access_token=alice", []string{"Authorization", ""}, 401},
		"two keys":                       {"GET", "/fhir/metadata", []string{"X-Api-Key", "bob"}, 401},
		"inactive plan":                  {"GET", "/fhir/metadata", []string{"Authorization", "Bearer inactive"}, 403},
		"inactive plan, configuration":   {"GET", "/fhir/harbor/.well-known/smart-configuration", []string{"Authorization", "Bearer inactive"}, 403},
		"no plan":                        {"GET", "/fhir/metadata", []string{"Authorization", "Bearer no-plan"}, 403},
		"hospital out of reach":          {"GET", "/fhir/lakeside/.well-known/smart-configuration", []string{"Authorization", "Bearer viewer"}, 404},
		"no such hospital":               {"GET", "/fhir/none/.well-known/smart-configuration", nil, 404},
		"no hospital's id":               {"GET", "/fhir/No_Id/metadata", []string{"Authorization", ""}, 401},
		"no hospital's id, elsewhere":    {"GET", "/fhir/No_Id/.well-known/smart-configuration", []string{"Authorization", ""}, 404},
		"store down":                     {"GET", "/fhir/metadata", []string{"Authorization", "Bearer store-down"}, 503},
		"POST":                           {"POST", "/fhir/metadata", nil, 405},
		"PUT to a hospital":              {"PUT", "/fhir/harbor/metadata", []string{"Authorization", ""}, 405},
		"OPTIONS":                        {"OPTIONS", "/fhir/.well-known/smart-configuration", []string{"Authorization", ""}, 405},
		"XML":                            {"GET", "/fhir/metadata", []string{"Authorization", "", "Accept", "application/fhir+xml"}, 406},
		"XML by _format":                 {"GET", "/fhir/metadata?_format=xml", []string{"Authorization", ""}, 406},
		"dot segments":                   {"GET", "/fhir/x/%2e%2e/metadata", []string{"Authorization", ""}, 400},
		"something else that is unknown": {"GET", "/fhir/.well-known/openid-configuration", []string{"Authorization", ""}, 404},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			a := b.call(tc.method, tc.path, "", tc.header...)
			require.Equal(t, tc.status, a.StatusCode, "%s", a.body)
			require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
			if tc.status == http.StatusMethodNotAllowed {
				require.Equal(t, "GET, HEAD", a.Header.Get("Allow"))
			}
		})
	}
}

// A caller who may read patients sees that of the statement, and nothing of what
// would lead to other types.
func TestAHospitalsStatementIsNarrowedToTheCaller(t *testing.T) {
	b := discoveryBench(t)
	wide := b.call("GET", "/fhir/harbor/metadata", "")
	require.Equal(t, http.StatusOK, wide.StatusCode)
	require.Equal(t, "Authorization, X-Api-Key", wide.Header.Get("Vary"))
	require.Equal(t, "no-store", wide.Header.Get("Cache-Control"))
	require.Greater(t, len(gjson.GetBytes(wide.body, "rest.0.resource").Array()), 5)
	require.Contains(t, gjson.GetBytes(wide.body, "rest.0.interaction").Raw, "history-system")

	a := b.call("GET", "/fhir/harbor/metadata", "", "Authorization", "Bearer viewer")
	require.Equal(t, http.StatusOK, a.StatusCode, "%s", a.body)
	rest := gjson.GetBytes(a.body, "rest.0")
	require.Equal(t, `["Patient"]`, rest.Get("resource.#.type").Raw)
	require.Equal(t, `["read","vread","history-instance"]`, rest.Get("resource.0.interaction.#.code").Raw)
	require.False(t, rest.Get("resource.0.conditionalCreate").Exists())
	require.Equal(t, `["transaction","batch"]`, rest.Get("interaction.#.code").Raw, "their entries are permitted one by one")
	require.Equal(t, b.server.URL+"/oauth/token", rest.Get(`security.extension.0.extension.0.valueUri`).Str)
}

func TestIncludesOutOfScopeAreLeftOut(t *testing.T) {
	b := discoveryBench(t)
	b.facade.Snapshot().Plans["viewer"].Clinical = scopesOf(t, "system/Observation.rs", "system/Patient.r")
	c := &call{snapshot: b.facade.Snapshot(), hospital: b.facade.Snapshot().Hospitals["harbor"], consumer: b.consumers["viewer"]}
	c.access = accessOf(c.consumer, c.plan(), c.hospital)
	narrowed, err := c.narrowResource(`{"type":"Observation",
		"interaction":[{"code":"read"},{"code":"search-type"},{"code":"create"}],
		"searchInclude":["Observation:patient","Observation:encounter","*"],
		"searchRevInclude":["DocumentReference:related"]}`, "Observation")
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"Observation",
		"interaction":[{"code":"read"},{"code":"search-type"}],
		"searchInclude":["Observation:patient"]}`, narrowed)
}

// TestStatementsAreValid asks the official JSON schema of R4.
func TestStatementsAreValid(t *testing.T) {
	const validator = "../test/clients"
	require.DirExists(t, filepath.Join(validator, "node_modules"), "make test/clients/node_modules fetches the validator")
	b := discoveryBench(t)
	type specimen struct {
		Name     string          `json:"name"`
		Resource json.RawMessage `json:"resource"`
	}
	specimens := []specimen{{"broken", json.RawMessage(`{"resourceType":"CapabilityStatement","rest":[{"modes":"server"}]}`)}}
	for _, path := range []string{"/fhir/metadata", "/fhir/harbor/metadata", "/fhir/lakeside/metadata", "/fhir/st-mary/metadata"} {
		for _, key := range []string{"", "Bearer " + aliceKey} {
			a := b.call("GET", path, "", "Authorization", key)
			require.Equal(t, http.StatusOK, a.StatusCode)
			specimens = append(specimens, specimen{path + " " + key, a.body})
			for _, demanded := range []string{"status", "date", "kind", "fhirVersion", "format.0", "rest.0.mode"} {
				require.NotEmpty(t, gjson.GetBytes(a.body, demanded).Str, "%s of %s", demanded, path)
			}
		}
	}
	data, err := json.Marshal(specimens)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "specimens.json")
	require.NoError(t, os.WriteFile(file, data, 0o600))
	cmd := exec.CommandContext(t.Context(), "node", "validate.mjs", file)
	cmd.Dir = validator
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, `["broken"]`, gjson.GetBytes(out, "#.name").Raw, "%s", out)
}
