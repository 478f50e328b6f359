package facade

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/fhir"
	"fhirgate/policies"
	"fhirgate/transforms"
)

// reversible and lossy rules, of a vendor that has one of each kind.
const translated = `version: 1
vendor: hapi
request:
  - name: notes have a status
    when: {type: DocumentReference, interaction: [create, update]}
    do:
      - default: {path: docStatus, value: final}
      - attachment.inline: {path: content.#.attachment}
  - name: an update names its version
    when: {type: DocumentReference, interaction: update}
    do: [{ifMatch.fromVersion: {}}]
response:
  - name: sexes in FHIR's words
    effect: reversible
    when: {type: Patient}
    do:
      - code.map: {path: gender, map: {F: female, M: male}, params: [gender]}
  - name: no dates that mean none
    effect: lossy
    when: {type: Encounter}
    do:
      - dropIf: {path: period.end, is: ["1899-12-30"]}
  - name: no totals
    do: [{total.drop: {}}]
  - name: nothing found is no news
    when: {interaction: search-type}
    do: [{outcome.drop: ["4101"]}, {entry.complete: {}}]
  - name: stale is 412
    when: {status: 409, header: If-Match}
    do: [{status.set: 412}]
  - name: the quota is used up
    when: {status: 403, body: over quota}
    do:
      - status.set: 429
      - retryAfter: {after: 90s}
      - issue: {code: throttled, text: the day's calls are used up}
  - name: what is said in the body counts
    do:
      - success.if: {path: success, is: ["true"], text: the hospital did not take it}
  - name: every issue has a code
    when: {type: OperationOutcome}
    do: [{default: {path: "issue.#.code", value: processing}}]
`

// harborSpeaks makes a vendor file that of harbor, and lets alice have the
// scope for the hospital's own dialect unless plain.
func (b *bench) harborSpeaks(file string, scopes ...string) {
	b.t.Helper()
	vendor, problems := transforms.Parse("hapi.yaml", []byte(file))
	require.Empty(b.t, problems)
	snapshot := b.facade.Snapshot()
	harbor := snapshot.Hospitals["harbor"]
	harbor.Vendor = vendor
	every := []fhir.Interaction{fhir.Read, fhir.SearchType, fhir.Create, fhir.Update, fhir.Patch}
	harbor.Route.Interactions = map[string][]fhir.Interaction{
		"Patient": every, "Encounter": every, "DocumentReference": every, "Binary": every, "system": {fhir.Batch, fhir.Transaction},
	}
	snapshot.Plans["all"].Scopes = scopes
}

// hospitalSays answers every call with one body and notes what arrived.
type hospitalSays struct {
	status int
	header http.Header
	body   string
	answer func(r *http.Request) (body string, ok bool) // for calls that it knows

	mu   sync.Mutex
	got  []string // "METHOD path?query body"
	last http.Header
}

func (h *hospitalSays) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	h.got = append(h.got, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()[len("/fhir"):]+" "+string(body)))
	h.last = r.Header.Clone()
	h.mu.Unlock()
	w.Header().Set("Content-Type", fhirJSON)
	for name, values := range h.header {
		w.Header()[name] = values
	}
	answer := h.body
	if h.answer != nil {
		if known, ok := h.answer(r); ok {
			answer = known
		}
	}
	if h.status != 0 {
		w.WriteHeader(h.status)
	}
	_, _ = io.WriteString(w, answer)
}

func (h *hospitalSays) taken() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	got := h.got
	h.got = nil
	return got
}

