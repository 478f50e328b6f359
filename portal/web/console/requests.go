package console

import (
	"errors"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// longestText bounds texts that people write for people, in characters.
const longestText = 2000

// requestStates are the states that the list of requests can be narrowed to.
func requestStates() []ui.Option {
	return []ui.Option{
		{Value: string(store.RequestPending), Label: "Pending"},
		{Value: string(store.RequestApproved), Label: "Approved"},
		{Value: string(store.RequestRefused), Label: "Refused"},
		{Value: string(store.RequestWithdrawn), Label: "Withdrawn"},
		{Value: string(store.RequestEnded), Label: "Ended"},
		{Value: "all", Label: "All"},
	}
}

// requests lists requests; without a choice, those that wait for a decision.
func (p *Pages) requests(r *page.Request) error {
	form := &page.Form{Values: r.URL.Query()}
	if form.Value("state") == "" {
		form.Values.Set("state", string(store.RequestPending))
	}
	filter := store.RequestFilter{State: store.RequestState(form.Value("state")), Search: form.Value("search")}
	if filter.State == "all" {
		filter.State = ""
	}
	list, err := p.store.Requests(r.Context(), filter, r.Page(pageSize))
	if err != nil {
		return err
	}
	return listed(r, "console-requests", struct {
		Form   *page.Form
		Query  url.Values
		States []ui.Option
		List   store.List[store.AccessRequest]
		Viewer string
	}{form, form.Values, requestStates(), list, r.User.ID})
}

// requestView is what a request's page shows.
type requestView struct {
	Request     store.AccessRequest
	App         store.App
	Own         bool // it is of whoever looks, or of their team
	Over        bool // it was approved and its end has come
	Plan        *adminapi.Plan
	Words       planWords
	Hospitals   []named
	Beyond      []named // hospitals that the plan does not reach (any more)
	Credentials []store.Credential
	Others      []store.AccessRequest // of the same app
	Acts        []shownAct            // of this request, newest first
	Form        *page.Form
	Today       string
	Away        string
}

func (p *Pages) request(r *page.Request) error {
	return p.showRequest(r, http.StatusOK, page.NewForm())
}

func (p *Pages) showRequest(r *page.Request, status int, form *page.Form) error {
	ctx := r.Context()
	request, err := p.store.Request(ctx, r.PathValue("request"))
	if err != nil {
		return err
	}
	view := requestView{
		Request: request, Form: form, Today: string(store.DayOf(p.now())),
		Over: !request.Ends.IsZero() && !request.Ends.After(p.now()),
	}
	if view.Own, err = p.store.IsOwn(ctx, r.User.ID, request.ID); err != nil {
		return err
	}
	if view.App, err = p.store.App(ctx, request.AppID); err != nil {
		return err
	}
	credentials, err := p.store.CredentialsOfApp(ctx, request.AppID)
	if err != nil {
		return err
	}
	for _, c := range credentials {
		if c.RequestID == request.ID {
			view.Credentials = append(view.Credentials, c)
		}
	}
	requests, err := p.store.RequestsOfApp(ctx, request.AppID)
	if err != nil {
		return err
	}
	for _, other := range requests {
		if other.ID != request.ID {
			view.Others = append(view.Others, other)
		}
	}
	about := []string{request.ID}
	for _, c := range view.Credentials {
		about = append(about, c.ID)
	}
	acts, err := p.store.Acts(ctx, store.ActFilter{Subjects: about}, store.Page{Size: 4 * glance})
	if err != nil {
		return err
	}
	view.Acts = actsShown(acts.Items)
	p.askAbout(r, &view)
	return r.Render(status, "console-request", view)
}

// askAbout adds what the gateway knows of the request's plan and hospitals.
func (p *Pages) askAbout(r *page.Request, view *requestView) {
	ctx, cancel := hurried(r)
	defer cancel()
	plan, err := p.planByID(ctx, view.Request.Plan)
	names, errNames := p.hospitalNames(ctx)
	view.Away = absenceOf(err, errNames)
	view.Hospitals = namesOf(view.Request.Hospitals, names)
	if plan == nil {
		return
	}
	view.Plan, view.Words = plan, wordsOf(*plan)
	reached := make(map[string]bool, len(plan.Hospitals))
	for _, id := range plan.Hospitals {
		reached[id] = true
	}
	for _, h := range view.Hospitals {
		if !reached[h.ID] {
			view.Beyond = append(view.Beyond, h)
		}
	}
}

// approve gives the access that was asked for. The store refuses it to whoever
// asked.
func (p *Pages) approve(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	reason := textOf(form, "approve_reason")
	ends := p.lastMoment(form, "ends")
	if !form.OK() {
		return p.showRequest(r, http.StatusUnprocessableEntity, form)
	}
	id := r.PathValue("request")
	if err := p.store.Approve(r.Context(), r.By(), id, reason, ends); err != nil {
		return decided(err)
	}
	r.Flash("ok", "The access is approved. The team can make its key now.")
	return r.Redirect("/console/requests/%s", id)
}

// refuse says no, and why. The store refuses it to whoever asked.
func (p *Pages) refuse(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	form.Required("refuse_reason", "Say why, so that the team knows what to change.")
	reason := textOf(form, "refuse_reason")
	if !form.OK() {
		return p.showRequest(r, http.StatusUnprocessableEntity, form)
	}
	id := r.PathValue("request")
	if err := p.store.Refuse(r.Context(), r.By(), id, reason); err != nil {
		return decided(err)
	}
	r.Flash("ok", "The request is refused. The team sees your reason.")
	return r.Redirect("/console/requests/%s", id)
}

// decided tells more of a conflict between two who decide.
func decided(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return page.Conflict("This request does not wait for a decision any more: it was decided or withdrawn meanwhile. Open it again to see by whom.")
	}
	return err
}

// endAccess ends an access that was approved, and its credentials with it.
func (p *Pages) endAccess(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	form.Required("end_reason", "Say why, so that the team knows.")
	reason := textOf(form, "end_reason")
	if !form.OK() {
		return p.showRequest(r, http.StatusUnprocessableEntity, form)
	}
	id := r.PathValue("request")
	err = p.credentials.EndAccess(r.Context(), r.By(), id, reason)
	switch {
	case errors.Is(err, adminapi.ErrUnreachable):
		r.Flash("warn", "The access is ended. The gateway does not answer: the keys are revoked as soon as it does.")
	case errors.Is(err, store.ErrConflict):
		return page.Conflict("This access is not in force: it has ended meanwhile, or was never approved.")
	case err != nil:
		return err
	default:
		r.Flash("ok", "The access is ended and its keys are revoked.")
	}
	return r.Redirect("/console/requests/%s", id)
}

// textOf returns what somebody wrote into a field, and notes when it is too long.
func textOf(form *page.Form, name string) string {
	text := form.Value(name)
	if utf8.RuneCountInString(text) > longestText {
		form.Fail(name, "This is too long: 2,000 characters are enough.")
	}
	return text
}

// lastMoment returns the end of the day in UTC that a field names, zero when it
// is empty. A day that is over is noted as a mistake.
func (p *Pages) lastMoment(form *page.Form, name string) time.Time {
	day, given := dateOf(form, name)
	if !given {
		return time.Time{}
	}
	end := day.AddDate(0, 0, 1).Add(-time.Second)
	if !end.After(p.now()) {
		form.Fail(name, "This day is over. Choose today or a later one, or leave it empty.")
	}
	return end
}
