package signin

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"fhirgate/portal/identity"
	"fhirgate/portal/web/page"
)

// loginView is what the login page shows.
type loginView struct {
	Form     *page.Form
	Next     string
	Provider string // "" = there is no login of the company
	SignUp   bool   // whether people of some domains may sign up
	Forgot   bool   // whether a link can be mailed
}

func (p *Pages) showLogin(r *page.Request, status int, form *page.Form, next string) error {
	return r.Render(status, "login", loginView{
		Form: form, Next: next, Provider: p.identity.OIDCName(),
		SignUp: len(p.identity.SignUpDomains()) > 0, Forgot: p.identity.MailWorks(),
	})
}

func (p *Pages) loginForm(r *page.Request) error {
	if r.User.ID != "" {
		return r.GoTo(r.Next())
	}
	return p.showLogin(r, http.StatusOK, page.NewForm(), r.Next())
}

func (p *Pages) login(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	next := r.Next()
	form.Required("email", "Type your e-mail address.")
	if form.Values.Get("password") == "" {
		form.Fail("password", "Type your password.")
	}
	if !form.OK() {
		return p.showLogin(r, http.StatusUnprocessableEntity, form, next)
	}
	user, err := p.identity.Login(r.Context(), r.By(), form.Value("email"), form.Values.Get("password"))
	if err != nil {
		status, err := refused(r, form, "", err)
		if err != nil {
			return err
		}
		return p.showLogin(r, status, form, next)
	}
	return p.enter(r, user, time.Time{}, next)
}

// secondFactorView is what the page of the second factor shows.
type secondFactorView struct {
	Form     *page.Form
	Recovery bool // whether a recovery code is asked for
}

func (p *Pages) secondFactorForm(r *page.Request) error {
	return r.Render(http.StatusOK, "second-factor", secondFactorView{page.NewForm(), r.URL.Query().Has("recovery")})
}

func (p *Pages) secondFactor(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	field, recovery := "code", form.Values.Has("recovery")
	if recovery {
		field = "recovery"
	}
	left := 0
	if form.Required(field, "Type the code."); form.OK() {
		if recovery {
			left, err = p.identity.RecoveryCode(r.Context(), r.By(), r.User, form.Value(field))
		} else {
			err = p.identity.SecondFactor(r.Context(), r.By(), r.User, form.Value(field))
		}
	}
	if err != nil || !form.OK() {
		status := http.StatusUnprocessableEntity
		if err != nil {
			if status, err = refused(r, form, field, err); err != nil {
				return err
			}
		}
		form.Values.Del(field) // a code is worth nothing the second time
		return r.Render(status, "second-factor", secondFactorView{form, recovery})
	}
	if recovery {
		r.Flash("warn", fmt.Sprintf("This recovery code is used up; you have %d left. On your account page you can make new ones.", left))
	}
	return p.admit(r, r.User, time.Time{}, r.Recall(keyNext))
}

func (p *Pages) logout(r *page.Request) error {
	if err := r.SignOut(); err != nil {
		return err
	}
	r.Flash("ok", "You are signed out.")
	return r.Redirect("/login")
}

// toProvider begins a login at the identity provider. It is a link and no form:
// browsers hold forms to the addresses that the page's policy names.
func (p *Pages) toProvider(r *page.Request) error {
	query := r.URL.Query()
	target, kept, err := p.identity.BeginOIDC(r.Context(), r.Next(), query.Get("invitation"), query.Has("again"))
	if err != nil {
		return p.providerFailed(r, err)
	}
	r.Remember(keyOIDC, kept)
	http.Redirect(r.W, r.Request, target, http.StatusSeeOther)
	return nil
}

func (p *Pages) fromProvider(r *page.Request) error {
	arrival, err := p.identity.FinishOIDC(r.Context(), r.By(), r.Recall(keyOIDC), r.URL.Query())
	if err != nil {
		return p.providerFailed(r, err)
	}
	return p.enter(r, arrival.User, arrival.Login, arrival.Next)
}

// providerFailed shows the login page with what the provider or we refuse.
func (p *Pages) providerFailed(r *page.Request, err error) error {
	if errors.Is(err, identity.ErrProvider) {
		return &page.Error{
			Status: http.StatusBadGateway, Title: "The login of the company does not work",
			Text: "The identity provider does not answer as it should. Try again in a minute.", Err: err,
		}
	}
	form := page.NewForm()
	status, err := refused(r, form, "", err)
	if err != nil {
		return err
	}
	return p.showLogin(r, status, form, "/")
}
