package gateway

import (
	"cmp"
	"encoding/json"
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

// read is what the folders hold, file by file.
type read struct {
	routes  strict.Folder[*routes.Route]
	vendors strict.Folder[*transforms.Vendor]
	plans   strict.Folder[*policies.Plan]
}

func readFolders(fsys fs.FS, folders Folders) *read {
	return &read{
		routes:  routes.Read(fsys, folders.Routes),
		vendors: transforms.Read(fsys, folders.Transforms),
		plans:   policies.Read(fsys, folders.Policies),
	}
}

// files is join for who tells all mistakes at once. Its error is a strict.Problems
// with every mistake of every file, those that only show between files or with the
// files that they name, and others, included. Nothing can be served then.
func (r *read) files(others strict.Problems) (*Files, error) {
	files, problems := r.join()
	problems = append(problems, others...)
	if len(problems) > 0 {
		// Where all is right Snapshot makes the clients, and finds these.
		_, found := files.hospitals(nil, nil)
		problems = append(problems, found...)
	}
	return files, problems.Err()
}

// join brings the files together that are right by themselves. The problems are
// those of the files, and what is wrong between them; of hospitals and plans with
// mistakes the vendor, the rules and the hospitals that they name are looked at, too.
// Nothing is said of a reference to a file that is wrong.
func (r *read) join() (*Files, strict.Problems) {
	f := &Files{
		Routes: r.routes.Sorted(), Vendors: r.vendors.Right, Plans: r.plans.Sorted(),
		rules: make(map[string]*transforms.Vendor), denied: make(map[string][]smart.Filter),
	}
	problems := slices.Concat(r.routes.Problems, r.vendors.Problems, r.plans.Problems)
	for _, vendor := range f.Vendors {
		problems = append(problems, vendor.CheckHospitals(r.missingHospital)...)
	}
	for i, route := range f.Routes {
		denied, found := deniedBy(route)
		f.denied[route.ID] = denied
		rules, wrong := r.rulesOf(route)
		found = append(found, wrong...)
		if rules != nil {
			f.rules[route.ID] = rules
			f.Routes[i], wrong = meet(route, rules)
			found = append(found, wrong...)
		}
		problems = append(problems, found...)
	}
	for _, route := range r.routes.Faulty {
		_, found := r.rulesOf(route)
		problems = append(problems, found...)
	}
	for _, plan := range slices.Concat(f.Plans, r.plans.Faulty) {
		for _, id := range plan.Hospitals {
			if id == "" || id == policies.AllHospitals {
				continue // of an empty one the plan's file tells
			}
			if text := r.missingHospital(id); text != "" {
				problems = append(problems, plan.Problem("meta_data.fhirgate.hospitals", "%s", text))
			}
		}
	}
	return f, problems
}

func (r *read) missingHospital(id string) string { return r.routes.Missing("hospital", id) }

// deniedBy returns what the deny rules of a route withhold.
func deniedBy(route *routes.Route) (denied []smart.Filter, problems strict.Problems) {
	for i, rule := range route.Deny {
		filter, err := smart.ParseFilter(rule.Type, rule.Where)
		if err != nil {
			problems = append(problems, route.Problem("deny."+strconv.Itoa(i), "%s", err))
		}
		denied = append(denied, filter)
	}
	return denied, problems
}

// rulesOf returns the rules for a route: its vendor's, and its own behind them;
// nil when there are none. Those that are wrong it leaves out.
func (r *read) rulesOf(route *routes.Route) (*transforms.Vendor, strict.Problems) {
	var problems strict.Problems
	vendor := r.vendors.Right[route.Vendor]
	if vendor == nil && route.Vendor != "" {
		if text := r.vendors.Missing("vendor", route.Vendor); text != "" {
			problems = append(problems, route.Problem("vendor", "%s", text))
		}
	}
	if route.Rules.IsZero() {
		return vendor, problems
	}
	extended, found := vendor.Extend(route.ID, route.File, &route.Rules)
	if len(found) > 0 {
		return vendor, append(problems, found...)
	}
	return extended, append(problems, extended.CheckHospitals(r.missingHospital)...)
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
	hospitals, problems := f.hospitals(previous, shared)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return facade.NewSnapshot(strings.TrimSuffix(publicURL, "/"), hospitals, f.Plans)
}

// hospitals makes the routes' clients; see Snapshot.
func (f *Files) hospitals(previous *facade.Snapshot, shared *shared) ([]*facade.Hospital, strict.Problems) {
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
			client, found := shared.newClient(route)
			if len(found) > 0 {
				problems = append(problems, found...)
				continue
			}
			h.Client = client
		}
		hospitals = append(hospitals, h)
	}
	return hospitals, problems
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
