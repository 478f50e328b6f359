package facade

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/fhir"
	"fhirgate/transforms"
)

// harborRules gives harbor the vendor rules of text, and these vars.
func (b *bench) harborRules(text string, vars map[string]string) {
	b.t.Helper()
	vendor, problems := transforms.Parse("hapi.yaml", []byte("version: 1\nvendor: hapi\nrequest:\n"+text))
	require.Empty(b.t, problems)
	harbor := b.facade.Snapshot().Hospitals["harbor"]
	harbor.Vendor, harbor.Route.Vars = vendor, vars
}

// asked notes what arrives at a hospital: "METHOD target", and " form" when it
// has a body.
type asked struct {
	answer func(r *http.Request) string // default: an empty searchset

	mu    sync.Mutex
	calls []string
	last  http.Header
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	form, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	call := r.Method + " " + r.URL.RequestURI()
	if len(form) > 0 {
		call += " " + string(form)
	}
	a.calls = append(a.calls, call)
	a.last = r.Header.Clone()
	w.Header().Set("Content-Type", fhirJSON)
	answer := `{"resourceType":"Bundle","type":"searchset"}`
	switch {
	case a.answer != nil:
		answer = a.answer(r)
	case strings.HasPrefix(r.URL.Path, "/v1/"): // the vendor's own API
		answer = `{"appointments":[]}`
	}
	_, _ = io.WriteString(w, answer)
}

// take returns the calls since the last take.
func (a *asked) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls
	a.calls = nil
	return calls
}

// base returns the path of harbor's FHIR base.
func (b *bench) base() string { return b.facade.Snapshot().Hospitals["harbor"].base.Path }

func TestTheVerbOfASearch(t *testing.T) {
	b := newBench(t, nil)
	hospital := &asked{}
	b.harborAnswers(hospital)
	form := []string{"Content-Type", formType}
	for name, tc := range map[string]struct {
		rule, method, target, body string
		want                       string
	}{
		"GET becomes POST":   {"search.post", "GET", "Patient?name=roe&_format=json", "", "POST /Patient/_search name=roe"},
		"GET without any":    {"search.post", "GET", "Patient", "", "POST /Patient/_search"},
		"POST stays":         {"search.post", "POST", "Patient/_search?a=1", "name=roe", "POST /Patient/_search a=1&name=roe"},
		"HEAD becomes POST":  {"search.post", "HEAD", "Patient?name=roe", "", "POST /Patient/_search name=roe"},
		"compartment stays":  {"search.post", "GET", "Patient/1/Observation?code=x", "", "GET /Patient/1/Observation?code=x"},
		"read stays":         {"search.post", "GET", "Patient/1", "", "GET /Patient/1"},
		"POST becomes GET":   {"search.get", "POST", "Patient/_search?a=1", "name=roe+x", "GET /Patient?a=1&name=roe+x"},
		"GET stays":          {"search.get", "GET", "Patient?name=roe", "", "GET /Patient?name=roe"},
		"references go back": {"search.post", "GET", "Observation?subject=" + b.server.URL + "/fhir/harbor/Patient/1", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.harborRules("  - {name: verb, do: [{"+tc.rule+": {}}]}\n", nil)
			var header []string
			if tc.body != "" {
				header = form
			}
			hospital.take()
			a := b.call(tc.method, "/fhir/harbor/"+tc.target, tc.body, header...)
			require.Equal(t, 200, a.StatusCode, "%s", a.body)
			calls := hospital.take()
			require.Len(t, calls, 1)
			if tc.want == "" {
				require.NotContains(t, calls[0], b.server.URL)
				return
			}
			verb, rest, _ := strings.Cut(tc.want, " ")
			require.Equal(t, verb+" "+b.base()+rest, calls[0])
			isForm := strings.HasPrefix(tc.want, "POST")
			require.Equal(t, isForm, hospital.last.Get("Content-Type") == formType)
		})
	}
}

// adapted takes a call of alice's through the stages up to the hospital.
func (b *bench) adapted(target string) (*call, error) {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	c := &call{r: r, began: time.Now(), snapshot: b.facade.Snapshot(), sealer: b.facade.sealer.Load(), consumer: &Consumer{KeyID: "key_" + aliceKey, PlanID: "all"}}
	require.NoError(b.t, b.facade.identify(c))
	return c, b.facade.adapt(c)
}

const perLocation = `  - name: header
    do: [{header.set: {name: Accept, value: application/fhir+json}}]
  - name: split
    when: {type: Encounter, interaction: search-type}
    do: [{search.split: {param: location, values: {var: locations}, at_most: 2}}, {param.cap: {name: _count, max: 50}}]
`

