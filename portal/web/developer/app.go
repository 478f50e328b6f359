package developer

import (
	"net/http"
	"slices"
	"time"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

// app shows an app: its requests for access, and its credentials.
func (p *Pages) app(r *page.Request, app ownApp) error {
	requests, err := p.store.RequestsOfApp(r.Context(), app.ID)
	if err != nil {
		return err
	}
	found, err := p.store.CredentialsOfApp(r.Context(), app.ID)
	if err != nil {
		return err
	}
	shown := appData{App: app, Tab: "overview", Requests: p.ownRequests(requests)}
	live, past := split(byUse(p.own(found)))
	shown.Live, shown.Past = pageOf(live, r.Page(maxListed)), pageOf(past, store.Page{Number: 1, Size: maxListed})
	for _, c := range live {
		if c.EndsTone() != "" && len(shown.Ending) < maxWarnings {
			shown.Ending = append(shown.Ending, c)
		}
	}
	return r.Render(http.StatusOK, "dev-app", shown)
}

// What an app's page shows at most.
const (
	maxListed   = 50 // credentials
	maxWarnings = 3  // credentials that end soon
)

// appData is what an app's page shows.
type appData struct {
	App      ownApp
	Tab      string
	Requests []ownRequest
	Live     store.List[ownCredential] // that work, or are about to, or whose end is not certain
	Past     store.List[ownCredential] // the newest of those that work no more
	Ending   []ownCredential           // that end within 30 days
}

// Usable reports whether the reader could make a credential under some request.
func (a appData) Usable() bool {
	return slices.ContainsFunc(a.Requests, func(r ownRequest) bool { return r.Usable() && !a.App.Approved(r.AccessRequest) })
}

// Withheld reports whether the reader has approved every access that holds, so that
// others make its credentials.
func (a appData) Withheld() bool {
	return a.App.CanChange() && !a.Usable() && slices.ContainsFunc(a.Requests, ownRequest.Usable)
}

// Current are the requests that wait, and those whose access holds.
func (a appData) Current() []ownRequest { return a.requests(true) }

// Former are the requests of which nothing holds any more, or ever did.
func (a appData) Former() []ownRequest { return a.requests(false) }

// MoreFormer reports whether there may be former requests that are not listed.
func (a appData) MoreFormer() bool { return len(a.Former()) == store.MaxFormerRequests }

func (a appData) requests(current bool) (found []ownRequest) {
	for _, r := range a.Requests {
		if (r.Open() || r.Usable()) == current {
			found = append(found, r)
		}
	}
	return found
}

// QuickStart is the query for the quick start of this app.
func (a appData) QuickStart() string {
	if live := a.Live.Items; len(live) > 0 {
		return quickStart(a.App.ID, live[0].ID, live[0].Hospitals)
	}
	return quickStart(a.App.ID, "", nil)
}

// split parts credentials that may work from those that work no more.
func split(all []ownCredential) (live, past []ownCredential) {
	for _, c := range all {
		if c.Gone() || c.Status() == "expired" {
			past = append(past, c)
		} else {
			live = append(live, c)
		}
	}
	return live, past
}

// pageOf cuts a page out of a list; beyond its end is the last page.
func pageOf[T any](all []T, page store.Page) store.List[T] {
	page.Number = max(1, min(page.Number, (len(all)+page.Size-1)/page.Size))
	from := (page.Number - 1) * page.Size
	return store.List[T]{Items: all[from:min(from+page.Size, len(all))], Total: len(all), Page: page}
}

// ownRequest is a request for access that its reader may see.
type ownRequest struct {
	store.AccessRequest
	now time.Time
}

// Status is the state as people see it: an access may have come to its end.
func (r ownRequest) Status() string {
	if r.State == store.RequestApproved && !r.Holds(r.now) {
		return string(store.RequestEnded)
	}
	return string(r.State)
}

// Usable reports whether credentials can be made under it.
func (r ownRequest) Usable() bool { return r.Holds(r.now) }

// Open reports whether it waits for its decision.
func (r ownRequest) Open() bool { return r.State == store.RequestPending }

func (p *Pages) ownRequests(found []store.AccessRequest) []ownRequest {
	now := p.now()
	all := make([]ownRequest, len(found))
	for i, r := range found {
		all[i] = ownRequest{AccessRequest: r, now: now}
	}
	return all
}
