package docs

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// quickView is what the quick start shows.
type quickView struct {
	Form        *page.Form
	Query       url.Values // of the page as it is, for links that change one thing
	Apps        []ui.Option
	Credentials []ui.Option // the app's own, and the kinds that it could have
	Hospitals   []ui.Option
	Tasks       []tab
	Languages   []tab

	App        store.App        // zero = the reader has none
	Credential store.Credential // zero = a kind was chosen, or nothing
	Approved   bool             // the app has access to the hospitals offered; false: they are simulated ones
	Hospital   adminapi.Hospital

	Program  program
	Language string
	Code     string
	Token    string // a program that gets a token; "" = Code does it itself
	File     string // the program's name
	Install  string // command; "" = nothing is needed
	Run      string // command
	Export   string // commands that put the secret into the environment
	FirstTry string // command
}

// tab is one of several views of the page.
type tab struct {
	Value, Label string
	Current      bool
}

// quickStart shows programs for the reader's own app, credential and hospital.
func (p *Pages) quickStart(r *page.Request) error {
	view := &quickView{Form: page.NewForm(), Query: r.URL.Query()}
	if err := p.chooseApp(r, view); err != nil {
		return err
	}
	if err := p.chooseCredential(r, view); err != nil {
		return err
	}
	if err := p.chooseHospital(r, view); err != nil {
		return err
	}
	view.Tasks = []tab{
		{Value: taskAppointments, Label: "Today's appointments"}, {Value: taskPatient, Label: "A patient by identifier"}, {Value: taskReport, Label: "Deliver a report"},
	}
	view.Languages = []tab{
		{Value: langCurl, Label: "curl"}, {Value: langJavaScript, Label: "JavaScript"}, {Value: langGo, Label: "Go"}, {Value: langPython, Label: "Python"},
	}
	view.Program.Task = choose(view.Query, "task", view.Tasks)
	view.Language = choose(view.Query, "lang", view.Languages)
	if view.Hospital.ID == "" {
		return r.Render(http.StatusOK, "quick-start", view)
	}
	if err := p.fillIn(view); err != nil {
		return err
	}
	return r.Render(http.StatusOK, "quick-start", view)
}

// choose marks the tab that the address asks for, or the first, and returns its
// value.
func choose(query url.Values, name string, tabs []tab) string {
	chosen := slices.IndexFunc(tabs, func(t tab) bool { return t.Value == query.Get(name) })
	chosen = max(chosen, 0)
	tabs[chosen].Current = true
	return tabs[chosen].Value
}

// chooseApp finds the app of the address among the reader's own, or takes the one
// that is readiest. Those of others do not exist.
func (p *Pages) chooseApp(r *page.Request, view *quickView) error {
	apps, err := p.o.Store.AppsOf(r.Context(), r.User.ID)
	if err != nil {
		return err
	}
	apps = slices.DeleteFunc(apps, func(a store.App) bool { return !a.Archived.IsZero() })
	wanted := view.Query.Get("app")
	if id := view.Query.Get("credential"); wanted == "" && strings.HasPrefix(id, "cred_") {
		credential, err := p.o.Store.Credential(r.Context(), id)
		if err != nil { // store.ErrNotFound becomes 404
			return err
		}
		wanted = cmp.Or(credential.AppID, "none")
	}
	if wanted == "" && len(apps) > 0 {
		if wanted, err = p.readiest(r, apps); err != nil {
			return err
		}
	}
	for _, a := range apps {
		view.Apps = append(view.Apps, ui.Option{Value: a.ID, Label: a.Name + " (" + a.TeamName + ")"})
		if a.ID == wanted {
			view.App = a
		}
	}
	if wanted != "" && view.App.ID == "" {
		return page.NotFound()
	}
	view.set("app", view.App.ID)
	return nil
}

