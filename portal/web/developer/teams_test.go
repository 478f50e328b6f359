package developer_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

func TestAppsAreMadeAndChanged(t *testing.T) {
	s := newSite(t)
	member := s.as("member")
	member.refused("name", "Give the app a name.", "/apps/new", "name", " ", "team", s.team.ID)
	member.refused("name", "At most 80 characters.", "/apps/new", "name", strings.Repeat("n", 81), "team", s.team.ID)
	require.Contains(t, member.refused("description", "At most 500", "/apps/new", "name", "Worklist", "team", s.team.ID, "description", strings.Repeat("d", 501)), `value="Worklist"`)
	path := member.sent("/apps/new", "name", "Worklist", "description", "Shows the day", "team", s.team.ID)
	require.Contains(t, member.ok(path), "Shows the day")
	require.Contains(t, member.ok(path+"/edit"), `value="Worklist"`)
	member.refused("name", "Give the app a name.", path+"/edit", with(member.opens(path+"/edit"), "name", "")...)
	require.Equal(t, path, member.sent(path+"/edit", with(member.opens(path+"/edit"), "name", "Night", "description", "")...))
	require.Contains(t, member.ok("/apps"), "Night")
}

func TestWhoHasNoTeamMakesOneWithTheFirstApp(t *testing.T) {
	s := newSite(t)
	outsider := s.as("outsider")
	outsider.refused("team", "", "/apps/new", "name", "Worklist")
	outsider.refused("team_name", "There is a team of this name already", "/apps/new", "name", "Worklist", "team_name", "Radiology")
	path := outsider.sent("/apps/new", "name", "Worklist", "team_name", "Cardiology")
	require.Contains(t, outsider.ok(path), "An app of Cardiology")
	require.Contains(t, outsider.ok("/teams"), "Cardiology")
}

func TestAccessIsAskedFor(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	member, path := s.as("member"), "/apps/"+app.ID+"/request"
	plans := member.ok(path)
	for _, want := range []string{"100 units a second", "500 at once", "100,000 units a day", "2 hospitals, simulated: no real patients", "No limit", "Every call names its purpose.", "All types", "where category=laboratory"} {
		require.Contains(t, strings.ToLower(plans), strings.ToLower(want))
	}
	require.NotContains(t, plans, "Not in use", "a plan that is off cannot be asked for")
	form := member.ok(path + "?plan=practice")
	require.Contains(t, form, "Harbor Hospital")
	require.Contains(t, form, "Lakeside Hospital")
	require.NotContains(t, form, "Pier Hospital", "the plan does not reach it")

	member.refused("", "Choose a plan.", path, "plan", "off", "hospitals", "harbor", "purpose", "Show worklists")
	member.refused("hospitals", "Choose at least one hospital.", path, "plan", "practice", "purpose", "Show worklists")
	member.refused("hospitals", "does not reach", path, "plan", "practice", "hospitals", "pier", "purpose", "Show worklists")
	shown := member.refused("purpose", "at least 10 characters", path, "plan", "practice", "hospitals", "lakeside", "purpose", "short")
	require.Contains(t, shown, ">\nshort</textarea>")
	require.Regexp(t, `value="lakeside"[^>]*checked`, shown)
	member.refused("purpose", "At most 2,000", path, "plan", "practice", "hospitals", "harbor", "purpose", strings.Repeat("p", 2001))

	require.Equal(t, "/apps/"+app.ID, member.sent(path, "plan", "practice", "hospitals", "lakeside", "hospitals", "harbor", "hospitals", "harbor", "purpose", "Show worklists"))
	requests, err := s.store.RequestsOfApp(t.Context(), app.ID)
	require.NoError(t, err)
	require.Len(t, requests, 1)
	require.Equal(t, []string{"harbor", "lakeside"}, requests[0].Hospitals)
	withdraw := "/apps/" + app.ID + "/requests/" + requests[0].ID + "/withdraw"
	require.Contains(t, member.ok("/apps/"+app.ID), withdraw)
	member.sent(withdraw)
	require.Contains(t, member.ok("/apps/"+app.ID), "Withdrawn")
	member.sent(withdraw)
	require.Contains(t, member.ok("/apps/"+app.ID), "was decided already")

	refused := s.request(app)
	require.NoError(t, s.store.Refuse(t.Context(), s.by("admin"), refused.ID, "too many hospitals"))
	shown = member.ok("/apps/" + app.ID)
	require.Contains(t, shown, "too many hospitals")
	require.Contains(t, shown, "Ask again")
}

func TestTeamsAreMadeAndRenamed(t *testing.T) {
	s := newSite(t)
	owner := s.as("owner")
	owner.refused("name", "Give the team a name.", "/teams/new", "name", "")
	owner.refused("name", "There is a team of this name already.", "/teams/new", "name", "Radiology")
	path := owner.sent("/teams/new", "name", "Cardiology")
	owner.refused("name", "There is a team of this name already.", path+"/rename", "name", "Radiology")
	owner.refused("name", "At most 80", path+"/rename", "name", strings.Repeat("n", 81))
	owner.sent(path+"/rename", "name", "Hearts")
	require.Contains(t, owner.ok("/teams"), "Hearts")
}

func TestMembers(t *testing.T) {
	s := newSite(t)
	owner, path := s.as("owner"), "/teams/"+s.team.ID
	owner.refused("email", "Give the e-mail address", path+"/members", "role", "member")
	owner.refused("role", "Choose a role.", path+"/members", "email", "outsider@pacs.example", "role", "king")
	owner.refused("email", "in the team already", path+"/members", "email", "Member@pacs.example", "role", "viewer")
	outsider := s.users["outsider"].ID
	storetest.Join(t, s.store, s.by("owner"), s.team.ID, outsider, store.TeamViewer)
	require.Contains(t, s.as("outsider").ok("/teams"), "Radiology")
	owner.sent(path+"/members/"+outsider+"/role", "role", "owner")
	role, err := s.store.RoleIn(t.Context(), outsider, s.team.ID)
	require.NoError(t, err)
	require.Equal(t, store.TeamOwner, role)
	require.Equal(t, http.StatusUnprocessableEntity, owner.post(path+"/members/"+outsider+"/role", "role", "king").status)
	owner.sent(path + "/members/" + outsider + "/remove")
	require.Equal(t, http.StatusNotFound, s.as("outsider").get(path).status)

	you := s.users["owner"].ID
	owner.sent(path+"/members/"+you+"/role", "role", "viewer")
	require.Contains(t, owner.ok(path), "A team needs an owner")
	require.Equal(t, path, owner.sent(path+"/leave"))
	require.Contains(t, owner.ok(path), "A team needs an owner")
	require.NotContains(t, owner.ok(path), path+"/leave")
	viewer := s.as("viewer")
	require.Equal(t, "/teams", viewer.sent(path+"/leave"))
	require.Equal(t, http.StatusNotFound, viewer.get(path).status)
}
