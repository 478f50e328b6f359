package developer

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"fhirgate/portal/identity"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

// inviteMember invites somebody into a team by e-mail address. Whether there is an
// account of the address makes no difference to what is answered, so that nobody
// finds out by it. When no mail was sent the link is shown, once.
func (p *Pages) inviteMember(r *page.Request, team ownTeam) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	role := checkRole(form)
	email := strings.ToLower(form.Required("email", "Give the e-mail address of the person."))
	if !form.OK() {
		return p.renderTeam(r, http.StatusUnprocessableEntity, teamData{Team: team, Add: form})
	}
	link, mailed, err := p.inviter.InviteToTeam(r.Context(), r.By(), store.Invitation{Email: email, TeamID: team.ID, TeamRole: role})
	var refusal *identity.Refusal
	switch {
	case errors.As(err, &refusal):
		form.Fail("email", refusal.Text)
	case errors.Is(err, store.ErrConflict):
		form.Fail("email", "This person is in the team already: change the role in the list.")
	case errors.Is(err, store.ErrFull):
		form.Fail("email", fmt.Sprintf("The team has %d open invitations, and more cannot be made: withdraw one, or wait until somebody joins.", store.MaxInvitations))
	case err != nil:
		return err
	case !mailed:
		return p.renderTeam(r, http.StatusOK, teamData{Team: team, Link: link, For: email})
	}
	if !form.OK() {
		return p.renderTeam(r, http.StatusUnprocessableEntity, teamData{Team: team, Add: form})
	}
	r.Flash("ok", "An invitation is on its way to "+email+". It lasts seven days.")
	return r.Redirect("/teams/%s", team.ID)
}

func (p *Pages) withdrawInvitation(r *page.Request, team ownTeam) error {
	open, err := p.store.InvitationsInto(r.Context(), team.ID)
	if err != nil {
		return err
	}
	id := r.PathValue("invitation")
	if !slices.ContainsFunc(open, func(i store.TeamInvitation) bool { return i.ID == id }) {
		return invitationOver(store.ErrNotFound)
	}
	if err := p.store.WithdrawInvitation(r.Context(), r.By(), id); err != nil {
		return invitationOver(err)
	}
	r.Flash("ok", "The invitation is withdrawn. Nobody can join by it any more.")
	return r.Redirect("/teams/%s", team.ID)
}

func (p *Pages) joinTeam(r *page.Request) error {
	joined, err := p.store.JoinTeam(r.Context(), r.By(), r.PathValue("invitation"))
	if err != nil {
		return invitationOver(err)
	}
	r.Flash("ok", "You are in the team "+joined.TeamName+" now.")
	return r.Redirect("/teams/%s", joined.TeamID)
}

func (p *Pages) declineInvitation(r *page.Request) error {
	if err := p.store.DeclineInvitation(r.Context(), r.By(), r.PathValue("invitation")); err != nil {
		return invitationOver(err)
	}
	r.Flash("ok", "The invitation is declined.")
	return r.Redirect("/teams")
}

// invitationOver tells of an invitation that is not open, or not for the reader.
func invitationOver(err error) error {
	if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict) {
		return err
	}
	return &page.Error{
		Status: http.StatusNotFound, Title: "No such invitation", Err: err,
		Text: "It was accepted, declined or withdrawn, its time is over, or it is for another e-mail address.",
	}
}
