package signin

import (
	"errors"
	"net/http"

	"fhirgate/portal/identity"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

// accountView is what the account page shows: each of its forms is apart.
type accountView struct {
	User      store.User
	Admin     bool
	CodesLeft int    // recovery codes
	Provider  string // "" = there is no login of the company
	Linked    bool   // whether the user has signed in there
	Mail      bool   // whether a link for a password can be mailed
	Name      *page.Form
	Password  *page.Form
	Codes     *page.Form
	Remove    *page.Form
}

func (p *Pages) account(r *page.Request) error {
	return p.showAccount(r, http.StatusOK, accountView{})
}

// showAccount shows the account page with the form that was sent, if any.
func (p *Pages) showAccount(r *page.Request, status int, view accountView) error {
	left, err := p.identity.RecoveryCodesLeft(r.Context(), r.User)
	if err != nil {
		return err
	}
	view.User, view.Admin, view.CodesLeft = r.User, r.User.Role == store.RoleAdmin, left
	view.Provider, view.Linked, view.Mail = p.identity.OIDCName(), r.User.OIDCSubject != "", p.identity.MailWorks()
	if view.Name == nil {
		view.Name = page.NewForm("name", r.User.Name)
	}
	for _, form := range []**page.Form{&view.Password, &view.Codes, &view.Remove} {
		if *form == nil {
			*form = page.NewForm()
		}
	}
	return r.Render(status, "account", view)
}

func (p *Pages) rename(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	name, err := identity.Name(form.Value("name"))
	if err != nil {
		status, err := refused(r, form, "name", err)
		if err != nil {
			return err
		}
		return p.showAccount(r, status, accountView{Name: form})
	}
	if err := p.store.SetName(r.Context(), r.By(), r.User.ID, name); err != nil {
		return err
	}
	r.Flash("ok", "Your name is changed.")
	return r.Redirect("/account")
}

func (p *Pages) changePassword(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	user, err := p.identity.ChangePassword(r.Context(), r.By(), r.User, form.Values.Get("current"), form.Values.Get("password"))
	if err != nil {
		field := "password"
		if errors.Is(err, identity.ErrPassword) {
			field = "current"
		}
		status, err := refused(r, form, field, err)
		if err != nil {
			return err
		}
		return p.showAccount(r, status, accountView{Password: form})
	}
	return p.stay(r, user, "Your password is changed. All other sessions are over.")
}

// stay keeps this session when all of the user's were ended.
func (p *Pages) stay(r *page.Request, user store.User, text string) error {
	if err := r.StaySignedIn(user); err != nil {
		return err
	}
	r.Flash("ok", text)
	return r.Redirect("/account")
}

func (p *Pages) endSessions(r *page.Request) error {
	if err := p.store.EndSessions(r.Context(), r.By(), r.User.ID); err != nil {
		return err
	}
	user, err := p.store.User(r.Context(), r.User.ID)
	if err != nil {
		return err
	}
	return p.stay(r, user, "All other sessions are over.")
}
