package signin

import (
	"errors"
	"net/http"
	"time"

	"fhirgate/portal/identity"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

// signUpView is what the sign-up page shows.
type signUpView struct {
	Form     *page.Form
	Domains  []string // of the people who may; none = nobody by mail
	Provider string
}

func (p *Pages) showSignUp(r *page.Request, status int, form *page.Form) error {
	return r.Render(status, "signup", signUpView{form, p.identity.SignUpDomains(), p.identity.OIDCName()})
}

func (p *Pages) signUpForm(r *page.Request) error {
	return p.showSignUp(r, http.StatusOK, page.NewForm())
}

func (p *Pages) signUp(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	if err := p.identity.SignUp(r.Context(), r.By(), form.Value("email")); err != nil {
		status, err := refused(r, form, "email", err)
		if err != nil {
			return err
		}
		return p.showSignUp(r, status, form)
	}
	return r.Render(http.StatusOK, "mail-sent", mailSent{"We have sent you a link to confirm your address. It is good for a day."})
}

// mailSent is what the page after a mail shows: the same for everybody.
type mailSent struct{ Text string }

// newAccountView is what the page of a new account shows.
type newAccountView struct {
	Form     *page.Form
	Email    string
	Token    string
	Admin    bool   // whether it will be an administrator's
	Team     string // that the new user joins; "" = none
	Provider string
}

func (p *Pages) verifyForm(r *page.Request) error {
	token := r.URL.Query().Get("token")
	email, err := p.identity.Verified(r.Context(), token)
	if err != nil {
		return linkOver(err)
	}
	return r.Render(http.StatusOK, "verify-email", newAccountView{Form: page.NewForm(), Email: email, Token: token})
}

func (p *Pages) verify(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	token := form.Value("token")
	email, err := p.identity.Verified(r.Context(), token)
	if err != nil {
		return linkOver(err)
	}
	view := newAccountView{Form: form, Email: email, Token: token}
	return p.newAccount(r, "verify-email", view, func(name, password string) (store.User, error) {
		return p.identity.FinishSignUp(r.Context(), r.By(), token, name, password)
	})
}

// newAccount makes an account of what a form holds and lets its owner in, or shows
// the page again with all that is wrong.
func (p *Pages) newAccount(r *page.Request, template string, view newAccountView, create func(name, password string) (store.User, error)) error {
	form, password := view.Form, view.Form.Values.Get("password")
	var refusal *identity.Refusal
	if _, err := identity.Name(form.Value("name")); errors.As(err, &refusal) {
		form.Fail("name", refusal.Text)
	}
	if err := p.identity.CheckPassword(password, view.Email); errors.As(err, &refusal) {
		form.Fail("password", refusal.Text)
	}
	if form.OK() {
		user, err := create(form.Value("name"), password)
		if err == nil {
			return p.enter(r, user, time.Time{}, "/")
		}
		if errors.Is(err, identity.ErrLink) { // used up just now, in another window
			return linkOver(err)
		}
		if _, err := refused(r, form, "", err); err != nil {
			return err
		}
	}
	return r.Render(http.StatusUnprocessableEntity, template, view)
}
