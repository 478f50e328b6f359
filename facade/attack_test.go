package facade

import (
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/fhir"
)

// fill puts the addresses that a test's text names into it.
func (b *bench) fill(text string) string {
	gateway := b.server.URL
	host := strings.TrimPrefix(gateway, "http://")
	return strings.NewReplacer("GATEWAY", gateway, "GWHOST", host, "STMARY", b.hospitals.StMary.BaseURL(), "HARBOR", b.hospitals.Harbor.BaseURL()).Replace(text)
}

// TestPathsThatArePlayedWith holds paths that another server might read in
// another way than we do.
func TestPathsThatArePlayedWith(t *testing.T) {
	b := newBench(t, nil)
	for path, status := range map[string]int{
		"/fhir/harbor/Patient/100001":                        200,
		"/fhir/harbor/Patient/100001/":                       200,
		"/fhir/h%61rbor/P%61tient/10%30001":                  200, // letters may be encoded
		"/fhir/harbor//":                                     400,
		"/fhir/harbor/Patient//":                             400,
		"/fhir/harbor/Patient//100001":                       400,
		"/fhir//harbor/Patient/100001":                       400,
		"/fhir/harbor/./Patient/100001":                      400,
		"/fhir/st-mary/../harbor/Patient/100001":             400,
		"/fhir/harbor/Patient/100001%2f_history":             400,
		"/fhir/harbor/Patient/100001%252f_history":           400,
		"/fhir/harbor/Patient/100001%5c..%5cx":               400,
		"/fhir/harbor/Patient/100001%00":                     400,
		"/fhir/harbor/Patient/100001%0d%0aX:%20y":            400,
		"/fhir/harbor/Patient/100001%3fx":                    400,
		"/fhir/harbor/Patient/%EF%BC%91":                     400, // a full-width digit
		"/fhir/harbor/Pat%C4%B1ent/100001":                   404, // a dotless i
		"/fhir/HARBOR/Patient/100001":                        404,
		"/fhir/harbor%20/Patient/100001":                     404,
		"/fhir/harbor/Patient/" + strings.Repeat("1", 129):   400,
		"/fhir/harbor/Patient/" + strings.Repeat("1", 60000): 400,
		"/fhir/harbor/" + strings.Repeat("Patient/", 3000):   404,
		"/fhir/harbor/_sealed":                               404,
		"/fhir/harbor/_sealed/":                              404,
		"/fhir/harbor/_sealed/a/b":                           404,
		"/fhir/harbor/$":                                     404,
		"/fhir/harbor/Patient/$everything%0a":                404,
		"/fhirx/harbor/Patient/100001":                       404,
		"/FHIR/harbor/Patient/100001":                        404,
	} {
		t.Run(path[:min(len(path), 60)], func(t *testing.T) {
			b.t = t
			b.resetCalls()
			request, _ := http.NewRequest(http.MethodGet, b.server.URL, nil)
			got, body := b.raw("GET " + path + " HTTP/1.1\r\nHost: " + request.URL.Host + "\r\nAuthorization: Bearer alice\r\nConnection: close\r\n\r\n")
			require.Equal(t, status, got, "%s", body)
			require.Contains(t, body, "resourceType")
			if status == 200 {
				require.Equal(t, 1, b.hospitalCalls())
			} else {
				require.Zero(t, b.hospitalCalls())
			}
		})
	}
}