func TestASplitSearchGoesOnAsFurtherPages(t *testing.T) {
	for name, tc := range map[string]struct {
		rules string
		want  []string
	}{
		"by GET":  {perLocation, []string{"GET /Encounter?date=2026-11-22&_count=50&location=A,B", "GET /Encounter?date=2026-11-22&_count=50&location=C,D", "GET /Encounter?date=2026-11-22&_count=50&location=E"}},
		"by form": {perLocation + "  - {name: form, do: [{search.post: {}}]}\n", []string{"POST /Encounter/_search date=2026-11-22&_count=50&location=A,B", "POST /Encounter/_search date=2026-11-22&_count=50&location=C,D", "POST /Encounter/_search date=2026-11-22&_count=50&location=E"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			hospital := &asked{}
			b.harborAnswers(hospital)
			b.harborRules(tc.rules, map[string]string{"locations": "A,B,C,D,E"})
			target := b.server.URL + "/fhir/harbor/Encounter?date=2026-11-22&_count=100"
			for i, want := range tc.want {
				a := b.call("GET", target, "")
				require.Equal(t, 200, a.StatusCode, "%s", a.body)
				verb, rest, _ := strings.Cut(want, " ")
				require.Equal(t, []string{verb + " " + b.base() + rest}, hospital.take())
				require.Equal(t, "application/fhir+json", hospital.last.Get("Accept"), "rules of headers apply to every part")

				c, err := b.adapted(target)
				require.NoError(t, err)
				if i == len(tc.want)-1 {
					last, err := c.continuation()
					require.NoError(t, err)
					require.Empty(t, last)
					break
				}
				// The link may come with the last of several pages of a part.
				page, err := c.sealPage(c.hospital.Route.Upstream.BaseURL + "?page=2")
				require.NoError(t, err)
				second, err := b.adapted(page)
				require.NoError(t, err)
				require.Equal(t, "GET", second.out.Method)
				require.Equal(t, c.hospital.Route.Upstream.BaseURL+"?page=2", second.out.URL.String())
				target, err = second.continuation()
				require.NoError(t, err)
				require.NotContains(t, target, "location")
			}
		})
	}
}

func TestAPartOfASearchIsBoundAsAnyLink(t *testing.T) {
	b := newBench(t, nil)
	hospital := &asked{}
	b.harborAnswers(hospital)
	b.harborRules(perLocation, map[string]string{"locations": "A,B,C"})
	c, err := b.adapted(b.server.URL + "/fhir/harbor/Encounter?date=2026-11-22")
	require.NoError(t, err)
	next, err := c.continuation()
	require.NoError(t, err)
	require.Equal(t, 403, b.call("GET", next, "", "Authorization", "Bearer "+bobKey).StatusCode)
	require.Equal(t, 404, b.call("GET", next[:len(next)-5]+"AAAAA", "").StatusCode)
	require.Empty(t, hospital.take())
}

func TestAListThatFitsInNoLinkIsRefusedBeforeItIsSent(t *testing.T) {
	b := newBench(t, nil)
	hospital := &asked{}
	b.harborAnswers(hospital)
	b.harborRules("  - {name: one, do: [{search.split: {param: patient, at_most: 1}}]}\n", nil)
	list := func(n int) string {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = "patient-" + strconv.Itoa(i)
		}
		return strings.Join(ids, ",")
	}
	require.Equal(t, 200, b.call("GET", "/fhir/harbor/Encounter?patient="+list(100), "").StatusCode)
	hospital.take()
	a := b.call("GET", "/fhir/harbor/Encounter?patient="+list(400), "")
	require.Equal(t, 400, a.StatusCode)
	code, text := a.outcome(t)
	require.Equal(t, "too-long", code)
	require.NotContains(t, text, "patient-")
	require.Empty(t, hospital.take())
	require.NotContains(t, b.log.String(), "patient-")
}

const dayList = `  - name: day list
    when: {type: Appointment, interaction: search-type, param: date}
    do:
      - alternate:
          url: /v1/{practice}/booked
          query: {department: {var: departments}, start: {param: date, layout: MM/DD/YYYY, bound: from}}
          answer:
            items: appointments
            next: next
            resource: {resourceType: Appointment, id: "{id}", participant: [{actor: {reference: "Patient/{patient}"}}]}
`

