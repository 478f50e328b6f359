package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// Ranges of days that usage is asked for.
const (
	usualDays = 30
	mostDays  = 400
)

// errorsOf counts the calls that were refused or failed.
func errorsOf(count store.DayCount) int64 { return count.ClientErrors + count.ServerErrors }

// lastDays returns the range of the last n days, today included.
func (p *Pages) lastDays(n int) store.UsageQuery {
	today := p.now().UTC()
	return store.UsageQuery{From: store.DayOf(today.AddDate(0, 0, 1-n)), To: store.DayOf(today)}
}

// usageQuery reads the filter of an address. What is wrong is noted in its form,
// and then the usual range is shown.
func (p *Pages) usageQuery(form *page.Form) store.UsageQuery {
	query := p.lastDays(usualDays)
	query.Hospital = form.Value("hospital")
	from, hasFrom := dateOf(form, "from")
	to, hasTo := dateOf(form, "to")
	if !hasTo {
		to = p.now().UTC()
	}
	if !hasFrom {
		from = to.AddDate(0, 0, 1-usualDays)
	}
	switch first, last := store.DayOf(from), store.DayOf(to); {
	case first > last:
		form.Fail("to", "The last day comes before the first one.")
	case first <= store.DayOf(to.AddDate(0, 0, -mostDays)):
		form.Fail("from", fmt.Sprintf("At most %d days are shown at once.", mostDays))
	case form.OK():
		query.From, query.To = first, last
	}
	return query
}

// dateOf reads a field of the form 2026-11-22. Another form is noted as a mistake.
func dateOf(form *page.Form, name string) (time.Time, bool) {
	text := form.Value(name)
	if text == "" {
		return time.Time{}, false
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil || at.Year() < 2000 || at.Year() > 9998 {
		form.Fail(name, "This is no date: write it as 2026-11-22.")
		return time.Time{}, false
	}
	return at, true
}

// span is a range of days that one click shows.
type span struct {
	Label   string
	Href    string
	Current bool
}

func (p *Pages) spans(query store.UsageQuery) []span {
	var spans []span
	for _, n := range []int{7, usualDays, 90, 365} {
		days := p.lastDays(n)
		values := url.Values{"from": {string(days.From)}, "to": {string(days.To)}}
		if query.Hospital != "" {
			values.Set("hospital", query.Hospital)
		}
		spans = append(spans, span{
			Label: fmt.Sprintf("%d days", n), Href: "/console/usage?" + values.Encode(),
			Current: days.From == query.From && days.To == query.To,
		})
	}
	return spans
}

func (p *Pages) usage(r *page.Request) error {
	form := &page.Form{Values: r.URL.Query()}
	query := p.usageQuery(form)
	used, err := p.store.Usage(r.Context(), query)
	if err != nil {
		return err
	}
	ctx, cancel := hurried(r)
	defer cancel()
	names, away := p.hospitalNames(ctx)
	status := http.StatusOK
	if !form.OK() {
		status = http.StatusUnprocessableEntity
	}
	shown := page.NewForm("from", string(query.From), "to", string(query.To), "hospital", query.Hospital)
	if !form.OK() { // what was asked for, with what is wrong with it
		shown = form
	}
	return r.Render(status, "console-usage", struct {
		Form      *page.Form
		Hospitals []ui.Option
		Spans     []span
		Query     url.Values
		From, To  store.Day
		Usage     store.Usage
		Chart     ui.Chart
		Named     []store.Count
		Away      string
	}{
		shown, hospitalOptions(names, used.Hospitals, query.Hospital), p.spans(query), exportQuery(query), query.From, query.To,
		used, page.CallsChart(used), countsNamed(used.Hospitals, names), absenceOf(away),
	})
}

func exportQuery(q store.UsageQuery) url.Values {
	values := url.Values{"from": {string(q.From)}, "to": {string(q.To)}}
	if q.Hospital != "" {
		values.Set("hospital", q.Hospital)
	}
	return values
}

// hospitalOptions are all hospitals that can be chosen: those of the gateway,
// those that were called, and the one that is chosen.
func hospitalOptions(names map[string]string, called []store.Count, chosen string) []ui.Option {
	var ids []string
	for id := range names {
		ids = append(ids, id)
	}
	for _, count := range called {
		ids = append(ids, count.Name)
	}
	ids = append(ids, chosen)
	slices.Sort(ids)
	var options []ui.Option
	for _, hospital := range namesOf(slices.Compact(ids), names) {
		if hospital.ID != "" {
			options = append(options, ui.Option{Value: hospital.ID, Label: hospital.Name})
		}
	}
	return options
}

// countsNamed puts the names of hospitals in the place of ids.
func countsNamed(counts []store.Count, names map[string]string) []store.Count {
	shown := make([]store.Count, len(counts))
	for i, c := range counts {
		shown[i] = store.Count{Name: cmp.Or(names[c.Name], c.Name, "No hospital of ours"), Calls: c.Calls}
	}
	return shown
}

// exportUsage answers with the same numbers as a file.
func (p *Pages) exportUsage(r *page.Request) error {
	form := &page.Form{Values: r.URL.Query()}
	query := p.usageQuery(form)
	if !form.OK() {
		return &page.Error{Status: http.StatusUnprocessableEntity, Title: "No such range", Text: "The days in the address are no range of days. Choose one on the page of usage."}
	}
	used, err := p.store.Usage(r.Context(), query)
	if err != nil {
		return err
	}
	return r.SendUsage(fmt.Sprintf("usage_%s_%s.csv", query.From, query.To), used)
}
