package facade

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/fhir"
	"fhirgate/observe/audit"
	"fhirgate/policies/smart"
)

// scoped gives harbor a route that lists everything that these tests need, a
// hospital that answers as h does, and a credential "narrow" with the scopes.
func (b *bench) scoped(h *hospitalSays, scopes ...string) {
	b.t.Helper()
	b.harborAnswers(h)
	every := []fhir.Interaction{fhir.Read, fhir.SearchType, fhir.Create, fhir.Update, fhir.Patch, fhir.Delete, fhir.HistoryInstance}
	b.facade.Snapshot().Hospitals["harbor"].Route.Interactions = map[string][]fhir.Interaction{
		"Patient": every, "Observation": every, "Appointment": every, "DocumentReference": every, "Binary": every,
		"system": {fhir.Batch, fhir.Transaction},
	}
	compiled, err := smart.Parse(scopes)
	require.NoError(b.t, err)
	b.consumers.add("narrow", Consumer{Way: WayToken, Scopes: compiled})
}

// narrow makes a call with the narrow credential.
func (b *bench) narrow(method, path, body string, header ...string) answer {
	return b.call(method, "/fhir/harbor/"+path, body, append([]string{"Authorization", "Bearer narrow"}, header...)...)
}

const (
	labCategory = `"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}]`
	lab         = `{"resourceType":"Observation","id":"lab","meta":{"versionId":"3"},` + labCategory + `,"subject":{"reference":"Patient/1"}}`
	vital       = `{"resourceType":"Observation","id":"vital","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],"subject":{"reference":"Patient/2"}}`
	onlyLab     = "system/Observation.cruds?category=laboratory"
)

func searchset(resources ...string) string {
	if len(resources) == 0 {
		return `{"resourceType":"Bundle","type":"searchset","total":0}`
	}
	return `{"resourceType":"Bundle","type":"searchset","total":` + fmt.Sprint(len(resources)) + `,"entry":[{"resource":` + strings.Join(resources, `},{"resource":`) + `}]}`
}

func idsOf(a answer) (ids []string) {
	for _, id := range gjson.GetBytes(a.body, "entry.#.resource.id").Array() {
		ids = append(ids, id.Str)
	}
	return ids
}

func TestAMissingScopeIsNamedAsOAuthDoes(t *testing.T) {
	b := newBench(t, nil)
	b.scoped(&hospitalSays{body: searchset()}, "system/Observation.rs")
	a := b.narrow("GET", "Observation?_include=Observation:subject:Patient", "")
	require.Equal(t, 403, a.StatusCode)
	_, text := a.outcome(t)
	require.Equal(t, "the call needs the scope system/Patient.r, for _include", text)
	require.Equal(t, `Bearer realm="fhirgate", error="insufficient_scope", scope="system/Patient.r"`, a.Header.Get("WWW-Authenticate"))
}

func TestASearchIsNarrowedAndItsEntriesAreLookedAt(t *testing.T) {
	b := newBench(t, nil)
	h := &hospitalSays{body: searchset(lab, vital, `{"resourceType":"Patient","id":"1"}`, `{"resourceType":"OperationOutcome","id":"hint","issue":[]}`, `{"id":"typeless"}`), header: http.Header{"Etag": {`W/"7"`}, "Last-Modified": {"Sun, 22 Nov 2026 10:00:00 GMT"}, "Content-Location": {"Observation/vital"}}}
	b.scoped(h, onlyLab)
	a := b.narrow("GET", "Observation?date=2026", "")
	require.Equal(t, 200, a.StatusCode, "%s", a.body)
	for name := range h.header {
		require.Empty(t, a.Header.Get(name), "it may tell of what is left out")
	}
	require.Equal(t, []string{"lab", "hint"}, idsOf(a))
	require.False(t, gjson.GetBytes(a.body, "total").Exists(), "it would count what is left out")
	require.Equal(t, []string{"GET /Observation?date=2026&category=laboratory"}, h.taken())

	a = b.narrow("POST", "Observation/_search", "date=2026", "Content-Type", formType)
	require.Equal(t, []string{"lab", "hint"}, idsOf(a), "%s", a.body)
	require.Equal(t, []string{"POST /Observation/_search date=2026&category=laboratory"}, h.taken())
}

