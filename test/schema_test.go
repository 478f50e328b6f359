package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/sandbox"
)

// specimen is a resource to validate.
type specimen struct {
	Name     string          `json:"name"`
	Resource json.RawMessage `json:"resource"`
}

// TestSchema validates what the gateway itself writes against the official
// JSON schema of FHIR R4.
func TestSchema(t *testing.T) {
	installClients(t)
	g := startGateway(t, options{grumbles: true}) // at the spoilt plan
	c := g.newClient(t, "e2e")
	found := refusals(t, c)
	found = append(found, adminRefusals(t, g)...)
	found = append(found, batches(t, c)...)
	for _, day := range hospitalDays {
		statement := c.get("/fhir/" + day.id + "/metadata")
		require.Equal(t, "CapabilityStatement", statement.ok(http.StatusOK).Get("resourceType").Str)
		found = append(found, specimen{"capabilities of " + day.id, statement.body})
	}
	found = append(found, hospitalFaults(t, c)...) // last: the hospital may be left alone after them

	require.Empty(t, invalid(t, found))
	for _, one := range found {
		complete(t, one)
	}
	t.Logf("%d bodies are valid", len(found))

	const good = `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"login"}]}`
	broken := []specimen{
		{"no issue", []byte(`{"resourceType":"OperationOutcome"}`)},
		{"unknown severity", []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"grave","code":"login"}]}`)},
		{"unknown code", []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"oops"}]}`)},
		{"unknown element", []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"login","why":"x"}]}`)},
		{"unknown version", []byte(`{"resourceType":"CapabilityStatement","fhirVersion":"9.0.0"}`)},
		{"broken inside", []byte(`{"resourceType":"Bundle","type":"batch-response","entry":[{"response":{"outcome":{"resourceType":"OperationOutcome","issue":[{"why":1}]}}}]}`)},
		{"no type", []byte(`{}`)},
	}
	var names []string
	for _, one := range broken {
		names = append(names, one.Name)
	}
	require.Equal(t, names, invalid(t, append(broken, specimen{"good", []byte(good)})), "the validator tells valid from invalid")
}

// complete requires the primitive elements that FHIR demands: the JSON schema
// lets them be absent, for an extension may stand in their place.
func complete(t *testing.T, one specimen) {
	t.Helper()
	resource := gjson.ParseBytes(one.Resource)
	demanded := map[string][]string{
		"OperationOutcome":    {"issue.0.severity", "issue.0.code"},
		"CapabilityStatement": {"status", "date", "kind", "fhirVersion", "format.0"},
		"Bundle":              {"type", "entry.0.response.status"},
	}[resource.Get("resourceType").Str]
	require.NotEmpty(t, demanded, one.Name)
	for _, path := range demanded {
		require.NotEmpty(t, resource.Get(path).Str, "%s: %s of %.500s", one.Name, path, one.Resource)
	}
}

// refusals are calls that the gateway refuses by itself.
func refusals(t *testing.T, c *client) []specimen {
	t.Helper()
	const patient = `{"resourceType":"Patient"}`
	elsewhere := fmt.Sprintf(`{"resourceType":"Observation","subject":{"reference":"%s/fhir/st-mary/Patient/12724065"}}`, c.url)
	var found []specimen
	for _, tc := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     string
	}{
		{"no key", "GET", somewhere, "", []string{"Authorization", ""}, 401, "login"},
		{"unknown key", "GET", somewhere, "", []string{"Authorization", "Bearer fg_x"}, 401, "login"},
		{"unknown hospital", "GET", "/fhir/nowhere/Patient/1", "", nil, 404, "not-found"},
		{"unknown type", "GET", "/fhir/harbor/Patients/1", "", nil, 404, "not-found"},
		{"unknown path", "GET", "/fhir/harbor/Patient/1/2/3", "", nil, 404, "not-found"},
		{"no hospital", "GET", "/fhir/", "", nil, 404, "not-found"},
		{"outside FHIR", "GET", "/elsewhere", "", nil, 404, "not-found"},
		{"invented sealed link", "GET", "/fhir/harbor/_sealed/abc.def", "", nil, 404, "not-found"},
		{"dot segments", "GET", "/fhir/harbor/%2e%2e/Patient/1", "", nil, 400, "invalid"},
		{"bad id", "GET", "/fhir/harbor/Patient/a%20b", "", nil, 400, "value"},
		{"method", "PUT", "/fhir/harbor/metadata", patient, nil, 405, "not-supported"},
		{"unknown method", "BREW", somewhere, "", nil, 405, "not-supported"},
		{"XML by Accept", "GET", somewhere, "", []string{"Accept", "application/fhir+xml"}, 406, "not-supported"},
		{"XML by _format", "GET", somewhere + "?_format=xml", "", nil, 406, "not-supported"},
		{"XML body", "POST", "/fhir/harbor/Patient", "<Patient/>", []string{"Content-Type", "application/fhir+xml"}, 415, "not-supported"},
		{"half JSON", "POST", "/fhir/harbor/Patient", `{"resourceType":"Patient",`, nil, 400, "structure"},
		{"wrong type", "POST", "/fhir/harbor/Patient", `{"resourceType":"Encounter"}`, nil, 400, "invalid"},
		{"other hospital in the body", "POST", "/fhir/harbor/Observation", elsewhere, nil, 422, "value"},
		{"other hospital in a parameter", "GET", "/fhir/harbor/Observation?subject=" + c.url + "/fhir/st-mary/Patient/1", "", nil, 422, "value"},
		{"type not listed", "GET", "/fhir/harbor/Account/1", "", nil, 403, "not-supported"},
		{"interaction not listed", "DELETE", "/fhir/lakeside/Patient/1", "", nil, 403, "not-supported"},
		{"operation not listed", "GET", "/fhir/harbor/Observation/$lastn", "", nil, 403, "not-supported"},
		{"batch not listed", "POST", "/fhir/lakeside", `{"resourceType":"Bundle","type":"batch"}`, nil, 403, "not-supported"},
		{"vendor wants more", "GET", "/fhir/lakeside/Appointment", "", nil, 400, "required"},
		{"refused transaction", "POST", "/fhir/harbor", `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"GET","url":"Account/1"}}]}`, nil, 403, "not-supported"},
	} {
		a := c.call(tc.method, tc.path, tc.body, tc.header...)
		require.Equal(t, tc.status, a.StatusCode, "%s: %s", tc.name, a.body)
		a.refused(tc.status, tc.code)
		found = append(found, own(t, tc.name, a))
	}
	return append(found, tooMany(t, c.gateway), otherKey(t, c))
}

// own returns a body after it made sure that it is the gateway's own.
func own(t *testing.T, name string, a answer) specimen {
	t.Helper()
	require.True(t, gjson.GetBytes(a.body, `issue.0.extension.#(url=="urn:fhirgate:request-id")`).Exists(), "%s: %s", name, a.body)
	return specimen{name, a.body}
}