func TestRulesInAnswers(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(translated)
	public := b.server.URL + "/fhir/harbor"
	for _, tc := range []struct {
		name, call   string
		status       int
		header       http.Header
		body, answer string
		want         int
		retry        string
	}{
		{"a read", "GET /Patient/1", 200, nil, `{"resourceType":"Patient","gender" : "F","n":1.0}`, `{"resourceType":"Patient","gender" : "female","n":1.0}`, 200, ""},
		{"another type", "GET /DocumentReference/1", 200, nil, `{"resourceType":"DocumentReference","gender":"F"}`, `{"resourceType":"DocumentReference","gender":"F"}`, 200, ""},
		{
			"a search", "GET /Patient?name=x", 200, nil,
			`{"resourceType":"Bundle","type":"searchset","total":7,"entry":[{"resource":{"resourceType":"Patient","id":"1","gender":"M"}},{"resource":{"resourceType":"OperationOutcome","issue":[{"details":{"coding":[{"code":"4101"}]}}]}}]}`,
			`{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Patient","id":"1","gender":"male"},"search":{"mode":"match"},"fullUrl":"` + public + `/Patient/1"}]}`, 200, "",
		},
		{"an error", "GET /Patient/1", 404, nil, `{"resourceType":"OperationOutcome","issue":[{"severity":"error"}]}`, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"processing"}]}`, 404, ""},
		{"a quota", "GET /Patient/1", 403, nil, `<html>over quota</html>`, "throttled: the day's calls are used up", 429, "90"},
		{"another 403", "GET /Patient/1", 403, nil, `no`, "forbidden: the hospital answered 403: it does not allow the gateway this interaction", 403, ""},
		{"a failure that looks like success", "GET /Patient/1", 200, nil, `{"success":false}`, `processing: the hospital did not take it (rule "what is said in the body counts" of vendor hapi)`, 422, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b.harborAnswers(&hospitalSays{status: tc.status, header: tc.header, body: tc.body})
			method, target, _ := strings.Cut(tc.call, " ")
			a := b.call(method, "/fhir/harbor"+target, "")
			require.Equal(t, tc.want, a.StatusCode, "%s", a.body)
			require.Equal(t, tc.retry, a.Header.Get("Retry-After"))
			got := string(a.body)
			if !strings.HasPrefix(tc.answer, "{") {
				code, text := a.outcome(t)
				got = code + ": " + text
			}
			require.Equal(t, tc.answer, got)
		})
	}
	b.harborAnswers(&hospitalSays{status: 409, body: `{}`})
	resource := `{"resourceType":"Patient"}`
	require.Equal(t, 409, b.call("PUT", "/fhir/harbor/Patient/1", resource).StatusCode)
	require.Equal(t, 412, b.call("PUT", "/fhir/harbor/Patient/1", resource, "If-Match", `W/"1"`).StatusCode)
}

func TestRulesOnTheWayIn(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(translated)
	h := &hospitalSays{body: `{"resourceType":"Patient","gender":"F"}`}
	b.harborAnswers(h)

	read := b.call("GET", "/fhir/harbor/Patient/1", "")
	h.taken()
	require.Equal(t, 200, b.call("PUT", "/fhir/harbor/Patient/1", string(read.body)).StatusCode)
	require.Equal(t, []string{"PUT /Patient/1 " + h.body}, h.taken(), "what was read goes back as the hospital has it")

	require.Equal(t, 200, b.call("GET", "/fhir/harbor/Patient?gender=female,male&name=F", "").StatusCode)
	require.Equal(t, []string{"GET /Patient?gender=F,M&name=F"}, h.taken())

	every := b.facade.Snapshot().Hospitals["harbor"].Route.Interactions
	every["Patient"] = append(every["Patient"], fhir.ConditionalCreate)
	require.Equal(t, 200, b.call("POST", "/fhir/harbor/Patient", `{"resourceType":"Patient"}`, "If-None-Exist", "gender=female").StatusCode)
	require.Equal(t, "gender=F", h.last.Get("If-None-Exist"), "or the hospital would find nobody and make a second one")
	h.taken()
	b.call("POST", "/fhir/harbor", `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"POST","url":"Patient","ifNoneExist":"gender=female"},"resource":{"resourceType":"Patient"}}]}`)
	require.Contains(t, h.taken()[0], `"ifNoneExist":"gender=F"`)

	require.Equal(t, 200, b.call("PATCH", "/fhir/harbor/Patient/1", `[{"op":"replace","path":"/gender","value":"male"}]`, "Content-Type", patchType).StatusCode)
	require.Equal(t, []string{`PATCH /Patient/1 [{"op":"replace","path":"/gender","value":"M"}]`}, h.taken())

	require.Equal(t, 200, b.call("PUT", "/fhir/harbor/DocumentReference/1", `{"resourceType":"DocumentReference","meta":{"versionId":"2"}}`).StatusCode)
	require.Equal(t, []string{`PUT /DocumentReference/1 {"resourceType":"DocumentReference","meta":{"versionId":"2"},"docStatus":"final"}`}, h.taken())
	require.Equal(t, `W/"2"`, h.last.Get("If-Match"))
}

func TestLossyRulesRefuseUpdates(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(translated)
	h := &hospitalSays{body: `{"resourceType":"Encounter","period":{"start":"2026-01-01","end":"1899-12-30"}}`}
	b.harborAnswers(h)
	require.Equal(t, `{"resourceType":"Encounter","period":{"start":"2026-01-01"}}`, string(b.call("GET", "/fhir/harbor/Encounter/1", "").body))
	h.taken()

	a := b.call("PUT", "/fhir/harbor/Encounter/1", `{"resourceType":"Encounter"}`)
	require.Equal(t, 422, a.StatusCode)
	code, text := a.outcome(t)
	require.Equal(t, "business-rule", code)
	require.Contains(t, text, `"no dates that mean none"`)
	require.Contains(t, text, rawHeader)
	require.Equal(t, 422, b.call("PATCH", "/fhir/harbor/Encounter/1", `[{"op":"remove","path":"/period/end"}]`, "Content-Type", patchType).StatusCode)
	require.Equal(t, 200, b.call("PATCH", "/fhir/harbor/Encounter/1", `[{"op":"add","path":"/status","value":"finished"}]`, "Content-Type", patchType).StatusCode)
	require.Equal(t, 200, b.call("POST", "/fhir/harbor/Encounter", `{"resourceType":"Encounter"}`).StatusCode)
	require.Len(t, h.taken(), 2)

	raw := b.call("GET", "/fhir/harbor/Encounter/1", "", rawHeader, "true")
	require.Equal(t, 403, raw.StatusCode)
	_, text = raw.outcome(t)
	require.Contains(t, text, policies.ScopeRaw)
	require.Equal(t, 400, b.call("GET", "/fhir/harbor/Encounter/1", "", rawHeader, "yes").StatusCode)

	b.facade.Snapshot().Plans["all"].Scopes = []string{policies.ScopeRaw}
	raw = b.call("GET", "/fhir/harbor/Encounter/1", "", rawHeader, "true")
	require.Equal(t, h.body, string(raw.body))
	h.taken()
	require.Equal(t, 200, b.call("PUT", "/fhir/harbor/Encounter/1", string(raw.body), rawHeader, "true").StatusCode)
	require.Equal(t, []string{"PUT /Encounter/1 " + h.body}, h.taken())
}

func TestRulesInBatches(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(translated)
	h := &hospitalSays{body: `{"resourceType":"Bundle","type":"batch-response","entry":[` +
		`{"response":{"status":"200"},"resource":{"resourceType":"Patient","gender":"F"}},` +
		`{"response":{"status":"200"},"resource":{"resourceType":"Bundle","type":"searchset","total":3,"entry":[{"resource":{"resourceType":"Patient","id":"1","gender":"M"}}]}}]}`}
	b.harborAnswers(h)
	a := b.call("POST", "/fhir/harbor", `{"resourceType":"Bundle","type":"batch","entry":[`+
		`{"request":{"method":"PUT","url":"Encounter/1"},"resource":{"resourceType":"Encounter"}},`+
		`{"request":{"method":"PUT","url":"Patient/1"},"resource":{"resourceType":"Patient","gender":"female"}},`+
		`{"request":{"method":"PATCH","url":"Patient/1"},"resource":{"resourceType":"Binary"}},`+
		`{"request":{"method":"GET","url":"Patient?gender=male"}}]}`)
	require.Equal(t, 200, a.StatusCode, "%s", a.body)
	sent := h.taken()[0]
	require.NotContains(t, sent, "Encounter")
	require.Contains(t, sent, `"gender":"F"`)
	require.Contains(t, sent, `Patient?gender=M`)
	require.Equal(t, []string{"422 Unprocessable Entity", "200", "422 Unprocessable Entity", "200"}, texts(gjson.GetBytes(a.body, "entry.#.response.status")))
	require.Equal(t, "female", gjson.GetBytes(a.body, "entry.1.resource.gender").Str)
	require.Equal(t, "male", gjson.GetBytes(a.body, "entry.3.resource.entry.0.resource.gender").Str)
	require.Equal(t, "match", gjson.GetBytes(a.body, "entry.3.resource.entry.0.search.mode").Str)
	require.False(t, gjson.GetBytes(a.body, "entry.3.resource.total").Exists())

	a = b.call("POST", "/fhir/harbor", `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"PUT","url":"Encounter/1"},"resource":{"resourceType":"Encounter"}}]}`)
	require.Equal(t, 422, a.StatusCode)
	require.Empty(t, h.taken())
}

func texts(list gjson.Result) []string {
	var out []string
	for _, item := range list.Array() {
		out = append(out, item.String())
	}
	return out
}

func TestAnAttachmentIsFetchedForABody(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(translated)
	h := &hospitalSays{body: `{"resourceType":"DocumentReference"}`, answer: func(r *http.Request) (string, bool) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/Binary/9"):
			return `{"resourceType":"Binary","contentType":"text/plain","data":"aGVsbG8="}`, true
		case strings.Contains(r.URL.Path, "/Binary/"):
			return `{"resourceType":"Patient"}`, true
		}
		return "", false
	}}
	b.harborAnswers(h)
	create := func(url string) answer {
		return b.call("POST", "/fhir/harbor/DocumentReference", `{"resourceType":"DocumentReference","content":[{"attachment":{"url":"`+url+`"}}]}`)
	}
	for _, url := range []string{"Binary/9", b.server.URL + "/fhir/harbor/Binary/9"} {
		a := create(url)
		require.Equal(t, 200, a.StatusCode, "%s", a.body)
		got := h.taken()
		require.Len(t, got, 2)
		require.Contains(t, got[1], `"contentType":"text/plain","data":"aGVsbG8="`)
		require.NotContains(t, got[1], "Binary/9")
	}
	for url, status := range map[string]int{"Binary/8": 422, "https://elsewhere.example/Binary/9": 422} {
		a := create(url)
		require.Equal(t, status, a.StatusCode, "%s", a.body)
		require.NotContains(t, string(a.body), "elsewhere")
		for _, call := range h.taken() {
			require.NotContains(t, call, "POST")
		}
	}
	delete(b.facade.Snapshot().Hospitals["harbor"].Route.Interactions, "Binary")
	require.Equal(t, 422, create("Binary/9").StatusCode, "a rule fetches nothing that the caller may not read")
	require.Empty(t, h.taken())
}

func TestLinesOfABulkExport(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(translated)
	base := b.facade.Snapshot().Hospitals["harbor"].Route.Upstream.BaseURL
	line := `{"resourceType":"Patient","gender":"F","managingOrganization":{"reference":"` + base + `/Organization/1"}}` + "\n"
	want := strings.ReplaceAll(strings.ReplaceAll(line, `"F"`, `"female"`), base, b.server.URL+"/fhir/harbor")
	for _, n := range []int{0, 2, 20_000} {
		b.harborAnswers(&hospitalSays{body: strings.Repeat(line, n), header: http.Header{"Content-Type": {"application/fhir+ndjson"}}})
		a := b.call("GET", "/fhir/harbor/Patient/1", "")
		require.Equal(t, 200, a.StatusCode, "%s", a.body)
		require.NoError(t, a.err)
		require.Equal(t, linesType, a.Header.Get("Content-Type"))
		require.Equal(t, strings.Repeat(want, n), string(a.body))
	}
}

// TestARuleThatFails has a rule fail at the beginning of an answer, where it is
// a clean refusal, and late, where the answer is broken off.
func TestARuleThatFails(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(`version: 1
vendor: hapi
response:
  - name: known sexes only
    effect: reversible
    when: {type: Patient}
    do: [{code.map: {path: gender, map: {F: female}, unmapped: fail}}]
