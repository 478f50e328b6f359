package developer_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

// needs tells who may use each route: "all", "invited", or by role in the team.
var needs = map[string]string{
	"GET /{$}": "all", "GET /apps": "all", "GET /apps/new": "all", "POST /apps/new": "all",
	"GET /usage": "all", "GET /usage.csv": "all", "GET /teams": "all", "GET /teams/new": "all", "POST /teams/new": "all",

	"GET /apps/{app}": "viewer", "GET /apps/{app}/usage": "viewer", "GET /apps/{app}/usage.csv": "viewer", "GET /apps/{app}/errors": "viewer",
	"GET /credentials/{credential}": "viewer", "GET /teams/{team}": "viewer", "POST /teams/{team}/leave": "viewer",

	"GET /apps/{app}/edit": "member", "POST /apps/{app}/edit": "member",
	"GET /apps/{app}/request": "member", "POST /apps/{app}/request": "member", "POST /apps/{app}/requests/{request}/withdraw": "member",
	"GET /apps/{app}/keys/new": "member", "POST /apps/{app}/keys/new": "member",
	"GET /credentials/{credential}/edit": "member", "POST /credentials/{credential}/edit": "member",
	"GET /credentials/{credential}/rotate": "member", "POST /credentials/{credential}/rotate": "member", "POST /credentials/{credential}/revoke": "member",

	"POST /apps/{app}/archive": "owner", "POST /teams/{team}/rename": "owner", "POST /teams/{team}/members": "owner",
	"POST /teams/{team}/members/{user}/role": "owner", "POST /teams/{team}/members/{user}/remove": "owner",
	"POST /teams/{team}/invitations/{invitation}/withdraw": "owner",

	"POST /invitations/{invitation}/join": "invited", "POST /invitations/{invitation}/decline": "invited",
}

func TestEveryRouteForEveryRole(t *testing.T) {
	routes := newSite(t).pages.Routes()
	require.Len(t, needs, len(routes), "every route is in the table")
	const invited = "admin" // the last who asks
	ranks := map[string]int{"outsider": 0, "admin": 0, "viewer": 1, "member": 2, "owner": 3}
	for _, route := range routes {
		name := route.Method + " " + route.Path
		need, known := needs[name]
		require.True(t, known, name)
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			app := s.app("Worklist")
			approved := s.approved(app, time.Time{})
			waiting := s.request(app)
			credential := s.credential(approved, "night", 0)
			path := strings.NewReplacer("{$}", "", "{app}", app.ID, "{request}", waiting.ID, "{credential}", credential.ID, "{team}", s.team.ID, "{user}", s.users["other"].ID,
				"{invitation}", s.invited(invited+"@pacs.example", store.TeamMember).ID).Replace(route.Path)
			form := []string{"request", approved.ID}
			for _, role := range []string{"outsider", "viewer", "member", "owner", "admin"} {
				reader := s.as(role)
				got := answer{}
				if route.Method == http.MethodPost {
					got = reader.post(path, form...)
				} else {
					got = reader.get(path)
				}
				switch {
				case need == "invited" && role != invited:
					require.Equal(t, http.StatusNotFound, got.status, role)
				case need == "all" || need == "invited" || ranks[role] >= ranks[need]:
					require.NotContains(t, []int{403, 404, 500}, got.status, "%s: %s", role, got.body)
				case ranks[role] == 0:
					require.Equal(t, http.StatusNotFound, got.status, role)
					require.NotContains(t, got.body, "Worklist", role)
				default:
					require.Equal(t, http.StatusForbidden, got.status, role)
				}
			}
			require.Equal(t, http.StatusSeeOther, (&reader{site: s, client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}).do(route.Method, path, nil).status, "nobody who is not signed in")
		})
	}
}