func TestAnEntryWithTwoResourcesIsLeftOut(t *testing.T) {
	b := newBench(t, nil)
	b.scoped(&hospitalSays{body: `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":` + lab + `,"resource":` + vital + `},{"resource":` + lab + `}]}`}, onlyLab)
	a := b.narrow("GET", "Observation", "")
	require.Equal(t, []string{"lab"}, idsOf(a))
	require.NotContains(t, string(a.body), "vital-signs")
}

func TestATotalOfWhatIsNotLookedAtStays(t *testing.T) {
	b := newBench(t, nil)
	b.scoped(&hospitalSays{body: searchset(lab, vital, `{"resourceType":"Patient","id":"1"}`)}, "system/Observation.rs")
	a := b.narrow("GET", "Observation", "")
	require.Equal(t, []string{"lab", "vital"}, idsOf(a), "%s", a.body)
	require.Equal(t, int64(3), gjson.GetBytes(a.body, "total").Int())
}

func TestAReadIsLookedAtBeforeItsFirstByte(t *testing.T) {
	b := newBench(t, nil)
	long := func(resource string, n int) string {
		return strings.TrimSuffix(resource, "}") + `,"note":[{"text":"` + strings.Repeat("x", n) + `"}]}`
	}
	for name, tc := range map[string]struct {
		body   string
		status int
	}{
		"in scope":              {lab, 200},
		"beyond":                {vital, 404},
		"long, in scope":        {long(lab, 3<<20), 200},
		"long, beyond":          {long(vital, 3<<20), 404},
		"too long to look at":   {long(lab, 9<<20), 403},
		"category twice":        {strings.Replace(lab, `"subject"`, `"category":[],"subject"`, 1), 404},
		"no type at all":        {`{"id":"1"}`, 404},
		"an array":              {`[` + vital + `]`, 502},
		"a Bundle that has one": {`{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + vital + `}]}`, 404},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.scoped(&hospitalSays{body: tc.body}, onlyLab)
			a := b.narrow("GET", "Observation/1", "")
			require.NoError(t, a.err)
			require.Equal(t, tc.status, a.StatusCode, "%.300s", a.body)
			if tc.status >= 400 {
				require.NotContains(t, string(a.body), "vital")
			}
		})
	}
}

func TestADeletedResourceIsHiddenAsItWas(t *testing.T) {
	b := newBench(t, nil)
	history := `{"resourceType":"Bundle","type":"history","total":2,"entry":[{"resource":` + lab + `},{"fullUrl":"x/Observation/gone","request":{"method":"DELETE","url":"Observation/gone"}}]}`
	b.scoped(&hospitalSays{body: history}, onlyLab)
	require.Len(t, gjson.GetBytes(b.narrow("GET", "Observation/1/_history", "").body, "entry").Array(), 1)
	b.scoped(&hospitalSays{body: history}, "system/Observation.rs")
	require.Len(t, gjson.GetBytes(b.narrow("GET", "Observation/1/_history", "").body, "entry").Array(), 2)
}

func TestASignedSearchsetIsNotPassedUnseen(t *testing.T) {
	b := newBench(t, nil)
	b.scoped(&hospitalSays{body: strings.TrimSuffix(searchset(vital), "}") + `,"signature":{"data":"eA=="}}`}, onlyLab)
	a := b.narrow("GET", "Observation", "")
	require.Equal(t, 403, a.StatusCode, "%s", a.body)
	require.NotContains(t, string(a.body), "vital-signs")
}

func TestAWriteChangesOnlyWhatIsInScope(t *testing.T) {
	b := newBench(t, nil)
	patch := func(path string) string { return `[{"op":"replace","path":"` + path + `","value":"final"}]` }
	for name, tc := range map[string]struct {
		present, method, path, body string
		media                       string
		status                      int
		calls                       []string // methods that arrived
	}{
		"update":                  {lab, "PUT", "Observation/lab", lab, fhirJSON, 200, []string{"GET", "PUT"}},
		"update of another":       {vital, "PUT", "Observation/vital", strings.Replace(lab, `"lab"`, `"vital"`, 1), fhirJSON, 404, []string{"GET"}},
		"update to another":       {lab, "PUT", "Observation/lab", strings.Replace(vital, `"vital"`, `"lab"`, 1), fhirJSON, 403, nil},
		"patch":                   {lab, "PATCH", "Observation/lab", patch("/status"), patchType, 200, []string{"GET", "PATCH"}},
		"patch of another":        {vital, "PATCH", "Observation/vital", patch("/status"), patchType, 404, []string{"GET"}},
		"patch out of scope":      {lab, "PATCH", "Observation/lab", patch("/category/0"), patchType, 403, nil},
		"delete":                  {lab, "DELETE", "Observation/lab", "", "", 200, []string{"GET", "DELETE"}},
		"delete of another":       {vital, "DELETE", "Observation/vital", "", "", 404, []string{"GET"}},
		"create":                  {lab, "POST", "Observation", lab, fhirJSON, 200, []string{"POST"}},
		"create of another":       {lab, "POST", "Observation", vital, fhirJSON, 403, nil},
		"present one is no JSON":  {"<html>", "DELETE", "Observation/lab", "", "", 502, []string{"GET"}},
		"present one is too long": {`{"resourceType":"Observation",` + labCategory + `,"x":"` + strings.Repeat("x", maxGuarded) + `"}`, "DELETE", "Observation/lab", "", "", 403, []string{"GET"}},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			h := &hospitalSays{body: tc.present, header: http.Header{"Etag": {`W/"3"`}}}
			b.scoped(h, onlyLab)
			a := b.narrow(tc.method, tc.path, tc.body, "Content-Type", tc.media)
			require.Equal(t, tc.status, a.StatusCode, "%.300s", a.body)
			var methods []string
			for _, call := range h.taken() {
				method, _, _ := strings.Cut(call, " ")
				methods = append(methods, method)
			}
			require.Equal(t, tc.calls, methods)
			if len(methods) == 2 {
				require.Equal(t, `W/"3"`, h.last.Get("If-Match"), "the write is bound to the version that was looked at")
			}
		})
	}
}

func TestAnUpdateOfWhatIsNotThereIsForTheHospitalToJudge(t *testing.T) {
	b := newBench(t, nil)
	h := &hospitalSays{status: 404, body: `{"resourceType":"OperationOutcome","issue":[]}`}
	b.scoped(h, onlyLab)
	require.Equal(t, 404, b.narrow("PUT", "Observation/lab", lab).StatusCode)
	require.Len(t, h.taken(), 2, "it may create it")
}

// TestWhetherThereIsOneIsNotTold compares what is hidden with what is not there.
func TestWhetherThereIsOneIsNotTold(t *testing.T) {
	b := newBench(t, nil)
	hidden := `{"resourceType":"Bundle","type":"history","entry":[{"resource":` + vital + `}]}`
	const none = `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found","diagnostics":"Resource Observation/1 is not known"}]}`
	for name, tc := range map[string]struct{ method, path, body, media, hidden string }{
		"read":    {"GET", "Observation/1", "", "", vital},
		"history": {"GET", "Observation/1/_history", "", "", hidden},
		"delete":  {"DELETE", "Observation/1", "", "", vital},
		"patch":   {"PATCH", "Observation/1", `[{"op":"remove","path":"/note"}]`, patchType, vital},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			answers := make(map[string]answer)
			for what, h := range map[string]*hospitalSays{
				"hidden": {body: tc.hidden}, "not there": {body: none, status: 404}, "deleted": {body: none, status: 410},
			} {
				b.scoped(h, onlyLab)
				answers[what] = b.narrow(tc.method, tc.path, tc.body, "Content-Type", tc.media, "X-Request-Id", "same")
			}
			want := answers["hidden"]
			require.Equal(t, 404, want.StatusCode, "%s", want.body)
			for what, got := range answers {
				require.Equal(t, want.StatusCode, got.StatusCode, what)
				require.Equal(t, string(want.body), string(got.body), what)
				got.Header.Del("Date")
				want.Header.Del("Date")
				require.Equal(t, want.Header, got.Header, what)
			}
		})
	}
	b.scoped(&hospitalSays{body: `{"resourceType":"Bundle","type":"batch-response","entry":[{"resource":` + vital + `,"response":{"status":"200"}},{"response":{"status":"404","outcome":` + none + `}}]}`}, onlyLab)
	a := b.narrow("POST", "", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Observation/1"}},{"request":{"method":"GET","url":"Observation/2"}}]}`)
	require.Equal(t, gjson.GetBytes(a.body, "entry.0").Raw, gjson.GetBytes(a.body, "entry.1").Raw, "%s", a.body)
}

