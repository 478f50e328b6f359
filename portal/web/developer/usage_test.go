package developer_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

// used counts calls of a credential on the day so many days ago.
func (s *site) used(credential store.Credential, daysAgo int, hospital, interaction string, status int, calls int64) {
	s.t.Helper()
	require.NoError(s.t, s.store.PutUsage(s.t.Context(), []store.UsageRow{{
		KeyID: credential.KeyID, Day: store.DayOf(time.Now().AddDate(0, 0, -daysAgo)),
		Hospital: hospital, Interaction: interaction, Status: status, Calls: calls,
	}}))
}

// file returns the counts of a CSV file by "by,name,outcome", without zeros.
func (r *reader) file(path string) map[string]string {
	r.site.t.Helper()
	got := r.get(path)
	require.Equal(r.site.t, http.StatusOK, got.status, got.body)
	require.Equal(r.site.t, "text/csv; charset=utf-8", got.header.Get("Content-Type"))
	require.Contains(r.site.t, got.header.Get("Content-Disposition"), "attachment")
	rows, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	require.NoError(r.site.t, err)
	counts := map[string]string{}
	for _, row := range rows[1:] {
		if row[3] != "0" {
			counts[strings.Join(row[:3], ",")] = row[3]
		}
	}
	return counts
}

func TestUsageIsCountedByWhatIsChosen(t *testing.T) {
	s := newSite(t)
	worklist, reports := s.app("Worklist"), s.app("Reports")
	night := s.credential(s.approved(worklist, time.Time{}), "night", 0)
	day := s.credential(s.approved(worklist, time.Time{}), "day", 0)
	report := s.credential(s.approved(reports, time.Time{}), "report", 0)
	s.used(night, 0, "harbor", "search-type", 200, 1234)
	s.used(night, 3, "lakeside", "read", 404, 5)
	s.used(day, 10, "harbor", "read", 503, 7)
	s.used(day, 100, "harbor", "read", 200, 11)
	s.used(report, 0, "", "read", 404, 2)
	today, before := string(store.DayOf(time.Now())), string(store.DayOf(time.Now().AddDate(0, 0, -3)))
	viewer := s.as("viewer")

	path := "/apps/" + worklist.ID + "/usage"
	require.Equal(t, map[string]string{
		"day," + today + ",answered": "1234", "day," + before + ",client error": "5",
		"hospital,harbor,": "1234", "hospital,lakeside,": "5", "interaction,search-type,": "1234", "interaction,read,": "5", "status,200,": "1234", "status,404,": "5",
	}, viewer.file(path+".csv?days=7"))
	for query, want := range map[string]string{
		"":                                      "1,246", // 30 days
		"?days=7":                               "1,239",
		"?days=365":                             "1,257",
		"?days=12":                              "1,246", // not offered: the usual range
		"?hospital=lakeside":                    "5",
		"?credential=" + day.ID:                 "7",
		"?days=365&credential=" + day.ID:        "18",
		"?hospital=pier":                        "0",
		"?days=90&hospital=&app=" + worklist.ID: "1,246",
	} {
		shown := viewer.ok(path + query)
		require.Regexp(t, `Calls</p>\s*<p class="stat-value">`+want+`<`, shown, query)
		require.Contains(t, shown, "87,655 left", "what is left of the quota")
	}
	require.Regexp(t, `Calls</p>\s*<p class="stat-value">1,248<`, viewer.ok("/usage"))
	require.Regexp(t, `Calls</p>\s*<p class="stat-value">2<`, viewer.ok("/usage?app="+reports.ID))
	require.Contains(t, viewer.ok("/usage"), "no such hospital")
	require.Equal(t, http.StatusNotFound, viewer.get(path+"?credential="+report.ID).status, "of another app")
	require.Equal(t, http.StatusNotFound, viewer.get("/usage?app=app_nothing").status)
	require.Empty(t, s.as("outsider").file("/usage.csv?days=365"))

	shown := viewer.ok(path + "?days=7")
	require.Contains(t, shown, path+".csv?days=7")
	require.Regexp(t, `<time datetime="`+today+`">[^<]*</time></th><td class="number">1,234</td><td class="number">0</td><td class="number">0</td>`, shown)
	require.Equal(t, 7, strings.Count(shown, "</time></th>"), "every day of the range")
}

func TestHtmxGetsTheResultsAlone(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	s.used(s.credential(s.approved(app, time.Time{}), "night", 0), 0, "harbor", "read", 200, 3)
	got := s.as("viewer").do(http.MethodGet, "/apps/"+app.ID+"/usage?days=7", nil, "HX-Request", "true")
	require.Equal(t, http.StatusOK, got.status)
	require.NotContains(t, got.whole, "<html")
	require.NotContains(t, got.whole, "<form")
	require.Contains(t, got.whole, "Calls a day")
}

