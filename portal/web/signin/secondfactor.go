package signin

import (
	"errors"
	"net/http"
	"strings"

	"fhirgate/portal/identity"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

// setUpView is what the set-up page of the second factor shows.
type setUpView struct {
	Form      *page.Form
	Enrolment *identity.Enrolment // nil = it is not shown
	Begun     bool                // the first code is awaited
	Admin     bool                // who needs one
	User      store.User
	Again     bool   // who has to sign in again first
	Provider  string // where: the company's login; "" = there is none any more
	Mail      bool   // whether a link for a password can be mailed
}

func (p *Pages) showSetUp(r *page.Request, status int, view setUpView) error {
	view.Admin, view.User = r.User.Role == store.RoleAdmin, r.User
	view.Again = p.identity.MustSignInAgain(r.User, r.Login())
	view.Provider, view.Mail = p.identity.OIDCName(), p.identity.MailWorks()
	return r.Render(status, "account-second-factor", view)
}

func (p *Pages) setUpForm(r *page.Request) error {
	if r.User.HasSecondFactor() {
		return r.Redirect("/account")
	}
	return p.showSetUp(r, http.StatusOK, setUpView{Form: page.NewForm()})
}

// setUp makes a new secret for somebody who proves who they are, and shows it in its
// answer: there only, since whoever has come by the session must not learn it.
func (p *Pages) setUp(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	enrolment, err := p.identity.BeginTOTP(r.Context(), r.By(), r.User, identity.Proof{Password: form.Values.Get("current"), Login: r.Login()})
	if err != nil {
		status, err := refused(r, form, "current", err)
		if err != nil {
			return err
		}
		return p.showSetUp(r, status, setUpView{Form: form})
	}
	return p.showSetUp(r, http.StatusOK, setUpView{Form: page.NewForm(), Enrolment: enrolment, Begun: true})
}

// confirm takes the first code. The secret is in force only when one was right.
func (p *Pages) confirm(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	waits, err := p.identity.AwaitsCode(r.User)
	if err != nil {
		return err
	}
	if !waits {
		if r.User.TOTP != nil && !r.User.HasSecondFactor() {
			r.Flash("warn", "That took too long, and nothing is set up: have a new QR code shown, and remove the old one from your app.")
		}
		return r.Redirect("/account/second-factor")
	}
	codes, user, err := p.identity.ConfirmTOTP(r.Context(), r.By(), r.User, form.Value("code"))
	if err != nil {
		status, err := refused(r, form, "code", err)
		if err != nil {
			return err
		}
		form.Values.Del("code")
		return p.showSetUp(r, status, setUpView{Form: form, Begun: true})
	}
	if err := r.StaySignedIn(user); err != nil {
		return err
	}
	return showCodes(r, codes)
}

// showCodes shows recovery codes, this once.
func showCodes(r *page.Request, codes []string) error {
	return r.Render(http.StatusOK, "recovery-codes", struct{ Codes, Home string }{strings.Join(codes, "\n"), home(r.User)})
}

func (p *Pages) newRecoveryCodes(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	if !r.User.HasSecondFactor() {
		return r.Redirect("/account/second-factor")
	}
	codes, err := p.identity.NewRecoveryCodes(r.Context(), r.By(), r.User, form.Value("code"))
	if err != nil {
		status, err := refused(r, form, "code", err)
		if err != nil {
			return err
		}
		form.Values.Del("code")
		return p.showAccount(r, status, accountView{Codes: form})
	}
	return showCodes(r, codes)
}

func (p *Pages) remove(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	if !r.User.HasSecondFactor() {
		return r.Redirect("/account")
	}
	user, err := p.identity.RemoveTOTP(r.Context(), r.By(), r.User, form.Value("code"))
	if errors.Is(err, identity.ErrAdministrator) {
		return page.Forbidden(identity.ErrAdministrator.Text)
	}
	if err != nil {
		status, err := refused(r, form, "code", err)
		if err != nil {
			return err
		}
		form.Values.Del("code")
		return p.showAccount(r, status, accountView{Remove: form})
	}
	return p.stay(r, user, "Your second factor is removed. All other sessions are over.")
}
