package facade

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/fhir"
	"fhirgate/sandbox"
)

func TestALifeAtHarbor(t *testing.T) {
	b := newBench(t, nil)

	created := b.call("POST", "/fhir/harbor/Patient", `{"resourceType":"Patient","name":[{"family":"Ørsted"}],"managingOrganization":{"reference":"`+b.server.URL+`/fhir/harbor/Organization/1"}}`, "Prefer", "return=representation")
	require.Equal(t, 201, created.StatusCode, "%s", created.body)
	location := created.Header.Get("Location")
	require.True(t, strings.HasPrefix(location, b.server.URL+"/fhir/harbor/Patient/"), location)
	require.Equal(t, `W/"1"`, created.Header.Get("ETag"))
	id := gjson.GetBytes(created.body, "id").Str

	stored, ok := b.hospitals.Harbor.Resource("Patient", id)
	require.True(t, ok)
	require.Equal(t, b.hospitals.Harbor.BaseURL()+"/Organization/1", gjson.GetBytes(stored, "managingOrganization.reference").Str, "the gateway's reference goes in as the hospital's")

	read := b.call("GET", "/fhir/harbor/Patient/"+id, "")
	require.Equal(t, 200, read.StatusCode)
	require.Equal(t, b.server.URL+"/fhir/harbor/Organization/1", gjson.GetBytes(read.body, "managingOrganization.reference").Str)
	require.NotContains(t, string(read.body), b.hospitals.Harbor.BaseURL())

	unchanged := b.call("GET", "/fhir/harbor/Patient/"+id, "", "If-None-Match", read.Header.Get("ETag"))
	require.Contains(t, []int{200, 304}, unchanged.StatusCode)

	stale := b.call("PUT", "/fhir/harbor/Patient/"+id, string(read.body), "If-Match", `W/"9"`)
	require.Equal(t, 409, stale.StatusCode)
	stale.outcome(t)

	patched := b.call("PATCH", "/fhir/harbor/Patient/"+id, `[{"op":"replace","path":"/managingOrganization/reference","value":"`+b.server.URL+`/fhir/harbor/Organization/2"}]`,
		"Content-Type", "application/json-patch+json", "If-Match", `W/"1"`)
	require.Equal(t, 200, patched.StatusCode, "%s", patched.body)
	stored, _ = b.hospitals.Harbor.Resource("Patient", id)
	require.Equal(t, b.hospitals.Harbor.BaseURL()+"/Organization/2", gjson.GetBytes(stored, "managingOrganization.reference").Str)

	version := b.call("GET", "/fhir/harbor/Patient/"+id+"/_history/1", "")
	require.Equal(t, 200, version.StatusCode)
	require.Equal(t, "1", gjson.GetBytes(version.body, "meta.versionId").Str)

	history := b.call("GET", "/fhir/harbor/Patient/"+id+"/_history", "")
	require.Equal(t, 200, history.StatusCode)
	require.Equal(t, "history", gjson.GetBytes(history.body, "type").Str)
	require.NotContains(t, string(history.body), b.hospitals.Harbor.BaseURL())

	require.Equal(t, 200, b.call("DELETE", "/fhir/harbor/Patient/"+id, "").StatusCode)
	gone := b.call("GET", "/fhir/harbor/Patient/"+id, "")
	require.Equal(t, 410, gone.StatusCode)
	gone.outcome(t)

	require.Equal(t, 404, b.call("GET", "/fhir/harbor/Patient/999999999", "").StatusCode)
	require.Equal(t, 200, b.call("GET", "/fhir/harbor/Patient/100001/$everything", "").StatusCode)

	form := b.call("POST", "/fhir/harbor/Patient/_search", "_count=3", "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, 200, form.StatusCode)
	require.Len(t, gjson.GetBytes(form.body, "entry").Array(), 3)

	both := b.call("POST", "/fhir/harbor/Patient/_search?_count=2", "_id=100001,100002,100003", "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, 200, both.StatusCode)
	require.Len(t, gjson.GetBytes(both.body, "entry").Array(), 2, "the parameters of the URL count too")
	calls := b.hospitals.Harbor.Calls()
	require.Empty(t, calls[len(calls)-1].Query)
}

// pages follows next links to the end and returns the ids of all matches.
func (b *bench) pages(first string) []string {
	b.t.Helper()
	var ids []string
	for next := first; next != ""; {
		a := b.call("GET", next, "")
		require.Equal(b.t, 200, a.StatusCode, "%s", a.body)
		gjson.GetBytes(a.body, "entry").ForEach(func(_, entry gjson.Result) bool {
			require.True(b.t, strings.HasPrefix(entry.Get("fullUrl").Str, b.server.URL), entry.Get("fullUrl").Str)
			if entry.Get("search.mode").Str != "outcome" {
				ids = append(ids, entry.Get("resource.id").Str)
			}
			return true
		})
		next = gjson.GetBytes(a.body, `link.#(relation=="next").url`).Str
		require.NotContains(b.t, string(a.body), b.hospitals.Harbor.BaseURL())
	}
	return ids
}

func TestEveryPageIsReachedThroughSealedLinks(t *testing.T) {
	b := newBench(t, nil)
	ids := b.pages("/fhir/harbor/Patient?_count=37")
	unique := make(map[string]bool)
	for _, id := range ids {
		unique[id] = true
	}
	require.Len(t, ids, len(b.hospitals.Harbor.IDs("Patient")))
	require.Len(t, unique, len(ids))
}

func TestPagesOnAnotherHost(t *testing.T) {
	other := func(o *sandbox.Options) {
		if o.ID == "harbor" {
			o.LinkBase = "http://127.0.0.1:0/pages"
		}
	}
	b := newBench(t, other)
	refused := b.call("GET", "/fhir/harbor/Patient?_count=50", "")
	require.Equal(t, 502, refused.StatusCode, "a host that the route does not name must not be reached")
	code, _ := refused.outcome(t)
	require.Equal(t, "security", code)

	for _, route := range b.routes {
		if route.ID == "harbor" {
			route.Upstream.LinkHosts = []string{mustParse(t, b.hospitals.Harbor.LinkBase()).Host}
		}
	}
	b.configure()
	require.Len(t, b.pages("/fhir/harbor/Patient?_count=50"), len(b.hospitals.Harbor.IDs("Patient")))
}

func TestASealedLinkIsBound(t *testing.T) {
	b := newBench(t, nil)
	a := b.call("GET", "/fhir/harbor/Patient?_count=50", "")
	next := gjson.GetBytes(a.body, `link.#(relation=="next").url`).Str
	require.Contains(t, next, "/fhir/harbor/_sealed/")
	token := next[strings.LastIndex(next, "/")+1:]

	for name, tc := range map[string]struct {
		target string
		key    string
		status int
	}{
		"as it is":          {next, aliceKey, 200},
		"another consumer":  {next, bobKey, 403},
		"another hospital":  {strings.Replace(next, "harbor", "st-mary", 1), aliceKey, 403},
		"with parameters":   {next + "?_count=1000", aliceKey, 400},
		"changed":           {next[:len(next)-6] + "AAAAAA", aliceKey, 404},
		"cut":               {next[:len(next)-40], aliceKey, 404},
		"too long":          {next + strings.Repeat("A", 5000), aliceKey, 404},
		"plan without this": {next, "harbor-only", 403},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.resetCalls()
			got := b.call("GET", tc.target, "", "Authorization", "Bearer "+tc.key)
			require.Equal(t, tc.status, got.StatusCode, "%s", got.body)
			if tc.status != 200 {
				require.Zero(t, b.hospitalCalls())
			}
		})
	}
	b.t = t

	link, err := b.facade.sealer.Load().Open(token)
	require.NoError(t, err)
	link.Expires = time.Now().Add(-time.Second).Unix()
	expired, err := b.facade.sealer.Load().Seal(*link)
	require.NoError(t, err)
	got := b.call("GET", "/fhir/harbor/_sealed/"+expired, "")
	require.Equal(t, 410, got.StatusCode)
	code, _ := got.outcome(t)
	require.Equal(t, "expired", code)

	link.Expires = time.Now().Add(time.Hour).Unix()
	link.URL = "http://169.254.169.254/latest/meta-data"
	elsewhere, err := b.facade.sealer.Load().Seal(*link)
	require.NoError(t, err)
	require.Equal(t, 403, b.call("GET", "/fhir/harbor/_sealed/"+elsewhere, "").StatusCode)

	for _, route := range b.routes {
		if route.ID == "harbor" {
			delete(route.Interactions, "Patient")
		}
	}
	b.configure()
	require.Equal(t, 403, b.call("GET", next, "").StatusCode, "the route has changed since")
}

