package transforms

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/alternate"
)

// route is a call of the vendor's own API that is made in place of a search,
// because the vendor's FHIR has no such search.
type route struct {
	URL    string            `yaml:"url"` // path below the host of the FHIR base, with {name} of vars
	Query  map[string]source `yaml:"query"`
	Answer alternate.Answer  `yaml:"answer"`

	rule string // its name
	path *urlTemplate
}

// Alternate is a call of the vendor's own API in place of a search.
type Alternate struct {
	Rule string // whose route it is
	URL  string // path and query below the host of the FHIR base; empty for one that an earlier answer told

	call   *Call
	answer *alternate.Answer
}

// Map turns the answer, held as a whole, into a searchset Bundle. The error
// names the element at fault and no value.
func (a *Alternate) Map(answer []byte) ([]byte, error) {
	return a.answer.Map(answer, a.call.Vars, a.call.Zone)
}

// Alternate returns the alternate route of a rule for a further page, whose
// URL an earlier answer told; nil when there is none of this name.
func (v *Vendor) Alternate(call Call, rule string) *Alternate {
	found := v.route(rule)
	if found == nil {
		return nil
	}
	return &Alternate{Rule: rule, call: &newRequest(call, "", nil).call, answer: &found.Answer}
}

func (v *Vendor) route(rule string) *route {
	if v == nil {
		return nil
	}
	for i := range v.rules {
		for _, operation := range v.rules[i].operations {
			if found, ok := operation.(*route); ok && found.rule == rule {
				return found
			}
		}
	}
	return nil
}

func (o *route) check(doc *strict.Document, place string) {
	path, err := parseURLTemplate(o.URL)
	if err != nil {
		doc.Fail(place+".url", "%s", err)
	}
	o.path = path
	for name, source := range o.Query {
		if source.param != "" {
			checkName(doc, place+".query."+name, source.param)
		}
	}
	o.Answer.Check(doc, place+".answer")
}

// route checks what an alternate route and its rule owe one another.
func (c *compiler) route(o *route, f *fileRule, place string) {
	o.rule = f.Name
	if typ := o.Answer.Type(); typ != "" && !slices.Equal(f.When.Type, words{typ}) {
		c.doc.Fail(place+".answer.resource", "makes %s: the rule must say when: {type: %s}", typ, typ)
	}
}

func (o *route) reads() []string {
	names := o.Answer.Reads()
	if o.path != nil {
		names = append(names, o.path.reads()...)
	}
	for _, source := range o.Query {
		names = append(names, source.value.reads()...)
	}
	return names
}

// apply takes the route. A parameter of the caller that it has no place for is
// refused: without it the answer would hold more than was asked for. A
// compartment search stays one, because the route knows nothing of its patient.
func (o *route) apply(r *request) (bool, *fhir.Error) {
	if !r.searches() || r.call.Compartment {
		return false, nil
	}
	given, takes := make(map[string]bool), o.takes()
	for _, p := range parseParams(r.query) {
		given[p.raw] = true
	}
	for _, p := range r.params {
		if given[p.raw] && p.raw != "" && !slices.Contains(takes, p.name) {
			return true, fhir.NewError(http.StatusBadRequest, fhir.IssueNotSupported,
				"the hospital takes only these parameters, without a modifier: "+strings.Join(takes, ", "))
		}
	}
	if r.call.Form && slices.ContainsFunc(slices.Collect(maps.Values(o.Query)), source.bare) {
		return true, fhir.NewError(http.StatusBadRequest, fhir.IssueNotSupported,
			"the hospital takes this search by GET only: its parameters would go into a URL")
	}
	r.route = o
	return true, nil
}

// takes returns the names of the parameters that a search may have.
func (o *route) takes() []string {
	names := []string{"_count"} // a hint, which a server need not follow
	for _, source := range o.Query {
		if source.param != "" {
			names = append(names, source.param)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// to returns the call that r becomes.
func (o *route) to(r *request) (*Alternate, *fhir.Error) {
	path, err := o.path.expand(r.call.Vars)
	if err != nil {
		return nil, fhir.NewError(http.StatusInternalServerError, fhir.IssueException, err.Error())
	}
	query := make(url.Values, len(o.Query))
	for name, source := range o.Query {
		text, refusal := source.of(r)
		if refusal != nil {
			return nil, refusal
		}
		switch {
		case source.repeat:
			query[name] = strings.Split(text, ",")
		case text != "":
			query.Set(name, text)
		}
	}
	if len(query) > 0 {
		path += "?" + legible.Replace(query.Encode())
	}
	return &Alternate{Rule: o.rule, URL: path, call: &r.call, answer: &o.Answer}, nil
}
