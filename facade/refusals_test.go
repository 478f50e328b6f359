package facade

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return u
}

// TestRefusals holds every way in which the gateway itself says no: the status,
// the issue code, the headers, and that no hospital heard of it.
func TestRefusals(t *testing.T) {
	b := newBench(t, nil)
	const patient = `{"resourceType":"Patient"}`
	for name, tc := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		code               string
		want               map[string]string // headers
	}{
		"no key":                 {path: "/fhir/harbor/Patient/1", header: []string{"Authorization", ""}, status: 401, code: "login", want: map[string]string{"WWW-Authenticate": `Bearer realm="fhirgate"`}},
		"no key, no hospital":    {path: "/fhir/nowhere/Patient/1", header: []string{"Authorization", ""}, status: 401, code: "login"},
		"unknown key":            {path: "/fhir/harbor/Patient/1", header: []string{"Authorization", "Bearer x"}, status: 401, code: "login", want: map[string]string{"WWW-Authenticate": `Bearer realm="fhirgate", error="invalid_token"`}},
		"basic":                  {path: "/fhir/harbor/Patient/1", header: []string{"Authorization", "Basic eDp5"}, status: 401, code: "login"},
		"two keys":               {path: "/fhir/harbor/Patient/1", header: []string{"X-Api-Key", "bob"}, status: 401, code: "login"},
		"expired key":            {path: "/fhir/harbor/Patient/1", header: []string{"Authorization", "Bearer late"}, status: 401, code: "expired", want: map[string]string{"WWW-Authenticate": `Bearer realm="fhirgate", error="invalid_token"`}},
		"store down":             {path: "/fhir/harbor/Patient/1", header: []string{"Authorization", "Bearer store-down"}, status: 503, code: "transient", want: map[string]string{"Retry-After": "1"}},
		"plan gone":              {path: "/fhir/harbor/Patient/1", header: []string{"Authorization", "Bearer no-plan"}, status: 403, code: "forbidden"},
		"not this hospital":      {path: "/fhir/st-mary/Patient/1", header: []string{"Authorization", "Bearer harbor-only"}, status: 404, code: "not-found"},
		"other environment":      {path: "/fhir/harbor/Patient/1", header: []string{"Authorization", "Bearer production"}, status: 404, code: "not-found"},
		"unknown hospital":       {path: "/fhir/nowhere/Patient/1", status: 404, code: "not-found"},
		"no hospital":            {path: "/fhir/", status: 404, code: "not-found"},
		"unknown type":           {path: "/fhir/harbor/Patients/1", status: 404, code: "not-found"},
		"type in lower case":     {path: "/fhir/harbor/patient/1", status: 404, code: "not-found"},
		"unknown path":           {path: "/fhir/harbor/Patient/1/2/3", status: 404, code: "not-found"},
		"bad id":                 {path: "/fhir/harbor/Patient/a%20b", status: 400, code: "value"},
		"dot segments":           {path: "/fhir/harbor/Patient/../Patient/1", status: 400, code: "invalid"},
		"encoded dot segments":   {path: "/fhir/harbor/%2e%2e/x", status: 400, code: "invalid"},
		"encoded slash":          {path: "/fhir/harbor/Patient%2f1", status: 400, code: "invalid"},
		"two slashes":            {path: "/fhir//harbor/Patient/1", status: 400, code: "invalid"},
		"semicolon":              {path: "/fhir/harbor/Patient;x/1", status: 400, code: "invalid"},
		"method":                 {method: "PUT", path: "/fhir/harbor/metadata", status: 405, code: "not-supported", want: map[string]string{"Allow": "GET, HEAD"}},
		"method of an instance":  {method: "POST", path: "/fhir/harbor/Patient/1", body: patient, status: 405, code: "not-supported"},
		"interaction not listed": {method: "DELETE", path: "/fhir/lakeside/Patient/1", status: 403, code: "not-supported"},
		"operation not listed":   {path: "/fhir/harbor/Observation/$lastn", status: 403, code: "not-supported"},
		"conditional not listed": {method: "DELETE", path: "/fhir/harbor/Observation?status=final", status: 403, code: "not-supported"},
		"conditional, no search": {method: "DELETE", path: "/fhir/harbor/Patient", status: 400, code: "invalid"},
		"batch not listed":       {method: "POST", path: "/fhir/lakeside", body: `{"resourceType":"Bundle","type":"batch"}`, status: 403, code: "not-supported"},
		"XML by Accept":          {path: "/fhir/harbor/Patient/1", header: []string{"Accept", "application/fhir+xml"}, status: 406, code: "not-supported"},
		"XML by _format":         {path: "/fhir/harbor/Patient/1?_format=xml", status: 406, code: "not-supported"},
		"JSON at weight 0":       {path: "/fhir/harbor/Patient/1", header: []string{"Accept", "application/fhir+json;q=0"}, status: 406, code: "not-supported"},
		"XML body":               {method: "POST", path: "/fhir/harbor/Patient", body: "<Patient/>", header: []string{"Content-Type", "application/fhir+xml"}, status: 415, code: "not-supported"},
		"compressed body":        {method: "POST", path: "/fhir/harbor/Patient", body: patient, header: []string{"Content-Encoding", "gzip"}, status: 415, code: "not-supported"},
		"no content type":        {method: "POST", path: "/fhir/harbor/Patient", body: patient, header: []string{"Content-Type", ""}, status: 415, code: "not-supported"},
		"patch as FHIRPath":      {method: "PATCH", path: "/fhir/harbor/Patient/1", body: `{"resourceType":"Parameters"}`, status: 415, code: "not-supported"},
		"search form as JSON":    {method: "POST", path: "/fhir/harbor/Patient/_search", body: `{}`, status: 415, code: "not-supported"},
		"body of a read":         {method: "GET", path: "/fhir/harbor/Patient/1", body: patient, status: 400, code: "invalid"},
		"not JSON":               {method: "POST", path: "/fhir/harbor/Patient", body: `{"resourceType":"Patient",}`, status: 400, code: "structure"},
		"half JSON":              {method: "POST", path: "/fhir/harbor/Patient", body: `{"resourceType":"Patient"`, status: 400, code: "structure"},
		"other type":             {method: "POST", path: "/fhir/harbor/Patient", body: `{"resourceType":"Observation"}`, status: 400, code: "invalid"},
		"other hospital":         {method: "POST", path: "/fhir/harbor/Observation", body: `{"resourceType":"Observation","subject":{"reference":"GATEWAY/fhir/st-mary/Patient/1"}}`, status: 422, code: "value"},
		"other hospital's own":   {method: "POST", path: "/fhir/harbor/Observation", body: `{"resourceType":"Observation","subject":{"reference":"STMARY/Patient/1"}}`, status: 422, code: "value"},
		"other hospital, search": {path: "/fhir/harbor/Observation?subject=GATEWAY/fhir/st-mary/Patient/1", status: 422, code: "value"},
		"other hospital, patch":  {method: "PATCH", path: "/fhir/harbor/Patient/1", body: `[{"op":"replace","path":"/managingOrganization/reference","value":"GATEWAY/fhir/st-mary/Organization/1"}]`, header: []string{"Content-Type", "application/json-patch+json"}, status: 422, code: "value"},
		"broken query":           {path: "/fhir/harbor/Patient?name=%zz", status: 400, code: "invalid"},
		"semicolon in query":     {path: "/fhir/harbor/Patient?name=a;b=c", status: 400, code: "invalid"},
		"invented sealed link":   {path: "/fhir/harbor/_sealed/abc.def.ghi.jkl.mno", status: 404, code: "not-found"},
		"sealed link by POST":    {method: "POST", path: "/fhir/harbor/_sealed/x", body: patient, status: 405, code: "not-supported"},
		"batch without a type":   {method: "POST", path: "/fhir/harbor", body: `{"resourceType":"Bundle","type":"collection"}`, status: 400, code: "value"},
		"batch of another kind":  {method: "POST", path: "/fhir/harbor", body: `{"resourceType":"Patient","type":"batch"}`, status: 400, code: "invalid"},
		"batch, a key twice":     {method: "POST", path: "/fhir/harbor", body: `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/1","url":"Claim/1"}}]}`, status: 400, code: "structure"},
		"transaction, one bad":   {method: "POST", path: "/fhir/harbor", body: `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"GET","url":"Patient/100001"}},{"request":{"method":"DELETE","url":"Claim/1"}}]}`, status: 403, code: "not-supported"},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			if tc.method == "" {
				tc.method = "GET"
			}
			fill := strings.NewReplacer("GATEWAY", b.server.URL, "STMARY", b.hospitals.StMary.BaseURL())
			b.resetCalls()
			a := b.call(tc.method, fill.Replace(tc.path), fill.Replace(tc.body), tc.header...)
			require.Equal(t, tc.status, a.StatusCode, "%s", a.body)
			code, _ := a.outcome(t)
			require.Equal(t, tc.code, code)
			require.Equal(t, "application/fhir+json; charset=utf-8", a.Header.Get("Content-Type"))
			require.NotEmpty(t, a.Header.Get("X-Request-Id"))
			require.Contains(t, string(a.body), a.Header.Get("X-Request-Id"))
			for header, value := range tc.want {
				require.Equal(t, value, a.Header.Get(header), header)
			}
			require.Zero(t, b.hospitalCalls(), "nothing may be sent")
		})
	}
}

