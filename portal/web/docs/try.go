package docs

import (
	"errors"
	"net/http"
	"slices"

	"fhirgate/portal/tryit"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// tryView is what the page /try shows.
type tryView struct {
	Form         *page.Form
	Hospitals    []tryit.Hospital
	Hospital     tryit.Hospital // whose form it is
	Interactions []ui.Option
	Types        []ui.Option
	Examples     []example
	Example      string        // that fills the form; "" = none
	Note         string        // on the example
	Answer       *tryit.Answer // nil = nothing was tried
	Style        string        // address of the page's own style sheet
}

// Tone is the colour of the answer's status.
func (v tryView) Tone() string {
	switch {
	case v.Answer.Status < http.StatusMultipleChoices:
		return "ok"
	case v.Answer.Status < http.StatusInternalServerError:
		return "warn"
	default:
		return "bad"
	}
}

// tryForm shows the form for the hospital of the address, or the first one. It is
// filled with the example of the address, or with a search that finds a patient.
func (p *Pages) tryForm(r *page.Request) error {
	query := r.URL.Query()
	view, err := p.tryView(r, page.NewForm("hospital", query.Get("hospital")))
	if err != nil {
		return err
	}
	view.put(somePatient(view.Hospital))
	status := http.StatusOK
	if i := slices.IndexFunc(view.Examples, func(e example) bool { return e.Value == query.Get("example") }); i >= 0 {
		status, err = p.tried(r, view.Form, p.fill(r, view, view.Examples[i]))
	}
	if err != nil {
		return err
	}
	return r.Render(status, "try", view)
}

// try makes the call of the form, and shows the answer below it.
func (p *Pages) try(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	view, err := p.tryView(r, form)
	if err != nil {
		return err
	}
	view.Answer, err = p.o.Try.Do(r.Context(), r.User.ID, tryit.Call{
		Hospital: form.Value("hospital"), Interaction: form.Value("interaction"), Type: form.Value("type"),
		ID: form.Value("id"), Parameters: form.Values.Get("parameters"),
	})
	status, err := p.tried(r, form, err)
	if err != nil {
		return err
	}
	return r.Render(status, "try", view)
}

// tried says in the form what kept a call from being made, and returns the status
// of the page. An error that is none of package tryit's is returned.
func (p *Pages) tried(r *page.Request, form *page.Form, err error) (int, error) {
	var mistake *tryit.Mistake
	switch {
	case err == nil:
		return http.StatusOK, nil
	case errors.As(err, &mistake):
		field := mistake.Field
		if field == "hospital" { // it is no field that the reader fills in
			field = ""
		}
		form.Fail(field, mistake.Text)
		return http.StatusUnprocessableEntity, nil
	case errors.Is(err, tryit.ErrTooFast):
		form.Fail("", "That was many calls at once. Wait a few seconds, then try again.")
		return http.StatusTooManyRequests, nil
	case errors.Is(err, tryit.ErrAway):
		form.Fail("", "The gateway does not answer just now. Try again in a minute.")
		p.o.Log.WarnContext(r.Context(), "a call could not be tried", "request_id", r.ID, "problem", err.Error())
		return http.StatusServiceUnavailable, nil
	default:
		return 0, err
	}
}

func (p *Pages) tryView(r *page.Request, form *page.Form) (*tryView, error) {
	hospitals, err := p.o.Try.Hospitals(r.Context())
	if err != nil {
		return nil, &page.Error{
			Status: http.StatusServiceUnavailable, Title: "The gateway does not answer", Err: err,
			Text: "The portal cannot ask the gateway for its simulated hospitals just now: try again in a minute.",
		}
	}
	style, err := assetURL("try.css")
	if err != nil {
		return nil, err
	}
	view := &tryView{Form: form, Style: style, Hospitals: hospitals, Interactions: []ui.Option{
		{Value: tryit.Search, Label: "Search", Help: "Resources of a type, by parameters"},
		{Value: tryit.Read, Label: "Read", Help: "One resource, by its id"},
		{Value: tryit.Capabilities, Label: "Capabilities", Help: "What the hospital offers through the gateway"},
	}}
	if len(hospitals) == 0 {
		return view, nil
	}
	chosen := slices.IndexFunc(hospitals, func(h tryit.Hospital) bool { return h.ID == form.Value("hospital") })
	view.Hospital = hospitals[max(chosen, 0)]
	view.Examples = examplesOf(view.Hospital)
	for _, t := range view.Hospital.Types {
		label := t.Name
		switch {
		case !t.Search:
			label += " (read only)"
		case !t.Read:
			label += " (search only)"
		}
		view.Types = append(view.Types, ui.Option{Value: t.Name, Label: label})
	}
	return view, nil
}
