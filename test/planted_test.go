package test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/sandbox"
)

// planted are resources with a hospital's base in every kind of place. What
// leads to {base}/Patient/to… is a locator, which a client may follow; all else
// that starts with {base} is an identity, or text in which nothing changes.
var planted = []string{
	`{"resourceType":"Patient","implicitRules":"{base}/rules","meta":{"profile":["{base}/StructureDefinition/p"],"source":"{base}/Patient/source",
		"tag":[{"system":"{base}/tags","code":"{base}"}]},"text":{"status":"generated","div":"<div>see <a href=\"{base}/Patient/to-1\">{base}/Patient/to-2</a></div>"},
		"contained":[{"resourceType":"Organization","id":"o","endpoint":[{"reference":"{base}/Patient/to-3"}],"identifier":[{"system":"{base}/Patient/s"}]}],
		"extension":[{"url":"{base}/Patient/ext","valueUrl":"{base}/Patient/to-4"},{"url":"x","valueUri":"{base}/Patient/5"},{"url":"x","valueCanonical":"{base}/Patient/6|1"},
			{"url":"x","valueString":"{base}/Patient/7"},{"url":"x","valueOid":"{base}/Patient/8"},{"url":"x","valueMarkdown":"[a]({base}/Patient/9)"},
			{"url":"x","valueReference":{"reference":"{base}/Patient/to-10#part","type":"{base}/Patient/t","display":"{base}/Patient/11","identifier":{"system":"{base}/Patient/12","value":"{base}/Patient/13"}}},
			{"url":"x","extension":[{"url":"{base}/Patient/14","valueAttachment":{"url":"{base}/Patient/to-15","title":"{base}/Patient/16","data":"{data}"}}]}],
		"identifier":[{"system":"{base}/Patient/17","value":"{base}/Patient/18","assigner":{"reference":"{base}/Patient/to-19"}}],
		"name":[{"text":"{base}/Patient/20"}],"photo":[{"url":"{base}/Patient/to-21"}],"telecom":[{"system":"url","value":"{base}/Patient/22"}],
		"link":[{"other":{"reference":"{base}/Patient/to-23"},"type":"seealso"}]}`,
	`{"resourceType":"DocumentReference","masterIdentifier":{"system":"{base}/Patient/1"},"subject":{"reference":"{base}/Patient/to-2"},"author":[{"reference":"{base}/Patient/to-3/_history/4"}],
		"custodian":{"reference":"{BASE}/Patient/to-5"},"relatesTo":[{"code":"replaces","target":{"reference":"{base}/Patient/to-6"}}],"description":"{base}/Patient/7",
		"securityLabel":[{"coding":[{"system":"{base}/Patient/8"}]}],"content":[{"attachment":{"url":"{base}/Patient/to-9","hash":"{data}","data":"{data}"},"format":{"system":"{base}/Patient/10"}}],
		"context":{"encounter":[{"reference":"{base}/Patient/to-11"}],"related":[{"reference":"{base}/Patient/to-12?x=1&y=2"}]},"status":"current"}`,
	`{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"{base}/Patient/1","display":"{base}/Patient/2"}],"text":"{base}/Patient/3"},"instantiatesCanonical":"{base}/Patient/4",
		"basedOn":[{"reference":"{base}/Patient/to-5"}],"valueString":"{base}/Patient/6","note":[{"text":"{base}/Patient/7"}],"hasMember":[{"reference":"{base}/Patient/to-8"},{"reference":"Patient/9"},{"reference":"#o"},{"reference":"urn:uuid:0"}]}`,
	`{"resourceType":"Endpoint","status":"active","address":"{base}/Patient/to-1","connectionType":{"system":"{base}/Patient/2"},"header":["X: {base}/Patient/3"]}`,
	`{"resourceType":"Library","status":"active","url":"{base}/Patient/1","relatedArtifact":[{"type":"citation","url":"{base}/Patient/to-2","resource":"{base}/Patient/3","document":{"url":"{base}/Patient/to-4"}}],
		"content":[{"url":"{base}/Patient/to-5"}],"type":{"coding":[{"system":"{base}/Patient/6"}]}}`,
	`{"resourceType":"DiagnosticReport","status":"final","code":{"text":"x"},"presentedForm":[{"url":"{base}/Patient/to-1"}],"conclusion":"{base}/Patient/2","media":[{"link":{"reference":"{base}/Patient/to-3"}}]}`,
	`{"resourceType":"Communication","status":"completed","payload":[{"contentAttachment":{"url":"{base}/Patient/to-1"}},{"contentString":"{base}/Patient/2"},{"contentReference":{"reference":"{base}/Patient/to-3"}}],"instantiatesUri":["{base}/Patient/4"]}`,
	`{"resourceType":"QuestionnaireResponse","status":"completed","questionnaire":"{base}/Patient/1","item":[{"linkId":"{base}/Patient/2","definition":"{base}/Patient/3","answer":[{"valueUri":"{base}/Patient/4"},
		{"valueAttachment":{"url":"{base}/Patient/to-5"}},{"valueCoding":{"system":"{base}/Patient/6"}},{"valueReference":{"reference":"{base}/Patient/to-7"}}]}]}`,
	`{"resourceType":"ValueSet","status":"active","url":"{base}/Patient/1","compose":{"include":[{"system":"{base}/Patient/2","valueSet":["{base}/Patient/3"]}]},"expansion":{"identifier":"{base}/Patient/4","timestamp":"2026-01-01","contains":[{"system":"{base}/Patient/5"}]}}`,
	`{"resourceType":"MessageHeader","eventUri":"{base}/Patient/1","source":{"endpoint":"{base}/Patient/to-2"},"focus":[{"reference":"{base}/Patient/to-3"}],"definition":"{base}/Patient/4"}`,
	`{"resourceType":"AuditEvent","type":{"system":"{base}/Patient/1"},"recorded":"2026-01-01T00:00:00Z","agent":[{"requestor":true,"who":{"reference":"{base}/Patient/to-2"},"network":{"address":"{base}/Patient/3"},"policy":["{base}/Patient/4"]}],"source":{"observer":{"reference":"{base}/Patient/to-5"}},
		"entity":[{"query":"{data}","what":{"reference":"{base}/Patient/to-6"}}]}`,
	// A document whose entries have locators of their own, and one that is signed.
	`{"resourceType":"Bundle","type":"document","identifier":{"system":"{base}/Patient/1"},"entry":[{"fullUrl":"{base}/Patient/to-2","resource":{"resourceType":"Composition","status":"final","subject":{"reference":"{base}/Patient/to-3"},"identifier":{"system":"{base}/Patient/4"}}}]}`,
	`{"resourceType":"Bundle","type":"document","entry":[{"fullUrl":"{base}/Patient/signed-1","resource":{"resourceType":"Composition","status":"final","subject":{"reference":"{base}/Patient/signed-2"}}}],
		"signature":{"type":[{"system":"{base}/Patient/3","code":"x"}],"when":"2026-01-01T00:00:00Z","who":{"reference":"{base}/Patient/signed-4"},"data":"{data}"}}`,
}

