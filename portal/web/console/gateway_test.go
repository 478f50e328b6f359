package console_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/store"
)

func TestHospitalsShowTheirState(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	shown := b.page("/console/hospitals")
	for _, text := range []string{
		"North &lt;General&gt;", "Reachable", "The hospital&#39;s certificate ends within 7 days.", "Our certificate towards it ends within 30 days.",
		"Unreachable", "Breaker open", "Not called yet", "timeout", "200 of 250",
	} {
		has(t, shown, text)
	}
	hasNot(t, b.page("/console/hospitals?only=trouble"), "West")
	hasNot(t, b.page("/console/hospitals?search=ORACLE"), "South")
	has(t, b.page("/console/hospitals?search=nothing"), "Nothing found")

	shown = b.page("/console/hospitals/north")
	for _, text := range []string{
		"oracle, 12 rules", "read, search-type", "everything", "The whole system", "2 minutes", "250 calls per minute and 8 at once",
		"CN=north.example", "Key ring pacs", "name of key_1", "REQ-1", "1,230",
	} {
		has(t, shown, text)
	}
}

func TestAHospitalThatIsDownShowsWhy(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	p.gateway.hospitals[1].FailureCause = "connection <refused>"
	for _, address := range []string{"/console", "/console/hospitals", "/console/hospitals/south"} {
		has(t, b.page(address), "connection &lt;refused&gt;")
	}
}

func TestTheOverviewTellsOfARefusedReload(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	shown := b.page("/console")
	require.Regexp(t, `(?s)<div class="stat ok"><p class="stat-label"><a href="/console/reload">Configuration</a></p><p class="stat-value">In force</p><p class="stat-help">loaded just now</p>`, shown)
	p.gateway.problems = []string{"routes/north.yaml:12:7: unknown key", "no plan is left"}
	shown = b.page("/console")
	require.Regexp(t, `(?s)<div class="stat bad"><p class="stat-label"><a href="/console/reload">Configuration</a></p><p class="stat-value">Refused</p><p class="stat-help">2 problems</p>`, shown)
	p.gateway.away = true
	hasNot(t, b.page("/console"), "Configuration</a>")
}

func TestAHospitalIsChecked(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	got := b.post("/console/hospitals/north/check")
	require.Equal(t, http.StatusOK, got.Status)
	has(t, got.Body, "status 200 in 120 ms")
	require.Equal(t, []string{"hospital.check"}, p.acts(t, 1))

	p.gateway.check = adminapi.Check{Problem: "the token endpoint answered 401"}
	has(t, b.post("/console/hospitals/north/check").Body, "the token endpoint answered 401")
}

func TestReload(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	has(t, b.page("/console/reload"), "3 hospitals and 1 plan")

	shown := b.done(b.post("/console/reload"), "/console/reload")
	has(t, shown, "The files are in force.")
	acts, err := p.Acts(t.Context(), store.ActFilter{Name: "gateway.reload"}, store.Page{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"outcome": "taken", "hospitals": "3", "plans": "1"}, acts.Items[0].Detail)
	require.Equal(t, admin.ID, acts.Items[0].UserID)

	p.gateway.problems = []string{"routes/north.yaml:12:7: unknown key <vendr>", "no plan is left"}
	shown = b.done(b.post("/console/reload"), "/console/reload")
	for _, text := range []string{"The files are refused", "<code>routes/north.yaml:12:7</code>", "unknown key &lt;vendr&gt;", "no plan is left", "2 problems"} {
		has(t, shown, text)
	}
	p.gateway.away = true
	require.Equal(t, http.StatusServiceUnavailable, b.post("/console/reload").Status)
	require.Equal(t, 3, p.gateway.reloads)
	acts, err = p.Acts(t.Context(), store.ActFilter{Name: "gateway.reload"}, store.Page{})
	require.NoError(t, err)
	require.Equal(t, 3, acts.Total, "a reload is an act whatever comes of it")
	require.Equal(t, "unknown", acts.Items[0].Detail["outcome"])
	require.Equal(t, "refused", acts.Items[1].Detail["outcome"])
}
