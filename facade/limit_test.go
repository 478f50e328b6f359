package facade

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/policies"
)

// TestCostsOfCalls looks at what the limiter is asked to take, and at what the
// caller is told.
func TestCostsOfCalls(t *testing.T) {
	b := newBench(t, nil)
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	for name, tc := range map[string]struct {
		method, path, body string
		header             []string
		taken              []int
		told               string
	}{
		"read":                          {method: "GET", path: "Patient/100001", taken: []int{1}, told: "1"},
		"head":                          {method: "HEAD", path: "Patient/100001", taken: []int{1}, told: "1"},
		"search":                        {method: "GET", path: "Patient", taken: []int{5}, told: "5"},
		"search of 100":                 {method: "GET", path: "Patient?_count=100", taken: []int{10}, told: "10"},
		"form":                          {method: "POST", path: "Patient/_search", body: "_count=30", header: form, taken: []int{3}, told: "3"},
		"form whose URL counts too":     {method: "POST", path: "Patient/_search?_count=90", body: "_count=30", header: form, taken: []int{9}, told: "9"},
		"create":                        {method: "POST", path: "Patient", body: `{"resourceType":"Patient"}`, taken: []int{20}, told: "20"},
		"metadata":                      {method: "GET", path: "metadata", taken: []int{0}, told: "0"},
		"what the hospital refuses":     {method: "GET", path: "Patient/none", taken: []int{1}, told: "1"},
		"what the route does not list":  {method: "GET", path: "Account/1"},
		"a body that is refused later":  {method: "POST", path: "Patient", body: `{`, taken: []int{20}, told: "20"},
		"a form that is refused before": {method: "POST", path: "Patient/_search", body: "_format=xml", header: form},
		"batch": {
			method: "POST", body: `{"resourceType":"Bundle","type":"batch","entry":[
				{"request":{"method":"GET","url":"Patient/100001"}},
				{"request":{"method":"GET","url":"Patient?_count=40"}},
				{"request":{"method":"POST","url":"Patient"},"resource":{"resourceType":"Patient"}}]}`,
			taken: []int{0, 1 + 4 + 20}, told: "25",
		},
		"empty batch": {method: "POST", body: `{"resourceType":"Bundle","type":"batch","entry":[]}`, taken: []int{0, 0}, told: "0"},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.limiter.costs = nil
			a := b.call(tc.method, "/fhir/harbor/"+tc.path, tc.body, tc.header...)
			require.Equal(t, tc.taken, b.limiter.costs, "%s", a.body)
			require.Equal(t, tc.told, a.Header.Get("X-Fhirgate-Cost"))
		})
	}
}

func TestAPageCostsAsMuchAsASearch(t *testing.T) {
	b := newBench(t, nil)
	a := b.call("GET", "/fhir/harbor/Patient?_count=20", "")
	require.Equal(t, http.StatusOK, a.StatusCode)
	next := gjson.GetBytes(a.body, `link.#(relation=="next").url`).Str
	require.Contains(t, next, "/_sealed/")
	b.limiter.costs = nil
	require.Equal(t, http.StatusOK, b.call("GET", next, "").StatusCode)
	require.Equal(t, []int{5}, b.limiter.costs)
}

func TestALargePageCostsAsMuchAsTheFirst(t *testing.T) {
	b := newBench(t, nil)
	b.harborAnswers(&hospitalSays{body: `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"` + b.hospitals.Harbor.BaseURL() + `?_getpages=x&_count=1000"}]}`})
	next := gjson.GetBytes(b.call("GET", "/fhir/harbor/Patient?_count=1000", "").body, "link.0.url").Str
	require.Contains(t, next, "/_sealed/")
	b.call("GET", next, "")
	require.Equal(t, []int{100, 100}, b.limiter.costs)
}

func TestThePlanSetsTheCost(t *testing.T) {
	b := newBench(t, nil)
	cost := policies.DefaultCost()
	cost.Read = 7
	b.facade.Snapshot().Plans["all"].Cost = cost
	require.Equal(t, "7", b.call("GET", "/fhir/harbor/Patient/100001", "").Header.Get("X-Fhirgate-Cost"))
}

