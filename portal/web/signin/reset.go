package signin

import (
	"errors"
	"net/http"

	"fhirgate/portal/identity"
	"fhirgate/portal/web/page"
)

// forgotView is what the page for forgotten passwords shows.
type forgotView struct {
	Form *page.Form
	Mail bool // whether a link can be mailed
}

func (p *Pages) forgotForm(r *page.Request) error {
	return r.Render(http.StatusOK, "forgot-password", forgotView{page.NewForm(), p.identity.MailWorks()})
}

func (p *Pages) forgot(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	if err := p.identity.RequestReset(r.Context(), r.By(), form.Value("email")); err != nil {
		status, err := refused(r, form, "email", err)
		if err != nil {
			return err
		}
		return r.Render(status, "forgot-password", forgotView{form, p.identity.MailWorks()})
	}
	return r.Render(http.StatusOK, "mail-sent", mailSent{"If the address has an account, we have sent a link with which you can set a new password. It is good for an hour."})
}

// resetView is what the page of a new password shows.
type resetView struct {
	Form  *page.Form
	Email string
	Token string
}

func (p *Pages) resetForm(r *page.Request) error {
	return p.showReset(r, http.StatusOK, page.NewForm(), r.URL.Query().Get("token"))
}

func (p *Pages) showReset(r *page.Request, status int, form *page.Form, token string) error {
	owner, err := p.identity.ResetOwner(r.Context(), token)
	if err != nil {
		return linkOver(err)
	}
	return r.Render(status, "reset-password", resetView{form, owner.Email, token})
}

func (p *Pages) reset(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	token := form.Value("token")
	if err := p.identity.ResetPassword(r.Context(), r.By(), token, form.Values.Get("password")); err != nil {
		if errors.Is(err, identity.ErrLink) {
			return linkOver(err)
		}
		status, err := refused(r, form, "password", err)
		if err != nil {
			return err
		}
		return p.showReset(r, status, form, token)
	}
	if err := r.SignOut(); err != nil {
		return err
	}
	r.Flash("ok", "Your password is changed. Sign in with the new one.")
	return r.Redirect("/login")
}
