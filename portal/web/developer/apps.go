package developer

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"unicode/utf8"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// What texts hold at most, in characters.
const (
	maxName        = 80
	maxDescription = 500
)

// apps lists the apps of all teams of the reader.
func (p *Pages) apps(r *page.Request) error {
	found, err := p.store.AppsOf(r.Context(), r.User.ID)
	if err != nil {
		return err
	}
	keys, err := p.store.WorkingByApp(r.Context(), r.User.ID)
	if err != nil {
		return err
	}
	var lists struct{ Current, Archived []listedApp }
	for _, app := range found {
		listed := listedApp{App: app, Keys: keys[app.ID]}
		if app.Archived.IsZero() {
			lists.Current = append(lists.Current, listed)
		} else {
			lists.Archived = append(lists.Archived, listed)
		}
	}
	return r.Render(http.StatusOK, "dev-apps", lists)
}

// listedApp is an app in the list of apps.
type listedApp struct {
	store.App
	Keys int // that work
}

// appForm is the page of a new app, or of one that is edited.
type appForm struct {
	Form  *page.Form
	App   ownApp      // zero = a new one
	Teams []ui.Option // in which the reader may make apps
}

func (p *Pages) newApp(r *page.Request) error {
	return p.renderNewApp(r, http.StatusOK, page.NewForm("team", r.URL.Query().Get("team")))
}

func (p *Pages) renderNewApp(r *page.Request, status int, form *page.Form) error {
	memberships, err := p.store.TeamsOf(r.Context(), r.User.ID)
	if err != nil {
		return err
	}
	shown := appForm{Form: form}
	for _, m := range memberships {
		if (rights{Role: m.Role}).CanChange() {
			shown.Teams = append(shown.Teams, ui.Option{Value: m.Team.ID, Label: m.Team.Name})
		}
	}
	return r.Render(status, "dev-app-form", shown)
}

// createApp makes an app; for somebody without a team it makes the team as well.
func (p *Pages) createApp(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	app := checkApp(form)
	teamName := form.Value("team_name")
	switch {
	case teamName != "":
		checkName(form, "team_name", teamName)
	default:
		app.TeamID = form.Required("team", "Choose the team that the app belongs to.")
	}
	if !form.OK() {
		return p.renderNewApp(r, http.StatusUnprocessableEntity, form)
	}
	if teamName != "" {
		team, err := p.store.CreateTeam(r.Context(), r.By(), teamName)
		switch {
		case errors.Is(err, store.ErrConflict):
			form.Fail("team_name", "There is a team of this name already. If it is yours, ask its owner to add you.")
		case errors.Is(err, store.ErrFull):
			form.Fail("", ownsMost) // who owns teams is not asked for the name of one
		case err != nil:
			return err
		}
		if !form.OK() {
			return p.renderNewApp(r, http.StatusUnprocessableEntity, form)
		}
		app.TeamID = team.ID
	}
	if _, err := p.rightsIn(r, app.TeamID, toChange); err != nil {
		return err
	}
	made, err := p.store.CreateApp(r.Context(), r.By(), app)
	switch {
	case errors.Is(err, store.ErrConflict):
		form.Fail("name", nameTaken)
	case errors.Is(err, store.ErrFull):
		form.Fail("name", fmt.Sprintf("The team has %d apps, and more cannot be made. Archive one that is not used any more, or choose another team.", store.MaxApps))
	case err != nil:
		return err
	}
	if !form.OK() {
		return p.renderNewApp(r, http.StatusUnprocessableEntity, form)
	}
	r.Flash("ok", "The app is there. Next, ask for access to hospitals.")
	return r.Redirect("/apps/%s", made.ID)
}

const nameTaken = "The team has an app of this name already."

// ownsMost is told who owns as many teams as one can.
var ownsMost = fmt.Sprintf("You own %d teams, and nobody makes more. Use one of them, or leave one that has another owner.", store.MaxTeams)

func (p *Pages) editApp(r *page.Request, app ownApp) error {
	return r.Render(http.StatusOK, "dev-app-form", appForm{
		App: app, Form: opened("name", app.Name, "description", app.Description),
	})
}

func (p *Pages) updateApp(r *page.Request, app ownApp) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	bringUp(form, "name", app.Name, "description", app.Description)
	wanted := checkApp(form)
	if form.OK() {
		changed := app.App
		changed.Name, changed.Description = wanted.Name, wanted.Description
		err = p.store.UpdateApp(r.Context(), r.By(), changed)
		switch {
		case errors.Is(err, store.ErrConflict):
			form.Fail("name", nameTaken)
		case err != nil:
			return err
		}
	}
	if !form.OK() {
		return r.Render(http.StatusUnprocessableEntity, "dev-app-form", appForm{App: app, Form: form})
	}
	r.Flash("ok", "Saved.")
	return r.Redirect("/apps/%s", app.ID)
}

func (p *Pages) archiveApp(r *page.Request, app ownApp) error {
	err := p.store.ArchiveApp(r.Context(), r.By(), app.ID)
	if errors.Is(err, store.ErrConflict) {
		r.Flash("bad", "The app still has credentials that work, or may again: revoke them first, then archive it.")
		return r.Redirect("/apps/%s", app.ID)
	}
	if err != nil {
		return err
	}
	r.Flash("ok", "The app is archived. Its usage can still be looked at.")
	return r.Redirect("/apps")
}

// checkApp reads name and description.
func checkApp(form *page.Form) store.App {
	name := form.Required("name", "Give the app a name.")
	checkName(form, "name", name)
	description := form.Value("description")
	if utf8.RuneCountInString(description) > maxDescription {
		form.Fail("description", "At most 500 characters.")
	}
	return store.App{Name: name, Description: description}
}

func checkName(form *page.Form, field, name string) {
	if utf8.RuneCountInString(name) > maxName {
		form.Fail(field, "At most 80 characters.")
	}
}

// quickStart is the query that has the quick start filled in for a credential.
func quickStart(appID, credentialID string, hospitals []string) string {
	filled := url.Values{"app": {appID}}
	if credentialID != "" {
		filled.Set("credential", credentialID)
	}
	if len(hospitals) > 0 {
		filled.Set("hospital", hospitals[0])
	}
	return "?" + filled.Encode()
}
