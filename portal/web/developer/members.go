package developer

import (
	"errors"
	"net/http"
	"strings"

	"fhirgate/portal/identity"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

// addMember adds somebody by e-mail address: who has an account is added, who
// has none is invited.
func (p *Pages) addMember(r *page.Request, team ownTeam) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	role := checkRole(form)
	email := strings.ToLower(form.Required("email", "Give the e-mail address of the person."))
	if !form.OK() {
		return p.renderTeam(r, http.StatusUnprocessableEntity, teamData{Team: team, Add: form})
	}
	user, err := p.store.UserByEmail(r.Context(), email)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return p.invite(r, team, form, email, role)
	case err != nil:
		return err
	}
	switch _, err := p.store.RoleIn(r.Context(), user.ID, team.ID); {
	case err == nil:
		form.Fail("email", "This person is in the team already: change the role in the list.")
		return p.renderTeam(r, http.StatusUnprocessableEntity, teamData{Team: team, Add: form})
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	if err := p.store.SetMember(r.Context(), r.By(), team.ID, user.ID, role); err != nil {
		return err
	}
	r.Flash("ok", user.Name+" is in the team now.")
	return r.Redirect("/teams/%s", team.ID)
}

// invite invites somebody without an account into a team. When no mail was sent
// the link is shown, once.
func (p *Pages) invite(r *page.Request, team ownTeam, form *page.Form, email string, role store.TeamRole) error {
	link, mailed, err := p.inviter.Invite(r.Context(), r.By(), store.Invitation{
		Email: email, Role: store.RoleDeveloper, TeamID: team.ID, TeamRole: role,
	})
	var refusal *identity.Refusal
	switch {
	case errors.As(err, &refusal):
		form.Fail("email", refusal.Text)
		return p.renderTeam(r, http.StatusUnprocessableEntity, teamData{Team: team, Add: form})
	case err != nil:
		return err
	case !mailed:
		return p.renderTeam(r, http.StatusOK, teamData{Team: team, Link: link, For: email})
	}
	r.Flash("ok", "An invitation is on its way to "+email+". It lasts seven days.")
	return r.Redirect("/teams/%s", team.ID)
}

func checkRole(form *page.Form) store.TeamRole {
	switch role := store.TeamRole(form.Value("role")); role {
	case store.TeamOwner, store.TeamMember, store.TeamViewer:
		return role
	default:
		form.Fail("role", "Choose a role.")
		return ""
	}
}

const lastOwner = "A team needs an owner: make somebody else one first."

// memberOf returns the id of the member that the address names.
func (p *Pages) memberOf(r *page.Request, team ownTeam) (string, error) {
	id := r.PathValue("user")
	_, err := p.store.RoleIn(r.Context(), id, team.ID)
	return id, err
}

func (p *Pages) changeRole(r *page.Request, team ownTeam) error {
	id, err := p.memberOf(r, team)
	if err != nil {
		return err
	}
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	role := checkRole(form)
	if !form.OK() {
		return &page.Error{Status: http.StatusUnprocessableEntity, Title: "No such role", Text: "A member is an owner, a member or a viewer."}
	}
	return p.changed(r, team, "The role is changed.", p.store.SetMember(r.Context(), r.By(), team.ID, id, role))
}

func (p *Pages) removeMember(r *page.Request, team ownTeam) error {
	id, err := p.memberOf(r, team)
	if err != nil {
		return err
	}
	if id == r.User.ID {
		return p.leaveTeam(r, team)
	}
	return p.changed(r, team, "Removed from the team.", p.store.RemoveMember(r.Context(), r.By(), team.ID, id))
}

func (p *Pages) leaveTeam(r *page.Request, team ownTeam) error {
	err := p.store.RemoveMember(r.Context(), r.By(), team.ID, r.User.ID)
	if err == nil {
		r.Flash("ok", "You have left the team.")
		return r.Redirect("/teams")
	}
	return p.changed(r, team, "", err)
}

// changed goes back to the team after its members were changed, or could not be.
func (p *Pages) changed(r *page.Request, team ownTeam, done string, err error) error {
	switch {
	case errors.Is(err, store.ErrConflict):
		r.Flash("bad", lastOwner)
	case err != nil:
		return err
	default:
		r.Flash("ok", done)
	}
	return r.Redirect("/teams/%s", team.ID)
}