// TestPlantedBase reads resources with the hospital's base in every kind of
// place in every way that FHIR has. The expected bytes follow from what the
// hospital stored by one replacement, which knows nothing of FHIR.
func TestPlantedBase(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis})
		hospital := startBay(t)
		base, public := hospital.BaseURL(), g.url+"/fhir/bay"
		var types, targets []string
		for _, text := range planted {
			text = strings.NewReplacer("{base}", base, "{BASE}", strings.ToUpper("http")+strings.TrimPrefix(base, "http"),
				"{data}", base64.StdEncoding.EncodeToString([]byte(base+"/Patient/to-nobody"))).Replace(text)
			typ := gjson.Get(text, "resourceType").Str
			response, err := http.Post(base+"/"+typ, fhirJSON, strings.NewReader(text))
			require.NoError(t, err)
			response.Body.Close()
			require.Equal(t, http.StatusCreated, response.StatusCode)
			target, _, _ := strings.Cut(strings.TrimPrefix(response.Header.Get("Location"), base+"/"), "/_history")
			targets = append(targets, target)
			if !slices.Contains(types, typ) {
				types = append(types, typ)
			}
		}
		g.write("routes/bay.yaml", bayOfAllTypes(hospital, types))
		g.mustReload(t)
		c := g.newClient(t, "e2e")
		moved := strings.NewReplacer(base+"/Patient/to-", public+"/Patient/to-", "HTTP"+strings.TrimPrefix(base, "http")+"/Patient/to-", public+"/Patient/to-")
		expect := func(stored []byte) string { return moved.Replace(string(stored)) }

		compared := 0
		for _, target := range targets {
			typ, id, _ := strings.Cut(target, "/")
			stored, _ := hospital.Resource(typ, id)
			batch := c.call(http.MethodPost, "/fhir/bay", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"`+target+`"}}]}`)
			for way, got := range map[string]string{
				"read":    string(c.get("/fhir/bay/" + target).body),
				"vread":   string(c.get("/fhir/bay/" + target + "/_history/1").body),
				"search":  c.get("/fhir/bay/" + typ + "?_id=" + id).ok(http.StatusOK).Get("entry.0.resource").Raw,
				"history": c.get("/fhir/bay/" + target + "/_history").ok(http.StatusOK).Get("entry.0.resource").Raw,
				"batch":   batch.ok(http.StatusOK).Get("entry.0.resource").Raw,
			} {
				require.Equal(t, expect(stored), got, "%s of a %s", way, typ)
				compared++
			}
		}
		t.Logf("%d answers compared with what the hospital stored", compared)
		require.Equal(t, 5*len(planted), compared)

		hospital.Fail(func(*http.Request) http.Handler {
			return says(http.StatusUnprocessableEntity, fhirJSON, `{"resourceType":"OperationOutcome","text":{"status":"generated","div":"<div>`+base+`/Patient/to-1</div>"},
				"issue":[{"severity":"error","code":"invalid","diagnostics":"no `+base+`/Patient/to-2, nor `+base+`/Patient/to-3.","details":{"coding":[{"system":"`+base+`/codes"}]}}]}`)
		})
		outcome := c.get("/fhir/bay/Patient/100000").ok(http.StatusUnprocessableEntity)
		require.Equal(t, "no "+public+"/Patient/to-2, nor "+public+"/Patient/to-3.", outcome.Get("issue.0.diagnostics").Str)
		require.Equal(t, "<div>"+public+"/Patient/to-1</div>", outcome.Get("text.div").Str)
		require.Equal(t, base+"/codes", outcome.Get("issue.0.details.coding.0.system").Str)
	})
}

// bayOfAllTypes is the file of the fourth hospital with every way to read these
// types.
func bayOfAllTypes(h *sandbox.Hospital, types []string) string {
	route, _, _ := strings.Cut(bay(h, 30), "interactions:")
	route += "interactions:\n  system: [batch]\n"
	for _, typ := range types {
		route += "  " + typ + ": [read, vread, search-type, history-instance]\n"
	}
	return route
}
