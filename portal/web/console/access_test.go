package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

// full is a portal with something behind every route, and the ids of it.
func full(t *testing.T) (*portal, store.User, map[string]string) {
	p := newPortal(t)
	admin, boss := p.user(t, "ada", store.RoleAdmin, false), p.user(t, "bob", store.RoleAdmin, false)
	dev := p.user(t, "dev", store.RoleDeveloper, false)
	app := p.app(t, dev, "viewer")
	granted, pending := p.asked(t, dev, app), p.asked(t, dev, app)
	require.NoError(t, p.Approve(t.Context(), by(boss), granted.ID, "well", time.Time{}))
	c := p.credential(t, dev, granted, "key_1", time.Now().Add(10*24*time.Hour))
	invitation, _, err := p.Invite(t.Context(), by(boss), store.Invitation{Email: "new@example.org", TeamID: app.TeamID, Expires: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	announcement, err := p.Announce(t.Context(), by(boss), store.Announcement{Title: "Maintenance", Text: "Tonight", Level: store.LevelWarn})
	require.NoError(t, err)
	today := store.DayOf(time.Now())
	require.NoError(t, p.PutUsage(t.Context(), []store.UsageRow{
		{KeyID: "key_1", Day: today, Hospital: "north", Interaction: "read", Status: 200, Calls: 1230},
		{KeyID: "key_1", Day: today, Hospital: "north", Interaction: "read", Status: 503, Calls: 4},
	}))
	return p, admin, map[string]string{
		"request": pending.ID, "granted": granted.ID, "credential": c.ID, "plan": "trial", "hospital": "north", "user": dev.ID,
		"invitation": invitation.ID, "team": app.TeamID, "announcement": announcement.ID, "boss": boss.ID, "app": app.ID,
	}
}

func TestEveryRouteIsForAdministratorsWithASecondFactor(t *testing.T) {
	p, admin, ids := full(t)
	bare := p.user(t, "eve", store.RoleAdmin, true)
	dev := p.user(t, "dan", store.RoleDeveloper, false)
	disabled := p.user(t, "off", store.RoleAdmin, false)
	gone := p.as(t, disabled)
	require.NoError(t, p.Disable(t.Context(), store.System, disabled.ID))

	for _, route := range p.pages.Routes() {
		require.Equal(t, page.Admin, route.Access, route.Path)
		require.True(t, strings.HasPrefix(route.Path, "/console"), route.Path)
		address := path(route, ids)
		require.NotContains(t, address, "{")
		before := p.acts(t, 1)
		ask := func(b *browser) answer {
			if route.Method == http.MethodPost {
				return b.post(address)
			}
			return b.get(address)
		}
		for name, who := range map[string]struct {
			browser  *browser
			status   int
			location string
		}{
			"anonymous":                           {p.as(t, store.User{}), http.StatusSeeOther, "/login"},
			"disabled":                            {gone, http.StatusSeeOther, "/login"},
			"developer":                           {p.as(t, dev), http.StatusForbidden, ""},
			"administrator without second factor": {p.as(t, bare), http.StatusSeeOther, "/account/second-factor"},
		} {
			got := ask(who.browser)
			require.Equal(t, who.status, got.Status, "%s %s as %s", route.Method, route.Path, name)
			require.Equal(t, who.location, strings.SplitN(got.Header.Get("Location"), "?", 2)[0], "%s %s as %s", route.Method, route.Path, name)
		}
		require.Equal(t, before, p.acts(t, 1), "%s %s: something was done", route.Method, route.Path)

		got := ask(p.as(t, admin))
		require.NotContains(t, []int{http.StatusForbidden, http.StatusNotFound, http.StatusInternalServerError}, got.Status, "%s %s: %s", route.Method, route.Path, got.Body)
		require.NotContains(t, got.Header.Get("Location"), "/login", "%s %s", route.Method, route.Path)
		if route.Method == http.MethodGet {
			require.Equal(t, http.StatusOK, got.Status, "%s: %s", route.Path, got.Body)
		}
	}
}

func TestWhatDoesNotExistIsNotFound(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	nothing := map[string]string{}
	for _, name := range []string{"request", "credential", "plan", "hospital", "user", "invitation", "team", "announcement"} {
		nothing[name] = "nothing"
	}
	for _, route := range p.pages.Routes() {
		if !strings.Contains(route.Path, "{") {
			continue
		}
		got := b.get(path(route, nothing))
		if route.Method == http.MethodPost {
			got = b.post(path(route, nothing), "reason", "r", "refuse_reason", "r", "end_reason", "r", "role", "admin")
		}
		require.Equal(t, http.StatusNotFound, got.Status, "%s %s: %s", route.Method, route.Path, got.Body)
	}
}

func TestPagesWithoutTheGateway(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	p.gateway.away = true
	withCallout := []string{"/console", "/console/requests/" + ids["request"], "/console/consumers/" + ids["credential"], "/console/plans", "/console/plans/trial", "/console/hospitals", "/console/reload", "/console/usage"}
	for _, route := range p.pages.Routes() {
		address := path(route, ids)
		if route.Method != http.MethodGet || strings.HasPrefix(address, "/console/hospitals/") {
			continue
		}
		require.Equal(t, http.StatusOK, b.get(address).Status, address)
	}
	for _, address := range withCallout {
		has(t, b.page(address), "The gateway could not be asked")
	}
	for _, got := range []answer{b.get("/console/hospitals/north"), b.post("/console/hospitals/north/check"), b.post("/console/reload")} {
		require.Equal(t, http.StatusServiceUnavailable, got.Status)
	}
}

func TestPagesWithoutAnything(t *testing.T) {
	p := newPortal(t)
	admin := p.user(t, "ada", store.RoleAdmin, false)
	p.gateway.plans, p.gateway.hospitals, p.gateway.errors = nil, nil, nil
	b := p.as(t, admin)
	for address, teaches := range map[string]string{
		"/console":               "When a team asks for access to hospitals",
		"/console/requests":      "No request waits",
		"/console/consumers":     "No consumers yet",
		"/console/plans":         "A plan is a file",
		"/console/hospitals":     "A hospital is a file",
		"/console/invitations":   "No invitations yet",
		"/console/teams":         "No teams yet",
		"/console/announcements": "None yet",
		"/console/usage":         "No calls in this range",
		"/console/audit":         "user.create",
	} {
		has(t, b.page(address), teaches)
	}
}
