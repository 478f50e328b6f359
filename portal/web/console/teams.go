package console

import (
	"net/http"
	"net/url"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

func (p *Pages) teams(r *page.Request) error {
	form := &page.Form{Values: r.URL.Query()}
	list, err := p.store.Teams(r.Context(), form.Value("search"), r.Page(pageSize))
	if err != nil {
		return err
	}
	return listed(r, "console-teams", struct {
		Form  *page.Form
		Query url.Values
		List  store.List[store.Team]
	}{form, form.Values, list})
}

func (p *Pages) team(r *page.Request) error {
	team, err := p.store.Team(r.Context(), r.PathValue("team"))
	if err != nil {
		return err
	}
	members, err := p.store.Members(r.Context(), team.ID)
	if err != nil {
		return err
	}
	apps, err := p.store.AppsOfTeam(r.Context(), team.ID)
	if err != nil {
		return err
	}
	return r.Render(http.StatusOK, "console-team", struct {
		Team    store.Team
		Members []store.Member
		Apps    []store.App
	}{team, members, apps})
}