// readiest returns the id of the first app for which programs can be filled in
// with the most: with access, and with a credential that works.
func (p *Pages) readiest(r *page.Request, apps []store.App) (string, error) {
	requests, err := p.o.Store.RequestsOf(r.Context(), r.User.ID)
	if err != nil {
		return "", err
	}
	working, err := p.o.Store.WorkingByApp(r.Context(), r.User.ID)
	if err != nil {
		return "", err
	}
	ready := map[string]int{}
	for _, request := range requests {
		if request.Holds(time.Now()) {
			ready[request.AppID] = 1
		}
	}
	for app := range working {
		ready[app]++
	}
	best := slices.MaxFunc(apps, func(a, b store.App) int { return cmp.Compare(ready[a.ID], ready[b.ID]) })
	return best.ID, nil
}

// chooseCredential finds the credential of the address among those of the app.
// In its place there may be a kind. One of another app is passed over, because
// the form sends that when its reader changes the app.
func (p *Pages) chooseCredential(r *page.Request, view *quickView) error {
	var own []store.Credential
	if view.App.ID != "" {
		var err error
		if own, err = p.o.Store.CredentialsOfApp(r.Context(), view.App.ID); err != nil {
			return err
		}
	}
	wanted := view.Query.Get("credential")
	for _, c := range own {
		if !c.Works(time.Now()) || kindOf(c) == "" {
			continue
		}
		view.Credentials = append(view.Credentials, ui.Option{Value: c.ID, Label: c.Name})
		if c.ID == wanted || view.Credential.ID == "" && !isKind(wanted) {
			view.Credential = c
		}
	}
	view.Credentials = append(view.Credentials,
		ui.Option{Value: kindKey, Label: "Any API key"},
		ui.Option{Value: kindSecret, Label: "Any OAuth client with a secret"},
		ui.Option{Value: kindJWT, Label: "Any OAuth client with a key of its own"})
	view.Program.Kind, view.Program.ClientID = kindKey, "key_your_client_id"
	chosen := kindKey
	if view.Credential.ID != "" {
		chosen, view.Program.Kind, view.Program.ClientID = view.Credential.ID, kindOf(view.Credential), view.Credential.KeyID
	} else if isKind(wanted) {
		chosen, view.Program.Kind = wanted, wanted
	}
	view.set("credential", chosen)
	return nil
}

func isKind(s string) bool { return s == kindKey || s == kindSecret || s == kindJWT }

// kindOf returns how programs use a credential; "" = in a way that is not shown.
func kindOf(c store.Credential) string {
	switch {
	case c.Kind == string(record.KindKey):
		return kindKey
	case c.Kind == string(record.KindClient) && len(c.Hints) > 0:
		return kindSecret
	case c.Kind == string(record.KindClient):
		return kindJWT
	default:
		return ""
	}
}

// chooseHospital offers the hospitals that the credential reaches, else those to
// which the app has access, else the simulated ones.
func (p *Pages) chooseHospital(r *page.Request, view *quickView) error {
	all, err := p.o.Gateway.Hospitals(r.Context())
	if err != nil {
		return err
	}
	granted := view.Credential.Hospitals
	if len(granted) == 0 && view.App.ID != "" {
		requests, err := p.o.Store.RequestsOfApp(r.Context(), view.App.ID)
		if err != nil {
			return err
		}
		for _, request := range requests {
			if request.Holds(time.Now()) {
				granted = append(granted, request.Hospitals...)
			}
		}
	}
	offered := slices.DeleteFunc(slices.Clone(all), func(h adminapi.Hospital) bool { return !slices.Contains(granted, h.ID) })
	view.Approved = len(offered) > 0
	if !view.Approved {
		offered = slices.DeleteFunc(all, func(h adminapi.Hospital) bool { return !h.Simulated() })
	}
	for i, h := range offered {
		view.Hospitals = append(view.Hospitals, ui.Option{Value: h.ID, Label: h.Name})
		if i == 0 || h.ID == view.Query.Get("hospital") {
			view.Hospital = h
		}
	}
	view.set("hospital", view.Hospital.ID)
	return nil
}

// set notes what was chosen, for the form and for links.
func (v *quickView) set(name, value string) {
	v.Form.Values.Set(name, value)
	if value != "" {
		v.Query.Set(name, value)
	}
}