func TestWhoMayNotReadGetsNothingBackOfAWrite(t *testing.T) {
	b := newBench(t, nil)
	b.scoped(&hospitalSays{body: lab, status: 201, header: http.Header{"Location": {"Observation/lab"}}}, "system/Observation.c")
	a := b.narrow("POST", "Observation", lab)
	require.Equal(t, 201, a.StatusCode)
	require.Empty(t, a.body)
	require.Equal(t, b.server.URL+"/fhir/harbor/Observation/lab", a.Header.Get("Location"))
}

func TestABatchIsLookedAtEntryByEntry(t *testing.T) {
	b := newBench(t, nil)
	h := &hospitalSays{body: `{"resourceType":"Bundle","type":"batch-response","entry":[
		{"resource":` + lab + `,"response":{"status":"200 OK"}},
		{"resource":` + vital + `,"response":{"status":"200 OK"}},
		{"resource":` + searchset(lab, vital) + `,"response":{"status":"200 OK"}},
		{"resource":{"resourceType":"Appointment","id":"9"},"response":{"status":"201 Created","location":"Appointment/9"}}]}`}
	b.scoped(h, onlyLab, "system/Appointment.c")
	a := b.narrow("POST", "", `{"resourceType":"Bundle","type":"batch","entry":[
		{"request":{"method":"GET","url":"Observation/lab"}},
		{"request":{"method":"GET","url":"Observation/vital"}},
		{"request":{"method":"GET","url":"Observation?date=2026"}},
		{"request":{"method":"GET","url":"Patient/1"}},
		{"request":{"method":"POST","url":"Appointment"},"resource":{"resourceType":"Appointment"}},
		{"request":{"method":"PUT","url":"Observation/lab"},"resource":`+lab+`}]}`)
	require.Equal(t, 200, a.StatusCode, "%s", a.body)
	var statuses []string
	for _, entry := range gjson.GetBytes(a.body, "entry").Array() {
		statuses = append(statuses, entry.Get("response.status").Str[:3])
	}
	require.Equal(t, []string{"200", "404", "404", "403", "201", "403"}, statuses, "%s", a.body)
	require.NotContains(t, string(a.body), "vital-signs")
	require.False(t, gjson.GetBytes(a.body, "entry.4.resource").Exists(), "who may not read gets nothing back")
	require.Contains(t, h.taken()[0], "Observation?date=2026&category=laboratory")
}