func TestSealingKeysRotate(t *testing.T) {
	old, err := NewSealer(testKeys("1"))
	require.NoError(t, err)
	rotated, err := NewSealer(testKeys("2", "1"))
	require.NoError(t, err)
	retired, err := NewSealer(testKeys("2"))
	require.NoError(t, err)
	token, err := old.Seal(sealedLink{URL: "https://ehr.example/p"})
	require.NoError(t, err)

	link, err := rotated.Open(token)
	require.NoError(t, err)
	require.Equal(t, "https://ehr.example/p", link.URL)
	fresh, err := rotated.Seal(*link)
	require.NoError(t, err)
	_, err = old.Open(fresh)
	require.Error(t, err, "the new key must be the one that seals")
	_, err = retired.Open(token)
	require.Error(t, err)
	_, err = old.Seal(sealedLink{URL: "https://ehr.example/" + strings.Repeat("x", 4000)})
	require.Error(t, err, "too long")
	_, err = NewSealer(jose.JSONWebKeySet{})
	require.Error(t, err)
	_, err = NewSealer(testKeys("1", "1"))
	require.Error(t, err, "two keys of one kid")
	_, err = NewSealer(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: []byte("short"), KeyID: "s"}}})
	require.Error(t, err)
}

func TestABatchTakesEveryEntryThroughTheStages(t *testing.T) {
	b := newBench(t, nil)
	body := `{"resourceType":"Bundle","type":"batch","entry":[
		{"request":{"method":"GET","url":"Patient/100001"}},
		{"request":{"method":"DELETE","url":"Claim/1"}},
		{"request":{"method":"GET","url":"` + b.server.URL + `/fhir/harbor/Patient?_count=2"}},
		{"request":{"method":"GET","url":"` + b.server.URL + `/fhir/st-mary/Patient/1"}},
		{"request":{"method":"GET","url":"Patient/../metadata"}},
		{"request":{"method":"POST","url":"$reindex"},"resource":{"resourceType":"Parameters"}},
		{"fullUrl":"urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8","request":{"method":"POST","url":"Patient"},"resource":{"resourceType":"Patient","active":true}}
	]}`
	a := b.call("POST", "/fhir/harbor", body)
	require.Equal(t, 200, a.StatusCode, "%s", a.body)
	require.True(t, json.Valid(a.body))
	require.NotContains(t, string(a.body), b.hospitals.Harbor.BaseURL())
	var statuses []string
	for _, entry := range gjson.GetBytes(a.body, "entry").Array() {
		statuses = append(statuses, entry.Get("response.status").Str[:3])
	}
	require.Equal(t, []string{"200", "403", "200", "422", "400", "403", "201"}, statuses)
	require.True(t, strings.HasPrefix(gjson.GetBytes(a.body, "entry.6.response.location").Str, b.server.URL+"/fhir/harbor/Patient/"))
	require.Equal(t, []int{0, 1 + 1 + 20 + 4}, b.limiter.costs, "each entry counts by what it asks for, and one that is refused as one")
	sent := b.lastBody()
	require.Equal(t, int64(3), gjson.GetBytes(sent, "entry.#").Int(), "refused entries are not sent")
	require.NotContains(t, string(sent), b.server.URL)

	b.resetCalls()
	all := b.call("POST", "/fhir/harbor", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"DELETE","url":"Claim/1"}}]}`)
	require.Equal(t, 200, all.StatusCode)
	require.Equal(t, "403 Forbidden", gjson.GetBytes(all.body, "entry.0.response.status").Str)
	require.Zero(t, b.hospitalCalls())

	transaction := b.call("POST", "/fhir/harbor", `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"GET","url":"Patient/100001"}}]}`)
	require.Equal(t, 200, transaction.StatusCode, "%s", transaction.body)
}

func TestCapabilitiesAreNarrowed(t *testing.T) {
	b := newBench(t, nil)
	for _, route := range b.routes {
		a := b.call("GET", "/fhir/"+route.ID+"/metadata", "")
		require.Equal(t, 200, a.StatusCode, "%s", a.body)
		require.NotContains(t, string(a.body), mustParse(t, route.Upstream.BaseURL).Host)
		require.Equal(t, b.server.URL+"/fhir/"+route.ID, gjson.GetBytes(a.body, "implementation.url").Str)
		resources := gjson.GetBytes(a.body, "rest.0.resource").Array()
		require.NotEmpty(t, resources)
		for _, resource := range resources {
			listed := route.Interactions[resource.Get("type").Str]
			require.NotEmpty(t, listed, resource.Get("type").Str)
			for _, interaction := range resource.Get("interaction.#.code").Array() {
				require.Contains(t, listed, fhir.Interaction(interaction.Str))
			}
		}
	}
}

func TestACreateAtEpicComesBackWithAnAbsoluteLocation(t *testing.T) {
	b := newBench(t, nil)
	patient := b.hospitals.Lakeside.IDs("Patient")[0]
	encounters := b.call("GET", "/fhir/lakeside/Encounter?patient="+patient, "")
	require.Equal(t, 200, encounters.StatusCode, "%s", encounters.body)
	var encounter string
	for _, id := range b.hospitals.Lakeside.IDs("Encounter") {
		raw, _ := b.hospitals.Lakeside.Resource("Encounter", id)
		if strings.HasSuffix(gjson.GetBytes(raw, "subject.reference").Str, patient) {
			encounter = id
		}
	}
	if encounter == "" {
		raw, _ := b.hospitals.Lakeside.Resource("Encounter", b.hospitals.Lakeside.IDs("Encounter")[0])
		encounter = gjson.GetBytes(raw, "id").Str
		patient = strings.TrimPrefix(gjson.GetBytes(raw, "subject.reference").Str, "Patient/")
	}
	a := b.call("POST", "/fhir/lakeside/DocumentReference", `{"resourceType":"DocumentReference","status":"current","docStatus":"final",
		"type":{"coding":[{"system":"http://loinc.org","code":"11506-3"}]},"subject":{"reference":"Patient/`+patient+`"},
		"content":[{"attachment":{"contentType":"application/pdf","data":"JVBERi0xLjQ="}}],"context":{"encounter":[{"reference":"Encounter/`+encounter+`"}]}}`)
	require.Equal(t, 201, a.StatusCode, "%s", a.body)
	require.Empty(t, a.body)
	location := a.Header.Get("Location")
	require.True(t, strings.HasPrefix(location, b.server.URL+"/fhir/lakeside/DocumentReference/"), location)
	require.Equal(t, 200, b.call("GET", location, "").StatusCode)
}

func TestABinaryStreamsBothWays(t *testing.T) {
	b := newBench(t, nil)
	pdf := append([]byte("%PDF-1.4\n"), bytes.Repeat([]byte{0, 1, 2, 255}, 1<<20)...)
	created := b.call("POST", "/fhir/harbor/Binary", string(pdf), "Content-Type", "application/pdf")
	require.Equal(t, 201, created.StatusCode, "%s", created.body)
	read := b.call("GET", created.Header.Get("Location"), "", "Accept", "application/pdf")
	require.NoError(t, read.err)
	require.Equal(t, 200, read.StatusCode)
	require.Equal(t, "application/pdf", read.Header.Get("Content-Type"))
	require.True(t, bytes.Equal(pdf, read.body))
}

func TestSearchParametersCarryReferencesIn(t *testing.T) {
	b := newBench(t, nil)
	b.resetCalls()
	b.call("GET", "/fhir/harbor/Observation?subject="+url.QueryEscape(b.server.URL+"/fhir/harbor/Patient/100001")+"&code=http://loinc.org|85354-9&_format=json", "")
	calls := b.hospitals.Harbor.Calls()
	require.NotEmpty(t, calls)
	query := calls[len(calls)-1].Query
	values, err := url.ParseQuery(query)
	require.NoError(t, err)
	require.Equal(t, b.hospitals.Harbor.BaseURL()+"/Patient/100001", values.Get("subject"))
	require.Contains(t, query, "code=http://loinc.org|85354-9", "untouched parameters keep their bytes")
	require.NotContains(t, query, "_format")
}

func TestOnlyListedHeadersPass(t *testing.T) {
	b := newBench(t, nil)
	b.resetCalls()
	a := b.call("GET", "/fhir/harbor/Patient/100001", "", "Cookie", "a=b", "X-Forwarded-Host", "evil.example", "X-Api-Token", "x", "If-None-Match", `W/"7"`)
	require.Equal(t, 200, a.StatusCode)
	call := b.hospitals.Harbor.Calls()[len(b.hospitals.Harbor.Calls())-1]
	for name := range call.Header {
		require.Contains(t, []string{"Accept", "Accept-Encoding", "Authorization", "If-None-Match", "User-Agent"}, name)
	}
	require.NotContains(t, call.Header.Get("Authorization"), aliceKey)
	for name := range a.Header {
		require.Contains(t, []string{"Cache-Control", "Content-Length", "Content-Type", "Date", "Etag", "Last-Modified", "X-Request-Id", "Content-Location", "X-Fhirgate-Cost"}, name)
	}
}

func TestReadThenUpdateLeavesTheResourceAsItWas(t *testing.T) {
	b := newBench(t, nil)
	base := b.hospitals.Harbor.BaseURL()
	planted := `{"resourceType":"DocumentReference","status":"current","meta":{"profile":["` + base + `/StructureDefinition/x"]},
		"extension":[{"url":"` + base + `/ext","valueUri":"` + base + `/v"},{"url":"http://e.example/u","valueUrl":"` + base + `/Patient/1"}],
		"identifier":[{"system":"` + base + `/ids","value":"1.0"}],"subject":{"reference":"` + base + `/Patient/100001"},
		"author":[{"reference":"Practitioner/1"},{"reference":"https://elsewhere.example/fhir/Practitioner/2"}],
		"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">see <a href=\"` + base + `/Patient/1\">it</a></div>"},
		"content":[{"attachment":{"contentType":"application/pdf","url":"Binary/f1"}},{"attachment":{"contentType":"application/pdf","url":"` + base + `/Binary/f2"}},
			{"attachment":{"contentType":"application/pdf","url":"` + strings.TrimSuffix(base, "/fhir") + `/files/f3.pdf"}},{"attachment":{"contentType":"text/plain","data":"aGVsbG8="}}]}`
	r, err := http.NewRequest(http.MethodPost, base+"/DocumentReference", strings.NewReader(planted))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/fhir+json")
	r.Header.Set("Authorization", b.harborToken())
	direct, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, direct.Body)
	direct.Body.Close()
	require.Equal(t, 201, direct.StatusCode)
	ids := b.hospitals.Harbor.IDs("DocumentReference")
	var id string
	for _, candidate := range ids {
		raw, _ := b.hospitals.Harbor.Resource("DocumentReference", candidate)
		if strings.Contains(string(raw), "elsewhere.example") {
			id = candidate
		}
	}
	before, ok := b.hospitals.Harbor.Resource("DocumentReference", id)
	require.True(t, ok)

	read := b.call("GET", "/fhir/harbor/DocumentReference/"+id, "")
	require.Equal(t, 200, read.StatusCode, "%s", read.body)
	require.Contains(t, string(read.body), "/fhir/harbor/_sealed/", "a file of the hospital outside its base is sealed")
	require.Contains(t, string(read.body), b.server.URL+"/fhir/harbor/Binary/f1")
	updated := b.call("PUT", "/fhir/harbor/DocumentReference/"+id, string(read.body), "If-Match", read.Header.Get("ETag"))
	require.Equal(t, 200, updated.StatusCode, "%s", updated.body)
	after, _ := b.hospitals.Harbor.Resource("DocumentReference", id)
	require.JSONEq(t, withoutVersion(t, before), withoutVersion(t, after))
}

// harborToken returns the Authorization header with which the gateway itself
// calls harbor.
func (b *bench) harborToken() string {
	b.t.Helper()
	b.call("GET", "/fhir/harbor/Patient/100001", "")
	calls := b.hospitals.Harbor.Calls()
	return calls[len(calls)-1].Header.Get("Authorization")
}

func withoutVersion(t *testing.T, resource json.RawMessage) string {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal(resource, &m))
	meta, _ := m["meta"].(map[string]any)
	delete(meta, "versionId")
	delete(meta, "lastUpdated")
	out, err := json.Marshal(m)
	require.NoError(t, err)
	return string(out)
}
