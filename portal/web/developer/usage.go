package developer

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// maxLimits is of how many credentials a page asks what is left.
const maxLimits = 8

// usageData is a page of usage: of an app, or of all apps of the reader.
type usageData struct {
	App   *ownApp // nil = of all
	Tab   string
	Path  string // of the page
	Query url.Values

	Form        *page.Form // the filter
	Ranges      []ui.Option
	Apps        []ui.Option
	Hospitals   []ui.Option
	Credentials []ui.Option

	Days    int
	Usage   store.Usage
	Chart   ui.Chart
	Limits  []credentialLimits
	Away    string
	Nothing bool // there is no credential that could have been used
}

// credentialLimits is what is left to a credential.
type credentialLimits struct {
	Credential ownCredential
	limitsLeft
}

// Download is the address of the same numbers as a file.
func (d usageData) Download() string {
	if len(d.Query) == 0 {
		return d.Path + ".csv"
	}
	return d.Path + ".csv?" + d.Query.Encode()
}

func (p *Pages) appUsage(r *page.Request, app ownApp) error {
	shown, err := p.usageOf(r, &app)
	if err != nil {
		return err
	}
	return p.renderUsage(r, shown)
}

func (p *Pages) usage(r *page.Request) error {
	shown, err := p.usageOf(r, nil)
	if err != nil {
		return err
	}
	return p.renderUsage(r, shown)
}

// renderUsage answers with the page, or, when htmx asks for another choice, with
// its results alone.
func (p *Pages) renderUsage(r *page.Request, shown usageData) error {
	if r.HTMX() {
		return r.Part(http.StatusOK, "dev-usage", "usage-results", shown)
	}
	return r.Render(http.StatusOK, "dev-usage", shown)
}

// usageOf reads the filter and counts what it chooses: of one app, or of all
// apps of the reader.
func (p *Pages) usageOf(r *page.Request, app *ownApp) (usageData, error) {
	all, err := p.usableIn(r, app)
	if err != nil {
		return usageData{}, err
	}
	shown := usageData{
		App: app, Tab: "usage", Path: strings.TrimSuffix(r.URL.Path, csvEnding),
		Query: filterOf(r.URL.Query()), Nothing: len(all) == 0,
	}
	shown.offer(all)
	chosen, err := shown.choose(all)
	if err != nil {
		return usageData{}, err
	}
	shown.Usage, err = p.store.Usage(r.Context(), shown.query(all, chosen, p.day(1-shown.Days), p.day(0)))
	if err != nil {
		return usageData{}, err
	}
	for i, count := range shown.Usage.Hospitals {
		if count.Name == "" {
			shown.Usage.Hospitals[i].Name = "no such hospital"
		}
	}
	shown.Chart = page.CallsChart(shown.Usage)
	if app != nil || shown.Query.Get("credential") != "" {
		if shown.Limits, err = p.limitsOf(r.Context(), chosen); err != nil {
			shown.Away = awayText(err)
		}
	}
	return shown, nil
}

// usableIn returns the credentials of an app, or of all apps of the reader.
func (p *Pages) usableIn(r *page.Request, app *ownApp) ([]ownCredential, error) {
	if app == nil {
		return p.credentialsOf(r.Context(), r.User.ID)
	}
	found, err := p.store.CredentialsOfApp(r.Context(), app.ID)
	return byUse(p.own(found)), err
}

// query asks for the usage of what was chosen: of one credential, or of an app or
// the reader's teams as a whole, which have many.
func (d *usageData) query(all, chosen []ownCredential, from, to store.Day) store.UsageQuery {
	query := store.UsageQuery{From: from, To: to, Hospital: d.Query.Get("hospital")}
	switch {
	case d.Query.Get("credential") != "":
		query.Keys = keyIDs(chosen)
	case d.App != nil:
		query.Owners = []string{d.App.ID}
	case d.Query.Get("app") != "":
		query.Owners = []string{d.Query.Get("app")}
	default:
		query.Owners = teamIDs(all)
	}
	return query
}

// limitsOf asks what is left to the credentials that work, of a few at most. Those
// that the gateway does not know, or whose plan is gone, have no limits.
func (p *Pages) limitsOf(ctx context.Context, of []ownCredential) ([]credentialLimits, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var all []credentialLimits
	asked := 0
	for _, credential := range of {
		if !credential.Works() || asked == maxLimits {
			continue
		}
		asked++
		limits, err := p.gateway.KeyLimits(ctx, credential.KeyID)
		if adminapi.Refused(err, http.StatusNotFound) || adminapi.Refused(err, http.StatusConflict) {
			continue
		}
		if err != nil {
			return all, err
		}
		all = append(all, credentialLimits{Credential: credential, limitsLeft: limitsLeft{Limits: *limits}})
	}
	return all, nil
}

// day returns the day so many days from now, in UTC.
func (p *Pages) day(offset int) store.Day {
	return store.Day(p.now().UTC().AddDate(0, 0, offset).Format(time.DateOnly))
}

// keyIDs names credentials as the gateway does. It is never nil: of no
// credentials there is no usage.
func keyIDs(of []ownCredential) []string {
	ids := make([]string, len(of))
	for i, c := range of {
		ids[i] = c.KeyID
	}
	return ids
}

// teamIDs names the teams that credentials belong to. It is never nil either.
func teamIDs(of []ownCredential) []string {
	ids := make([]string, len(of))
	for i, c := range of {
		ids[i] = c.TeamID
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
