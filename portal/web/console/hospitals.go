package console

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

func (p *Pages) hospitals(r *page.Request) error {
	ctx, cancel := hurried(r)
	defer cancel()
	all, away := p.gateway.Hospitals(ctx)
	form := &page.Form{Values: r.URL.Query()}
	search, only := strings.ToLower(form.Value("search")), form.Value("only") == "trouble"
	var shown []hospitalState
	for _, h := range all {
		s := stateOf(h, p.now())
		found := strings.Contains(strings.ToLower(h.ID+"\n"+h.Name+"\n"+h.Vendor), search)
		if found && (!only || len(s.Warnings) > 0) {
			shown = append(shown, s)
		}
	}
	return r.Render(http.StatusOK, "console-hospitals", struct {
		Form      *page.Form
		Hospitals []hospitalState
		Total     int
		Away      string
	}{form, shown, len(all), absenceOf(away)})
}

// hospitalView is what a hospital's page shows.
type hospitalView struct {
	hospitalState
	Errors []adminapi.CallError
	Names  map[string]string // of consumers, by key id
	Rights []right
	Chart  ui.Chart
	Usage  store.Usage
	Check  *adminapi.Check // nil = none was asked for
	Now    time.Time
	Away   string
}

// right is what may be done with a kind of record at a hospital.
type right struct {
	Type         string
	Interactions []string
	Operations   []string
}

func (p *Pages) hospital(r *page.Request) error {
	return p.showHospital(r, http.StatusOK, nil)
}

// check calls the hospital now. What comes of it is shown beside the button;
// nothing of it is kept.
func (p *Pages) check(r *page.Request) error {
	id := r.PathValue("hospital")
	checked, err := p.gateway.CheckHospital(r.Context(), id)
	if err != nil {
		return err
	}
	outcome := "not reachable"
	if checked.Reachable {
		outcome = "reachable"
	}
	if err := p.store.Record(r.Context(), r.By(), "hospital.check", "hospital", id, map[string]string{"outcome": outcome}); err != nil {
		return err
	}
	return p.showHospital(r, http.StatusOK, checked)
}

func (p *Pages) showHospital(r *page.Request, status int, checked *adminapi.Check) error {
	ctx := r.Context()
	found, err := p.gateway.Hospital(ctx, r.PathValue("hospital"))
	if err != nil {
		return err
	}
	hurry, cancel := hurried(r)
	defer cancel()
	failures, away := p.gateway.HospitalErrors(hurry, found.ID)
	query := p.lastDays(usualDays)
	query.Hospital = found.ID
	used, err := p.store.Usage(ctx, query)
	if err != nil {
		return err
	}
	names, err := p.consumerNames(ctx, failures)
	if err != nil {
		return err
	}
	return r.Render(status, "console-hospital", hospitalView{
		hospitalState: stateOf(*found, p.now()), Errors: failures, Names: names, Rights: rightsOf(*found),
		Chart: page.CallsChart(used), Usage: used, Check: checked, Now: p.now(), Away: absenceOf(away),
	})
}

// consumerNames returns the names of the consumers of calls that failed.
func (p *Pages) consumerNames(ctx context.Context, failures []adminapi.CallError) (map[string]string, error) {
	names := map[string]string{}
	for _, f := range failures {
		if _, known := names[f.Consumer]; known || f.Consumer == "" {
			continue
		}
		credential, err := p.store.CredentialByKey(ctx, f.Consumer)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		names[f.Consumer] = credential.Name
	}
	return names, nil
}

// rightsOf joins interactions and operations by type; those of the whole system
// come first.
func rightsOf(h adminapi.Hospital) []right {
	types := slices.Collect(maps.Keys(h.Interactions))
	types = slices.AppendSeq(types, maps.Keys(h.Operations))
	slices.SortFunc(types, func(a, b string) int {
		if (a == "system") != (b == "system") {
			if a == "system" {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	var rights []right
	for _, name := range slices.Compact(types) {
		rights = append(rights, right{Type: name, Interactions: h.Interactions[name], Operations: h.Operations[name]})
	}
	return rights
}

// EndTone returns the tone of an end as of now.
func (v hospitalView) EndTone(end time.Time) string { return endTone(end, v.Now) }

// TokenAge returns how old the token held for the hospital is; 0 = not known.
func (v hospitalView) TokenAge() time.Duration {
	if v.Token == nil || v.Token.Obtained.IsZero() {
		return 0
	}
	return max(v.Now.Sub(v.Token.Obtained), time.Second)
}

// Took returns how long the check took.
func (v hospitalView) Took() time.Duration { return time.Duration(v.Check.Took) }

// BudgetUsed returns how much of the budget is used.
func (s hospitalState) BudgetUsed() int {
	if s.Budget == nil {
		return 0
	}
	return max(0, s.Budget.Requests-s.Budget.Left)
}

// BudgetWords says what the budget is.
func (s hospitalState) BudgetWords() string {
	if s.Budget == nil {
		return "No budget is set."
	}
	var words []string
	if s.Budget.Requests > 0 {
		words = append(words, fmt.Sprintf("%s calls per %s", grouped(int64(s.Budget.Requests)), period(s.Budget.Per)))
	}
	if s.Budget.Concurrency > 0 {
		words = append(words, fmt.Sprintf("%s at once", grouped(int64(s.Budget.Concurrency))))
	}
	return enumerate(words)
}
