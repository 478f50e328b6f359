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
