package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/identity"
	"fhirgate/portal/store"
)

func TestUsersAreGoverned(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	address := "/console/users/" + ids["user"]
	shown := b.page(address)
	has(t, shown, "dev@example.org")
	has(t, shown, "team of viewer")
	hasNot(t, shown, "hash") // nothing of the password

	b.done(b.post(address+"/role", "role", "admin"), address)
	b.done(b.post(address+"/disable"), address)
	dev, err := p.User(t.Context(), ids["user"])
	require.NoError(t, err)
	require.Equal(t, store.RoleAdmin, dev.Role)
	require.False(t, dev.Disabled.IsZero())
	has(t, b.page("/console/users?search=dev"), "Disabled")
	b.done(b.post(address+"/enable"), address)
	require.Equal(t, []string{"user.enable", "user.disable", "user.role"}, p.acts(t, 3))

	got := b.post(address+"/role", "role", "god")
	require.Equal(t, http.StatusUnprocessableEntity, got.Status)
	has(t, got.Body, "Choose one of the roles.")
	got = b.post(address + "/reset-second-factor")
	require.Equal(t, http.StatusConflict, got.Status)
	has(t, got.Body, "no second factor")

	got = b.post(address + "/reset-password")
	require.Equal(t, http.StatusConflict, got.Status, "an administrator does not take the place of another")
	require.NoError(t, p.SetRole(t.Context(), store.System, ids["user"], store.RoleDeveloper))
	got = b.post(address + "/reset-password")
	require.Equal(t, http.StatusOK, got.Status)
	has(t, got.Body, "/reset-password?token=")
	p.inviter.mails = true
	shown = b.done(b.post(address+"/reset-password"), address)
	has(t, shown, "is on its way to")
	require.NotContains(t, shown, "token=")
	p.inviter.refusal = identity.ErrNotMailed
	got = b.post(address + "/reset-password")
	require.Equal(t, http.StatusConflict, got.Status)
	has(t, got.Body, "The mail could not be sent just now")
	has(t, got.Body, "Send a link for a new password") // it is the user's own page

	boss := "/console/users/" + ids["boss"]
	shown = b.done(b.post(boss+"/reset-second-factor"), boss)
	has(t, shown, "The second factor is reset")
	has(t, shown, "Missing")
}

func TestTheLastAdministratorStays(t *testing.T) {
	p := newPortal(t)
	admin, err := p.User(t.Context(), p.user(t, "ada", store.RoleAdmin, false).ID)
	require.NoError(t, err)
	b := p.as(t, admin)
	address := "/console/users/" + admin.ID
	for _, got := range []answer{b.post(address+"/role", "role", "developer"), b.post(address + "/disable")} {
		require.Equal(t, http.StatusConflict, got.Status)
		has(t, got.Body, "This is the last active administrator.")
		has(t, got.Body, "Change the role") // it is the user's own page
	}
	got := b.post(address + "/reset-second-factor")
	require.Equal(t, http.StatusConflict, got.Status)
	has(t, got.Body, "ask another administrator, or run fhirgate portal invite --admin")
	shown := b.page(address)
	hasNot(t, shown, "reset-second-factor")
	has(t, shown, "Nobody resets their own: another administrator does.")
	has(t, shown, "<code>fhirgate portal invite --admin</code>")
	after, err := p.User(t.Context(), admin.ID)
	require.NoError(t, err)
	require.Equal(t, admin, after)
}

