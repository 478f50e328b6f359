package developer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

func TestWhenThereAreAsManyAppsAsThereMayBe(t *testing.T) {
	s := newSite(t)
	for n := range store.MaxApps {
		s.app(fmt.Sprint("app ", n))
	}
	require.Contains(t, s.as("member").refused("name", "The team has 200 apps", "/apps/new", "team", s.team.ID, "name", "kept"), `value="kept"`)
}

func TestWhenThereAreAsManyTeamsAsThereMayBe(t *testing.T) {
	s := newSite(t)
	for n := 1; n < store.MaxTeams; n++ {
		_, err := s.store.CreateTeam(t.Context(), s.by("owner"), fmt.Sprint("team ", n))
		require.NoError(t, err)
	}
	owner := s.as("owner")
	require.Contains(t, owner.refused("name", "You own 50 teams", "/teams/new", "name", "kept"), `value="kept"`)
	owner.refused("", "You own 50 teams", "/apps/new", "team_name", "kept", "name", "Worklist")
	require.NotContains(t, owner.ok("/teams"), "kept")
	apps, err := s.store.AppsOf(t.Context(), s.users["owner"].ID)
	require.NoError(t, err)
	require.Empty(t, apps)
}

func TestWhenThereAreAsManyKeysAsThereMayBe(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	request := s.approved(app, time.Time{})
	var last store.Credential
	for n := range store.MaxCredentials {
		last = s.credential(request, fmt.Sprint("key ", n), 0)
	}
	member, path := s.as("member"), "/apps/"+app.ID+"/keys/new"
	form := func() []string {
		return []string{"request", request.ID, "make", "key", "life", "90", "name", "kept", "once", member.once(path)}
	}
	require.Contains(t, member.refused("", "The app has 50 keys and clients", path, form()...), `value="kept"`)
	require.Equal(t, store.MaxCredentials, s.gateway.made)
	member.sent("/credentials/"+last.ID+"/revoke", "reason", "not used")
	require.Equal(t, 200, member.post(path, form()...).status)
}

func TestWhenThereAreAsManyRequestsAsThereMayBe(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	var last store.AccessRequest
	for range store.MaxRequests {
		last = s.request(app)
	}
	member, path := s.as("member"), "/apps/"+app.ID+"/request"
	form := []string{"plan", "practice", "hospitals", "harbor", "purpose", "what we have kept"}
	require.Contains(t, member.refused("", "The app has 50 requests that wait or hold", path, form...), "what we have kept")
	member.sent("/apps/" + app.ID + "/requests/" + last.ID + "/withdraw")
	require.Equal(t, "/apps/"+app.ID, member.sent(path, form...))
}

func TestWhenThereAreAsManyInvitationsAsThereMayBe(t *testing.T) {
	s := newSite(t)
	for n := range store.MaxInvitations {
		_, _, err := s.store.InviteToTeam(t.Context(), s.by("owner"), store.Invitation{
			Email: fmt.Sprintf("dev%d@pacs.example", n), TeamID: s.team.ID, Expires: time.Now().AddDate(1, 0, 0),
		})
		require.NoError(t, err)
	}
	path := "/teams/" + s.team.ID
	s.as("owner").refused("email", "The team has 200 open invitations", path+"/members", "email", "more@pacs.example", "role", "member")
}
