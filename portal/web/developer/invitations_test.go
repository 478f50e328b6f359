package developer_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/identity"
	"fhirgate/portal/store"
)

// invited has the owner invite an address, and returns the invitation.
func (s *site) invited(email string, role store.TeamRole) store.TeamInvitation {
	s.t.Helper()
	s.inviter.mailed = true
	s.as("owner").sent("/teams/"+s.team.ID+"/members", "email", email, "role", string(role))
	open, err := s.store.InvitationsInto(s.t.Context(), s.team.ID)
	require.NoError(s.t, err)
	return open[0]
}

// TestInvitingTellsNobodyWhoHasAnAccount invites addresses with an account and one
// without, with mail and without: the owner sees the same.
func TestInvitingTellsNobodyWhoHasAnAccount(t *testing.T) {
	s := newSite(t)
	require.NoError(t, s.store.Disable(t.Context(), s.by("admin"), s.users["other"].ID))
	require.NoError(t, s.store.RemoveMember(t.Context(), s.by("owner"), s.team.ID, s.users["other"].ID))
	ids := regexp.MustCompile(`inv_[a-z2-7]+|(confirm|secret)-[0-9a-f]{8}|[0-9A-Z]{26}|<time [^>]*>[^<]*`) // which differ between any two
	owner, path := s.as("owner"), "/teams/"+s.team.ID
	for _, mailed := range []bool{true, false} {
		s.inviter.mailed = mailed
		var seen []string
		for _, email := range []string{"outsider@pacs.example", "other@pacs.example", "nobody@pacs.example"} {
			got := owner.post(path+"/members", "email", email, "role", "viewer")
			pages := got.body + got.header.Get("Location") + owner.ok(path)
			seen = append(seen, http.StatusText(got.status)+ids.ReplaceAllString(strings.ReplaceAll(pages, email, "ADDRESS"), "ID"))
			open, err := s.store.InvitationsInto(t.Context(), s.team.ID)
			require.NoError(t, err)
			require.Len(t, open, 1)
			require.Contains(t, pages, "/invitations/"+open[0].ID+"/withdraw")
			owner.sent(path + "/invitations/" + open[0].ID + "/withdraw")
			require.Contains(t, owner.ok(path), "The invitation is withdrawn")
		}
		require.Equal(t, []string{seen[0], seen[0], seen[0]}, seen)
	}
	_, err := s.store.RoleIn(t.Context(), s.users["outsider"].ID, s.team.ID)
	require.ErrorIs(t, err, store.ErrNotFound, "nobody is in a team without being asked")
}

func TestInvitationsIntoTheTeam(t *testing.T) {
	s := newSite(t)
	owner, path := s.as("owner"), "/teams/"+s.team.ID
	got := owner.post(path+"/members", "email", "New@pacs.example", "role", "member")
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, 1, strings.Count(got.whole, "token-of-the-link"))
	require.NotContains(t, owner.get(path).whole, "token-of-the-link")
	s.inviter.mailed = true
	require.Equal(t, path, owner.sent(path+"/members", "email", "next@pacs.example", "role", "owner"))
	shown := owner.ok(path)
	require.Contains(t, shown, "on its way to next@pacs.example")
	require.Contains(t, shown, "new@pacs.example")
	require.NotContains(t, s.as("member").ok(path), "next@pacs.example", "owners only")
	s.inviter.problem = &identity.Refusal{Reason: "address", Text: "This is no e-mail address."}
	require.Contains(t, owner.refused("email", "This is no e-mail address.", path+"/members", "email", "next", "role", "owner"), `value="next"`)
}

func TestOnlyWhatIsOpenInTheTeamIsWithdrawn(t *testing.T) {
	s := newSite(t)
	own := s.invited("outsider@pacs.example", store.TeamMember)
	other, err := s.store.CreateTeam(t.Context(), s.by("outsider"), "Cardiology")
	require.NoError(t, err)
	outsider := s.as("outsider")
	for _, withdraw := range []string{
		"/teams/" + other.ID + "/invitations/" + own.ID + "/withdraw", // of a team that is not theirs
		"/teams/" + other.ID + "/invitations/inv_none/withdraw",
	} {
		got := outsider.post(withdraw)
		require.Equal(t, http.StatusNotFound, got.status)
		require.Contains(t, got.body, "No such invitation")
	}
	outsider.sent("/invitations/" + own.ID + "/join")
	require.Equal(t, http.StatusNotFound, s.as("owner").post("/teams/"+s.team.ID+"/invitations/"+own.ID+"/withdraw").status)
}

func TestWhoIsInvitedJoins(t *testing.T) {
	s := newSite(t)
	outsider, path := s.as("outsider"), "/teams/"+s.team.ID
	require.NotContains(t, outsider.ok("/"), "You are invited")
	i := s.invited("OUTSIDER@pacs.example", store.TeamMember)
	require.Contains(t, outsider.ok("/"), "You are invited into the team Radiology")
	shown := outsider.ok("/teams")
	for _, want := range []string{"You are invited", "Radiology", "by The owner", "/invitations/" + i.ID + "/join", "/invitations/" + i.ID + "/decline", "No team yet"} {
		require.Contains(t, shown, want)
	}
	require.Equal(t, http.StatusNotFound, outsider.get(path).status, "not before they join")
	for _, somebody := range []string{"member", "admin", "owner"} {
		reader := s.as(somebody)
		require.NotContains(t, reader.ok("/teams"), i.ID)
		for _, does := range []string{"/join", "/decline"} {
			got := reader.post("/invitations/" + i.ID + does)
			require.Equal(t, http.StatusNotFound, got.status, somebody)
			require.Contains(t, got.body, "No such invitation")
		}
	}
	require.Equal(t, path, outsider.sent("/invitations/"+i.ID+"/join"))
	require.Contains(t, outsider.ok(path), "You are in the team Radiology now.")
	require.NotContains(t, outsider.ok("/teams"), "You are invited")
	require.Equal(t, http.StatusNotFound, outsider.post("/invitations/"+i.ID+"/join").status, "once")
	require.NotContains(t, s.as("owner").ok(path), i.ID)
}

func TestWhoIsInvitedDeclines(t *testing.T) {
	s := newSite(t)
	i := s.invited("outsider@pacs.example", store.TeamOwner)
	cardiology, err := s.store.CreateTeam(t.Context(), s.by("admin"), "Cardiology")
	require.NoError(t, err)
	_, _, err = s.inviter.InviteToTeam(t.Context(), s.by("admin"), store.Invitation{Email: "outsider@pacs.example", TeamID: cardiology.ID})
	require.NoError(t, err)
	outsider := s.as("outsider")
	require.Contains(t, outsider.ok("/"), "You are invited into 2 teams")
	require.Equal(t, "/teams", outsider.sent("/invitations/"+i.ID+"/decline"))
	shown := outsider.ok("/teams")
	require.Contains(t, shown, "The invitation is declined.")
	require.Contains(t, shown, "Cardiology")
	require.NotContains(t, shown, "Radiology")
	require.Equal(t, http.StatusNotFound, outsider.post("/invitations/"+i.ID+"/join").status)
	require.Equal(t, http.StatusNotFound, outsider.get("/teams/"+s.team.ID).status)
	require.NotContains(t, s.as("owner").ok("/teams/"+s.team.ID), i.ID)
}
