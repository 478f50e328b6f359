package facade

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/observe/audit"
)

// fakeTrail keeps events in memory.
type fakeTrail struct {
	mu     sync.Mutex
	events []audit.Event
	err    error
}

func (f *fakeTrail) Ready() error { return f.err }

func (f *fakeTrail) Record(e audit.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

// taken waits for n events: a call is recorded when it has been answered.
func (f *fakeTrail) taken(t *testing.T, n int) (events []audit.Event) {
	t.Helper()
	require.Eventually(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.events) < n {
			return false
		}
		events, f.events = f.events, nil
		return true
	}, 5*time.Second, time.Millisecond)
	require.Len(t, events, n)
	return events
}

func TestWhoTouchedWhomIsKept(t *testing.T) {
	b := newBench(t, nil)
	trail := &fakeTrail{}
	b.facade.trail = trail
	h := &hospitalSays{}
	b.scoped(h, "system/*.cruds")
	for name, tc := range map[string]struct {
		method, path, body  string
		answer              string
		status              int
		location            string
		interaction         string
		patients, resources []string
	}{
		"read of a patient":    {"GET", "Patient/1", "", `{"resourceType":"Patient","id":"1"}`, 200, "", "read", []string{"Patient/1"}, []string{"Patient/1"}},
		"read of another type": {"GET", "Observation/7", "", lab, 200, "", "read", []string{"Patient/1"}, []string{"Observation/7"}},
		"search by patient":    {"GET", "Observation?patient=3,Patient%2F4", "", searchset(), 200, "", "search-type", []string{"Patient/3", "Patient/4"}, nil},
		"search by day":        {"GET", "Observation?date=2026", "", searchset(lab, lab, vital), 200, "", "search-type", []string{"Patient/1", "Patient/2"}, nil},
		"search of patients": {
			"GET", "Patient?birthdate=1980", "", `{"resourceType":"Bundle","type":"searchset","entry":[{"fullUrl":"https://x.example/Patient/9","resource":{"resourceType":"Patient","id":"9"}}]}`,
			200, "", "search-type",
			[]string{"Patient/9"},
			nil,
		},
		"escaped name":   {"GET", "Observation?%70atient=3", "", searchset(), 200, "", "search-type", []string{"Patient/3"}, nil},
		"type in a name": {"GET", "Observation?subject:Patient=3", "", searchset(), 200, "", "search-type", []string{"Patient/3"}, nil},
		"search by POST": {"POST", "Observation/_search", "patient=3", searchset(), 200, "", "search-type", []string{"Patient/3"}, nil},
		"patch":          {"PATCH", "Observation/7", `[{"op":"add","path":"/subject","value":{"reference":"Patient/3"}}]`, `{"resourceType":"Observation"}`, 200, "", "patch", []string{"Patient/3"}, []string{"Observation/7"}},
		"create":         {"POST", "Observation", lab, lab, 201, "Observation/55/_history/1", "create", []string{"Patient/1"}, []string{"Observation/55"}},
		"refused":        {"GET", "Claim/1", "", "", 403, "", "read", nil, []string{"Claim/1"}},
		"not at all":     {"GET", "Patient/404", "", `{"resourceType":"OperationOutcome","issue":[]}`, 404, "", "read", []string{"Patient/404"}, []string{"Patient/404"}},
		"delete":         {"DELETE", "Patient/1", "", `{"resourceType":"OperationOutcome","issue":[]}`, 200, "", "delete", []string{"Patient/1"}, []string{"Patient/1"}},
		"foreign ids":    {"GET", "Observation?subject=Patient/12%3Cscript%3E", "", searchset(), 200, "", "search-type", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			h.body, h.status, h.header = tc.answer, tc.status, http.Header{}
			if tc.location != "" {
				h.header.Set("Location", tc.location)
			}
			media := map[string]string{"patch": patchType, "search by POST": formType}[name]
			a := b.narrow(tc.method, tc.path, tc.body, purposeHeader, "TREAT", behalfHeader, "Practitioner/7", "Content-Type", cmp.Or(media, fhirJSON))
			require.Equal(t, tc.status, a.StatusCode, "%s", a.body)
			e := trail.taken(t, 1)[0]
			require.Equal(t, tc.patients, e.Patients)
			require.Equal(t, tc.resources, e.Resources)
			require.Equal(t, tc.interaction, e.Interaction)
			require.Equal(t, tc.status, e.Status)
			require.Equal(t, "harbor", e.Hospital)
			require.Equal(t, "key_narrow", e.Consumer)
			require.Equal(t, "token", e.Way)
			require.Equal(t, a.Header.Get("X-Request-Id"), e.RequestID)
			require.Equal(t, "127.0.0.1", e.Address.String())
			require.Equal(t, -1, e.Entry)
			if tc.status != 403 {
				require.Equal(t, []string{"TREAT", "Practitioner/7"}, []string{e.Purpose, e.OnBehalfOf})
			}
		})
	}
}

