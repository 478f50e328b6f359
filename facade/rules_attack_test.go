package facade

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/policies"
)

// noteWith is a document with attachments at these urls.
func noteWith(urls ...string) string {
	return `{"resourceType":"DocumentReference","content":[{"attachment":{"url":"` + strings.Join(urls, `"}},{"attachment":{"url":"`) + `"}}]}`
}

// TestWhatARuleDoesNotFetch has a caller name what the gateway's credential
// opens and the caller's own calls do not.
func TestWhatARuleDoesNotFetch(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(translated)
	h := &hospitalSays{body: `<Patient/>`, header: http.Header{"Content-Type": {"application/fhir+xml"}}}
	b.harborAnswers(h)
	harbor := b.facade.Snapshot().Hospitals["harbor"]
	delete(harbor.Route.Interactions, "Patient")
	for _, url := range []string{
		"Patient/1?_format=xml", "Patient", "Binary", "Binary?contenttype=x", "Binary/9?_format=xml", "Binary/..", "Binary/9/$reindex",
		"/admin/users", harbor.base.Scheme + "://" + harbor.base.Host + "/files/1", b.server.URL + "/fhir/harbor/Patient/1?_format=xml",
	} {
		a := b.call("POST", "/fhir/harbor/DocumentReference", noteWith(url))
		require.Equal(t, 422, a.StatusCode, "%s: %s", url, a.body)
		require.Empty(t, h.taken(), url)
	}
}

// TestARuleFetchesWhatASealedLinkStandsFor has an answer tell of an attachment
// outside the base, which the caller sends back.
func TestARuleFetchesWhatASealedLinkStandsFor(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(translated)
	harbor := b.facade.Snapshot().Hospitals["harbor"]
	file := harbor.base.Scheme + "://" + harbor.base.Host + "/fhir-files/1"
	h := &hospitalSays{body: noteWith(file), answer: func(r *http.Request) (string, bool) {
		return `{"resourceType":"Binary","contentType":"text/plain","data":"aGVsbG8="}`, r.URL.Path == "/fhir-files/1"
	}}
	b.harborAnswers(h)
	sealed := gjson.GetBytes(b.call("GET", "/fhir/harbor/DocumentReference/1", "").body, "content.0.attachment.url").Str
	require.Contains(t, sealed, "/_sealed/")
	h.taken()
	b.limiter.costs = nil
	require.Equal(t, 200, b.call("POST", "/fhir/harbor/DocumentReference", noteWith(sealed)).StatusCode)
	got := h.taken()
	require.Len(t, got, 2)
	require.Contains(t, got[1], `"data":"aGVsbG8="`)
	require.Equal(t, []int{20, 5}, b.limiter.costs, "what is fetched counts as a call")
}

func TestWhatIsFetchedForABodyIsBounded(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(translated)
	h := &hospitalSays{body: strings.Repeat("x", 1000), header: http.Header{"Content-Type": {"text/plain"}}}
	b.harborAnswers(h)
	b.facade.limits.JSON = 1500
	a := b.call("POST", "/fhir/harbor/DocumentReference", noteWith("Binary/1", "Binary/2", "Binary/3"))
	require.Equal(t, 422, a.StatusCode, "%s", a.body)
	require.Equal(t, []string{"GET /Binary/1", "GET /Binary/2"}, h.taken())
}

// TestWorkThatGrowsWithTheSquare has calls whose parts are many.
func TestWorkThatGrowsWithTheSquare(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(translated)
	h := &hospitalSays{body: `{"resourceType":"Bundle","type":"searchset"}`}
	b.harborAnswers(h)
	a := b.call("POST", "/fhir/harbor/Patient/_search", strings.Repeat("a&", maxParams+1), "Content-Type", formType)
	require.Equal(t, 413, a.StatusCode, "%s", a.body)

	op := `{"op":"add","path":"/a/reference","value":"` + b.server.URL + `/fhir/harbor/Patient/1"}`
	a = b.call("PATCH", "/fhir/harbor/Patient/1", "["+op+strings.Repeat(","+op, maxEntries)+"]", "Content-Type", patchType)
	require.Equal(t, 413, a.StatusCode, "%s", a.body)
	require.Empty(t, h.taken())
	a = b.call("PATCH", "/fhir/harbor/Patient/1", "["+op+strings.Repeat(","+op, 2)+`,{"op":"remove","path":"/b"}]`, "Content-Type", patchType)
	require.Equal(t, 200, a.StatusCode, "%s", a.body)
	sent := h.taken()[0]
	base := b.facade.Snapshot().Hospitals["harbor"].Route.Upstream.BaseURL
	require.Equal(t, 3, strings.Count(sent, `"value":"`+base+`/Patient/1"`), sent)
	require.Contains(t, sent, `,{"op":"remove","path":"/b"}]`)
}

