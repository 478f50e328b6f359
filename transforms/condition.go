package transforms

import (
	"net/http"
	"slices"

	"golang.org/x/net/http/httpguts"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// fileWhen is the form of a rule's condition. All that is given must hold.
type fileWhen struct {
	Hospital    words `yaml:"hospital"`    // ids of routes; default: any
	Type        words `yaml:"type"`        // default: any, or none
	Interaction words `yaml:"interaction"` // default: any
	Param       words `yaml:"param"`       // parameters that the call must have, all of them
	Header      words `yaml:"header"`      // headers that the caller must have sent, all of them

	Where map[string]words `yaml:"where"` // values that the resource must have, by path; in requests that of the body
}

// condition is a compiled fileWhen. The zero condition holds for every call.
type condition struct {
	hospitals    []string           // empty = any
	types        []string           // empty = any
	interactions []fhir.Interaction // empty = any
	params       []string           // all must have a value
	headers      []string           // all must have a value
	where        []valueIs          // all must hold for the resource
}

// concerns reports whether all of the condition holds but what it says of
// parameters. It allocates nothing, so that a call which no rule concerns
// costs nothing.
func (c *condition) concerns(call *Call) bool {
	if len(c.hospitals) > 0 && !slices.Contains(c.hospitals, call.Hospital) ||
		len(c.types) > 0 && !slices.Contains(c.types, call.Type) ||
		len(c.interactions) > 0 && !slices.Contains(c.interactions, call.Interaction) {
		return false
	}
	for _, name := range c.headers {
		if call.Header.Get(name) == "" {
			return false
		}
	}
	return true
}

// asked reports whether ps has every parameter that the condition names.
func (c *condition) asked(ps params) bool {
	for _, name := range c.params {
		if !ps.has(name) {
			return false
		}
	}
	return true
}

// reaches reports whether the condition can hold for a hospital's calls at all.
func (c *condition) reaches(hospital string) bool {
	return len(c.hospitals) == 0 || slices.Contains(c.hospitals, hospital)
}

// mention is a place of a file that names a hospital.
type mention struct {
	doc   *strict.Document
	place string
	id    string
}

// CheckHospitals returns the mistakes in what the conditions of v's file say of
// hospitals. missing tells what is wrong with an id; "" = nothing.
func (v *Vendor) CheckHospitals(missing func(id string) string) strict.Problems {
	var problems strict.Problems
	for _, m := range v.hospitals {
		if text := missing(m.id); text != "" {
			problems = append(problems, m.doc.Problem(m.place, "%s", text))
		}
	}
	return problems
}

// condition checks the condition that stands at place and compiles it.
func (c *compiler) condition(place string, f *fileWhen) condition {
	out := condition{hospitals: f.Hospital, types: f.Type, params: f.Param}
	c.given(place+".hospital", f.Hospital)
	for _, id := range f.Hospital {
		if !vendorPattern.MatchString(id) {
			c.doc.Fail(place+".hospital", "must be ids of routes: a-z, 0-9 and '-'")
		}
		c.vendor.hospitals = append(c.vendor.hospitals, mention{c.doc, place + ".hospital", id})
	}
	c.given(place+".type", f.Type)
	for _, typ := range f.Type {
		if !fhir.IsResourceType(typ) {
			c.doc.Fail(place+".type", "%q is not a resource type of R4 (names are case-sensitive)", typ)
		}
	}
	c.given(place+".interaction", f.Interaction)
	for _, word := range f.Interaction {
		if !slices.Contains(interactions, word) {
			c.doc.Fail(place+".interaction", "%s", strict.Unknown("interaction", word, interactions))
		}
		out.interactions = append(out.interactions, fhir.Interaction(word))
	}
	c.given(place+".param", f.Param)
	for _, name := range f.Param {
		checkName(c.doc, place+".param", name)
	}
	c.given(place+".header", f.Header)
	for _, name := range f.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			c.doc.Fail(place+".header", "must be names of headers")
		}
		out.headers = append(out.headers, http.CanonicalHeaderKey(name))
	}
	out.where = c.where(place+".where", f.Where)
	return out
}

// unless compiles the condition under which a rule does not apply; nil when
// there is none.
func (c *compiler) unless(place string, f *fileWhen) *condition {
	if !c.doc.Has(place) {
		return nil
	}
	if f == nil {
		f = &fileWhen{}
	}
	if c.decoded && len(f.Hospital)+len(f.Type)+len(f.Interaction)+len(f.Param)+len(f.Header)+len(f.Where) == 0 {
		c.doc.Fail(place, "holds no condition: the rule would never apply")
	}
	out := c.condition(place, f)
	return &out
}

// given refuses a condition that is written without a word.
func (c *compiler) given(place string, words words) {
	if c.decoded && c.doc.Has(place) && len(words) == 0 {
		c.doc.Fail(place, "is empty: leave it out to mean any")
	}
}