func (b *bench) resetCalls() {
	b.hospitals.Lakeside.ResetCalls()
	b.hospitals.StMary.ResetCalls()
	b.hospitals.Harbor.ResetCalls()
}

// hospitalCalls counts what arrived at the hospitals, token calls apart.
func (b *bench) hospitalCalls() int {
	n := 0
	for _, call := range append(append(b.hospitals.Lakeside.Calls(), b.hospitals.StMary.Calls()...), b.hospitals.Harbor.Calls()...) {
		if !strings.Contains(call.Path, "token") {
			n++
		}
	}
	return n
}

func TestLimits(t *testing.T) {
	b := newBench(t, nil)
	b.limiter.verdict = Verdict{Allowed: true, Limit: 10, Remaining: 7, Reset: 1500 * time.Millisecond}
	a := b.call("GET", "/fhir/harbor/Patient/100001", "")
	require.Equal(t, 200, a.StatusCode)
	require.Equal(t, "10", a.Header.Get("RateLimit-Limit"))
	require.Equal(t, "7", a.Header.Get("RateLimit-Remaining"))
	require.Equal(t, "2", a.Header.Get("RateLimit-Reset"))

	for name, verdict := range map[string]Verdict{
		"rate":  {Limit: 10, RetryAfter: 200 * time.Millisecond},
		"quota": {Quota: true, Limit: 10, RetryAfter: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.limiter.verdict = verdict
			b.resetCalls()
			a := b.call("GET", "/fhir/harbor/Patient/100001", "")
			require.Equal(t, 429, a.StatusCode)
			code, _ := a.outcome(t)
			require.Equal(t, "throttled", code)
			require.NotEmpty(t, a.Header.Get("Retry-After"))
			require.Zero(t, b.hospitalCalls())
		})
	}
	b.t = t
	b.limiter.err = context.DeadlineExceeded
	require.Equal(t, 503, b.call("GET", "/fhir/harbor/Patient/100001", "").StatusCode, "without the store nothing passes")
}