func TestAnAlternateRoute(t *testing.T) {
	b := newBench(t, nil)
	for _, route := range b.routes {
		if route.ID == "harbor" {
			route.Interactions["Appointment"] = []fhir.Interaction{fhir.SearchType}
		}
	}
	b.configure()
	hospital := &asked{answer: func(*http.Request) string { return `{"appointments":[]}` }}
	b.harborAnswers(hospital)
	b.harborRules(dayList, map[string]string{"practice": "9 /x", "departments": "1,7"})
	first := b.call("GET", "/fhir/harbor/Appointment?date=2026-11-22&_count=5", "")
	require.Equal(t, 200, first.StatusCode)
	require.Equal(t, "searchset", gjson.GetBytes(first.body, "type").Str)
	require.Equal(t, []string{"GET /v1/9%20%2Fx/booked?department=1,7&start=11/22/2026"}, hospital.take())
	require.Equal(t, 200, b.call("POST", "/fhir/harbor/Appointment/_search", "date=2026-11-22", "Content-Type", formType).StatusCode)
	require.Equal(t, []string{"GET /v1/9%20%2Fx/booked?department=1,7&start=11/22/2026"}, hospital.take())
	require.Equal(t, 200, b.call("GET", "/fhir/harbor/Appointment?patient=1", "").StatusCode)
	require.Equal(t, []string{"GET " + b.base() + "/Appointment?patient=1"}, hospital.take())

	c, err := b.adapted(b.server.URL + "/fhir/harbor/Appointment?date=2026-11-22")
	require.NoError(t, err)
	bundle, err := c.alternateAnswer([]byte(`{"appointments":[{"id":"7","patient":"secret"}],"next":"/v1/9/booked?offset=1"}`))
	require.NoError(t, err)
	require.Equal(t, "Patient/secret", gjson.GetBytes(bundle, "entry.0.resource.participant.0.actor.reference").Str)
	require.Equal(t, "/v1/9/booked?offset=1", gjson.GetBytes(bundle, `link.#(relation=="next").url`).Str)

	for _, answer := range []string{`{"appointments":[{"id":"7"}]`, `{"error":"secret"}`, `{"appointments":["secret"]}`, strings.Repeat(" ", maxAlternate+1)} {
		_, err := c.alternateAnswer([]byte(answer))
		refusal := asError(err)
		require.Equal(t, 502, refusal.Status)
		require.NotContains(t, refusal.Text, "secret")
	}

	page, err := c.sealPage(c.hospital.absolute("/v1/9/booked?offset=1"))
	require.NoError(t, err)
	second, err := b.adapted(page)
	require.NoError(t, err)
	require.Equal(t, "/v1/9/booked?offset=1", second.out.URL.RequestURI())
	_, err = second.alternateAnswer([]byte(`{"appointments":[]}`))
	require.NoError(t, err)

	b.harborRules("  - {name: another, do: [{param.drop: [x]}]}\n", nil)
	require.Equal(t, 410, b.call("GET", page, "").StatusCode, "the rule is gone")
}

func TestARouteMustListTheSearchOfAnAlternateRoute(t *testing.T) {
	b := newBench(t, nil)
	delete(b.facade.Snapshot().Hospitals["harbor"].Route.Interactions, "Appointment")
	hospital := &asked{}
	b.harborAnswers(hospital)
	b.harborRules(dayList, map[string]string{"practice": "9", "departments": "1"})
	require.Equal(t, 403, b.call("GET", "/fhir/harbor/Appointment?date=2026-11-22", "").StatusCode)
	require.Empty(t, hospital.take())
}

func TestEntriesThatWouldNeedACallOfTheirOwnAreRefused(t *testing.T) {
	b := newBench(t, nil)
	b.harborRules(`  - {name: post, when: {type: Patient, interaction: search-type}, do: [{search.post: {}}]}
  - {name: split, when: {type: Encounter, interaction: search-type}, do: [{search.split: {param: patient, at_most: 1}}]}
  - {name: late, when: {type: Patient, interaction: update}, unless: {header: If-Match}, do: [{param.requireAny: [never]}]}
`, nil)
	a := b.call("POST", "/fhir/harbor", `{"resourceType":"Bundle","type":"batch","entry":[
		{"request":{"method":"GET","url":"Patient?name=roe"}},
		{"request":{"method":"GET","url":"Encounter?patient=1,2"}},
		{"request":{"method":"GET","url":"Encounter?patient=1"}},
		{"resource":{"resourceType":"Patient","id":"p1"},"request":{"method":"PUT","url":"Patient/p1"}},
		{"resource":{"resourceType":"Patient","id":"p1"},"request":{"method":"PUT","url":"Patient/p1","ifMatch":"W/\"1\""}}]}`)
	require.Equal(t, 200, a.StatusCode, "%s", a.body)
	for i, code := range []string{"not-supported", "not-supported", "", "required"} {
		require.Equal(t, code, gjson.GetBytes(a.body, "entry."+strconv.Itoa(i)+".response.outcome.issue.0.code").Str, "%d %s", i, a.body)
	}
	require.NotContains(t, gjson.GetBytes(a.body, "entry.4").Raw, "rule", "the entry's own conditions count as headers")
}

