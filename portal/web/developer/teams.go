package developer

import (
	"errors"
	"net/http"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// teamsData are the teams of the reader, and those that they may join.
type teamsData struct {
	Invitations []store.TeamInvitation
	Memberships []store.Membership
}

func (p *Pages) teams(r *page.Request) error {
	var shown teamsData
	var err error
	if shown.Invitations, err = p.store.InvitationsOf(r.Context(), r.User.ID); err != nil {
		return err
	}
	if shown.Memberships, err = p.store.TeamsOf(r.Context(), r.User.ID); err != nil {
		return err
	}
	return r.Render(http.StatusOK, "dev-teams", shown)
}

func (p *Pages) newTeam(r *page.Request) error {
	return r.Render(http.StatusOK, "dev-team-form", (*page.Form)(nil))
}

func (p *Pages) createTeam(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	name := checkTeam(form)
	if !form.OK() {
		return r.Render(http.StatusUnprocessableEntity, "dev-team-form", form)
	}
	team, err := p.store.CreateTeam(r.Context(), r.By(), name)
	switch {
	case errors.Is(err, store.ErrConflict):
		form.Fail("name", teamTaken)
	case errors.Is(err, store.ErrFull):
		form.Fail("name", ownsMost)
	case err != nil:
		return err
	}
	if !form.OK() {
		return r.Render(http.StatusUnprocessableEntity, "dev-team-form", form)
	}
	r.Flash("ok", "The team is there, and you own it. Invite those who work with you.")
	return r.Redirect("/teams/%s", team.ID)
}

const teamTaken = "There is a team of this name already."

func checkTeam(form *page.Form) string {
	name := form.Required("name", "Give the team a name.")
	checkName(form, "name", name)
	return name
}

// teamData is the page of a team. Each of its forms has values and errors of its
// own.
type teamData struct {
	Team    ownTeam
	Members []store.Member
	Apps    []store.App
	Invited []store.TeamInvitation // open ones; owners only
	You     string                 // id of the reader

	Rename *page.Form
	Add    *page.Form
	Link   string // for somebody who was invited and got no mail; shown once
	For    string // whom the link is for
}

// Roles are what members can be.
func (teamData) Roles() []ui.Option {
	return []ui.Option{
		{Value: string(store.TeamMember), Label: "Member", Help: "Makes apps, requests and credentials."},
		{Value: string(store.TeamViewer), Label: "Viewer", Help: "Sees everything but secrets, and changes nothing."},
		{Value: string(store.TeamOwner), Label: "Owner", Help: "Also invites and removes members, renames the team and archives apps."},
	}
}

// LastOwner reports whether the reader is the only owner who may sign in, so that
// leaving is not possible.
func (d teamData) LastOwner() bool {
	owners := 0
	for _, m := range d.Members {
		if m.Role == store.TeamOwner && m.User.Disabled.IsZero() {
			owners++
		}
	}
	return d.Team.Rights.CanOwn() && owners == 1
}

func (p *Pages) team(r *page.Request, team ownTeam) error {
	return p.renderTeam(r, http.StatusOK, teamData{Team: team})
}

func (p *Pages) renderTeam(r *page.Request, status int, shown teamData) error {
	var err error
	if shown.Members, err = p.store.Members(r.Context(), shown.Team.ID); err != nil {
		return err
	}
	if shown.Apps, err = p.store.AppsOfTeam(r.Context(), shown.Team.ID); err != nil {
		return err
	}
	if shown.Team.Rights.CanOwn() {
		if shown.Invited, err = p.store.InvitationsInto(r.Context(), shown.Team.ID); err != nil {
			return err
		}
	}
	shown.You = r.User.ID
	if shown.Rename == nil {
		shown.Rename = page.NewForm("name", shown.Team.Name)
	}
	return r.Render(status, "dev-team", shown)
}

func (p *Pages) renameTeam(r *page.Request, team ownTeam) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	name := checkTeam(form)
	if form.OK() {
		err = p.store.RenameTeam(r.Context(), r.By(), team.ID, name)
		switch {
		case errors.Is(err, store.ErrConflict):
			form.Fail("name", teamTaken)
		case err != nil:
			return err
		}
	}
	if !form.OK() {
		return p.renderTeam(r, http.StatusUnprocessableEntity, teamData{Team: team, Rename: form})
	}
	r.Flash("ok", "Renamed.")
	return r.Redirect("/teams/%s", team.ID)
}
