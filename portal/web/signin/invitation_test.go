package signin

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

// intoTeam has the owner of a team invite an address into it, and returns the link.
func (w *world) intoTeam(email string) string {
	w.t.Helper()
	owner := w.user("owner@pacs.example", store.RoleDeveloper)
	by := store.By{UserID: owner.ID}
	team, err := w.store.CreateTeam(w.t.Context(), by, "Imaging")
	require.NoError(w.t, err)
	_, mailed, err := w.identity.Inviter().InviteToTeam(w.t.Context(), by, store.Invitation{Email: email, TeamID: team.ID})
	require.NoError(w.t, err)
	require.True(w.t, mailed)
	return w.link()
}

func TestWhoHasNoAccountMakesOneByAnInvitationIntoATeam(t *testing.T) {
	w := newWorld(t)
	link, b := w.intoTeam(ann), w.browser()
	b.get(link).shows(t, http.StatusOK, "Make your account, and you are in the team Imaging.")
	b.post(link, "name", "Ann", "password", password).goes(t, "/")
	user, err := w.store.UserByEmail(t.Context(), ann)
	require.NoError(t, err)
	teams, err := w.store.TeamsOf(t.Context(), user.ID)
	require.NoError(t, err)
	require.Len(t, teams, 1)
	b.get(link).shows(t, http.StatusGone, "This link is over")
}

func TestWhoHasAnAccountSignsInToJoin(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann, store.RoleDeveloper)
	link := w.intoTeam(ann)
	b := w.browser()
	asked := b.get(link)
	asked.shows(t, http.StatusOK, `href="/login?next=/teams"`)
	require.Contains(t, asked.body, "Sign in to join")
	require.NotContains(t, asked.body, "password")
	b.post(link, "name", "Mallory", "password", fresh).goes(t, link)
	b.get("/login?next=/teams").shows(t, http.StatusOK, `name="next" value="/teams"`)
	b.post("/login", "email", ann, "password", password, "next", "/teams").goes(t, "/teams")

	waiting, err := w.store.InvitationsOf(t.Context(), u.ID)
	require.NoError(t, err)
	require.Len(t, waiting, 1, "looking does not join")
	b.get(link).shows(t, http.StatusOK, `action="/invitations/`+waiting[0].ID+`/join"`)

	other := w.browser()
	other.login("owner@pacs.example")
	kind := other.get(link)
	kind.shows(t, http.StatusOK, "You are signed in as owner@pacs.example")
	require.Contains(t, kind.body, `action="/logout"`)
	require.NotContains(t, kind.body, "/join")

	_, err = w.store.JoinTeam(t.Context(), store.By{UserID: u.ID}, waiting[0].ID)
	require.NoError(t, err)
	b.get(link).shows(t, http.StatusGone, "This link is over")
}

// TestAnInvitationToMakeAnAccountThatThereIs opens links that were to make an account
// of an address that has got one by other means meanwhile.
func TestAnInvitationToMakeAnAccountThatThereIs(t *testing.T) {
	w := newWorld(t)
	plain, admin := w.invite(ann, store.RoleDeveloper), w.invite(ann, store.RoleAdmin)
	team, err := w.store.CreateTeam(t.Context(), store.System, "Imaging")
	require.NoError(t, err)
	_, token, err := w.store.Invite(t.Context(), store.System, store.Invitation{Email: ann, Role: store.RoleAdmin, TeamID: team.ID, Expires: w.Now().Add(time.Hour)})
	require.NoError(t, err)
	w.private = append(w.private, token)
	u := w.user(ann, store.RoleDeveloper)
	b := w.browser()
	b.login(ann)
	for _, link := range []string{plain, admin, "/invitation/" + token} {
		w.browser().get(link).shows(t, http.StatusOK, `href="/login"`)
		shown := b.get(link)
		shown.shows(t, http.StatusOK, "You have an account at the developer portal already.")
		require.NotContains(t, shown.body, "/join")
		require.NotContains(t, shown.body, "Imaging")
		b.post(link, "name", "Ann", "password", fresh).goes(t, link)
	}
	still, err := w.store.User(t.Context(), u.ID)
	require.NoError(t, err)
	require.Equal(t, store.RoleDeveloper, still.Role)
}
