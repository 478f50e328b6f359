package signin

import (
	"errors"
	"net/http"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

// invitation is the page of an invitation: who has no account makes one, who has one
// joins the team with it.
func (p *Pages) invitation(r *page.Request) error {
	invited, err := p.invited(r)
	if err != nil {
		return err
	}
	if invited.known {
		return r.Render(http.StatusOK, "invitation-join", joinView{ID: invited.ID, Email: invited.Email, Team: invited.team, Reader: r.User.Email})
	}
	return r.Render(http.StatusOK, "invitation", p.newAccountOf(r, invited, page.NewForm()))
}

// joinView is what the page of an invitation shows when its address has an account.
type joinView struct {
	ID     string // of the invitation
	Email  string // that is invited
	Team   string // "" = there is none to join: the invitation was to make an account
	Reader string // e-mail address of who is signed in; "" = nobody
}

// openInvitation is an invitation with what its page has to know.
type openInvitation struct {
	store.Invitation
	team  string // name; "" = none
	known bool   // whether the address has an account
}

// invited returns the invitation that the address of the page names.
func (p *Pages) invited(r *page.Request) (openInvitation, error) {
	found, err := p.identity.Invitation(r.Context(), r.PathValue("token"))
	if err != nil {
		return openInvitation{}, linkOver(err)
	}
	shown := openInvitation{Invitation: found}
	if found.TeamID != "" {
		team, err := p.store.Team(r.Context(), found.TeamID)
		if err != nil {
			return openInvitation{}, err
		}
		shown.team = team.Name
	}
	switch _, err := p.store.UserByEmail(r.Context(), found.Email); {
	case err == nil:
		shown.known = true
	case !errors.Is(err, store.ErrNotFound):
		return openInvitation{}, err
	}
	if shown.known && found.Role != store.RoleDeveloper {
		shown.team = "" // it makes new administrators, and lets nobody else in
	}
	return shown, nil
}

func (p *Pages) newAccountOf(r *page.Request, i openInvitation, form *page.Form) newAccountView {
	return newAccountView{
		Form: form, Email: i.Email, Token: r.PathValue("token"), Admin: i.Role == store.RoleAdmin, Team: i.team, Provider: p.identity.OIDCName(),
	}
}

func (p *Pages) accept(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	invited, err := p.invited(r)
	if err != nil {
		return err
	}
	view := p.newAccountOf(r, invited, form)
	if invited.known { // meanwhile: the page says what to do
		return r.Redirect("/invitation/%s", view.Token)
	}
	return p.newAccount(r, "invitation", view, func(name, password string) (store.User, error) {
		return p.identity.AcceptInvitation(r.Context(), r.By(), view.Token, name, password)
	})
}