func TestAPatientInContextIsAllThereIs(t *testing.T) {
	b := newBench(t, nil)
	next := `"link":[{"relation":"next","url":"HARBOR?page=2"}],`
	h := &hospitalSays{body: strings.Replace(strings.Replace(searchset(lab, vital), `"total"`, next+`"total"`, 1), "HARBOR", b.hospitals.Harbor.BaseURL(), 1)}
	b.scoped(h)
	scopes, err := smart.Parse([]string{"patient/Observation.rs"})
	require.NoError(t, err)
	b.consumers.add("of-1", Consumer{KeyID: "app", Way: WayProvider, Scopes: scopes, User: "someone", Patient: "1", PatientHospital: "harbor"})
	b.consumers.add("of-2", Consumer{KeyID: "app", Way: WayProvider, Scopes: scopes, User: "someone", Patient: "2", PatientHospital: "harbor"})
	b.consumers.add("elsewhere", Consumer{KeyID: "app", Way: WayProvider, Scopes: scopes, Patient: "1", PatientHospital: "st-mary"})

	a := b.call("GET", "/fhir/harbor/Observation", "", "Authorization", "Bearer of-1")
	require.Equal(t, []string{"lab"}, idsOf(a), "%s", a.body)
	require.Contains(t, h.taken()[0], "Patient%2F1")
	page := gjson.GetBytes(a.body, "link.0.url").Str
	require.Equal(t, []string{"lab"}, idsOf(b.call("GET", page, "", "Authorization", "Bearer of-1")), "a page is looked at as the first one")
	require.Equal(t, 403, b.call("GET", page, "", "Authorization", "Bearer of-2").StatusCode)
	require.Equal(t, 403, b.call("GET", "/fhir/harbor/Observation", "", "Authorization", "Bearer elsewhere").StatusCode)
	require.Equal(t, 403, b.call("GET", "/fhir/harbor/Appointment", "", "Authorization", "Bearer of-1").StatusCode)
}

