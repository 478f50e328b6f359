package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"fhirgate/portal/identity"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// mostTeams is how many teams a select offers; of more, one is chosen by the link
// on its own page.
const mostTeams = 200

// teamRoleOptions are the roles that a member of a team can have.
func teamRoleOptions() []ui.Option {
	return []ui.Option{
		{Value: string(store.TeamOwner), Label: "Owner", Help: "Also members, names and the end of apps."},
		{Value: string(store.TeamMember), Label: "Member", Help: "Also requests and keys."},
		{Value: string(store.TeamViewer), Label: "Viewer", Help: "Sees all, changes nothing."},
	}
}

func (p *Pages) invitation(r *page.Request) error {
	form := page.NewForm("role", string(store.RoleDeveloper), "team_role", string(store.TeamMember), "team", r.URL.Query().Get("team"))
	return p.showInvite(r, http.StatusOK, form)
}

func (p *Pages) showInvite(r *page.Request, status int, form *page.Form) error {
	teams, err := p.store.Teams(r.Context(), "", store.Page{Size: mostTeams})
	if err != nil {
		return err
	}
	items := teams.Items
	if id := form.Value("team"); id != "" && !slices.ContainsFunc(items, func(t store.Team) bool { return t.ID == id }) {
		switch team, err := p.store.Team(r.Context(), id); {
		case err == nil:
			items = append([]store.Team{team}, items...)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	options := make([]ui.Option, len(items))
	for i, team := range items {
		options[i] = ui.Option{Value: team.ID, Label: team.Name}
	}
	return r.Render(status, "console-invite", struct {
		Form                    *page.Form
		Roles, Teams, TeamRoles []ui.Option
		MoreTeams               bool
	}{form, roleOptions(), options, teamRoleOptions(), teams.Total > mostTeams})
}

// invite opens an invitation. Where there is no mail, its link is shown in the answer
// itself, and never again.
func (p *Pages) invite(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	wanted := store.Invitation{
		Email: form.Required("email", "Whom do you want to invite?"), Role: store.Role(form.Value("role")),
		TeamID: form.Value("team"), TeamRole: store.TeamRole(form.Value("team_role")),
	}
	if !slices.ContainsFunc(roleOptions(), func(o ui.Option) bool { return o.Value == string(wanted.Role) }) {
		form.Fail("role", "Choose one of the roles.")
	}
	if wanted.TeamID == "" {
		wanted.TeamRole = ""
	} else if !slices.ContainsFunc(teamRoleOptions(), func(o ui.Option) bool { return o.Value == string(wanted.TeamRole) }) {
		form.Fail("team_role", "Choose one of the roles.")
	}
	if !form.OK() {
		return p.showInvite(r, http.StatusUnprocessableEntity, form)
	}
	invite, taken := p.inviter.Invite, identity.ErrTaken.Text
	if wanted.TeamID != "" && wanted.Role == store.RoleDeveloper {
		invite, taken = p.inviter.InviteToTeam, "Whoever has this address is in the team already."
	}
	link, mailed, err := invite(r.Context(), r.By(), wanted)
	var refusal *identity.Refusal
	switch {
	case errors.As(err, &refusal):
		form.Fail("email", refusal.Text)
	case errors.Is(err, store.ErrConflict):
		form.Fail("email", taken)
	case errors.Is(err, store.ErrNotFound):
		form.Fail("team", "There is no such team any more. Choose another one.")
	case err != nil:
		return err
	}
	if !form.OK() {
		return p.showInvite(r, http.StatusUnprocessableEntity, form)
	}
	if mailed {
		r.Flash("ok", "The invitation is on its way to "+strings.ToLower(wanted.Email)+".")
		return r.Redirect("/console/invitations")
	}
	return r.Render(http.StatusOK, "console-invited", struct{ Email, Link string }{strings.ToLower(wanted.Email), link})
}

// invitationRow is an invitation with its state in a word.
type invitationRow struct {
	store.Invitation
	State string
	Team  string // name; "" = none
	By    named  // a user
	Open  bool
}

func (p *Pages) invitations(r *page.Request) error {
	list, err := p.store.Invitations(r.Context(), r.Page(pageSize))
	if err != nil {
		return err
	}
	rows, err := p.invitationRows(r.Context(), list.Items)
	if err != nil {
		return err
	}
	return r.Render(http.StatusOK, "console-invitations", struct {
		Rows  []invitationRow
		List  store.List[store.Invitation]
		Query url.Values
	}{rows, list, r.URL.Query()})
}

// invitationRows joins invitations with the names of their teams and of those who
// invited.
func (p *Pages) invitationRows(ctx context.Context, items []store.Invitation) ([]invitationRow, error) {
	var users []string
	teams := map[string]string{"": ""}
	for _, invitation := range items {
		users = append(users, invitation.InvitedBy)
		if _, known := teams[invitation.TeamID]; known {
			continue
		}
		team, err := p.store.Team(ctx, invitation.TeamID)
		if err != nil {
			return nil, err
		}
		teams[team.ID] = team.Name
	}
	names, err := p.userNames(ctx, users...)
	if err != nil {
		return nil, err
	}
	rows := make([]invitationRow, len(items))
	for i, invitation := range items {
		rows[i] = invitationRow{
			Invitation: invitation, State: stateOfInvitation(invitation, p.now()), Open: invitation.Open(p.now()),
			Team: teams[invitation.TeamID], By: named{ID: invitation.InvitedBy, Name: names[invitation.InvitedBy]},
		}
	}
	return rows, nil
}

func stateOfInvitation(i store.Invitation, now time.Time) string {
	switch {
	case !i.Accepted.IsZero():
		return "accepted"
	case !i.Withdrawn.IsZero():
		return "withdrawn"
	case !i.Open(now):
		return "expired"
	default:
		return "invited"
	}
}

func (p *Pages) withdrawInvitation(r *page.Request) error {
	err := p.store.WithdrawInvitation(r.Context(), r.By(), r.PathValue("invitation"))
	if errors.Is(err, store.ErrConflict) {
		return page.Conflict("This invitation was accepted or withdrawn already.")
	}
	if err != nil {
		return err
	}
	r.Flash("ok", "The invitation is withdrawn. Its link leads nowhere now.")
	return r.Redirect("/console/invitations")
}