// tooMany calls more often than a plan allows.
func tooMany(t *testing.T, g *gateway) specimen {
	t.Helper()
	g.writePlan("slow", 1, 0)
	g.mustReload(t)
	c := g.newClient(t, "slow")
	var a answer
	within(t, "the rate holds", func() bool {
		a = c.get(somewhere)
		return a.StatusCode != http.StatusOK
	})
	a.refused(http.StatusTooManyRequests, "throttled")
	return own(t, "too many calls", a)
}

// otherKey follows a sealed link with the key of someone else.
func otherKey(t *testing.T, c *client) specimen {
	t.Helper()
	link := next(c.get("/fhir/harbor/Patient?_count=20").ok(http.StatusOK))
	a := c.with(c.newClient(t, "e2e").key).get(link)
	a.refused(http.StatusForbidden, "forbidden")
	return own(t, "sealed link of another key", a)
}

// adminRefusals are refusals of the admin API.
func adminRefusals(t *testing.T, g *gateway) []specimen {
	t.Helper()
	stranger := (&client{gateway: g, t: t, key: "none"}).get(g.admin + "/admin/keys")
	stranger.ok(http.StatusUnauthorized)
	lost := g.askAdmin(t, http.MethodGet, "/admin/nothing")
	lost.ok(http.StatusNotFound)
	noKey := g.askAdmin(t, http.MethodGet, "/admin/keys/key_none")
	noKey.ok(http.StatusNotFound)
	noBody := g.askAdmin(t, http.MethodPost, "/admin/keys")
	noBody.ok(http.StatusBadRequest)

	g.write("policies/spoilt.json", `{"id": 1, "nonsense": "\u0000"`)
	spoilt := g.askAdmin(t, http.MethodPost, "/admin/reload")
	spoilt.ok(http.StatusUnprocessableEntity)
	require.NoError(t, os.Remove(g.file("policies/spoilt.json")))
	g.mustReload(t)
	return []specimen{
		{"admin: wrong secret", stranger.body},
		{"admin: unknown call", lost.body},
		{"admin: unknown key", noKey.body},
		{"admin: no body", noBody.body},
		{"admin: mistaken files", spoilt.body},
	}
}

