package transforms

import (
	"net/http"
	"slices"
	"strings"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// split asks for a long list of values a part at a time: the first part now,
// and each further one when the pages of the part before have ended. A
// compartment search is left alone: its patient stands in the path, which a
// further page no longer knows.
type split struct {
	Param  string `yaml:"param"`
	Values value  `yaml:"values"`  // joined by commas, for a call without the parameter; default: such a call is left alone
	AtMost int    `yaml:"at_most"` // values a call
}

func (o *split) check(doc *strict.Document, place string) {
	checkName(doc, place+".param", o.Param)
	if doc.Has(place+".values") && o.Values == (value{}) {
		doc.Fail(place+".values", "must be a text or {var: name}, and not empty")
	}
	if o.AtMost < 1 {
		doc.Fail(place+".at_most", "must be a whole number of 1 or more")
	}
}

func (o *split) reads() []string { return o.Values.reads() }

// apply fills the parameter in. The list is cut when all rules have applied.
func (o *split) apply(r *request) (touched bool, _ *fhir.Error) {
	if !r.searches() || r.call.Compartment {
		return false, nil
	}
	if o.Values != (value{}) && !r.params.has(o.Param) {
		if _, refusal := r.assign(o.Param, o.Values, params.set); refusal != nil {
			return false, refusal
		}
		touched = true
	}
	if !r.params.exceeds(o.Param, o.AtMost) {
		return touched, nil
	}
	if r.split != nil && r.split.Param != o.Param {
		return true, fhir.NewError(http.StatusBadRequest, fhir.IssueNotSupported,
			"the hospital takes a long list of values in only one of these parameters: "+r.split.Param+", "+o.Param)
	}
	r.split = o
	return true, r.params.severable(o.Param)
}

// Rest is what is still to be asked for when the pages of one part of a split
// search have ended. It travels in a link, hence the short names.
type Rest struct {
	Query  string `json:"q"`           // with all values that were not asked for yet
	Param  string `json:"p"`           // that holds them
	AtMost int    `json:"n"`           // values a call
	Form   bool   `json:"f,omitempty"` // the query goes as the form of a POST _search
	Rule   string `json:"r,omitempty"` // whose alternate route it takes
}

// cut leaves no more than most values of the parameter name in ps, and returns
// the parameters with all others; nil when there are none.
func (ps params) cut(name string, most int) (rest params) {
	at := slices.IndexFunc(ps, func(p param) bool { return p.is(name) })
	if at < 0 {
		return nil
	}
	values := listed(ps[at].value())
	if len(values) <= most {
		return nil
	}
	rest = slices.Clone(ps)
	rest[at] = newParam(ps[at].name, strings.Join(values[most:], ","))
	ps[at] = newParam(ps[at].name, strings.Join(values[:most], ","))
	return rest
}

// exceeds reports whether a parameter holds more than most values.
func (ps params) exceeds(name string, most int) bool {
	return slices.ContainsFunc(ps, func(p param) bool { return p.is(name) && len(listed(p.value())) > most })
}

// severable refuses a list that means something else in parts: one of two that
// must both match, or one with a modifier that is not a type, such as :not
// (https://hl7.org/fhir/R4/search.html#modifiers).
func (ps params) severable(name string) *fhir.Error {
	var given int
	for _, p := range ps {
		if !p.is(name) {
			continue
		}
		given++
		if _, modifier, ok := strings.Cut(p.name, ":"); given > 1 || ok && !fhir.IsResourceType(modifier) {
			return fhir.NewError(http.StatusBadRequest, fhir.IssueNotSupported,
				"the hospital takes a long list of values in the parameter "+name+" only once and without a modifier")
		}
	}
	return nil
}

// listed returns the values of a list, each once. A comma after a backslash is
// part of a value (https://hl7.org/fhir/R4/search.html#escaping).
func listed(list string) []string {
	var (
		values []string
		begin  int
		seen   = make(map[string]bool)
	)
	take := func(value string) {
		if value != "" && !seen[value] {
			seen[value] = true
			values = append(values, value)
		}
	}
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '\\':
			i++
		case ',':
			take(list[begin:i])
			begin = i + 1
		}
	}
	take(list[begin:])
	return values
}

// Resume returns the search for what is next of rest. call is that of the
// search as it came; its header plays no part, see ApplyHeaders. The error is
// a *fhir.Error: 410 when the alternate route that it takes is none any more.
func (v *Vendor) Resume(call Call, rest *Rest) (Outgoing, error) {
	r := newRequest(call, rest.Query, nil)
	r.form = rest.Form
	r.split = &split{Param: rest.Param, AtMost: rest.AtMost}
	if rest.Rule != "" {
		if r.route = v.route(rest.Rule); r.route == nil {
			return Outgoing{}, fhir.NewError(http.StatusGone, fhir.IssueExpired, "the vendor's rules have changed: search again")
		}
	}
	r.changed = true
	out, refusal := r.finish()
	if refusal != nil {
		return Outgoing{}, refusal
	}
	return out, nil
}