// A batch that its entries make too dear has cost nothing: what it waits for is
// there when it comes again.
func TestARefusedBatchCostsNothing(t *testing.T) {
	b := newBench(t, nil)
	b.limiter.verdict = Verdict{Limit: 10, RetryAfter: 3 * time.Second}
	a := b.call("POST", "/fhir/harbor", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/100001"}}]}`)
	require.Equal(t, http.StatusTooManyRequests, a.StatusCode)
	require.Equal(t, "0", a.Header.Get("X-Fhirgate-Cost"))
	require.Equal(t, "3", a.Header.Get("Retry-After"))
	require.Zero(t, b.hospitalCalls())
}

func TestWhatTheCallerIsToldOfLimits(t *testing.T) {
	rate := &policies.Plan{Rate: 100, Per: time.Second, Burst: 250}
	quota := &policies.Plan{Quota: 5000, QuotaPeriod: 24 * time.Hour}
	both := &policies.Plan{Rate: 2, Per: time.Minute, Burst: 2, Quota: 5, QuotaPeriod: time.Hour}
	for name, tc := range map[string]struct {
		plan    *policies.Plan
		verdict Verdict
		want    map[string]string
	}{
		"rate": {rate, Verdict{Allowed: true, Limit: 250, Remaining: 249, Reset: 10 * time.Millisecond}, map[string]string{
			"RateLimit-Limit": "250", "RateLimit-Remaining": "249", "RateLimit-Reset": "1",
			"RateLimit-Policy": `"rate";q=250;w=3`, "RateLimit": `"rate";r=249;t=1`,
		}},
		"quota": {quota, Verdict{Allowed: true, Quota: true, Limit: 5000, Remaining: 0, Reset: time.Hour}, map[string]string{
			"RateLimit-Limit": "5000", "RateLimit-Remaining": "0", "RateLimit-Reset": "3600",
			"RateLimit-Policy": `"quota";q=5000;w=86400`, "RateLimit": `"quota";r=0;t=3600`,
		}},
		"both": {both, Verdict{Allowed: true, Limit: 2, Remaining: 1, Reset: 30 * time.Second}, map[string]string{
			"RateLimit-Policy": `"rate";q=2;w=60, "quota";q=5;w=3600`, "RateLimit": `"rate";r=1;t=30`,
		}},
		"refused by the rate": {both, Verdict{Limit: 2, Remaining: 1, Reset: 30 * time.Second, RetryAfter: 12001 * time.Millisecond}, map[string]string{
			"RateLimit-Reset": "30", "RateLimit": `"rate";r=1;t=13`, "Retry-After": "13",
		}},
		"refused by the quota": {both, Verdict{Quota: true, Limit: 5, Reset: time.Hour, RetryAfter: time.Hour}, map[string]string{
			"RateLimit": `"quota";r=0;t=3600`, "Retry-After": "3600",
		}},
		"no limit": {&policies.Plan{}, Verdict{Allowed: true}, map[string]string{
			"RateLimit-Limit": "", "RateLimit-Remaining": "", "RateLimit-Reset": "", "RateLimit-Policy": "", "RateLimit": "",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			plan := b.facade.Snapshot().Plans["all"]
			plan.Rate, plan.Per, plan.Burst, plan.Quota, plan.QuotaPeriod = tc.plan.Rate, tc.plan.Per, tc.plan.Burst, tc.plan.Quota, tc.plan.QuotaPeriod
			b.limiter.verdict = tc.verdict
			a := b.call("GET", "/fhir/harbor/Patient/100001", "")
			require.Equal(t, tc.verdict.Allowed, a.StatusCode == http.StatusOK)
			for header, value := range tc.want {
				require.Equal(t, value, a.Header.Get(header), header)
			}
		})
	}
}

func TestAPolicyOfALongWindowIsNoOverflow(t *testing.T) {
	plan := &policies.Plan{Rate: 1_000_000, Per: 24 * time.Hour, Burst: 1_000_000}
	require.Equal(t, `"rate";q=1000000;w=86400`, limitPolicy(plan))
}

func TestWithoutTheStoreNothingIsCounted(t *testing.T) {
	b := newBench(t, nil)
	b.limiter.err = io.ErrUnexpectedEOF
	a := b.call("GET", "/fhir/harbor/Patient/100001", "")
	require.Equal(t, http.StatusServiceUnavailable, a.StatusCode)
	require.Equal(t, "1", a.Header.Get("Retry-After"))
	require.Empty(t, a.Header.Get("X-Fhirgate-Cost"))
	require.Zero(t, b.hospitalCalls())
}