// TestHeadersThatArePlayedWith holds requests in which a header tries to mean
// more than it may.
func TestHeadersThatArePlayedWith(t *testing.T) {
	b := newBench(t, nil)
	const get = "GET /fhir/harbor/Patient/100001 HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n"
	for name, tc := range map[string]struct {
		request string
		status  int
		calls   int
	}{
		"method override":      {get + "Authorization: Bearer alice\r\nX-HTTP-Method-Override: DELETE\r\nX-Method-Override: DELETE\r\n\r\n", 200, 1},
		"forwarded":            {get + "Authorization: Bearer alice\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nForwarded: host=evil.example\r\nX-Original-URL: /fhir/st-mary/Patient/1\r\nX-Rewrite-URL: /x\r\n\r\n", 200, 1},
		"hop by hop":           {get + "Authorization: Bearer alice\r\nConnection: Authorization, If-None-Match\r\n\r\n", 200, 1},
		"two Authorizations":   {get + "Authorization: Bearer alice\r\nAuthorization: Bearer bob\r\n\r\n", 401, 0},
		"two schemes":          {get + "Authorization: Basic eDp5\r\nAuthorization: Bearer alice\r\n\r\n", 401, 0},
		"empty key beside it":  {get + "Authorization: Bearer alice\r\nX-Api-Key: \r\n\r\n", 401, 0},
		"lower case scheme":    {get + "Authorization: bearer alice\r\n\r\n", 200, 1},
		"key in the query":     {"GET /fhir/harbor/Patient/100001?access_token=alice HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 401, 0},
		"length and chunks":    {get + "Authorization: Bearer alice\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 400, 0},
		"chunks in a read":     {get + "Authorization: Bearer alice\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 400, 0},
		"no chunk in a read":   {get + "Authorization: Bearer alice\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, 1},
		"two lengths":          {get + "Authorization: Bearer alice\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, 0},
		"a whole URL":          {"GET http://evil.example/fhir/harbor/Patient/100001 HTTP/1.1\r\nHost: y\r\nConnection: close\r\nAuthorization: Bearer alice\r\n\r\n", 200, 1},
		"condition on a read":  {get + "Authorization: Bearer alice\r\nIf-None-Exist: identifier=x\r\n\r\n", 200, 1},
		"two conditions":       {"POST /fhir/harbor/Observation HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer alice\r\nIf-None-Exist: \r\nIf-None-Exist: identifier=x\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n" + `{"resourceType":"Observation"}`, 400, 0},
		"condition on nothing": {"POST /fhir/harbor/Patient HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer alice\r\nIf-None-Exist: _format=json\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n" + `{"resourceType":"Patient"}`, 400, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.resetCalls()
			status, body := b.raw(tc.request)
			require.Equal(t, tc.status, status, "%s", body)
			require.Equal(t, tc.calls, b.hospitalCalls())
			require.NotContains(t, body, "evil.example", "links are made from public_url alone")
			calls := b.hospitals.Harbor.Calls()
			if tc.calls > 0 {
				last := calls[len(calls)-1]
				require.Equal(t, "GET", last.Method)
				require.NotContains(t, last.Header.Get("Authorization"), "alice")
				for name := range last.Header {
					require.Contains(t, []string{"Accept", "Accept-Encoding", "Authorization", "User-Agent"}, name)
				}
			}
		})
	}
}

// TestAConditionMustSelect holds conditional calls whose condition selects
// nothing: a server may take them for all resources of the type.
func TestAConditionMustSelect(t *testing.T) {
	b := newBench(t, nil)
	for _, query := range []string{"", "_format=json", "_form%61t=json", "&", "=", "identifier=", "_pretty=true", "_summary=count&_count=1", "identifier=%20"} {
		for _, method := range []string{"DELETE", "PUT"} {
			t.Run(method+" "+query, func(t *testing.T) {
				b.t = t
				b.resetCalls()
				body := ""
				if method == "PUT" {
					body = `{"resourceType":"Patient"}`
				}
				a := b.call(method, "/fhir/harbor/Patient?"+query, body)
				require.Equal(t, 400, a.StatusCode, "%s", a.body)
				require.Zero(t, b.hospitalCalls())
			})
		}
	}
	b.t = t
	require.Equal(t, 200, b.call("DELETE", "/fhir/harbor/Patient?_id=100001&_format=json", "").StatusCode)
}

// TestOtherHospitalsInEveryPlace plants a reference to another hospital wherever
// a request can hold one, in every spelling that names it.
func TestOtherHospitalsInEveryPlace(t *testing.T) {
	b := newBench(t, nil)
	spellings := []string{
		"GATEWAY/fhir/st-mary/Patient/1", "STMARY/Patient/1", "HTTP://GWHOST/fhir/st-mary/Patient/1", "//GWHOST/fhir/st-mary/Patient/1",
		"https://GWHOST/fhir/st-mary/Patient/1", "http://user@GWHOST/fhir/st-mary/Patient/1", "GATEWAY/fhir/st%2Dmary/Patient/1",
		"GATEWAY/%66hir/st-mary/Patient/1", "GATEWAY/fhir/nowhere/Patient/1", "GATEWAY//fhir/st-mary/Patient/1",
		"GATEWAY/fhir/harbor%2f../st-mary/Patient/1", "GATEWAY/x/../fhir/st-mary/Patient/1", "GATEWAY/fhir/st-mary?x", "GATEWAY/fhir/st-mary",
	}
	places := map[string]string{
		"reference":   `{"resourceType":"Observation","subject":{"reference":"X"}}`,
		"contained":   `{"resourceType":"Observation","contained":[{"resourceType":"Patient","managingOrganization":{"reference":"X"}}]}`,
		"extension":   `{"resourceType":"Observation","extension":[{"url":"http://e.example/x","valueReference":{"reference":"X"}}]}`,
		"in a value":  `{"resourceType":"Observation","extension":[{"url":"http://e.example/x","valueAttachment":{"url":"X"}}]}`,
		"escaped key": `{"resourceType":"Observation","subject":{"referenc\u0065":"X"}}`,
		"modifier":    `{"resourceType":"Observation","modifierExtension":[{"url":"http://e.example/x","extension":[{"url":"y","valueUrl":"X"}]}]}`,
	}
	for place, body := range places {
		for _, spelling := range spellings {
			t.Run(place+" "+spelling, func(t *testing.T) {
				b.t = t
				b.resetCalls()
				a := b.call("POST", "/fhir/harbor/Observation", strings.Replace(body, "X", b.fill(spelling), 1))
				require.Equal(t, 422, a.StatusCode, "%s", a.body)
				require.Zero(t, b.hospitalCalls())
			})
		}
	}
	patches := []string{
		`[{"op":"replace","path":"/managingOrganization/reference","value":"X"}]`,
		`[{"op":"replace","path":"/managingOrganization","value":{"reference":"X"}}]`,
		`[{"op":"add","path":"/generalPractitioner/-","value":{"reference":"X"}}]`,
		`[{"op":"add","path":"/photo/0/url","value":"X"}]`,
		`[{"op":"add","path":"/extension/0/valueReference/reference","value":"X"}]`,
		`[{"op":"add","path":"/extension/0/valueUrl","value":"X"}]`,
		`[{"op":"replace","path":"/managingOrganization/referenc\u0065","value":"X"}]`,
		`[{"op":"replace","path":"/active","value":true},{"op":"add","path":"","value":{"resourceType":"Patient","managingOrganization":{"reference":"X"}}}]`,
	}
	for _, patch := range patches {
		t.Run("patch "+patch, func(t *testing.T) {
			b.t = t
			b.resetCalls()
			a := b.call("PATCH", "/fhir/harbor/Patient/100001", strings.Replace(patch, "X", b.fill("GATEWAY/fhir/st-mary/Patient/1"), 1), "Content-Type", "application/json-patch+json")
			require.Equal(t, 422, a.StatusCode, "%s", a.body)
			require.Zero(t, b.hospitalCalls())
		})
	}
	queries := []string{"subject=X", "subject:Patient=X", "subject=Patient/1,X", "code=a&subject=X", "based-on:missing=false&subject=X"}
	for _, query := range queries {
		for _, spelling := range []string{"GATEWAY/fhir/st-mary/Patient/1", "HTTP://GWHOST/fhir/st-mary/Patient/1", "//GWHOST/fhir/st-mary/Patient/1", "GATEWAY%2Ffhir%2Fst-mary%2FPatient%2F1", "STMARY/Patient/1"} {
			t.Run("query "+query+" "+spelling, func(t *testing.T) {
				b.t = t
				b.resetCalls()
				filled := strings.Replace(query, "X", b.fill(spelling), 1)
				require.Equal(t, 422, b.call("GET", "/fhir/harbor/Observation?"+filled, "").StatusCode)
				require.Equal(t, 422, b.call("POST", "/fhir/harbor/Observation/_search", filled, "Content-Type", "application/x-www-form-urlencoded").StatusCode)
				require.Equal(t, 422, b.call("POST", "/fhir/harbor/Patient", `{"resourceType":"Patient"}`, "If-None-Exist", filled).StatusCode)
				require.Zero(t, b.hospitalCalls())
			})
		}
	}
}

// TestIdentitiesOfOthersPass: what only names a thing is not a reference, even
// when it begins as an address of the gateway or of another hospital does.
func TestIdentitiesOfOthersPass(t *testing.T) {
	b := newBench(t, nil)
	body := b.fill(`{"resourceType":"Observation","meta":{"profile":["STMARY/p"]},"identifier":[{"system":"GATEWAY/fhir/st-mary/ids","value":"1"}],
		"subject":{"reference":"https://elsewhere.example/fhir/Patient/1"},"extension":[{"url":"STMARY/ext","valueUri":"STMARY/u"}]}`)
	b.resetCalls()
	require.Equal(t, 201, b.call("POST", "/fhir/harbor/Observation", body).StatusCode)
	require.Equal(t, 200, b.call("GET", b.fill("/fhir/harbor/Patient?identifier=STMARY/ids|1,GATEWAY/fhir/harbor/ids|2"), "").StatusCode)
	calls := b.hospitals.Harbor.Calls()
	require.Contains(t, calls[len(calls)-1].Query, b.fill("identifier=STMARY/ids|1,GATEWAY/fhir/harbor/ids|2"))
}

// Two routes to one server, such as two contracts with a hospital, are not
// foreign to each other by the server's own address.
func TestTwoRoutesToOneServer(t *testing.T) {
	b := newBench(t, nil)
	for _, route := range b.routes {
		if route.ID == "harbor" {
			second := *route
			second.ID = "harbor-research"
			b.routes = append(b.routes, &second)
			break
		}
	}
	b.configure()
	a := b.call("POST", "/fhir/harbor/Observation", b.fill(`{"resourceType":"Observation","subject":{"reference":"HARBOR/Patient/100001"}}`))
	require.Equal(t, 201, a.StatusCode, "%s", a.body)
	a = b.call("POST", "/fhir/harbor/Observation", b.fill(`{"resourceType":"Observation","subject":{"reference":"GATEWAY/fhir/harbor-research/Patient/100001"}}`))
	require.Equal(t, 422, a.StatusCode, "by the gateway's address it is another")
}

// TestJSONThatIsPlayedWith holds bodies that two parsers could read in two ways.
func TestJSONThatIsPlayedWith(t *testing.T) {
	b := newBench(t, nil)
	patch := []string{"Content-Type", "application/json-patch+json"}
	for name, tc := range map[string]struct {
		method, path, body string
		header             []string
		status             int
	}{
		"resourceType twice":        {"POST", "Patient", `{"resourceType":"Patient","resourceType":"Observation"}`, nil, 400},
		"resourceType, escaped":     {"POST", "Patient", `{"resourceType":"Patient","resourc\u0065Type":"Observation"}`, nil, 400},
		"resourceType, only escape": {"POST", "Observation", `{"resourc\u0065Type":"Observation"}`, nil, 201},
		"resourceType within":       {"POST", "Observation", `{"subject":{"resourceType":"Patient"},"resourceType":"Observation"}`, nil, 201},
		"BOM":                       {"POST", "Patient", "\uFEFF" + `{"resourceType":"Patient"}`, nil, 400},
		"NUL":                       {"POST", "Patient", "{\"resourceType\":\"Patient\"}\x00", nil, 400},
		"NUL in a string":           {"POST", "Patient", "{\"resourceType\":\"Pat\x00ient\"}", nil, 400},
		"deep":                      {"POST", "Patient", `{"resourceType":"Patient","x":` + strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000) + `}`, nil, 400},
		"an array":                  {"POST", "Patient", `[{"resourceType":"Patient"}]`, nil, 400},
		"a string":                  {"POST", "Patient", `"Patient"`, nil, 400},
		"two bodies":                {"POST", "Patient", `{"resourceType":"Patient"}{"resourceType":"Patient"}`, nil, 400},
		"a comment":                 {"POST", "Patient", `{"resourceType":"Patient"/*x*/}`, nil, 400},
		"path of a patch twice":     {"PATCH", "Patient/100001", `[{"op":"add","path":"/active","path":"/managingOrganization/reference","value":"GATEWAY/fhir/st-mary/Organization/1"}]`, patch, 400},
		"value of a patch twice":    {"PATCH", "Patient/100001", `[{"op":"add","path":"/managingOrganization/reference","value":"Organization/1","value":"GATEWAY/fhir/st-mary/Organization/1"}]`, patch, 400},
		"value in capitals":         {"PATCH", "Patient/100001", `[{"op":"add","path":"/managingOrganization/reference","value":"Organization/1","VALUE":"GATEWAY/fhir/st-mary/Organization/1"}]`, patch, 400},
		"a patch that is none":      {"PATCH", "Patient/100001", `{"op":"add"}`, patch, 400},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.resetCalls()
			a := b.call(tc.method, "/fhir/harbor/"+tc.path, b.fill(tc.body), tc.header...)
			require.Equal(t, tc.status, a.StatusCode, "%s", a.body)
			if tc.status != 201 {
				a.outcome(t)
				require.Zero(t, b.hospitalCalls())
			}
		})
	}
}

func TestSealedLinksThatArePlayedWith(t *testing.T) {
	b := newBench(t, nil)
	seal := func(key []byte, kid string, alg jose.KeyAlgorithm, enc jose.ContentEncryption, zip jose.CompressionAlgorithm) string {
		encrypter, err := jose.NewEncrypter(enc, jose.Recipient{Algorithm: alg, Key: key, KeyID: kid}, &jose.EncrypterOptions{Compression: zip})
		require.NoError(t, err)
		token, err := encrypter.Encrypt([]byte(b.fill(`{"u":"HARBOR/Patient/100001","h":"harbor","c":"key_alice","i":"read","t":"Patient","e":9999999999}`)))
		require.NoError(t, err)
		text, err := token.CompactSerialize()
		require.NoError(t, err)
		return text
	}
	own := []byte(strings.Repeat("k", 32))
	for name, tc := range map[string]struct {
		token  string
		status int
	}{
		"as we make them":     {seal(own, "k1", jose.DIRECT, jose.A256GCM, jose.NONE), 200},
		"unknown kid":         {seal(own, "k9", jose.DIRECT, jose.A256GCM, jose.NONE), 404},
		"another key":         {seal([]byte(strings.Repeat("x", 32)), "k1", jose.DIRECT, jose.A256GCM, jose.NONE), 404},
		"another method":      {seal(own, "k1", jose.DIRECT, jose.A128CBC_HS256, jose.NONE), 404},
		"wrapped key":         {seal(own, "k1", jose.A256KW, jose.A256GCM, jose.NONE), 404},
		"a token of alg none": {"eyJhbGciOiJub25lIn0.e30.", 404},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			require.Equal(t, tc.status, b.call("GET", "/fhir/harbor/_sealed/"+tc.token, "").StatusCode)
		})
	}
}