func TestEachEntryOfABatchIsKept(t *testing.T) {
	b := newBench(t, nil)
	trail := &fakeTrail{}
	b.facade.trail = trail
	b.scoped(&hospitalSays{body: `{"resourceType":"Bundle","type":"batch-response","entry":[
		{"resource":{"resourceType":"Patient","id":"1"},"response":{"status":"200 OK"}},
		{"response":{"status":"201 Created","location":"Observation/9/_history/1"}},
		{"response":{"status":"404"}}]}`}, "system/*.cruds")
	a := b.narrow("POST", "", `{"resourceType":"Bundle","type":"batch","entry":[
		{"request":{"method":"GET","url":"Patient/1"}},
		{"request":{"method":"GET","url":"Claim/1"}},
		{"request":{"method":"POST","url":"Observation"},"resource":`+lab+`},
		{"request":{"method":"GET","url":"Observation?patient=5"}}]}`)
	require.Equal(t, 200, a.StatusCode, "%s", a.body)
	events := trail.taken(t, 5)
	require.Equal(t, []string{"batch", "read", "read", "create", "search-type"}, each(events, func(e audit.Event) string { return e.Interaction }))
	require.Equal(t, []int{-1, 0, 1, 2, 3}, each(events, func(e audit.Event) int { return e.Entry }))
	require.Equal(t, []int{200, 200, 403, 201, 404}, each(events, func(e audit.Event) int { return e.Status }))
	require.Equal(t, []string{"Patient/1"}, events[1].Patients)
	require.Equal(t, []string{"Observation/9"}, events[3].Resources)
	require.Equal(t, []string{"Patient/5"}, events[4].Patients)
	require.Equal(t, "not-supported", events[2].Issue)
}

func each[T any](events []audit.Event, of func(audit.Event) T) (out []T) {
	for _, e := range events {
		out = append(out, of(e))
	}
	return out
}

func TestWhatCannotBeKeptIsRefused(t *testing.T) {
	b := newBench(t, nil)
	b.facade.trail = &fakeTrail{err: errors.New("disk full")}
	b.resetCalls()
	a := b.call("GET", "/fhir/harbor/Patient/100001", "")
	require.Equal(t, http.StatusServiceUnavailable, a.StatusCode)
	code, text := a.outcome(t)
	require.Equal(t, "no-store", code)
	require.NotContains(t, text, "disk")
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	require.Zero(t, b.hospitalCalls())
}

func TestTheNumberOfPatientsOfACallIsBounded(t *testing.T) {
	var about touched
	for i := range maxTouched + 5 {
		about.seen(fmt.Appendf(nil, "Patient/%d", i))
		about.seen(fmt.Appendf(nil, "https://hospital.example/Patient/%d/_history/1", i))
	}
	require.Len(t, about.patients, maxTouched)
	require.True(t, about.more)
}

func TestPatientsOfABulkExportAreKept(t *testing.T) {
	b := newBench(t, nil)
	trail := &fakeTrail{}
	b.facade.trail = trail
	lines := `{"resourceType":"Patient","id":"8"}` + "\n" + `{"id":"9","resourceType":"Patient"}` + "\n"
	for _, scopes := range []string{"system/*.cruds", "system/Patient.cruds"} {
		b.scoped(&hospitalSays{body: lines, header: http.Header{"Content-Type": {linesType}}}, scopes)
		a := b.narrow("GET", "Patient/1", "")
		require.Equal(t, lines, string(a.body))
		require.Equal(t, []string{"Patient/1", "Patient/8", "Patient/9"}, trail.taken(t, 1)[0].Patients)
	}
}

func TestTheUserOfATokenIsKept(t *testing.T) {
	b := newBench(t, nil)
	trail := &fakeTrail{}
	b.facade.trail = trail
	b.scoped(&hospitalSays{body: lab})
	b.consumers.add("person", Consumer{Way: WayProvider, User: "Practitioner/8"})
	b.call("GET", "/fhir/harbor/Observation/1", "", "Authorization", "Bearer person", behalfHeader, "Practitioner/7")
	require.Equal(t, "Practitioner/8", trail.taken(t, 1)[0].OnBehalfOf, "what the header says was not verified")
}

func TestWhatASealedLinkLedToIsKept(t *testing.T) {
	b := newBench(t, nil)
	trail := &fakeTrail{}
	b.facade.trail = trail
	host := "http://" + mustParse(t, b.hospitals.Harbor.BaseURL()).Host
	h := &hospitalSays{body: `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"` + host + `/pages?patient=3&page=2"}],"entry":[{"resource":{"resourceType":"DocumentReference","content":[{"attachment":{"url":"` + host + `/files/Binary/9"}}]}}]}`}
	b.scoped(h, "system/*.cruds")
	first := b.narrow("GET", "DocumentReference?date=2026", "")
	trail.taken(t, 1)
	h.body = searchset()
	b.narrow("GET", strings.TrimPrefix(gjson.GetBytes(first.body, "link.0.url").Str, b.server.URL+"/fhir/harbor/"), "")
	require.Equal(t, []string{"Patient/3"}, trail.taken(t, 1)[0].Patients)
	h.body = `{"resourceType":"Binary"}`
	b.narrow("GET", strings.TrimPrefix(gjson.GetBytes(first.body, "entry.0.resource.content.0.attachment.url").Str, b.server.URL+"/fhir/harbor/"), "")
	require.Equal(t, []string{"Binary/9"}, trail.taken(t, 1)[0].Resources)
}
