// Package transforms reads the vendor files, one YAML file a vendor of EHR
// systems, and applies their rules: what a vendor's systems want of a request
// beyond FHIR R4, in parameters and headers. docs/add-a-vendor-rule.md lists
// the operations with examples.
package transforms

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"fhirgate/fhir"
)

// Vendor is a vendor file that is ready for calls. It is read only: many calls
// may use it at once. A nil Vendor has no rules.
type Vendor struct {
	Name string // equals the file name without ".yaml"
	File string // where it was read from

	rules []rule
	vars  []string // names of the vars that rules read
}

// Call is what rules may know of a request besides its query and headers.
type Call struct {
	Type        string            // resource type; empty for system-level interactions
	Interaction fhir.Interaction  // a conditional call has its conditional form (fhir.Interaction.Conditional)
	Vars        map[string]string // of the route
	Zone        *time.Location    // of the hospital; nil = UTC
}

// rule is a compiled rule of a file: where it applies, and what it does there.
type rule struct {
	name         string
	types        []string           // empty = any
	interactions []fhir.Interaction // empty = any
	operations   []operation
}

// request is a call on its way through the rules that match it.
type request struct {
	call    Call
	params  params
	header  http.Header
	changed bool // params no longer stand for the query as it came
}

// Apply takes a request through the rules in the order of the file. query is a
// raw query string without "?", or the body of a POST _search; parameters that
// no rule touches keep their bytes and their order. header is changed in
// place and must not be nil.
//
// A search that has both a query and a form body is one search
// (https://hl7.org/fhir/R4/http.html#search): join the two with "&" and apply
// the rules once, or a demand such as param.requireAny sees only half of it.
//
// applied names the rules that changed something or made a demand; in case of
// an error the last one is the one that refused. The error is a *fhir.Error,
// and then the query is empty. Without a matching rule the query comes back as
// it is and nothing is allocated.
func (v *Vendor) Apply(call Call, query string, header http.Header) (newQuery string, applied []string, err error) {
	if v == nil {
		return query, nil, nil
	}
	var r *request
	for i := range v.rules {
		rule := &v.rules[i]
		if !rule.matches(&call) {
			continue
		}
		if r == nil {
			r = newRequest(call, query, header)
		}
		touched, refusal := rule.apply(r)
		if touched {
			applied = append(applied, rule.name)
		}
		if refusal != nil {
			refusal.Text += " (rule " + strconv.Quote(rule.name) + " of vendor " + v.Name + ")"
			return "", applied, refusal
		}
	}
	if r == nil || !r.changed {
		return query, applied, nil
	}
	return r.params.String(), applied, nil
}

// newRequest is a function of its own so that call escapes to the heap only
// when a rule matches.
func newRequest(call Call, query string, header http.Header) *request {
	if call.Zone == nil {
		call.Zone = time.UTC
	}
	return &request{call: call, params: parseParams(query), header: header}
}

// Rules returns the names of the rules in the order of the file.
func (v *Vendor) Rules() []string {
	if v == nil {
		return nil
	}
	names := make([]string, len(v.rules))
	for i, rule := range v.rules {
		names[i] = rule.name
	}
	return names
}

func (r *rule) matches(call *Call) bool {
	return (len(r.types) == 0 || slices.Contains(r.types, call.Type)) &&
		(len(r.interactions) == 0 || slices.Contains(r.interactions, call.Interaction))
}

// apply reports whether an operation changed something or made a demand.
func (r *rule) apply(req *request) (touched bool, refusal *fhir.Error) {
	for _, operation := range r.operations {
		did, refusal := operation.apply(req)
		touched = touched || did || refusal != nil
		if refusal != nil {
			return touched, refusal
		}
	}
	return touched, nil
}
