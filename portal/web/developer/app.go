package developer

import (
	"net/http"
	"slices"
	"time"

	"fhirgate/gateway/keys/record"
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
	return r.Render(http.StatusOK, "dev-app", appData{
		App: app, Tab: "overview", Requests: p.ownRequests(requests), Credentials: byUse(p.own(found)),
	})
}

// appData is what an app's page shows.
type appData struct {
	App         ownApp
	Tab         string
	Requests    []ownRequest
	Credentials []ownCredential
}

// Usable reports whether a credential can be made under some request.
func (a appData) Usable() bool { return slices.ContainsFunc(a.Requests, ownRequest.Usable) }

// Live are the credentials that work, or are about to, or whose end is not
// certain.
func (a appData) Live() []ownCredential { return a.where(true) }

// Past are the credentials that work no more.
func (a appData) Past() []ownCredential { return a.where(false) }

func (a appData) where(live bool) (found []ownCredential) {
	for _, c := range a.Credentials {
		if past := c.Gone() || c.Status() == "expired"; past != live {
			found = append(found, c)
		}
	}
	return found
}

// QuickStart is the query for the quick start of this app.
func (a appData) QuickStart() string {
	if live := a.Live(); len(live) > 0 {
		return quickStart(a.App.ID, live[0].ID, live[0].Hospitals)
	}
	return quickStart(a.App.ID, "", nil)
}

// Ending are the credentials that end within 30 days.
func (a appData) Ending() (found []ownCredential) {
	for _, c := range a.Credentials {
		if c.EndsTone() != "" {
			found = append(found, c)
		}
	}
	return found
}

// ownRequest is a request for access that its reader may see.
type ownRequest struct {
	store.AccessRequest
	now time.Time
}

// Status is the state as people see it: an access may have come to its end.
func (r ownRequest) Status() string {
	if r.State == store.RequestApproved && over(r.AccessRequest, r.now) {
		return string(store.RequestEnded)
	}
	return string(r.State)
}

// Usable reports whether credentials can be made under it.
func (r ownRequest) Usable() bool { return r.Status() == string(store.RequestApproved) }

// Open reports whether it waits for its decision.
func (r ownRequest) Open() bool { return r.State == store.RequestPending }

// over reports whether an access has come to its end.
func over(r store.AccessRequest, now time.Time) bool { return record.Ended(r.Ends, now) }

func (p *Pages) ownRequests(found []store.AccessRequest) []ownRequest {
	now := p.now()
	all := make([]ownRequest, len(found))
	for i, r := range found {
		all[i] = ownRequest{AccessRequest: r, now: now}
	}
	return all
}
