// Package console is the administrators' part of the portal: it decides requests
// for access, watches over consumers, plans and hospitals, and governs users. All
// of it is for administrators with a second factor.
//
// Lists come from SQL a page at a time. What only the gateway knows is asked for
// with little patience: a gateway that is away costs a page that part, and never
// the rest.
package console

import (
	"context"
	"embed"
	"io/fs"
	"net/http"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
	"fhirgate/portal/trail"
	"fhirgate/portal/web/page"
)

// Gateway is what the console asks of the gateway's admin API. An
// *adminapi.Client is one.
type Gateway interface {
	Plans(ctx context.Context) ([]adminapi.Plan, error)
	Hospitals(ctx context.Context) ([]adminapi.Hospital, error)
	Hospital(ctx context.Context, id string) (*adminapi.Hospital, error)
	CheckHospital(ctx context.Context, id string) (*adminapi.Check, error)
	HospitalErrors(ctx context.Context, id string) ([]adminapi.CallError, error)
	Show(ctx context.Context, keyID string) (*record.Key, error)
	KeyLimits(ctx context.Context, keyID string) (*adminapi.Limits, error)
	KeyErrors(ctx context.Context, keyID string) ([]adminapi.CallError, error)
	LastReload(ctx context.Context) (*adminapi.Reloading, error)
	Reload(ctx context.Context) (*adminapi.Loaded, error)
}

// Credentials ends what was handed out, in SQL and at the gateway.
type Credentials interface {
	Revoke(ctx context.Context, by store.By, credentialID, reason string) error
	EndAccess(ctx context.Context, by store.By, requestID, reason string) error
}

// Inviter invites people. When no mail can be sent, mailed is false and whoever
// invited hands on the link.
type Inviter interface {
	Invite(ctx context.Context, by store.By, invitation store.Invitation) (link string, mailed bool, err error)
	// InviteToTeam invites into a team, who has an account or will make one.
	InviteToTeam(ctx context.Context, by store.By, invitation store.Invitation) (link string, mailed bool, err error)
	// ResetLink mails a developer a link by which they set a new password, or returns
	// it where there is no mail.
	ResetLink(ctx context.Context, by store.By, user store.User) (link string, mailed bool, err error)
}

// Options are what the console works with. All but Now are required.
type Options struct {
	Store       *store.Store
	Gateway     Gateway
	Credentials Credentials
	Inviter     Inviter
	Trail       *trail.Verifier
	Now         func() time.Time // nil = time.Now
}

// Pages are the pages of the console.
type Pages struct {
	store       *store.Store
	gateway     Gateway
	credentials Credentials
	inviter     Inviter
	trail       *trail.Verifier
	now         func() time.Time
}

// New returns the pages of the console.
func New(o Options) *Pages {
	p := &Pages{store: o.Store, gateway: o.Gateway, credentials: o.Credentials, inviter: o.Inviter, trail: o.Trail, now: o.Now}
	if p.now == nil {
		p.now = time.Now
	}
	return p
}

//go:embed all:templates
var templates embed.FS

// Templates returns the templates of the console's pages.
func Templates() fs.FS { return templates }

// Routes returns what the console serves.
func (p *Pages) Routes() []page.Route {
	var routes []page.Route
	get := func(path string, handle func(*page.Request) error) {
		routes = append(routes, page.Route{Method: http.MethodGet, Path: path, Access: page.Admin, Handle: handle})
	}
	post := func(path string, handle func(*page.Request) error) {
		routes = append(routes, page.Route{Method: http.MethodPost, Path: path, Access: page.Admin, Handle: handle})
	}
	get("/console", p.overview)

	get("/console/requests", p.requests)
	get("/console/requests/{request}", p.request)
	post("/console/requests/{request}/approve", p.approve)
	post("/console/requests/{request}/refuse", p.refuse)
	post("/console/requests/{request}/end", p.endAccess)

	get("/console/consumers", p.consumers)
	get("/console/consumers/{credential}", p.consumer)
	post("/console/consumers/{credential}/revoke", p.revoke)

	get("/console/plans", p.plans)
	get("/console/plans/{plan}", p.plan)

	get("/console/hospitals", p.hospitals)
	get("/console/hospitals/{hospital}", p.hospital)
	post("/console/hospitals/{hospital}/check", p.check)

	get("/console/reload", p.lastReload)
	post("/console/reload", p.reload)

	get("/console/users", p.users)
	get("/console/users/{user}", p.user)
	post("/console/users/{user}/role", p.setRole)
	post("/console/users/{user}/disable", p.disable)
	post("/console/users/{user}/enable", p.enable)
	post("/console/users/{user}/reset-second-factor", p.resetSecondFactor)
	post("/console/users/{user}/reset-password", p.resetPassword)

	get("/console/users/invite", p.invitation)
	post("/console/users/invite", p.invite)
	get("/console/invitations", p.invitations)
	post("/console/invitations/{invitation}/withdraw", p.withdrawInvitation)

	get("/console/teams", p.teams)
	get("/console/teams/{team}", p.team)

	get("/console/announcements", p.announcements)
	post("/console/announcements", p.announce)
	post("/console/announcements/{announcement}/end", p.endAnnouncement)

	get("/console/usage", p.usage)
	get("/console/usage/export", p.exportUsage)

	get("/console/audit", p.audit)
	get("/console/audit/verify", p.verified)
	post("/console/audit/verify", p.verify)
	post("/console/audit/export", p.exportActs)
	return routes
}
