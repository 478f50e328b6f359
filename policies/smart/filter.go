package smart

import (
	"github.com/tidwall/gjson"

	"fhirgate/fhir"
)

// Filter is a deny rule: what it matches is handed to nobody and changed by
// nobody.
type Filter struct {
	typ   string
	tests []test // none: every resource of the type
}

// ParseFilter reads a deny rule for a type, or for AllTypes. params has the
// form of the constraints of a scope; "" denies every resource of the type.
func ParseFilter(typ, params string) (Filter, error) {
	f := Filter{typ: typ}
	if typ != AllTypes && !fhir.IsResourceType(typ) {
		return Filter{}, errType
	}
	if params == "" {
		return f, nil
	}
	constraints, err := parseConstraints(typ, params)
	if err != nil {
		return Filter{}, err
	}
	for _, c := range constraints {
		t, err := c.compile(typ)
		if err != nil {
			return Filter{}, err
		}
		f.tests = append(f.tests, t)
	}
	return f, nil
}

// applies reports whether the rule is about resources of typ.
func (f Filter) applies(typ string) bool {
	return f.typ == AllTypes || f.typ == typ || typ == AllTypes
}

// matches reports whether the resource is denied. What cannot be read is.
func (f Filter) matches(resource gjson.Result, typ, base string) bool {
	if f.typ != AllTypes && f.typ != typ {
		return false
	}
	for _, t := range f.tests {
		if done, readable := t.holds(resource, base, true); readable && !done {
			return false
		}
	}
	return true
}

// deniedBy reports whether a rule matches the resource or one that it contains.
// What is contained contains nothing itself
// (https://hl7.org/fhir/R4/references.html#contained).
func (a *Access) deniedBy(resource gjson.Result, typ string) bool {
	if len(a.denied) == 0 {
		return false
	}
	if a.matched(resource, typ) {
		return true
	}
	denied, readable := visit(resource, containedPath, func(contained gjson.Result) (bool, bool) {
		inner := typeOf(contained)
		more, readable := member(contained, "contained")
		return inner == "" || more.Exists() || a.matched(contained, inner), readable
	})
	return denied || !readable
}

func (a *Access) matched(resource gjson.Result, typ string) bool {
	for i := range a.denied {
		if a.denied[i].matches(resource, typ, a.holder.Base) {
			return true
		}
	}
	return false
}

var containedPath = []string{"contained*"}
