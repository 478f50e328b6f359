package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"

	"fhirgate/portal/identity"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

func (p *Pages) users(r *page.Request) error {
	form := &page.Form{Values: r.URL.Query()}
	list, err := p.store.Users(r.Context(), form.Value("search"), r.Page(pageSize))
	if err != nil {
		return err
	}
	return listed(r, "console-users", struct {
		Form   *page.Form
		Query  url.Values
		List   store.List[store.User]
		Viewer string
	}{form, form.Values, list, r.User.ID})
}

// userNames returns the names of users by id, for lists. Who has none is named by
// e-mail address, and who is not known any more by id.
func (p *Pages) userNames(ctx context.Context, ids ...string) (map[string]string, error) {
	names := map[string]string{}
	for _, id := range ids {
		if _, known := names[id]; known || id == "" {
			continue
		}
		user, err := p.store.User(ctx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		names[id] = cmp.Or(user.Name, user.Email, id)
	}
	return names, nil
}

// roleOptions are the roles that a user can have.
func roleOptions() []ui.Option {
	return []ui.Option{
		{Value: string(store.RoleDeveloper), Label: "Developer", Help: "Works on the apps of their teams."},
		{Value: string(store.RoleAdmin), Label: "Administrator", Help: "Also decides requests and governs users. Needs a second factor."},
	}
}

// userView is what a user's page shows. What is wrong with a change is noted in
// the form under the name of the button: role, password, disable, reset.
type userView struct {
	Subject store.User
	Self    bool
	Roles   []ui.Option
	Teams   []store.Membership
	Acts    []shownAct
	Form    *page.Form
}

func (p *Pages) user(r *page.Request) error {
	return p.showUser(r, http.StatusOK, page.NewForm())
}

func (p *Pages) showUser(r *page.Request, status int, form *page.Form) error {
	user, err := p.store.User(r.Context(), r.PathValue("user"))
	if err != nil {
		return err
	}
	teams, err := p.store.TeamsOf(r.Context(), user.ID)
	if err != nil {
		return err
	}
	acts, err := p.store.Acts(r.Context(), store.ActFilter{UserID: user.ID}, store.Page{Size: 2 * glance})
	if err != nil {
		return err
	}
	if form.Value("role") == "" {
		form.Values.Set("role", string(user.Role))
	}
	return r.Render(status, "console-user", userView{
		Subject: user, Self: user.ID == r.User.ID, Roles: roleOptions(), Teams: teams, Acts: actsShown(acts.Items), Form: form,
	})
}

// Why the last administrator stays one.
const lastAdmin = "This is the last active administrator. Make somebody else an administrator first: without one, nobody can decide requests or let people in."

// governed tells how a change of a user went: a conflict beside the button that
// was pressed, all else on the user's page.
func (p *Pages) governed(r *page.Request, button, done, conflict string, err error) error {
	if errors.Is(err, store.ErrConflict) {
		form := page.NewForm()
		form.Fail(button, conflict)
		return p.showUser(r, http.StatusConflict, form)
	}
	if err != nil {
		return err
	}
	r.Flash("ok", done)
	return r.Redirect("/console/users/%s", r.PathValue("user"))
}

func (p *Pages) setRole(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	role := store.Role(form.Value("role"))
	if role != store.RoleDeveloper && role != store.RoleAdmin {
		form.Fail("role", "Choose one of the roles.")
		return p.showUser(r, http.StatusUnprocessableEntity, form)
	}
	err = p.store.SetRole(r.Context(), r.By(), r.PathValue("user"), role)
	return p.governed(r, "role", "The role is changed. All sessions of the user have ended.", lastAdmin, err)
}

func (p *Pages) disable(r *page.Request) error {
	err := p.store.Disable(r.Context(), r.By(), r.PathValue("user"))
	return p.governed(r, "disable", "The user is disabled and signed out everywhere. Keys of their teams go on working.", lastAdmin, err)
}

func (p *Pages) enable(r *page.Request) error {
	err := p.store.Enable(r.Context(), r.By(), r.PathValue("user"))
	return p.governed(r, "disable", "The user can sign in again.", "", err)
}

// resetSecondFactor takes a second factor away that was lost. Nobody does that to
// their own here: a stolen session would be rid of it without the password.
func (p *Pages) resetSecondFactor(r *page.Request) error {
	const own = "Nobody resets their own second factor: ask another administrator, or run fhirgate portal invite --admin, which takes it away with the password and prints a link that sets new ones."
	user, err := p.store.User(r.Context(), r.PathValue("user"))
	if err != nil {
		return err
	}
	switch {
	case user.ID == r.User.ID:
		return p.governed(r, "reset", "", own, store.ErrConflict)
	case user.TOTP == nil:
		return p.governed(r, "reset", "", "This user has no second factor.", store.ErrConflict)
	}
	err = p.store.RemoveTOTP(r.Context(), r.By(), user.ID)
	return p.governed(r, "reset", "The second factor is reset. Make sure by another way that it was its owner who asked.", "", err)
}

// resetPassword has a developer set a new password: by a link that is mailed, or,
// where there is no mail, shown this once.
func (p *Pages) resetPassword(r *page.Request) error {
	user, err := p.store.User(r.Context(), r.PathValue("user"))
	if err != nil {
		return err
	}
	link, mailed, err := p.inviter.ResetLink(r.Context(), r.By(), user)
	var refusal *identity.Refusal
	switch {
	case errors.Is(err, identity.ErrNotMailed):
		return p.governed(r, "password", "", identity.ErrNotMailed.Text, store.ErrConflict)
	case errors.As(err, &refusal): // the page has no such button
		return page.Conflict(refusal.Text)
	case err != nil:
		return err
	case mailed:
		return p.governed(r, "password", "A link for a new password is on its way to "+user.Email+". It works once, for an hour.", "", nil)
	}
	return r.Render(http.StatusOK, "console-reset-link", struct {
		Subject store.User
		Link    string
	}{user, link})
}