func TestIdsOfOthersAreNotFound(t *testing.T) {
	s := newSite(t)
	mine, theirs := s.app("Worklist"), s.app("Reports")
	request := s.request(theirs)
	approved := s.approved(theirs, time.Time{})
	stranger := s.users["outsider"].ID
	member, owner := s.as("member"), s.as("owner")
	for _, c := range []struct {
		reader *reader
		path   string
		values []string
	}{
		{member, "/apps/" + mine.ID + "/requests/" + request.ID + "/withdraw", nil},
		{member, "/apps/" + mine.ID + "/keys/new", []string{"request", approved.ID, "make", "key", "life", "30"}},
		{owner, "/teams/" + s.team.ID + "/members/" + stranger + "/role", []string{"role", "owner"}},
		{owner, "/teams/" + s.team.ID + "/members/" + stranger + "/remove", nil},
		{s.as("outsider"), "/apps/new", []string{"name", "Mine", "team", s.team.ID}},
	} {
		require.Equal(t, http.StatusNotFound, c.reader.post(c.path, c.values...).status, c.path)
	}
	members, err := s.store.Members(t.Context(), s.team.ID)
	require.NoError(t, err)
	require.Len(t, members, 4)
	require.Equal(t, http.StatusForbidden, s.as("viewer").post("/apps/new", "name", "Mine", "team", s.team.ID).status)
}

func TestACredentialOfNoAppIsNobodys(t *testing.T) {
	s := newSite(t)
	credential, err := s.store.BeginCredential(t.Context(), s.by("admin"), storeCredential("try-it"))
	require.NoError(t, err)
	for _, role := range []string{"owner", "admin"} {
		require.Equal(t, http.StatusNotFound, s.as(role).get("/credentials/"+credential.ID).status)
	}
}

func TestAnArchivedAppCanOnlyBeLookedAt(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	approved := s.approved(app, time.Time{})
	credential := s.credential(approved, "night", 0)
	owner := s.as("owner")
	require.Equal(t, "/apps/"+app.ID, owner.sent("/apps/"+app.ID+"/archive"))
	require.Contains(t, owner.ok("/apps/"+app.ID), "revoke them first")
	owner.sent("/credentials/"+credential.ID+"/revoke", "reason", "it ends")
	require.Equal(t, "/apps", owner.sent("/apps/"+app.ID+"/archive"))
	require.Contains(t, owner.ok("/apps"), "1 archived app")
	shown := owner.ok("/apps/" + app.ID)
	require.Contains(t, shown, "This app is archived")
	require.NotContains(t, shown, "/keys/new")
	for _, path := range []string{"/edit", "/request", "/keys/new"} {
		require.Equal(t, http.StatusConflict, owner.get("/apps/"+app.ID+path).status, path)
		require.Equal(t, http.StatusConflict, owner.post("/apps/"+app.ID+path, "request", approved.ID).status, path)
	}
}

// TestAKeyOfAnArchivedAppCanBeEnded if one works after all, as when an administrator
// of the gateway has restored it.
func TestAKeyOfAnArchivedAppCanBeEnded(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	require.NoError(t, s.store.ArchiveApp(t.Context(), s.by("owner"), app.ID))
	_, err := s.store.Adopt(t.Context(), store.Credential{AppID: app.ID, KeyID: "key_back", Name: "back", Kind: "key", Plan: "practice"})
	require.NoError(t, err)
	credential, err := s.store.CredentialByKey(t.Context(), "key_back")
	require.NoError(t, err)
	s.gateway.keys[credential.KeyID] = &record.Key{ID: credential.KeyID}
	member, path := s.as("member"), "/credentials/"+credential.ID
	for _, other := range []string{"/edit", "/rotate"} {
		require.NotContains(t, member.ok(path), path+other)
		require.Equal(t, http.StatusConflict, member.get(path+other).status, other)
		require.Equal(t, http.StatusConflict, member.post(path+other, "name", "x", "grace", "none").status, other)
	}
	require.NotContains(t, s.as("viewer").ok(path), path+"/revoke")
	require.Equal(t, http.StatusForbidden, s.as("viewer").post(path+"/revoke", "reason", "it ends").status)
	require.Contains(t, member.ok(path), path+"/revoke")
	require.Equal(t, path, member.sent(path+"/revoke", "reason", "it ends"))
	require.NotZero(t, s.gateway.keys[credential.KeyID].Revoked)
}