func TestEverythingOfThePatientInContextHasPages(t *testing.T) {
	b := newBench(t, nil)
	h := &hospitalSays{body: `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"` + b.hospitals.Harbor.BaseURL() + `?page=2"}],"entry":[{"resource":` + lab + `},{"resource":` + vital + `}]}`}
	b.scoped(h)
	b.facade.Snapshot().Hospitals["harbor"].Route.Operations = map[string][]string{"Patient": {"$everything"}}
	scopes, err := smart.Parse([]string{"patient/*.rs"})
	require.NoError(t, err)
	b.consumers.add("of-1", Consumer{KeyID: "app", Way: WayProvider, Scopes: scopes, User: "someone", Patient: "1", PatientHospital: "harbor"})
	a := b.call("GET", "/fhir/harbor/Patient/1/$everything", "", "Authorization", "Bearer of-1")
	require.Equal(t, []string{"lab"}, idsOf(a), "%s", a.body)
	a = b.call("GET", gjson.GetBytes(a.body, "link.0.url").Str, "", "Authorization", "Bearer of-1")
	require.Equal(t, []string{"lab"}, idsOf(a), "%s", a.body)
	require.Equal(t, 403, b.call("GET", "/fhir/harbor/Patient/2/$everything", "", "Authorization", "Bearer of-1").StatusCode)
}

func TestDenyRulesBindEveryone(t *testing.T) {
	b := newBench(t, nil)
	secret, err := smart.ParseFilter("*", "_security=R")
	require.NoError(t, err)
	b.denied = []smart.Filter{secret}
	b.configure()
	restricted := strings.Replace(vital, `"id":"vital"`, `"id":"vital","meta":{"security":[{"code":"R"}]}`, 1)
	h := &hospitalSays{body: searchset(lab, restricted)}
	b.scoped(h)
	get := func(path string) answer { return b.call("GET", "/fhir/harbor/"+path, "") }
	require.Equal(t, []string{"lab"}, idsOf(get("Observation")))
	require.Equal(t, []string{"lab"}, idsOf(get("Observation/1/_history")))

	h.body = restricted
	require.Equal(t, 404, get("Observation/vital").StatusCode)
	require.Equal(t, 404, b.call("DELETE", "/fhir/harbor/Observation/vital", "").StatusCode)
	require.Equal(t, 403, b.call("POST", "/fhir/harbor/Observation", restricted).StatusCode)
	b.facade.Snapshot().Plans["all"].Scopes = []string{"fhirgate/raw"}
	require.Equal(t, 403, b.call("GET", "/fhir/harbor/Observation/vital", "", rawHeader, "true").StatusCode, "the hospital's own dialect is not what the rules look at")

	h.body = lab
	require.Equal(t, 200, get("Observation/lab").StatusCode)
	h.header = http.Header{"Content-Type": {"application/pdf"}}
	h.body = "%PDF"
	require.Equal(t, 403, get("Binary/1").StatusCode, "what has no meta cannot be looked at")
}

func TestWhatIsSentIsLookedAtAsItWouldBeRead(t *testing.T) {
	b := newBench(t, nil)
	rule, err := smart.ParseFilter("Observation", "subject=Patient/2")
	require.NoError(t, err)
	b.denied = []smart.Filter{rule}
	b.configure()
	h := &hospitalSays{status: 201, body: lab}
	b.scoped(h)
	for _, base := range []string{"", b.server.URL + "/fhir/harbor/", b.hospitals.Harbor.BaseURL() + "/"} {
		of2 := strings.Replace(lab, "Patient/1", base+"Patient/2", 1)
		require.Equal(t, 403, b.call("POST", "/fhir/harbor/Observation", of2).StatusCode, base)
		a := b.call("POST", "/fhir/harbor", `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"POST","url":"Observation"},"resource":`+of2+`}]}`)
		require.Equal(t, 403, a.StatusCode, base)
	}
	require.Empty(t, h.taken())
	require.Equal(t, 400, b.call("PUT", "/fhir/harbor/Observation/other", lab).StatusCode, "the hospital might write it there")
	require.Empty(t, h.taken())
}

