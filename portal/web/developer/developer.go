// Package developer holds the pages of those who write programs against the
// gateway: their apps and teams, requests for access, credentials, usage and
// errors.
//
// Whose things a route is about is decided in one place, rights.go: the table of
// routes names what each needs, and a handler is given only what its reader may
// see.
package developer

import (
	"context"
	"embed"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/credentials"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

//go:embed all:templates
var templates embed.FS

// Templates returns the templates of the pages.
func Templates() fs.FS { return templates }

// Gateway is the part of the admin API that pages read. A gateway that does not
// answer takes away only what it alone knows.
type Gateway interface {
	Plans(context.Context) ([]adminapi.Plan, error)
	Hospitals(context.Context) ([]adminapi.Hospital, error)
	Show(ctx context.Context, keyID string) (*record.Key, error)
	KeyLimits(ctx context.Context, keyID string) (*adminapi.Limits, error)
	KeyErrors(ctx context.Context, keyID string) ([]adminapi.CallError, error)
}

// Credentials makes, changes and ends credentials, as *credentials.Service does.
type Credentials interface {
	Issue(context.Context, store.By, credentials.Wanted) (*credentials.Issued, error)
	Rotate(ctx context.Context, by store.By, id string, grace time.Duration) (*credentials.Issued, error)
	Revoke(ctx context.Context, by store.By, id, reason string) error
	Update(ctx context.Context, by store.By, id string, changes credentials.Changes) error
}

// Inviter invites people into teams, whether they have an account or not. mailed
// says that the link was sent to them; if not, whoever invites passes it on.
type Inviter interface {
	InviteToTeam(context.Context, store.By, store.Invitation) (link string, mailed bool, err error)
}

// Options are what the pages work with. All but AutoApprove and Now are required.
type Options struct {
	Store       *store.Store
	Gateway     Gateway
	Credentials Credentials
	Inviter     Inviter
	PublicURL   string           // of the gateway, as programs reach it
	AutoApprove []string         // plans whose requests need no administrator, as far as they reach simulated hospitals only
	Now         func() time.Time // nil = time.Now
}

// Pages are the developers' pages.
type Pages struct {
	store       *store.Store
	gateway     Gateway
	credentials Credentials
	inviter     Inviter
	publicURL   string
	autoApprove []string
	now         func() time.Time
}

// New returns the pages.
func New(o Options) *Pages {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Pages{
		store: o.Store, gateway: o.Gateway, credentials: o.Credentials, inviter: o.Inviter,
		publicURL: strings.TrimRight(o.PublicURL, "/"), autoApprove: o.AutoApprove, now: o.Now,
	}
}

// Routes returns all routes. What is about an app, a credential or a team says
// what its reader must be allowed there.
func (p *Pages) Routes() []page.Route {
	get := func(path string, handle func(*page.Request) error) page.Route {
		return page.Route{Method: http.MethodGet, Path: path, Access: page.Developer, Handle: handle}
	}
	post := func(path string, handle func(*page.Request) error) page.Route {
		return page.Route{Method: http.MethodPost, Path: path, Access: page.Developer, Handle: handle}
	}
	return []page.Route{
		get("/{$}", p.overview),

		get("/apps", p.apps),
		get("/apps/new", p.newApp),
		post("/apps/new", p.createApp),
		get("/apps/{app}", p.ofApp(toSee, p.app)),
		get("/apps/{app}/edit", p.ofApp(toChange, p.editApp)),
		post("/apps/{app}/edit", p.ofApp(toChange, p.updateApp)),
		post("/apps/{app}/archive", p.ofApp(toOwn, p.archiveApp)),
		get("/apps/{app}/request", p.ofApp(toChange, p.newRequest)),
		post("/apps/{app}/request", p.ofApp(toChange, p.createRequest)),
		post("/apps/{app}/requests/{request}/withdraw", p.ofApp(toChange, p.withdrawRequest)),
		get("/apps/{app}/keys/new", p.ofApp(toChange, p.newCredential)),
		post("/apps/{app}/keys/new", p.ofApp(toChange, p.issueCredential)),
		get("/apps/{app}/usage", p.ofApp(toSee, p.appUsage)),
		get("/apps/{app}/usage.csv", p.ofApp(toSee, p.appUsageFile)),
		get("/apps/{app}/errors", p.ofApp(toSee, p.appErrors)),

		get("/credentials/{credential}", p.ofCredential(toSee, p.credential)),
		get("/credentials/{credential}/edit", p.ofCredential(toChange, p.editCredential)),
		post("/credentials/{credential}/edit", p.ofCredential(toChange, p.updateCredential)),
		get("/credentials/{credential}/rotate", p.ofCredential(toChange, p.askRotation)),
		post("/credentials/{credential}/rotate", p.ofCredential(toChange, p.rotateCredential)),
		post("/credentials/{credential}/revoke", p.ofCredential(toRevoke, p.revokeCredential)),

		get("/usage", p.usage),
		get("/usage.csv", p.usageFile),

		get("/teams", p.teams),
		get("/teams/new", p.newTeam),
		post("/teams/new", p.createTeam),
		get("/teams/{team}", p.ofTeam(toSee, p.team)),
		post("/teams/{team}/rename", p.ofTeam(toOwn, p.renameTeam)),
		post("/teams/{team}/members", p.ofTeam(toOwn, p.inviteMember)),
		post("/teams/{team}/invitations/{invitation}/withdraw", p.ofTeam(toOwn, p.withdrawInvitation)),
		post("/teams/{team}/members/{user}/role", p.ofTeam(toOwn, p.changeRole)),
		post("/teams/{team}/members/{user}/remove", p.ofTeam(toOwn, p.removeMember)),
		post("/teams/{team}/leave", p.ofTeam(toSee, p.leaveTeam)),
		post("/invitations/{invitation}/join", p.joinTeam),
		post("/invitations/{invitation}/decline", p.declineInvitation),
	}
}