// batches are the answer to a batch with refused entries, and the outcome of
// each of these.
func batches(t *testing.T, c *client) []specimen {
	t.Helper()
	a := c.call(http.MethodPost, "/fhir/harbor", `{"resourceType":"Bundle","type":"batch","entry":[
		{"request":{"method":"GET","url":"Patient/100000"}},
		{"request":{"method":"GET","url":"Account/1"}},
		{"request":{"method":"GET","url":"Patients/1"}},
		{"request":{"method":"BREW","url":"Patient/1"}},
		{"resource":{"resourceType":"Encounter"},"request":{"method":"POST","url":"Patient"}}]}`)
	bundle := a.ok(http.StatusOK)
	require.Equal(t, "batch-response", bundle.Get("type").Str)
	outcomes := bundle.Get("entry.#.response.outcome").Array()
	require.Len(t, outcomes, 4, "%s", a.body)
	found := []specimen{{"batch-response", a.body}}
	for n, outcome := range outcomes {
		found = append(found, specimen{fmt.Sprintf("refused entry %d", n), []byte(outcome.Raw)})
	}
	return found
}

// hospitalFaults are what the gateway says when a hospital fails.
func hospitalFaults(t *testing.T, c *client) []specimen {
	t.Helper()
	defer c.Harbor.Fail(nil)
	var found []specimen
	for _, tc := range []struct {
		name   string
		fault  http.Handler
		status int
		code   string
	}{
		{"empty 403", sandbox.HTMLError(http.StatusForbidden), 403, "forbidden"},
		{"HTML 404", sandbox.HTMLError(http.StatusNotFound), 404, "not-found"},
		{"HTML 429", sandbox.HTMLError(http.StatusTooManyRequests), 429, "throttled"},
		{"broken JSON", sandbox.GarbageJSON(), 502, "structure"},
		{"HTML 500", sandbox.HTMLError(http.StatusInternalServerError), 502, "exception"},
		{"reset", sandbox.ResetBefore(), 502, "transient"},
		{"HTML 503", sandbox.HTMLError(http.StatusServiceUnavailable), 503, "transient"},
		{"HTML 504", sandbox.HTMLError(http.StatusGatewayTimeout), 504, "timeout"},
	} {
		c.Harbor.Fail(func(*http.Request) http.Handler { return tc.fault })
		a := c.get(somewhere)
		require.Equal(t, tc.status, a.StatusCode, "%s: %s", tc.name, a.body)
		a.refused(tc.status, tc.code)
		found = append(found, own(t, "hospital: "+tc.name, a))
	}
	return found
}

// invalid returns the names of those specimens that the schema refuses, with
// the validator's reasons in the test's log.
func invalid(t *testing.T, specimens []specimen) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "specimens.json")
	require.NoError(t, os.WriteFile(file, []byte(encode(t, specimens)), 0o600))
	var names []string
	for _, failure := range gjson.Parse(node(t, "validate.mjs", file)).Array() {
		names = append(names, failure.Get("name").Str)
		t.Logf("refused: %.300s", failure.Raw)
	}
	return names
}