// TestPagesInTheHospitalsWords has codes of the hospital that are other codes of
// ours: a link to a further page must not be translated again.
func TestPagesInTheHospitalsWords(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(`version: 1
vendor: hapi
response:
  - name: numbers of sexes
    effect: reversible
    when: {type: Patient}
    do: [code.map: {path: gender, map: {"1": "2", "2": "3"}, params: [gender]}]
`)
	base := b.facade.Snapshot().Hospitals["harbor"].Route.Upstream.BaseURL
	h := &hospitalSays{body: `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"self","url":"` + base + `/Patient?gender=2"},{"relation":"next","url":"` + base + `/Patient?gender=2&page=2"}]}`}
	b.harborAnswers(h)
	first := b.call("GET", "/fhir/harbor/Patient?gender=3", "")
	require.Equal(t, []string{"GET /Patient?gender=2"}, h.taken())
	require.Equal(t, b.server.URL+"/fhir/harbor/Patient?gender=3", gjson.GetBytes(first.body, "link.0.url").Str)
	for page, n := first, 0; n < 2; n++ {
		next := strings.TrimPrefix(gjson.GetBytes(page.body, "link.1.url").Str, b.server.URL)
		page = b.call("GET", next, "")
		require.Equal(t, 200, page.StatusCode, "%s", page.body)
		require.Equal(t, []string{"GET /Patient?gender=2&page=2"}, h.taken())
	}
}

// TestABundleThatIsKeptIsNotUpdated has rules change the resources in it, on
// their way to the caller alone.
func TestABundleThatIsKeptIsNotUpdated(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(translated, policies.ScopeRaw)
	every := b.facade.Snapshot().Hospitals["harbor"].Route.Interactions
	every["Bundle"] = every["Patient"]
	h := &hospitalSays{body: `{"resourceType":"Bundle","type":"collection","total":1,"entry":[{"resource":{"resourceType":"Encounter","period":{"end":"1899-12-30"}}},{"resource":{"resourceType":"Patient","gender":"F"}}]}`}
	b.harborAnswers(h)
	read := b.call("GET", "/fhir/harbor/Bundle/1", "")
	require.Contains(t, string(read.body), `"total":1`)
	require.NotContains(t, string(read.body), "1899")
	h.taken()
	require.Equal(t, 422, b.call("PUT", "/fhir/harbor/Bundle/1", string(read.body)).StatusCode)
	require.Equal(t, 422, b.call("PATCH", "/fhir/harbor/Bundle/1", `[{"op":"remove","path":"/entry/0"}]`, "Content-Type", patchType).StatusCode)
	require.Empty(t, h.taken())

	read = b.call("GET", "/fhir/harbor/Bundle/1", "", rawHeader, "true")
	h.taken()
	require.Equal(t, 200, b.call("PUT", "/fhir/harbor/Bundle/1", string(read.body), rawHeader, "true").StatusCode)
	require.Equal(t, []string{"PUT /Bundle/1 " + h.body}, h.taken())
}

// TestWhatRulesMarkedIsNotSentAsRaw has a caller mix the two dialects: the
// hospital would keep a mark, and every answer with it would fail.
func TestWhatRulesMarkedIsNotSentAsRaw(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(translated, policies.ScopeRaw)
	h := &hospitalSays{body: `{"resourceType":"Patient","gender":"female"}`}
	b.harborAnswers(h)
	read := b.call("GET", "/fhir/harbor/Patient/1", "")
	require.True(t, bytes.Contains(read.body, []byte("urn:fhirgate:own")))
	h.taken()
	require.Equal(t, 422, b.call("PUT", "/fhir/harbor/Patient/1", string(read.body), rawHeader, "true").StatusCode)
	require.Empty(t, h.taken())
	require.Equal(t, 200, b.call("PUT", "/fhir/harbor/Patient/1", string(read.body)).StatusCode)
	require.Equal(t, []string{"PUT /Patient/1 " + h.body}, h.taken())
}
