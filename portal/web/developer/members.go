package developer

import (
	"errors"
	"net/http"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

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