// Pages of an operation's answer are followed as the operation: the route lists
// its name.
func TestPagesOfAnOperationAndOfTheSystem(t *testing.T) {
	b := newBench(t, nil)
	next := func(path string) string {
		b.harborAnswers(answering(200, b.fill(`{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"HARBOR?_getpages=1"}]}`), "Content-Type", fhirJSON))
		a := b.call("GET", "/fhir/harbor"+path, "")
		require.Equal(b.t, 200, a.StatusCode, "%s", a.body)
		return gjson.GetBytes(a.body, "link.0.url").Str
	}
	operation, system, history := next("/Patient/100001/$everything"), next("?_type=Patient"), next("/_history")
	b.harborAnswers(answering(200, b.fill(`{"resourceType":"Bundle","type":"batch-response","entry":[{"response":{"status":"200"},"resource":`+
		`{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"HARBOR?_getpages=1"}]}}]}`), "Content-Type", fhirJSON))
	batch := b.call("POST", "/fhir/harbor", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient?_count=1"}}]}`)
	inBatch := gjson.GetBytes(batch.body, "entry.0.resource.link.0.url").Str
	next("/_history") // the hospital answers pages again
	for _, link := range []string{operation, system, history, inBatch} {
		a := b.call("GET", link, "")
		require.Equal(t, 200, a.StatusCode, "%s", a.body)
		again := gjson.GetBytes(a.body, "link.0.url").Str
		require.Equal(t, 200, b.call("HEAD", again, "").StatusCode, "and their own next pages")
	}
	for _, route := range b.routes {
		if route.ID == "harbor" {
			delete(route.Interactions, "system")
			delete(route.Operations, "Patient")
		}
	}
	b.configure()
	for _, link := range []string{operation, system, history, inBatch} {
		require.Equal(t, 403, b.call("GET", link, "").StatusCode, "the route has changed since")
	}
}

func TestAttachmentsOutsideTheBaseAreBinaries(t *testing.T) {
	b := newBench(t, nil)
	b.harborAnswers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/files/") {
			answering(200, "%PDF", "Content-Type", "application/pdf").ServeHTTP(w, r)
			return
		}
		origin := "http://" + r.Host
		answering(200, `{"resourceType":"DocumentReference","content":[{"attachment":{"url":"`+origin+`/files/DocumentReference/1/content.pdf"}}]}`, "Content-Type", fhirJSON).ServeHTTP(w, r)
	}))
	a := b.call("GET", "/fhir/harbor/DocumentReference/1", "")
	require.Equal(t, 200, a.StatusCode)
	file := b.call("GET", gjson.GetBytes(a.body, "content.0.attachment.url").Str, "")
	require.Equal(t, 200, file.StatusCode, "%s", file.body)
	require.Equal(t, "%PDF", string(file.body))
}