func TestTheOverviewLeadsToTheFirstCall(t *testing.T) {
	s := newSite(t)
	member := s.as("member")
	require.Contains(t, member.ok("/"), `<li class="current"><h3>Create an app`)
	app := s.app("Worklist")
	shown := member.ok("/")
	require.Contains(t, shown, `<li class="done"><h3>Create an app`)
	require.Contains(t, shown, "/apps/"+app.ID+"/request")
	request := s.request(app)
	shown = member.ok("/")
	require.Contains(t, shown, "Waits for an administrator")
	require.Contains(t, shown, "Waiting for a decision")
	require.NoError(t, s.store.Approve(t.Context(), s.by("admin"), request.ID, "fine", time.Time{}))
	require.Contains(t, member.ok("/"), "/apps/"+app.ID+"/keys/new?request="+request.ID)
	credential := s.credential(request, "night", 5*day)
	shown = member.ok("/")
	require.Contains(t, shown, `<li class="current"><h3>Make the first call`)
	require.Contains(t, shown, "/docs/quick-start?app="+app.ID+"&amp;credential="+credential.ID+"&amp;hospital=harbor")
	require.NotContains(t, shown, "Ending soon", "it has just begun")
	require.NoError(t, s.store.Mirror(t.Context(), []store.Mirror{{
		KeyID: credential.KeyID, Name: credential.Name, Plan: credential.Plan, Hospitals: credential.Hospitals,
		Hints: []store.SecretHint{{Hash: "hash", Hint: "wxyz", Until: time.Now().Add(5 * day)}},
	}}))
	require.Contains(t, member.ok("/"), "Ending soon", "its only secret is in a rotation's grace")
	s.used(credential, 0, "harbor", "read", 200, 41)
	s.used(credential, 1, "harbor", "read", 500, 1)
	shown = member.ok("/")
	require.NotContains(t, shown, "Your way to the first call")
	require.Regexp(t, `Calls today</a></p>\s*<p class="stat-value">41<`, shown)
	require.Regexp(t, `Calls in 30 days</a></p>\s*<p class="stat-value">42<`, shown)
	require.NotContains(t, s.as("outsider").ok("/"), "Worklist")
}

func TestPagesWithMuch(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	request := s.approved(app, time.Time{})
	for i := range 200 { // more than can be made today, as an earlier portal might have left them
		credential := store.Credential{
			AppID: app.ID, RequestID: request.ID, KeyID: fmt.Sprint("key_", i), Name: fmt.Sprintf("key %03d <b>", i), Kind: "key",
			Plan: request.Plan, Hospitals: request.Hospitals, Origin: store.OriginPortal, Expires: time.Now().Add(20 * day),
		}
		_, err := s.store.Adopt(t.Context(), credential)
		require.NoError(t, err)
		s.gateway.keys[credential.KeyID] = &record.Key{ID: credential.KeyID}
		s.used(credential, i%300, "harbor", "read", 200+i, 1)
	}
	member := s.as("member")
	before := s.gateway.calls
	for _, path := range []string{"/", "/apps", "/apps/" + app.ID, "/apps/" + app.ID + "/usage?days=365", "/apps/" + app.ID + "/errors", "/usage?days=365"} {
		shown := member.ok(path)
		require.NotContains(t, shown, "<b>", path)
	}
	s.ahead = 15 * day
	first := member.ok("/apps/" + app.ID)
	require.Equal(t, 50, strings.Count(first, `<th scope="row"><a href="/credentials/`))
	require.Contains(t, first, "1–50 of 200")
	require.Contains(t, member.ok("/apps/"+app.ID+"?page=4"), "151–200 of 200")
	member.ok("/apps/" + app.ID + "?page=9223372036854775807")
	require.Equal(t, 3, strings.Count(first, "Look at it"), "a few warnings are enough")
	require.Equal(t, 4+1+2+1+100, strings.Count(member.ok("/apps/"+app.ID+"/usage"), "<option"))
	require.LessOrEqual(t, s.gateway.calls-before, 8+8+20, "the gateway is not asked of every credential")
	clear(s.gateway.keys)
	before = s.gateway.calls
	member.ok("/apps/" + app.ID + "/usage")
	require.LessOrEqual(t, s.gateway.calls-before, 8+1, "nor when it knows none of them")
}

func TestPagesWithNothing(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	for path, want := range map[string]string{
		"/apps/" + app.ID: "No access yet", "/apps/" + app.ID + "/usage": "No calls yet", "/apps/" + app.ID + "/errors": "No calls yet", "/teams/" + s.team.ID: "Worklist",
	} {
		for _, role := range []string{"owner", "viewer"} {
			require.Contains(t, s.as(role).ok(path), want)
		}
	}
	outsider := s.as("outsider")
	for path, want := range map[string]string{"/": "Create an app", "/apps": "No apps yet", "/usage": "No calls yet", "/teams": "No team yet", "/apps/new": `name="team_name"`} {
		require.Contains(t, outsider.ok(path), want)
	}
	require.NotContains(t, s.as("viewer").ok("/apps/"+app.ID), "/request")
}

func TestTheOverviewAsksNobodyToDoWhatTheyMayNot(t *testing.T) {
	s := newSite(t)
	viewer := s.as("viewer")
	require.Contains(t, viewer.ok("/"), "as soon as a member makes one")
	app := s.app("Worklist")
	require.NotContains(t, viewer.ok("/"), "Your way to the first call")
	require.Contains(t, s.as("member").ok("/"), "/apps/"+app.ID+"/request")
	require.NoError(t, s.store.ArchiveApp(t.Context(), s.by("owner"), app.ID))
	shown := s.as("member").ok("/")
	require.NotContains(t, shown, "/apps/"+app.ID+"/request", "it is archived")
	require.Contains(t, shown, `<li class="current"><h3>Create an app`)
}
