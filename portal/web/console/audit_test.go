package console_test

import (
	"encoding/csv"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

func TestTheAuditTrailIsFilteredAndPaged(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	for i := range 120 {
		require.NoError(t, p.Record(t.Context(), by(admin), "test.act", "test", fmt.Sprintf("subject-%03d", i), map[string]string{"note": "<b>"}))
	}
	rows := func(query string) int { return strings.Count(b.page("/console/audit"+query), `data-label="Who"`) }
	require.Equal(t, 50, rows(""))
	require.Equal(t, 20, rows("?name=test.act&page=3"))
	require.Equal(t, 1, rows("?search=subject-017"))
	require.Equal(t, 50, rows("?user=ada@example.org"))
	require.Equal(t, 1, rows("?user="+ids["boss"]+"&name=access.approve"))
	today, tomorrow := store.DayOf(time.Now()), store.DayOf(time.Now().AddDate(0, 0, 1))
	require.Equal(t, 50, rows(fmt.Sprintf("?from=%s&to=%s", today, tomorrow)))
	require.Equal(t, 0, rows(fmt.Sprintf("?from=%s", store.DayOf(time.Now().AddDate(0, 0, 2)))))
	hasNot(t, b.page("/console/audit?name=test.act"), "<b>")
	shown := b.page("/console/audit?name=access.approve")
	for _, text := range []string{"Approved a request", `<code>access.approve</code>`, `<option value="credential.create">Made a key</option>`, `<span class="muted">reason:</span> well`, `name="name" type="text" value="access.approve"`} {
		has(t, shown, text)
	}
	has(t, b.page("/console/audit?name=test.act"), `<td data-label="Act"><code>test.act</code>`)

	for query, text := range map[string]string{
		"?user=nobody@example.org":                     "Nobody has an account",
		"?from=yesterday":                              "This is no date",
		fmt.Sprintf("?from=%s&to=%s", tomorrow, today): "The last day comes before",
	} {
		got := b.get("/console/audit" + query)
		require.Equal(t, http.StatusUnprocessableEntity, got.Status)
		has(t, got.Body, text)
	}
}

// TestAnAuditSearchGoesOnWithOlderActs looks for what lies behind more acts than are
// searched at once.
func TestAnAuditSearchGoesOnWithOlderActs(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	p.sql(t, `WITH RECURSIVE numbers(n) AS (SELECT (SELECT MAX(seq) FROM acts) + 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 25100)
		INSERT INTO acts SELECT n, 1, '', '', '', 'test.act', '', '', '{}', '', '' FROM numbers`)
	shown := b.page("/console/audit?search=worklists&page=7")
	has(t, shown, "Nothing found among the acts that were searched")
	has(t, shown, `<a href="/console/audit?before=101&amp;search=worklists">Search the older ones</a>`)
	shown = b.page("/console/audit?before=101&search=access.approve")
	has(t, shown, `<code>access.approve</code>`)
	hasNot(t, shown, "older acts")
	got := b.get("/console/audit?before=none")
	require.Equal(t, http.StatusUnprocessableEntity, got.Status)
}

func TestAnExportVerifies(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	got := b.post("/console/audit/export")
	require.Equal(t, http.StatusOK, got.Status)
	require.Contains(t, got.Header.Get("Content-Disposition"), `attachment; filename="acts_`)
	verdict := store.VerifyExport(strings.NewReader(got.Body), []byte(storetest.ActsKey))
	require.Zero(t, verdict.Broken, verdict.Problem)
	lines := strings.Split(strings.TrimSpace(got.Body), "\n")
	require.Len(t, lines, int(verdict.Count)+1)
	require.Contains(t, lines[len(lines)-2], `"acts.export"`, "taking it is an act as well")
	require.Contains(t, lines[len(lines)-1], verdict.Head)

	changed := strings.Replace(got.Body, "ada@example.org", "eve@example.org", 1)
	require.NotZero(t, store.VerifyExport(strings.NewReader(changed), []byte(storetest.ActsKey)).Broken)
}

func TestUsageOverAll(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	shown := b.page("/console/usage")
	for _, text := range []string{"1,234", "North &lt;General&gt;", "read", "503", "Answered", "Refused (4xx)", "Failed (5xx)"} {
		has(t, shown, text)
	}
	has(t, b.page("/console/usage?hospital=west"), "No calls in this range")
	has(t, b.page("/console/usage?from=2026-01-01&to=2026-01-31"), "31 Jan 2026")
	for query, text := range map[string]string{
		"?from=2026-02-01&to=2026-01-01": "The last day comes before",
		"?from=2020-01-01&to=2026-01-01": "At most 400 days",
		"?from=once":                     "This is no date",
	} {
		got := b.get("/console/usage" + query)
		require.Equal(t, http.StatusUnprocessableEntity, got.Status)
		has(t, got.Body, text)
		require.Equal(t, http.StatusUnprocessableEntity, b.get("/console/usage/export"+query).Status)
	}

	first, last := store.DayOf(time.Now().AddDate(0, 0, -9)), store.DayOf(time.Now())
	link := regexp.MustCompile(`href="(/console/usage/export[^"]*)"`).FindStringSubmatch(b.page(fmt.Sprintf("/console/usage?hospital=north&from=%s&to=%s", first, last)))
	require.NotNil(t, link)
	got := b.get(html.UnescapeString(link[1]))
	rows, err := csv.NewReader(strings.NewReader(got.Body)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"by", "name", "outcome", "calls"}, rows[0])
	require.Contains(t, rows, []string{"day", string(first), "answered", "0"})
	require.Contains(t, rows, []string{"day", string(last), "answered", "1230"})
	require.Contains(t, rows, []string{"day", string(last), "server error", "4"})
	require.Contains(t, rows, []string{"hospital", "north", "", "1234"})
	require.Equal(t, fmt.Sprintf(`attachment; filename="usage_%s_%s.csv"`, first, last), got.Header.Get("Content-Disposition"))
}
