package developer

import (
	"net/http"
	"slices"
	"time"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// overview tells what is to be done next and what happened lately.
func (p *Pages) overview(r *page.Request) error {
	ctx := r.Context()
	seen := overviewData{Name: r.User.Name, At: p.now()}
	var err error
	if seen.Apps, err = p.store.AppsOf(ctx, r.User.ID); err != nil {
		return err
	}
	if seen.memberships, err = p.store.TeamsOf(ctx, r.User.ID); err != nil {
		return err
	}
	if seen.Invitations, err = p.store.InvitationsOf(ctx, r.User.ID); err != nil {
		return err
	}
	if seen.requests, err = p.store.RequestsOf(ctx, r.User.ID); err != nil {
		return err
	}
	if seen.working, err = p.store.WorkingByApp(ctx, r.User.ID); err != nil {
		return err
	}
	ending, err := p.store.Expiring(ctx, r.User.ID, remindBefore)
	if err != nil {
		return err
	}
	seen.Ending = p.own(ending)
	teams := make([]string, len(seen.memberships))
	for i, m := range seen.memberships {
		teams[i] = m.Team.ID
	}
	usage, err := p.store.Usage(ctx, store.UsageQuery{Owners: teams, From: p.day(-29), To: p.day(0)})
	if err != nil {
		return err
	}
	seen.Usage, seen.Chart = usage, page.CallsChart(usage)
	if usage.Total == 0 { // there may be a first call to lead to
		if seen.credentials, err = p.credentialsOf(ctx, r.User.ID); err != nil {
			return err
		}
	}
	return r.Render(http.StatusOK, "dev-overview", seen)
}

// overviewData is what the overview shows.
type overviewData struct {
	Name        string
	At          time.Time
	Invitations []store.TeamInvitation // into teams
	Apps        []store.App
	Ending      []ownCredential
	Usage       store.Usage
	Chart       ui.Chart

	memberships []store.Membership
	requests    []store.AccessRequest
	working     map[string]int  // credentials by app
	credentials []ownCredential // nil when there were calls
}

// builds returns the apps that the reader can change, and whether they could
// have one: in a team in which they may build, or in one that they make.
func (o overviewData) builds() (apps []store.App, could bool) {
	teams := make(map[string]bool)
	for _, m := range o.memberships {
		teams[m.Team.ID] = rights{Role: m.Role}.CanChange()
		could = could || teams[m.Team.ID]
	}
	for _, app := range o.Apps {
		if teams[app.TeamID] && app.Archived.IsZero() {
			apps = append(apps, app)
		}
	}
	return apps, could || len(o.memberships) == 0
}

// Pending are the requests that wait for a decision.
func (o overviewData) Pending() []store.AccessRequest {
	return slices.DeleteFunc(slices.Clone(o.requests), func(r store.AccessRequest) bool { return r.State != store.RequestPending })
}

// Today is how many calls there were since midnight, UTC.
func (o overviewData) Today() int64 {
	if len(o.Usage.Days) == 0 {
		return 0
	}
	last := o.Usage.Days[len(o.Usage.Days)-1]
	return last.OK + last.ClientErrors + last.ServerErrors
}

// Errors is how many calls of the 30 days were refused or failed.
func (o overviewData) Errors() (count int64) {
	for _, day := range o.Usage.Days {
		count += day.ClientErrors + day.ServerErrors
	}
	return count
}

// Working is how many credentials work.
func (o overviewData) Working() (count int) {
	for _, ofApp := range o.working {
		count += ofApp
	}
	return count
}

// step is one thing on the way to the first call.
type step struct {
	Done, Current     bool
	Title, Text, Note string
	Href, Label       string // what to press when it is the next one; "" = nothing but wait
}

// Steps is the way to the first call; nil once it was made, and for those who
// only look.
func (o overviewData) Steps() []step {
	apps, could := o.builds()
	called := o.Usage.Total > 0 || slices.ContainsFunc(o.credentials, func(c ownCredential) bool { return !c.LastUsed.IsZero() })
	if called || !could {
		return nil
	}
	steps := []step{
		{Done: len(apps) > 0, Title: "Create an app", Text: "An app is one program of yours. It holds its access, its keys and its usage.", Href: "/apps/new", Label: "Create an app"},
		o.accessStep(apps),
		o.keyStep(),
		{Title: "Make the first call", Text: "The quick start shows it in curl, JavaScript, Go and Python, filled in with your app.", Href: "/docs/quick-start", Label: "Open the quick start"},
	}
	if len(o.credentials) > 0 {
		c := o.credentials[0]
		steps[3].Href += quickStart(c.AppID, c.ID, c.Hospitals)
	}
	for i := range steps {
		if !steps[i].Done {
			steps[i].Current = true
			break
		}
	}
	return steps
}

func (o overviewData) accessStep(apps []store.App) step {
	s := step{Title: "Ask for access", Text: "Choose a plan and hospitals, and say what for. An administrator decides.", Done: o.approved() != nil}
	pending := o.Pending()
	switch {
	case len(pending) > 0:
		s.Note, s.Href, s.Label = "Waits for an administrator's decision.", "/apps/"+pending[0].AppID, "Look at the request"
	case len(apps) > 0:
		s.Href, s.Label = "/apps/"+apps[0].ID+"/request", "Ask for access"
	}
	return s
}

func (o overviewData) keyStep() step {
	s := step{Title: "Get a key", Text: "An API key or an OAuth client, made at once. Its secret is shown a single time.", Done: o.Working() > 0}
	if request := o.approved(); request != nil {
		s.Href, s.Label = "/apps/"+request.AppID+"/keys/new?request="+request.ID, "Get a key"
	}
	return s
}

func (o overviewData) approved() *store.AccessRequest {
	for i, r := range o.requests {
		if r.Holds(o.At) {
			return &o.requests[i]
		}
	}
	return nil
}
