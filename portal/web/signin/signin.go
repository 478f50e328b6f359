// Package signin is the pages on which people sign in, sign up and look after
// their account.
package signin

import (
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"strconv"
	"time"

	"fhirgate/portal/identity"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

//go:embed all:templates
var templates embed.FS

// Templates are the pages.
func Templates() fs.FS { return templates }

// Options are what the pages work with. All are required.
type Options struct {
	Store    *store.Store
	Identity *identity.Service
}

// Pages are the pages.
type Pages struct {
	store    *store.Store
	identity *identity.Service
}

// New returns the pages.
func New(o Options) *Pages { return &Pages{store: o.Store, identity: o.Identity} }

// Routes lists the pages and what their forms do.
func (p *Pages) Routes() []page.Route {
	const get, post = http.MethodGet, http.MethodPost
	return []page.Route{
		{Method: get, Path: "/login", Access: page.Public, Handle: p.loginForm},
		{Method: post, Path: "/login", Access: page.Public, Handle: p.login},
		{Method: get, Path: "/login/second-factor", Access: page.Pending, Handle: p.secondFactorForm},
		{Method: post, Path: "/login/second-factor", Access: page.Pending, Handle: p.secondFactor},
		{Method: get, Path: "/login/oidc", Access: page.Public, Handle: p.toProvider},
		{Method: get, Path: "/login/oidc/callback", Access: page.Public, Handle: p.fromProvider},
		{Method: post, Path: "/logout", Access: page.Public, Handle: p.logout},
		{Method: get, Path: "/signup", Access: page.Public, Handle: p.signUpForm},
		{Method: post, Path: "/signup", Access: page.Public, Handle: p.signUp},
		{Method: get, Path: "/verify-email", Access: page.Public, Handle: p.verifyForm},
		{Method: post, Path: "/verify-email", Access: page.Public, Handle: p.verify},
		{Method: get, Path: "/invitation/{token}", Access: page.Public, Handle: p.invitation},
		{Method: post, Path: "/invitation/{token}", Access: page.Public, Handle: p.accept},
		{Method: get, Path: "/forgot-password", Access: page.Public, Handle: p.forgotForm},
		{Method: post, Path: "/forgot-password", Access: page.Public, Handle: p.forgot},
		{Method: get, Path: "/reset-password", Access: page.Public, Handle: p.resetForm},
		{Method: post, Path: "/reset-password", Access: page.Public, Handle: p.reset},
		{Method: get, Path: "/account", Access: page.SetUp, Handle: p.account},
		{Method: post, Path: "/account/name", Access: page.SetUp, Handle: p.rename},
		{Method: post, Path: "/account/password", Access: page.SetUp, Handle: p.changePassword},
		{Method: post, Path: "/account/sessions", Access: page.SetUp, Handle: p.endSessions},
		{Method: get, Path: "/account/second-factor", Access: page.SetUp, Handle: p.setUpForm},
		{Method: post, Path: "/account/totp", Access: page.SetUp, Handle: p.setUp},
		{Method: post, Path: "/account/totp/confirm", Access: page.SetUp, Handle: p.confirm},
		{Method: post, Path: "/account/totp/remove", Access: page.SetUp, Handle: p.remove},
		{Method: post, Path: "/account/recovery-codes", Access: page.SetUp, Handle: p.newRecoveryCodes},
	}
}

// What a session remembers between two pages.
const (
	keyNext = "next"
	keyOIDC = "oidc"
)

// refused writes what identity refuses beside a field of the form, or above it
// when people have to wait, and returns the status of the answer. Every other
// error is returned.
func refused(r *page.Request, form *page.Form, field string, err error) (status int, _ error) {
	var refusal *identity.Refusal
	var throttled *identity.Throttled
	switch {
	case errors.As(err, &throttled):
		form.Fail("", throttled.Text())
		r.W.Header().Set("Retry-After", strconv.Itoa(int(throttled.Wait/time.Second)))
		return http.StatusTooManyRequests, nil
	case errors.As(err, &refusal):
		form.Fail(field, refusal.Text)
		return http.StatusUnprocessableEntity, nil
	default:
		return 0, err
	}
}

// enter makes the session one of a user, and goes on to the second factor or to
// where the reader wanted to go. login is when they signed in at the identity
// provider; zero = they did not, or it does not tell.
func (p *Pages) enter(r *page.Request, user store.User, login time.Time, next string) error {
	if r.User.ID != "" { // nothing of an earlier user stays
		if err := r.SignOut(); err != nil {
			return err
		}
	}
	if user.HasSecondFactor() {
		if err := r.SignIn(user, false); err != nil {
			return err
		}
		r.Remember(keyNext, next)
		return r.Redirect("/login/second-factor")
	}
	return p.admit(r, user, login, next)
}

// admit lets in a user who owes nothing more.
func (p *Pages) admit(r *page.Request, user store.User, login time.Time, next string) error {
	if err := r.SignIn(user, true); err != nil {
		return err
	}
	r.NoteLogin(login)
	if err := p.identity.SignedIn(r.Context(), r.By(), user); err != nil {
		return err
	}
	if next == "/" {
		next = home(user)
	}
	return r.GoTo(next)
}

// home is where somebody begins who wants to go nowhere in particular.
func home(user store.User) string {
	if user.Role == store.RoleAdmin {
		return "/console"
	}
	return "/"
}

// linkOver is the page of a one-time link that is not good any more.
func linkOver(err error) error {
	if !errors.Is(err, identity.ErrLink) {
		return err
	}
	return &page.Error{Status: http.StatusGone, Title: "This link is over", Text: identity.ErrLink.Text, Err: err}
}
