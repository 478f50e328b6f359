package developer_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

const ownDecision = "You approved this access, so you neither make nor rotate keys under it"

// back is an administrator who has approved a request and become a member of its
// team.
func (s *site) back() *reader {
	s.t.Helper()
	storetest.Join(s.t, s.store, s.by("owner"), s.team.ID, s.users["admin"].ID, store.TeamOwner)
	return s.as("admin")
}

func TestWhoApprovedAnAccessMakesNoKeyUnderIt(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	request := s.approved(app, time.Time{})
	admin, member, path := s.back(), s.as("member"), "/apps/"+app.ID+"/keys/new"

	shown := admin.ok("/apps/" + app.ID)
	require.Contains(t, shown, ownDecision)
	require.Contains(t, shown, "another member or owner of the team makes its keys")
	require.NotContains(t, shown, path)
	require.NotContains(t, shown, "once a request below is approved")
	for _, query := range []string{"", "?request=" + request.ID} {
		shown = admin.ok(path + query)
		require.Contains(t, shown, ownDecision)
		require.NotContains(t, shown, "<form")
		require.NotContains(t, shown, "First comes access")
	}
	for _, form := range [][]string{
		{"request", request.ID, "make", "key", "life", "90", "once", member.once(path)}, {"request", request.ID},
	} {
		got := admin.post(path, form...)
		require.Equal(t, http.StatusForbidden, got.status)
		require.Contains(t, got.body, ownDecision)
	}
	require.Zero(t, s.gateway.made)

	other := s.request(app)
	require.NoError(t, s.store.Approve(t.Context(), store.System, other.ID, "simulated", time.Time{}))
	require.Contains(t, admin.ok("/apps/"+app.ID), path+"?request="+other.ID)
	require.NotContains(t, admin.ok("/apps/"+app.ID), ownDecision)
	require.NotContains(t, admin.ok(path), ownDecision)
	require.Contains(t, admin.ok(path+"?request="+request.ID), ownDecision, "what was chosen is told of")
	got := admin.post(path, "request", other.ID, "make", "key", "life", "90", "once", admin.once(path))
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.NotContains(t, member.ok("/apps/"+app.ID), ownDecision)
}

func TestWhoApprovedAnAccessRotatesNothingOfIt(t *testing.T) {
	s := newSite(t)
	credential := s.credential(s.approved(s.app("Worklist"), time.Time{}), "night", 90*day)
	admin, member, path := s.back(), s.as("member"), "/credentials/"+credential.ID
	require.NotContains(t, member.ok(path), ownDecision)

	s.ahead = 61 * day
	shown := admin.ok(path)
	require.Contains(t, shown, ownDecision)
	require.NotContains(t, shown, path+"/rotate")
	require.NotContains(t, shown, "/keys/new", "there is no link to what is refused")
	require.Contains(t, shown, path+"/edit")
	s.ahead = 0
	got := admin.get(path + "/rotate")
	require.Equal(t, http.StatusForbidden, got.status)
	require.Contains(t, got.body, ownDecision)
	for _, form := range [][]string{{"grace", "none", "once", member.once(path + "/rotate")}, nil} {
		got = admin.post(path+"/rotate", form...)
		require.Equal(t, http.StatusForbidden, got.status)
		require.Contains(t, got.body, ownDecision)
	}
	require.Equal(t, 1, s.gateway.made)

	admin.sent(path+"/edit", with(admin.opens(path+"/edit"), "name", "renamed")...)
	require.Equal(t, path, admin.sent(path+"/revoke", "reason", "leaked"))
	require.NotContains(t, admin.ok(path), ownDecision, "there is nothing left to rotate")
}

func TestWhoApprovedAnAccessPutsNoKeysIntoItsClients(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	request := s.approved(app, time.Time{})
	admin, member, path := s.back(), s.as("member"), "/apps/"+app.ID+"/keys/new"
	got := member.post(path, "request", request.ID, "make", "signer", "life", "30", "jwks", publicSet, "once", member.once(path))
	require.Equal(t, http.StatusOK, got.status, got.body)
	credentials, err := s.store.CredentialsOfApp(t.Context(), app.ID)
	require.NoError(t, err)
	path = "/credentials/" + credentials[0].ID
	require.Contains(t, admin.ok(path), ownDecision)
	got = admin.post(path+"/edit", with(admin.opens(path+"/edit"), "name", "mine", "jwks_url", "https://mine.example/jwks.json")...)
	require.Equal(t, http.StatusForbidden, got.status)
	require.Contains(t, got.body, ownDecision)
	require.Empty(t, s.gateway.keys[credentials[0].KeyID].JWKSURL)
}
