package gateway

import (
	"net/http"
	"slices"
	"strings"

	"fhirgate/facade"
	"fhirgate/gateway/adminapi"
	"fhirgate/policies"
)

func (a *admin) listPlans(*http.Request) (int, any, error) {
	snapshot := a.snapshot()
	all := make([]adminapi.Plan, 0, len(snapshot.Plans))
	for _, id := range sortedKeys(snapshot.Plans) {
		all = append(all, planOf(snapshot, snapshot.Plans[id]))
	}
	return http.StatusOK, all, nil
}

func planOf(s *facade.Snapshot, p *policies.Plan) adminapi.Plan {
	return adminapi.Plan{
		ID:           p.ID,
		Name:         p.Name,
		Active:       p.Active,
		Environments: listed(p.Environments),
		Hospitals:    reached(s, p),
		Scopes:       listed(p.Scopes),
		Rate:         p.Rate,
		Per:          adminapi.Duration(p.Per),
		Burst:        p.Burst,
		Quota:        p.Quota,
		QuotaPeriod:  adminapi.Duration(p.QuotaPeriod),
		OnBehalfOf:   p.Requires.OnBehalfOf,
		Purpose:      p.Requires.Purpose,
	}
}

// reached returns the ids of the hospitals that a plan reaches now, sorted; nil
// stands for a plan that does not exist.
func reached(s *facade.Snapshot, p *policies.Plan) []string {
	ids := []string{}
	for id, h := range s.Hospitals {
		if p != nil && p.Reaches(id, h.Route.Environment) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// listed returns a list that is [] in JSON when it is empty.
func listed(list []string) []string { return append([]string{}, list...) }

func (a *admin) about(*http.Request) (int, any, error) {
	return http.StatusOK, adminapi.About{Version: a.version, PublicURL: strings.TrimSuffix(a.public, "/")}, nil
}
