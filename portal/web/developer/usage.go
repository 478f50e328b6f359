package developer

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// ranges are how many days back usage can be looked at.
var ranges = []int{7, 30, 90, 365}

const usualRange = 30

// What a page of usage shows at most.
const (
	maxLimits  = 8   // credentials of which it asks what is left
	maxOffered = 100 // credentials to choose from; what works comes first
)

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

// Count returns how many calls ended in a way: "ok", "client" or "server".
func (d usageData) Count(how string) (count int64) {
	for _, day := range d.Usage.Days {
		switch how {
		case "ok":
			count += day.OK
		case "client":
			count += day.ClientErrors
		case "server":
			count += day.ServerErrors
		}
	}
	return count
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
	shown.Usage, err = p.store.Usage(r.Context(), store.UsageQuery{
		Keys: keyIDs(chosen), From: p.day(1 - shown.Days), To: p.day(0), Hospital: shown.Query.Get("hospital"),
	})
	if err != nil {
		return usageData{}, err
	}
	for i, count := range shown.Usage.Hospitals {
		if count.Name == "" {
			shown.Usage.Hospitals[i].Name = "no such hospital"
		}
	}
	shown.Chart = chartOf(shown.Usage)
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

// filterOf returns what of an address is the filter, without what is empty.
func filterOf(query url.Values) url.Values {
	filter := url.Values{}
	for _, name := range []string{"days", "app", "credential", "hospital"} {
		if value := query.Get(name); value != "" {
			filter.Set(name, value)
		}
	}
	return filter
}

// offer fills in what can be chosen.
func (d *usageData) offer(all []ownCredential) {
	d.Days = usualRange
	if days, err := strconv.Atoi(d.Query.Get("days")); err == nil && slices.Contains(ranges, days) {
		d.Days = days
	}
	d.Form = &page.Form{Values: url.Values{
		"days": {strconv.Itoa(d.Days)}, "app": d.Query["app"], "credential": d.Query["credential"], "hospital": d.Query["hospital"],
	}}
	for _, days := range ranges {
		d.Ranges = append(d.Ranges, ui.Option{Value: strconv.Itoa(days), Label: "Last " + strconv.Itoa(days) + " days"})
	}
	apps, hospitals := map[string]string{}, map[string]string{}
	for i, c := range all {
		apps[c.AppID] = c.AppName
		for _, id := range c.Hospitals {
			hospitals[id] = id
		}
		if i < maxOffered || c.ID == d.Query.Get("credential") {
			d.Credentials = append(d.Credentials, ui.Option{Value: c.ID, Label: d.labelOf(c)})
		}
	}
	d.Hospitals = optionsOf(hospitals)
	if d.App == nil {
		d.Apps = optionsOf(apps)
	}
}

// labelOf names a credential among those that can be chosen.
func (d *usageData) labelOf(c ownCredential) string {
	label := c.Name
	if d.App == nil {
		label = c.AppName + ": " + c.Name
	}
	if hint := c.Hint(); hint != "" {
		label += " (" + hint + ")"
	}
	return label
}

// optionsOf makes options of labels by value, in the order of the labels.
func optionsOf(labels map[string]string) []ui.Option {
	var options []ui.Option
	for value, label := range labels {
		options = append(options, ui.Option{Value: value, Label: label})
	}
	slices.SortFunc(options, func(a, b ui.Option) int {
		return cmp.Or(strings.Compare(a.Label, b.Label), strings.Compare(a.Value, b.Value))
	})
	return options
}

// choose returns the credentials that the filter names. Those of others are not
// found.
func (d *usageData) choose(all []ownCredential) ([]ownCredential, error) {
	chosen := all
	for _, by := range []struct {
		name string
		of   func(ownCredential) string
	}{
		{"app", func(c ownCredential) string { return c.AppID }},
		{"credential", func(c ownCredential) string { return c.ID }},
	} {
		wanted := d.Query.Get(by.name)
		if wanted == "" {
			continue
		}
		chosen = slices.DeleteFunc(slices.Clone(chosen), func(c ownCredential) bool { return by.of(c) != wanted })
		if len(chosen) == 0 && !slices.ContainsFunc(all, func(c ownCredential) bool { return by.of(c) == wanted }) {
			return nil, page.NotFound()
		}
	}
	return chosen, nil
}

// limitsOf asks what is left to the credentials that work, of a few at most.
func (p *Pages) limitsOf(ctx context.Context, of []ownCredential) ([]credentialLimits, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var all []credentialLimits
	for _, credential := range of {
		if !credential.Works() || len(all) == maxLimits {
			continue
		}
		limits, err := p.gateway.KeyLimits(ctx, credential.KeyID)
		if adminapi.Refused(err, http.StatusNotFound) {
			continue
		}
		if err != nil {
			return all, err
		}
		all = append(all, credentialLimits{Credential: credential, limitsLeft: limitsLeft{Limits: *limits}})
	}
	return all, nil
}

// chartOf draws how the calls of each day ended.
func chartOf(usage store.Usage) ui.Chart {
	days := len(usage.Days)
	chart := ui.Chart{Unit: "calls", Days: make([]string, days), Series: []ui.Series{
		{Name: "Answered", Tone: "ok", Values: make([]int64, days)},
		{Name: "Refused (4xx)", Tone: "warn", Values: make([]int64, days)},
		{Name: "Failed (5xx)", Tone: "bad", Values: make([]int64, days)},
	}}
	for i, day := range usage.Days {
		chart.Days[i] = string(day.Day)
		chart.Series[0].Values[i] = day.OK
		chart.Series[1].Values[i] = day.ClientErrors
		chart.Series[2].Values[i] = day.ServerErrors
	}
	return chart
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