func TestAnEntrySaysPlainlyWhatItAsksFor(t *testing.T) {
	b := newBench(t, nil)
	h := &hospitalSays{}
	b.scoped(h, "system/Patient.cr")
	for _, entry := range []string{
		`{"request":{"method":"POST","url":"Patient","IfNoneExist":"identifier=1"},"resource":{"resourceType":"Patient"}}`,
		`{"request":{"method":"POST","url":"Patient","ifNoneExist":["identifier=1"]},"resource":{"resourceType":"Patient"}}`,
		`{"request":{"method":"GET","url":"Patient/1"},"resource":{"resourceType":"Parameters"}}`,
	} {
		a := b.narrow("POST", "", `{"resourceType":"Bundle","type":"batch","entry":[`+entry+`]}`)
		require.Equal(t, "400 Bad Request", gjson.GetBytes(a.body, "entry.0.response.status").Str, "%s", entry)
	}
	require.Empty(t, h.taken())
}

func TestARawBinaryPassesWhereNothingIsAboutIt(t *testing.T) {
	b := newBench(t, nil)
	pdf := &hospitalSays{body: "%PDF", header: http.Header{"Content-Type": {"application/pdf"}}}
	for name, tc := range map[string]struct {
		scope, deny, where string
		create, read       int
	}{
		"both":                        {"system/Binary.cr", "", "", 200, 200},
		"create only":                 {"system/Binary.c", "", "", 200, 403},
		"a deny rule of another type": {"system/Binary.cr", "Observation", "_tag=a", 200, 200},
		"a deny rule of all types":    {"system/Binary.cr", "*", "_tag=a", 403, 403},
		"a condition":                 {"system/Binary.cr?_tag=a", "", "", 403, 403},
	} {
		t.Run(name, func(t *testing.T) {
			b.t, b.denied = t, nil
			if tc.deny != "" {
				filter, err := smart.ParseFilter(tc.deny, tc.where)
				require.NoError(t, err)
				b.denied = []smart.Filter{filter}
			}
			b.configure()
			b.scoped(pdf, tc.scope)
			a := b.narrow("POST", "Binary", "%PDF", "Content-Type", "application/pdf")
			require.Equal(t, tc.create, a.StatusCode, "%s", a.body)
			a = b.narrow("GET", "Binary/1", "", "Accept", "application/pdf")
			require.Equal(t, tc.read, a.StatusCode, "%s", a.body)
		})
	}
}

func TestAConditionalReferenceIsASearch(t *testing.T) {
	b := newBench(t, nil)
	h := &hospitalSays{body: lab, status: 201}
	b.scoped(h, "system/Observation.cruds")
	b.scoped(h, "system/Observation.cruds", "system/Patient.s?_tag=a")
	require.Equal(t, 403, b.narrow("POST", "Observation", strings.Replace(lab, "Patient/1", "Patient?identifier=1", 1)).StatusCode, "an oracle for what lies beyond")
	b.scoped(h, "system/Observation.cruds")
	for _, reference := range []string{"Patient?identifier=1", "/Patient?identifier=1", b.server.URL + "/fhir/harbor/Patient?identifier=1", b.hospitals.Harbor.BaseURL() + "/Patient?identifier=1"} {
		a := b.narrow("POST", "Observation", strings.Replace(lab, "Patient/1", reference, 1))
		require.Equal(t, 403, a.StatusCode, "%s: %s", reference, a.body)
	}
	require.Empty(t, h.taken())
	require.Equal(t, 201, b.narrow("POST", "Observation", strings.Replace(lab, "Patient/1", "Observation?code=1", 1)).StatusCode)
	h.taken()
	for _, operation := range []string{`"path":"/subject","value":{"reference":"Patient?identifier=1"}`, `"path":"/subject/reference","value":"Patient?identifier=1"`} {
		a := b.narrow("PATCH", "Observation/lab", `[{"op":"replace",`+operation+`}]`, "Content-Type", patchType)
		require.Equal(t, 403, a.StatusCode, "%s: %s", operation, a.body)
	}
	require.Empty(t, h.taken())
}

