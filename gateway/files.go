package gateway

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"fhirgate/facade"
	"fhirgate/internal/strict"
	"fhirgate/policies"
	"fhirgate/policies/smart"
	"fhirgate/routes"
	"fhirgate/transforms"
	"fhirgate/upstream"
)

// Files are the hospitals, vendors and plans of an installation, read and
// checked.
type Files struct {
	Routes  []*routes.Route
	Vendors map[string]*transforms.Vendor
	Plans   []*policies.Plan

	rules  map[string]*transforms.Vendor // of each route: its vendor's and its own; nil = none
	denied map[string][]smart.Filter     // of each route: what its deny rules withhold
}

// Folders say where the files are.
type Folders struct{ Routes, Transforms, Policies string }

// ReadFiles reads all three folders. Its error is a strict.Problems with every
// mistake of every file, those that only show between files included.
func ReadFiles(fsys fs.FS, folders Folders) (*Files, error) {
	var (
		files    Files
		problems strict.Problems
		errs     [3]error
	)
	files.Routes, errs[0] = routes.Load(fsys, folders.Routes)
	files.Vendors, errs[1] = transforms.Load(fsys, folders.Transforms)
	files.Plans, errs[2] = policies.Load(fsys, folders.Policies)
	for _, err := range errs {
		var found strict.Problems
		switch {
		case errors.As(err, &found):
			problems = append(problems, found...)
		case err != nil:
			return nil, err
		}
	}
	if len(problems) == 0 {
		problems = files.join()
	}
	return &files, problems.Err()
}

// join brings the files together, and finds what is wrong between those that
// are right by themselves.
func (f *Files) join() strict.Problems {
	var problems strict.Problems
	ids := make(map[string]bool, len(f.Routes))
	f.rules = make(map[string]*transforms.Vendor, len(f.Routes))
	f.denied = make(map[string][]smart.Filter, len(f.Routes))
	for i, route := range f.Routes {
		ids[route.ID] = true
		for j, rule := range route.Deny {
			filter, err := smart.ParseFilter(rule.Type, rule.Where)
			if err != nil {
				problems = append(problems, route.Problem("deny."+strconv.Itoa(j), "%s", err))
			}
			f.denied[route.ID] = append(f.denied[route.ID], filter)
		}
		rules, found := f.rulesOf(route)
		problems = append(problems, found...)
		if rules == nil || len(found) > 0 {
			continue
		}
		f.rules[route.ID] = rules
		f.Routes[i], found = meet(route, rules)
		problems = append(problems, found...)
	}
	for _, plan := range f.Plans {
		for _, id := range plan.Hospitals {
			if id != policies.AllHospitals && !ids[id] {
				problems = append(problems, plan.Problem("meta_data.fhirgate.hospitals", "%s", strict.Unknown("hospital", id, sortedKeys(ids))))
			}
		}
	}
	return problems
}

// rulesOf returns the rules for a route: its vendor's, and its own behind them;
// nil when there are none.
func (f *Files) rulesOf(route *routes.Route) (*transforms.Vendor, strict.Problems) {
	vendor, ok := f.Vendors[route.Vendor]
	if !ok && route.Vendor != "" {
		return nil, strict.Problems{route.Problem("vendor", "%s", strict.Unknown("vendor", route.Vendor, sortedKeys(f.Vendors)))}
	}
	if route.Rules.IsZero() {
		return vendor, nil
	}
	return vendor.Extend(route.ID, route.File, &route.Rules)
}

// Tests returns the rules of each route that has some, for the tests that stand
// beside route files.
func (f *Files) Tests() map[string]transforms.Tested {
	tested := make(map[string]transforms.Tested, len(f.rules))
	for _, route := range f.Routes {
		if rules := f.rules[route.ID]; rules != nil {
			tested[route.ID] = transforms.Tested{Vendor: rules, Hospital: route.ID, Vars: route.Vars, Zone: route.Location}
		}
	}
	return tested
}

// meet returns the route as its vendor's files want it: with the FHIR base that
// their url makes, and the ways to say that a limit is reached that it does not
// tell itself. The problems are what the two do not agree on.
func meet(route *routes.Route, vendor *transforms.Vendor) (*routes.Route, strict.Problems) {
	var problems strict.Problems
	for _, rule := range vendor.SearchesInURL(route.ID) {
		if !route.Upstream.SearchInURL {
			problems = append(problems, route.Problem("upstream.search_in_url", "must be true: the rule %q of vendor %s writes search parameters, which may name patients, into URLs", rule, vendor.Name))
		}
	}
	missing := vendor.CheckVars(route.ID, func(typ string) bool { return len(route.Interactions[typ]) > 0 }, route.Vars)
	for _, name := range missing {
		problems = append(problems, route.Problem("vars", "the rules of vendor %s need %q", vendor.Name, name))
	}
	if len(missing) > 0 {
		return route, problems
	}
	base, err := vendor.BaseURL(route.Upstream.BaseURL, route.Vars)
	if err != nil {
		return route, append(problems, route.Problem("vars", "cannot make the url of vendor %s: %s", vendor.Name, err))
	}
	met := *route
	met.Upstream.BaseURL = base
	budget := &met.Upstream.Budget
	budget.Bare429 = cmp.Or(budget.Bare429, vendor.Limits.Bare429)
	budget.QuotaText = cmp.Or(budget.QuotaText, vendor.Limits.QuotaText)
	return &met, problems
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// tykPolicies returns the plans as Tyk reads them.
func (f *Files) tykPolicies() map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(f.Plans))
	for _, plan := range f.Plans {
		out[plan.ID] = plan.Raw
	}
	return out
}

// Snapshot makes the files ready for calls. shared is what hospitals' clients
// share with other nodes; nil where nothing is served. Hospitals whose way upstream has
// not changed since previous (which may be nil) keep their client, and with it
// their connections and tokens.
func (f *Files) Snapshot(publicURL string, previous *facade.Snapshot, shared *shared) (*facade.Snapshot, error) {
	var problems strict.Problems
	hospitals := make([]*facade.Hospital, 0, len(f.Routes))
	for _, route := range f.Routes {
		h := &facade.Hospital{Route: route, Vendor: f.rules[route.ID], Denied: f.denied[route.ID]}
		if previous != nil {
			if old := previous.Hospitals[route.ID]; old != nil && reflect.DeepEqual(old.Route.Upstream, route.Upstream) {
				h.Client = old.Client
			}
		}
		if h.Client == nil {
			client, place, err := shared.newClient(route)
			if err != nil {
				problems = append(problems, route.Problem(place, "%s", err))
				continue
			}
			h.Client = client
		}
		hospitals = append(hospitals, h)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return facade.NewSnapshot(strings.TrimSuffix(publicURL, "/"), hospitals, f.Plans)
}

// closeReplaced drops the idle connections of hospitals that now have another
// client, or are gone.
func closeReplaced(old, current *facade.Snapshot) {
	used := make(map[*upstream.Client]bool, len(current.Hospitals))
	for _, h := range current.Hospitals {
		used[h.Client] = true
	}
	for _, h := range old.Hospitals {
		if !used[h.Client] {
			h.Client.Close()
		}
	}
}