`)
	good := `{"resource":{"resourceType":"Patient","gender":"F"}},`
	bad := `{"resource":{"resourceType":"Patient","gender":"secret"}}]}`
	b.harborAnswers(&hospitalSays{body: `{"resourceType":"Bundle","type":"searchset","entry":[` + strings.Repeat(good, 3) + bad})
	a := b.call("GET", "/fhir/harbor/Patient?name=x", "")
	require.Equal(t, 502, a.StatusCode, "%s", a.body)
	_, text := a.outcome(t)
	require.Contains(t, text, `rule "known sexes only" of vendor hapi`)
	require.Contains(t, gjson.GetBytes(a.body, "issue.0.expression.0").Str, "Bundle.entry[3].resource.gender")
	require.NotContains(t, string(a.body), "secret")

	b.harborAnswers(&hospitalSays{body: `{"resourceType":"Bundle","type":"searchset","entry":[` + strings.Repeat(good, 40_000) + bad})
	a = b.call("GET", "/fhir/harbor/Patient?name=x", "")
	require.Equal(t, 200, a.StatusCode)
	require.ErrorIs(t, a.err, io.ErrUnexpectedEOF)
	require.NotContains(t, string(a.body), "secret")
	require.NotContains(t, b.log.String(), "secret")
}

// TestWhatARuleMovesIsStillALocator has rules put locators where there were
// none, at a place that the pass over the answer has no eye for.
func TestWhatARuleMovesIsStillALocator(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(`version: 1
vendor: hapi
response:
  - name: pictures are photos
    effect: reversible
    when: {type: Patient}
    do: [{move: {from: pictures, to: photo}}]
`)
	base := b.facade.Snapshot().Hospitals["harbor"].Route.Upstream.BaseURL
	resource := `{"resourceType":"Patient","pictures":[{"url":"` + base + `/Binary/1"},{"url":"Binary/2"}],"managingOrganization":{"reference":"` + base + `/Organization/1"}}`
	for _, body := range []string{resource, `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"` + base + `?page=2"}],"entry":[{"resource":` + resource + `}]}`} {
		b.harborAnswers(&hospitalSays{body: body})
		a := b.call("GET", "/fhir/harbor/Patient?name=x", "")
		require.Equal(t, 200, a.StatusCode)
		require.NotContains(t, string(a.body), base)
		require.Contains(t, string(a.body), b.server.URL+"/fhir/harbor/Binary/1")
	}
}

// TestParametersOfEntries has conditions look at those of an entry's own search.
func TestParametersOfEntries(t *testing.T) {
	b := newBench(t, nil)
	b.harborSpeaks(`version: 1
vendor: hapi
response:
  - name: who asks for names gets no phones
    effect: lossy
    when: {type: Patient, param: name}
    unless: {param: phone}
    do: [{drop: [telecom]}]
`)
	patients := `{"response":{"status":"200"},"resource":{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Patient","telecom":[{"value":"1"}]}}]}}`
	b.harborAnswers(&hospitalSays{body: `{"resourceType":"Bundle","type":"batch-response","entry":[` + patients + "," + patients + "," + patients + `]}`})
	a := b.call("POST", "/fhir/harbor", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient?name=x"}},{"request":{"method":"GET","url":"Patient?name=x&phone=1"}},{"request":{"method":"GET","url":"Patient?family=x"}}]}`)
	for i, want := range []bool{false, true, true} {
		require.Equal(t, want, gjson.GetBytes(a.body, "entry."+strconv.Itoa(i)+".resource.entry.0.resource.telecom").Exists(), i)
	}
}