func TestWaysIn(t *testing.T) {
	b := newBench(t, nil)
	b.scoped(&hospitalSays{body: `{"resourceType":"Patient","id":"1"}`}, "system/*.cruds")
	here := netip.MustParsePrefix("127.0.0.0/8")
	b.consumers.add("here", Consumer{Way: WayKey, AllowFrom: []netip.Prefix{here}})
	b.consumers.add("elsewhere", Consumer{Way: WayKey, AllowFrom: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	route := b.facade.Snapshot().Hospitals["harbor"].Route
	for _, tc := range []struct {
		credential string
		accept     []string
		status     int
	}{
		{"here", nil, 200},
		{"elsewhere", nil, 403},
		{"here", []string{"token"}, 403},
		{"narrow", []string{"token"}, 200},
		{"narrow", []string{"token+certificate"}, 403},
	} {
		route.Accept = tc.accept
		a := b.call("GET", "/fhir/harbor/Patient/1", "", "Authorization", "Bearer "+tc.credential)
		require.Equal(t, tc.status, a.StatusCode, "%v: %s", tc, a.body)
	}
}

func TestAPlanMayRequireAPurpose(t *testing.T) {
	b := newBench(t, nil)
	b.scoped(&hospitalSays{body: `{"resourceType":"Patient","id":"1"}`}, "system/*.cruds")
	plan := b.facade.Snapshot().Plans["all"]
	plan.Requires.Purpose, plan.Requires.OnBehalfOf = true, true
	require.Equal(t, 400, b.narrow("GET", "Patient/1", "").StatusCode)
	require.Equal(t, 400, b.narrow("GET", "Patient/1", "", purposeHeader, "TREAT").StatusCode)
	require.Equal(t, 400, b.narrow("GET", "Patient/1", "", purposeHeader, "TREAT", behalfHeader, strings.Repeat("x", 300)).StatusCode)
	require.Equal(t, 200, b.narrow("GET", "Patient/1", "", purposeHeader, "TREAT", behalfHeader, "Practitioner/7").StatusCode)
}

// TestWhatIsWrittenIsNotRefused: a caller that was told 403 would write it again.
func TestWhatIsWrittenIsNotRefused(t *testing.T) {
	b := newBench(t, nil)
	trail := &fakeTrail{}
	b.facade.trail = trail
	scopes := []string{"system/Observation.cu", "system/Observation.r?category=laboratory"}
	b.scoped(&hospitalSays{body: vital, status: 201, header: http.Header{"Location": {"Observation/vital"}}}, scopes...)
	a := b.narrow("POST", "Observation", vital)
	require.Equal(t, 201, a.StatusCode)
	require.Empty(t, a.body)
	require.NotEmpty(t, a.Header.Get("Location"))
	trail.taken(t, 1)

	b.scoped(&hospitalSays{body: `{"resourceType":"Bundle","type":"batch-response","entry":[
		{"resource":` + vital + `,"response":{"status":"201 Created","location":"Observation/vital"}},
		{"resource":` + vital + `,"response":{"status":"200 OK"}}]}`}, scopes...)
	a = b.narrow("POST", "", `{"resourceType":"Bundle","type":"batch","entry":[
		{"request":{"method":"POST","url":"Observation"},"resource":`+vital+`},
		{"request":{"method":"GET","url":"Observation/vital"}}]}`)
	require.Equal(t, "201 Created", gjson.GetBytes(a.body, "entry.0.response.status").Str, "%s", a.body)
	require.Equal(t, "404 Not Found", gjson.GetBytes(a.body, "entry.1.response.status").Str)
	require.NotContains(t, string(a.body), "vital-signs")
	events := trail.taken(t, 3)
	require.Equal(t, []int{200, 201, 404}, each(events, func(e audit.Event) int { return e.Status }), "what the caller was told is what is kept")
	require.Equal(t, []string{"", "", "not-found"}, each(events, func(e audit.Event) string { return e.Issue }))
}