// TestASealedLinkOpensNoOtherType: who may write a resource may have written into
// it an address of the hospital that no base maps, and which is sealed for the
// one who reads it.
func TestASealedLinkOpensNoOtherType(t *testing.T) {
	b := newBench(t, nil)
	host := "http://" + mustParse(t, b.hospitals.Harbor.BaseURL()).Host
	const patient = `{"resourceType":"Patient","id":"1"}`
	for name, tc := range map[string]struct {
		media, answer string
		status        int // 0 = any refusal
	}{
		"the content":          {"application/pdf", "%PDF", 200},
		"a Binary":             {fhirJSON, `{"resourceType":"Binary","contentType":"application/pdf","data":"eA=="}`, 200},
		"another type":         {fhirJSON, patient, 0},
		"many of another type": {fhirJSON, searchset(patient), 0},
		"another type in XML":  {"application/xml", `<Patient xmlns="http://hl7.org/fhir"><id value="1"/></Patient>`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			h := &hospitalSays{body: `{"resourceType":"DocumentReference","id":"1","content":[{"attachment":{"url":"` + host + `/older/Patient/1"}}],"author":[{"reference":"` + host + `/older/Practitioner/1/$everything"}]}`}
			b.scoped(h, "system/DocumentReference.rs", "system/Binary.r", "system/Practitioner.r")
			b.facade.Snapshot().Hospitals["harbor"].Route.Interactions["Practitioner"] = []fhir.Interaction{fhir.Read}
			document := b.narrow("GET", "DocumentReference/1", "")
			h.body, h.header = tc.answer, http.Header{"Content-Type": {tc.media}}
			for _, place := range []string{"content.0.attachment.url", "author.0.reference"} {
				link := gjson.GetBytes(document.body, place).Str
				require.Contains(t, link, "/_sealed/")
				a := b.call("GET", link, "", "Authorization", "Bearer narrow")
				switch {
				case tc.status == 0:
					require.GreaterOrEqual(t, a.StatusCode, 400, "%s", a.body)
				case place == "content.0.attachment.url":
					require.Equal(t, tc.status, a.StatusCode, "%s", a.body)
				}
				require.NotContains(t, string(a.body), `"id":"1"`)
			}
		})
	}
}
