package developer

import (
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

// need is what somebody must be allowed in a team.
type need int

const (
	toSee    need = iota // every role
	toChange             // apps, requests and credentials: members and owners
	toRevoke             // credentials, of an archived app as well: members and owners
	toOwn                // members, names and the end of apps: owners
)

// rights are what a member may do in a team.
type rights struct{ Role store.TeamRole }

// CanChange reports whether apps, requests and credentials may be changed.
func (r rights) CanChange() bool { return r.Role == store.TeamMember || r.Role == store.TeamOwner }

// CanOwn reports whether members and names may be changed.
func (r rights) CanOwn() bool { return r.Role == store.TeamOwner }

func (r rights) allow(what need) bool {
	switch what {
	case toSee:
		return true
	case toChange, toRevoke:
		return r.CanChange()
	default:
		return r.CanOwn()
	}
}

// rightsIn is the one place that decides what a request may do in a team. For
// those who are not in it, administrators as well, there is no such team.
func (p *Pages) rightsIn(r *page.Request, teamID string, what need) (rights, error) {
	role, err := p.store.RoleIn(r.Context(), r.User.ID, teamID)
	if err != nil { // store.ErrNotFound becomes 404
		return rights{}, err
	}
	has := rights{Role: role}
	if has.allow(what) {
		return has, nil
	}
	if what == toOwn {
		return has, page.Forbidden("Only owners of the team may do this. Ask one of them.")
	}
	return has, page.Forbidden("You may look at what this team has, but not change it. An owner of the team can make you a member.")
}

// ownDecision tells whoever has approved an access why its secrets are not for them.
const ownDecision = "You approved this access, so you neither make nor rotate keys under it: it takes two people to let a program in. Every other member or owner of the team can."

// ownApp is an app that its reader may see.
type ownApp struct {
	store.App
	Rights rights
	reader string // id of a user
}

// Approved reports whether the reader has approved a request of the app.
func (a ownApp) Approved(request store.AccessRequest) bool { return request.ApprovedBy(a.reader) }

// OwnDecision is what is told in the place of a button that makes a secret.
func (ownApp) OwnDecision() string { return ownDecision }

// CanChange reports whether the reader may change things of the app.
func (a ownApp) CanChange() bool { return a.Rights.CanChange() && a.Archived.IsZero() }

// CanRevoke reports whether the reader may revoke credentials of the app. That it is
// archived is no reason to let one work.
func (a ownApp) CanRevoke() bool { return a.Rights.CanChange() }

// CanOwn reports whether the reader may archive the app.
func (a ownApp) CanOwn() bool { return a.Rights.CanOwn() && a.Archived.IsZero() }

// ofApp is a handler of a route about the app of its address.
func (p *Pages) ofApp(what need, handle func(*page.Request, ownApp) error) func(*page.Request) error {
	return func(r *page.Request) error {
		app, err := p.allowedApp(r, r.PathValue("app"), what)
		if err != nil {
			return err
		}
		return handle(r, app)
	}
}

func (p *Pages) allowedApp(r *page.Request, id string, what need) (ownApp, error) {
	app, err := p.store.App(r.Context(), id)
	if err != nil {
		return ownApp{}, err
	}
	has, err := p.rightsIn(r, app.TeamID, what)
	if err != nil {
		return ownApp{}, err
	}
	if what != toSee && what != toRevoke && !app.Archived.IsZero() {
		return ownApp{}, page.Conflict("This app is archived: it can be looked at, but not changed.")
	}
	return ownApp{App: app, Rights: has, reader: r.User.ID}, nil
}

// ofCredential is a handler of a route about the credential of its address.
func (p *Pages) ofCredential(what need, handle func(*page.Request, ownApp, ownCredential) error) func(*page.Request) error {
	return func(r *page.Request) error {
		credential, err := p.store.Credential(r.Context(), r.PathValue("credential"))
		if err != nil {
			return err
		}
		if credential.AppID == "" { // of nobody here: it was made at the command line
			return page.NotFound()
		}
		app, err := p.allowedApp(r, credential.AppID, what)
		if err != nil {
			return err
		}
		return handle(r, app, ownCredential{Credential: credential, now: p.now()})
	}
}

// ownTeam is a team that its reader belongs to.
type ownTeam struct {
	store.Team
	Rights rights
}

// ofTeam is a handler of a route about the team of its address.
func (p *Pages) ofTeam(what need, handle func(*page.Request, ownTeam) error) func(*page.Request) error {
	return func(r *page.Request) error {
		has, err := p.rightsIn(r, r.PathValue("team"), what)
		if err != nil {
			return err
		}
		team, err := p.store.Team(r.Context(), r.PathValue("team"))
		if err != nil {
			return err
		}
		return handle(r, ownTeam{Team: team, Rights: has})
	}
}
