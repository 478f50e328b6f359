package developer

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// How long the purpose of an access is, in characters.
const (
	minPurpose = 10
	maxPurpose = 2000
)

// requestForm is the page of a new request for access: first the plan is chosen,
// then hospitals and purpose.
type requestForm struct {
	App       ownApp
	Form      *page.Form
	Plans     []planWords // to choose from
	Plan      *planWords  // that was chosen; nil = none yet
	Hospitals []ui.Option // that it reaches
}

func (p *Pages) newRequest(r *page.Request, app ownApp) error {
	return p.renderRequest(r, http.StatusOK, app, page.NewForm("plan", r.URL.Query().Get("plan")))
}

// renderRequest shows the form. Of a single plan there is nothing to choose.
func (p *Pages) renderRequest(r *page.Request, status int, app ownApp, form *page.Form) error {
	all, err := p.catalogue(r.Context())
	if err != nil {
		return err
	}
	shown := requestForm{App: app, Form: form, Plans: all.Plans, Plan: all.plan(form.Value("plan"))}
	if shown.Plan == nil && len(all.Plans) == 1 {
		shown.Plan = &all.Plans[0]
	}
	if shown.Plan != nil {
		shown.Hospitals = all.choices(shown.Plan)
		if len(shown.Hospitals) == 1 && !form.Has("hospitals", shown.Hospitals[0].Value) && form.OK() {
			form.Values.Add("hospitals", shown.Hospitals[0].Value)
		}
	}
	return r.Render(status, "dev-request", shown)
}

func (p *Pages) createRequest(r *page.Request, app ownApp) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	all, err := p.catalogue(r.Context())
	if err != nil {
		return err
	}
	wanted := checkRequest(form, all)
	if !form.OK() {
		return p.renderRequest(r, http.StatusUnprocessableEntity, app, form)
	}
	wanted.AppID = app.ID
	request, err := p.store.CreateRequest(r.Context(), r.By(), wanted)
	if errors.Is(err, store.ErrFull) {
		form.Fail("", fmt.Sprintf("The app has %d requests that wait or hold, and more cannot be made. Withdraw one that waits, ask an administrator to end one that is not used any more, or choose another app.", store.MaxRequests))
		return p.renderRequest(r, http.StatusUnprocessableEntity, app, form)
	}
	if err != nil {
		return err
	}
	if !all.plan(wanted.Plan).AtOnce {
		r.Flash("ok", "The request is with the administrators. You see their decision here.")
		return r.Redirect("/apps/%s", app.ID)
	}
	if err := p.store.Approve(r.Context(), store.System, request.ID, "The plan reaches simulated hospitals only.", time.Time{}); err != nil {
		return err
	}
	r.Flash("ok", "The request is approved: get your key.")
	return r.Redirect("/apps/%s", app.ID)
}

func checkRequest(form *page.Form, all catalogue) store.AccessRequest {
	plan := all.plan(form.Value("plan"))
	if plan == nil {
		form.Fail("plan", "Choose a plan.")
		return store.AccessRequest{}
	}
	hospitals := form.All("hospitals")
	slices.Sort(hospitals)
	hospitals = slices.Compact(hospitals)
	if len(hospitals) == 0 {
		form.Fail("hospitals", "Choose at least one hospital.")
	}
	for _, id := range hospitals {
		if !slices.Contains(plan.Hospitals, id) {
			form.Fail("hospitals", "The plan does not reach one of these hospitals: choose again.")
		}
	}
	purpose := form.Value("purpose")
	switch length := utf8.RuneCountInString(purpose); {
	case length < minPurpose:
		form.Fail("purpose", "Say in a sentence what the data is for: at least 10 characters.")
	case length > maxPurpose:
		form.Fail("purpose", "At most 2,000 characters.")
	}
	return store.AccessRequest{Plan: plan.ID, Hospitals: hospitals, Purpose: purpose}
}

// requestOf returns a request of an app.
func (p *Pages) requestOf(r *page.Request, app ownApp, id string) (ownRequest, error) {
	found, err := p.store.Request(r.Context(), id)
	if err != nil {
		return ownRequest{}, err
	}
	if found.AppID != app.ID {
		return ownRequest{}, page.NotFound()
	}
	return ownRequest{AccessRequest: found, now: p.now()}, nil
}

func (p *Pages) withdrawRequest(r *page.Request, app ownApp) error {
	request, err := p.requestOf(r, app, r.PathValue("request"))
	if err != nil {
		return err
	}
	err = p.store.WithdrawRequest(r.Context(), r.By(), request.ID)
	switch {
	case errors.Is(err, store.ErrConflict):
		r.Flash("warn", "The request was decided already: look at it below.")
	case err != nil:
		return err
	default:
		r.Flash("ok", "The request is withdrawn.")
	}
	return r.Redirect("/apps/%s", app.ID)
}
