package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// planRow is a plan with its use.
type planRow struct {
	adminapi.Plan
	Words planWords
	Use   store.PlanCount
	Gone  bool // credentials name it, and the gateway has no such plan
}

// planRows joins the plans of the gateway with their use. asked says whether the
// gateway has answered: only then can a plan be known to be gone.
func planRows(plans []adminapi.Plan, use map[string]store.PlanCount, asked bool) []planRow {
	var rows []planRow
	for _, plan := range plans {
		rows = append(rows, planRow{Plan: plan, Words: wordsOf(plan), Use: use[plan.ID]})
	}
	for _, id := range slices.Sorted(maps.Keys(use)) {
		if !slices.ContainsFunc(plans, func(p adminapi.Plan) bool { return p.ID == id }) {
			rows = append(rows, planRow{Plan: adminapi.Plan{ID: id, Name: id}, Use: use[id], Gone: asked})
		}
	}
	slices.SortStableFunc(rows, func(a, b planRow) int { return cmp.Compare(a.ID, b.ID) })
	return rows
}

// planOptions are the plans that credentials name, and the one that is chosen.
func planOptions(use map[string]store.PlanCount, chosen string) []ui.Option {
	ids := slices.Collect(maps.Keys(use))
	if chosen != "" {
		ids = append(ids, chosen)
	}
	slices.Sort(ids)
	var options []ui.Option
	for _, id := range slices.Compact(ids) {
		options = append(options, ui.Option{Value: id, Label: id})
	}
	return options
}

func (p *Pages) plans(r *page.Request) error {
	use, err := p.store.PlanUse(r.Context())
	if err != nil {
		return err
	}
	ctx, cancel := hurried(r)
	defer cancel()
	plans, away := p.gateway.Plans(ctx)
	return r.Render(http.StatusOK, "console-plans", struct {
		Plans []planRow
		Away  string
	}{planRows(plans, use, away == nil), absenceOf(away)})
}

// plan shows one plan and its consumers. One that neither the gateway knows nor
// any credential names does not exist.
func (p *Pages) plan(r *page.Request) error {
	id := r.PathValue("plan")
	use, err := p.store.PlanUse(r.Context())
	if err != nil {
		return err
	}
	list, err := p.store.Credentials(r.Context(), store.CredentialFilter{Plan: id}, r.Page(pageSize))
	if err != nil {
		return err
	}
	ctx, cancel := hurried(r)
	defer cancel()
	found, errPlan := p.planByID(ctx, id)
	names, errNames := p.hospitalNames(ctx)
	if found == nil && errPlan == nil && list.Total == 0 {
		return page.NotFound()
	}
	row := planRow{Plan: adminapi.Plan{ID: id, Name: id}, Use: use[id], Gone: found == nil && errPlan == nil}
	if found != nil {
		row.Plan, row.Words = *found, wordsOf(*found)
	}
	return r.Render(http.StatusOK, "console-plan", struct {
		Plan      planRow
		Known     bool // by the gateway
		Hospitals []named
		KindNames map[string]string
		List      store.List[store.Credential]
		Query     url.Values
		Away      string
	}{row, found != nil, namesOf(row.Hospitals, names), kindNames(), list, r.URL.Query(), absenceOf(errPlan, errNames)})
}