func TestInvitations(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	has(t, b.page("/console/users/invite?team="+ids["team"]), `<option value="`+ids["team"]+`" selected`)
	require.Equal(t, http.StatusOK, b.get("/console/users/invite?team=team_nothing").Status)

	for field, values := range map[string][]string{
		"Whom do you want": {"role", "developer"},
		"Choose one of":    {"email", "x@example.org", "role", "god"},
		"team_role-error":  {"email", "x@example.org", "role", "admin", "team", ids["team"], "team_role", "king"},
	} {
		got := b.post("/console/users/invite", values...)
		require.Equal(t, http.StatusUnprocessableEntity, got.Status)
		has(t, got.Body, field)
	}
	require.Empty(t, p.inviter.asked)

	wanted := []string{"email", "New@Example.org", "role", "developer", "team", ids["team"], "team_role", "viewer"}
	for text, refusal := range map[string]error{
		identity.ErrTaken.Text:   identity.ErrTaken,
		identity.ErrAddress.Text: identity.ErrAddress,
		"There is no such team":  store.ErrNotFound,
		"in the team already":    store.ErrConflict,
	} {
		p.inviter.refusal = refusal
		got := b.post("/console/users/invite", wanted...)
		require.Equal(t, http.StatusUnprocessableEntity, got.Status)
		has(t, got.Body, text)
	}
	p.inviter.refusal = nil

	got := b.post("/console/users/invite", wanted...)
	require.Equal(t, http.StatusOK, got.Status)
	has(t, got.Body, "https://portal.example/invitation/token-of-it")
	require.Equal(t, "no-store", got.Header.Get("Cache-Control"))
	last := p.inviter.asked[len(p.inviter.asked)-1]
	require.Len(t, p.inviter.asked, p.inviter.toTeams, "with an account or without")
	require.Equal(t, store.Invitation{Email: "New@Example.org", Role: store.RoleDeveloper, TeamID: ids["team"], TeamRole: store.TeamViewer}, last)

	p.inviter.mails = true
	shown := b.done(b.post("/console/users/invite", "email", "x@example.org", "role", "admin", "team_role", "viewer"), "/console/invitations")
	has(t, shown, "on its way to x@example.org")
	hasNot(t, shown, "token-of-it")
	require.Len(t, p.inviter.asked, p.inviter.toTeams+1)
	require.Empty(t, p.inviter.asked[len(p.inviter.asked)-1].TeamRole, "without a team there is no role in it")
}

func TestAnInvitationIsWithdrawn(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	shown := b.page("/console/invitations")
	has(t, shown, "new@example.org")
	has(t, shown, "team of viewer")
	address := "/console/invitations/" + ids["invitation"] + "/withdraw"
	shown = b.done(b.post(address), "/console/invitations")
	has(t, shown, "Withdrawn")
	hasNot(t, shown, address)
	require.Equal(t, http.StatusConflict, b.post(address).Status)
}

func TestAnnouncements(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	got := b.post("/console/announcements", "title", "", "text", "", "level", "loud", "ends", "2001-01-01")
	require.Equal(t, http.StatusUnprocessableEntity, got.Status)
	for _, text := range []string{"Give it a title.", "Say what people should know.", "Choose one of the levels.", "This day is over."} {
		has(t, got.Body, text)
	}
	got = b.post("/console/announcements", "title", strings.Repeat("x", 121), "text", strings.Repeat("x", 2001), "level", "info")
	has(t, got.Body, "too long for a title")
	has(t, got.Body, "2,000 characters are enough")
	b.done(b.post("/console/announcements", "title", strings.Repeat("ü", 120), "text", strings.Repeat("ü", 2000), "level", "info", "ends", "2100-01-01"), "/console/announcements")

	today := time.Now().UTC().Format(time.DateOnly)
	shown := b.done(b.post("/console/announcements", "title", "A <new> hospital", "text", "West joins", "level", "info", "ends", today), "/console/announcements")
	has(t, shown, "A &lt;new&gt; hospital")
	end := "/console/announcements/" + ids["announcement"] + "/end"
	has(t, shown, end)
	shown = b.done(b.post(end), "/console/announcements")
	hasNot(t, shown, end)
	require.Equal(t, http.StatusConflict, b.post(end).Status)
	current, err := p.CurrentAnnouncements(t.Context())
	require.NoError(t, err)
	require.Len(t, current, 2)
}

func TestTeams(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	has(t, b.page("/console/teams?search=VIEWER"), "team of viewer")
	has(t, b.page("/console/teams?search=nothing"), "Nothing found")
	shown := b.page("/console/teams/" + ids["team"])
	has(t, shown, "dev@example.org")
	has(t, shown, "shows images")
}
