// Package transforms reads the vendor files, one YAML file a vendor of EHR
// systems, and applies their rules: what a vendor's systems want of a request
// beyond FHIR R4, in parameters, headers, verb and place.
// docs/vendor-operations.md lists the operations with examples.
package transforms

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"fhirgate/fhir"
	"fhirgate/transforms/resource"
)

// Vendor is a vendor file that is ready for calls. It is read only: many calls
// may use it at once. A nil Vendor has no rules.
type Vendor struct {
	Name string // equals the file name without ".yaml"
	File string // where it was read from

	Limits  Limits   // of its systems
	Sources []string // of the facts behind its rules
	Unknown []string // what its rules do not cover

	url     *urlTemplate // of the FHIR base, behind the route's base_url; nil = base_url alone
	rules   []rule
	answers []*answerRule
	vars    []reading

	hospitals []mention // that its rules are for, or not for

	site string   // the hospital whose own rules are among them, if any
	own  []string // their names

	answersAskParams bool // a rule for answers looks at the call's parameters
	answersMayFail   bool // one finds failures behind a status of success
}

// Call is what rules may know of a request besides its query.
type Call struct {
	Hospital    string            // id of its route
	Type        string            // resource type; empty for system-level interactions
	Interaction fhir.Interaction  // a conditional call has its conditional form (fhir.Interaction.Conditional)
	Compartment bool              // a search below one resource, such as Patient/1/Observation
	Query       string            // of an entry of a batch: the parameters as the caller sent them
	Form        bool              // a POST _search: the query is its form body
	Header      http.Header       // as the caller sent it; nil = none
	Vars        map[string]string // of the route
	Zone        *time.Location    // of the hospital; nil = UTC
	Raw         bool              // the caller speaks the hospital's own dialect: rules for resources in answers, and their inverses, are left out
}

// Outgoing is a request as the rules leave it.
type Outgoing struct {
	Query     string     // raw query without "?", or form body
	Form      bool       // the query is the form body of a POST _search
	Rest      *Rest      // what is to be asked for after the last page; nil = nothing
	Alternate *Alternate // the call of the vendor's own API to make instead; nil = none
	Applied   []string   // names of the rules that changed something or made a demand
}

// rule is a compiled rule of a file: where it applies, and what it does there.
type rule struct {
	name       string
	when       condition
	unless     *condition // nil = no exception
	operations []operation
	body       []resource.Operation
}

// request is a call on its way through the rules that match it.
type request struct {
	call    Call
	query   string // as it came
	params  params
	header  http.Header
	changed bool // params no longer stand for query
	form    bool
	split   *split // whose list is to be cut
	route   *route // that is to be taken
}

// Apply takes a request through the rules in the order of the file. query is a
// raw query string without "?", or the body of a POST _search; parameters that
// no rule touches keep their bytes and their order. header is the one to send:
// it is changed in place and must not be nil.
//
// A search that has both a query and a form body is one search
// (https://hl7.org/fhir/R4/http.html#search): join the two with "&" and apply
// the rules once, or a demand such as param.requireAny sees only half of it.
//
// The error is a *fhir.Error; then only Applied is set, and its last rule is
// the one that refused. Without a matching rule the query comes back as it is
// and nothing is allocated.
func (v *Vendor) Apply(call Call, query string, header http.Header) (Outgoing, error) {
	out := Outgoing{Query: query, Form: call.Form}
	if v == nil {
		return out, nil
	}
	var r *request
	query, applied := v.undoQuery(&call, query)
	out.Query, out.Applied = query, applied
	for i := range v.rules {
		rule := &v.rules[i]
		if !rule.when.concerns(&call) {
			continue
		}
		if r == nil {
			r = newRequest(call, query, header)
		}
		if !rule.matches(r) {
			continue
		}
		touched, refusal := rule.apply(r)
		if touched {
			applied = append(applied, rule.name)
		}
		if refusal != nil {
			return Outgoing{Applied: applied}, v.named(refusal, rule.name)
		}
	}
	if r == nil {
		return out, nil
	}
	out, refusal := r.finish()
	out.Applied = applied
	if refusal != nil {
		return Outgoing{Applied: applied}, v.named(refusal, r.route.rule)
	}
	return out, nil
}

// ApplyHeaders lets the rules change the header of a call whose place and
// parameters stand fast: one for a further page. Rules with a condition on
// parameters are left out. The error is a *fhir.Error.
func (v *Vendor) ApplyHeaders(call Call, header http.Header) error {
	if v == nil {
		return nil
	}
	var r *request
	for i := range v.rules {
		rule := &v.rules[i]
		if rule.looksAtParams() || !rule.when.concerns(&call) || rule.unless != nil && rule.unless.concerns(&call) {
			continue
		}
		if r == nil {
			r = newRequest(call, "", header)
		}
		for _, operation := range rule.operations {
			switch operation.(type) {
			case *headerSet, *headerDrop:
				if _, refusal := operation.apply(r); refusal != nil {
					return v.named(refusal, rule.name)
				}
			}
		}
	}
	return nil
}

// named adds to a refusal the rule that made it.
func (v *Vendor) named(refusal *fhir.Error, rule string) *fhir.Error {
	refusal.Text += " (rule " + strconv.Quote(rule) + " of " + v.Owner(rule) + ")"
	return refusal
}

// Owner returns whose file the rule stands in: "vendor oracle" or "hospital
// st-mary".
func (v *Vendor) Owner(rule string) string {
	if slices.Contains(v.own, rule) {
		return "hospital " + v.site
	}
	return "vendor " + v.Name
}

// newRequest is a function of its own so that call escapes to the heap only
// when a rule may match.
func newRequest(call Call, query string, header http.Header) *request {
	if call.Zone == nil {
		call.Zone = time.UTC
	}
	return &request{call: call, query: query, params: parseParams(query), header: header, form: call.Form}
}

// finish returns what the rules made of r. A refusal is one of its alternate
// route.
func (r *request) finish() (Outgoing, *fhir.Error) {
	out := Outgoing{Query: r.query, Form: r.form}
	if r.split != nil {
		if rest := r.params.cut(r.split.Param, r.split.AtMost); rest != nil {
			r.changed = true
			out.Rest = &Rest{Query: rest.String(), Param: r.split.Param, AtMost: r.split.AtMost, Form: r.form}
		}
	}
	if r.changed {
		out.Query = r.params.String()
	}
	if r.route == nil {
		return out, nil
	}
	if out.Rest != nil {
		out.Rest.Rule = r.route.rule
	}
	var refusal *fhir.Error
	out.Form = false
	out.Alternate, refusal = r.route.to(r)
	return out, refusal
}

// Rules returns the names of the rules in the order of the file.
func (v *Vendor) Rules() []string {
	if v == nil {
		return nil
	}
	names := make([]string, 0, len(v.rules)+len(v.answers))
	for _, rule := range v.rules {
		names = append(names, rule.name)
	}
	for _, rule := range v.answers {
		names = append(names, rule.name)
	}
	return names
}

// matches reports whether a rule that concerns r's call is for its parameters
// as well, and r is no exception.
func (r *rule) matches(req *request) bool {
	return r.when.asked(req.params) &&
		(r.unless == nil || !r.unless.concerns(&req.call) || !r.unless.asked(req.params))
}

func (r *rule) looksAtParams() bool {
	return len(r.when.params) > 0 || r.unless != nil && len(r.unless.params) > 0
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

// zone returns the hospital's time zone.
func (c *Call) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}