func TestExplainShowsWhereASearchReallyGoes(t *testing.T) {
	b := newBench(t, nil)
	explain := func(method, target string) string {
		text, _ := Explain(b.facade.Snapshot(), httptest.NewRequest(method, "/fhir/harbor/"+target, nil), "all")
		return text
	}
	base := b.facade.Snapshot().Hospitals["harbor"].base
	b.harborRules(perLocation+"  - {name: form, do: [{search.post: {}}]}\n", map[string]string{"locations": "A,B,C"})
	text := explain("GET", "Encounter?date=2026-11-22")
	require.Contains(t, text, "split")
	require.Contains(t, text, "goes to      POST "+base.String()+"/Encounter/_search\n")
	require.Contains(t, text, "as form      date=2026-11-22&location=A,B\n")
	require.Contains(t, text, "goes on      with further values of location as further pages, 2 a call\n")

	b.facade.Snapshot().Hospitals["harbor"].Route.Interactions["Appointment"] = []fhir.Interaction{fhir.SearchType}
	b.harborRules(dayList, map[string]string{"practice": "9", "departments": "1"})
	text = explain("GET", "Appointment?date=2026-11-22")
	require.Contains(t, text, "goes to      GET "+base.Scheme+"://"+base.Host+"/v1/9/booked?department=1&start=11/22/2026\n")
	require.Contains(t, text, "becomes      a Bundle of Appointment, by the rule day list\n")

	b.harborRules("  - {name: get, do: [{search.get: {}}]}\n", nil)
	require.Contains(t, explain("POST", "Patient/_search?name=roe"), "goes to      GET "+base.String()+"/Patient?name=roe\n")
}

// follow calls target and the next links from there on, and returns the ids of
// all entries.
func (b *bench) follow(target string) (ids []string) {
	b.t.Helper()
	for range 20 {
		a := b.call("GET", target, "")
		require.Equal(b.t, 200, a.StatusCode, "%s", a.body)
		for _, id := range gjson.GetBytes(a.body, "entry.#.resource.id").Array() {
			ids = append(ids, id.Str)
		}
		if target = gjson.GetBytes(a.body, `link.#(relation=="next").url`).Str; target == "" {
			return ids
		}
	}
	b.t.Fatal("the pages do not end")
	return nil
}

// TestAllPagesOfASplitSearchAreReached follows the links of a search whose
// three parts have two pages each. The hospital's own page links are of both
// kinds: such as the gateway passes on, and such as it must seal.
func TestAllPagesOfASplitSearchAreReached(t *testing.T) {
	for name, page := range map[string]string{"sealed": "?page=", "plain": "/Encounter?page="} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			base := b.facade.Snapshot().Hospitals["harbor"].Route.Upstream.BaseURL
			hospital := &asked{answer: func(r *http.Request) string {
				if part := r.URL.Query().Get("location"); part != "" {
					part = part[:1]
					return `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"` + base + page + part + `"}],"entry":[{"resource":{"resourceType":"Encounter","id":"` + part + `1"}}]}`
				}
				return `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Encounter","id":"` + r.URL.Query().Get("page") + `2"}}]}`
			}}
			b.harborAnswers(hospital)
			b.harborRules(strings.Replace(perLocation, "type: Encounter", "type: Encounter, param: date", 1), map[string]string{"locations": "A,B,C,D,E"})
			require.Equal(t, []string{"A1", "A2", "C1", "C2", "E1", "E2"}, b.follow("/fhir/harbor/Encounter?date=2026-11-22"))
			require.Len(t, hospital.take(), 6)
		})
	}
}

func TestAllPagesOfAnAlternateRouteAreReached(t *testing.T) {
	b := newBench(t, nil)
	b.facade.Snapshot().Hospitals["harbor"].Route.Interactions["Appointment"] = []fhir.Interaction{fhir.SearchType}
	hospital := &asked{answer: func(r *http.Request) string {
		if r.URL.Query().Get("offset") != "" {
			return `{"appointments":[{"id":"b","patient":"2"}]}`
		}
		return `{"appointments":[{"id":"a","patient":"1"}],"next":"/v1/9/booked?offset=1"}`
	}}
	b.harborAnswers(hospital)
	b.harborRules(dayList, map[string]string{"practice": "9", "departments": "1"})
	require.Equal(t, []string{"a", "b"}, b.follow("/fhir/harbor/Appointment?date=2026-11-22"))
	require.Equal(t, []string{"GET /v1/9/booked?department=1&start=11/22/2026", "GET /v1/9/booked?offset=1"}, hospital.take())
}
