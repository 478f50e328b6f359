package smart

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"fhirgate/fhir"
)

// member returns the value of a key. readable is false for what is no object,
// and where another reader of the same bytes could find another value: a key
// that stands there twice, or in another letter case.
func member(object gjson.Result, name string) (value gjson.Result, readable bool) {
	if !object.IsObject() {
		return gjson.Result{}, false
	}
	readable = true
	found := false
	object.ForEach(func(key, v gjson.Result) bool {
		if !strings.EqualFold(key.Str, name) {
			return true
		}
		if found || key.Str != name {
			readable = false
			return false
		}
		found, value = true, v
		return true
	})
	return value, readable
}

// text returns the string of a key, "" when there is none.
func text(object gjson.Result, name string) (value string, readable bool) {
	v, readable := member(object, name)
	if !readable || v.Exists() && v.Type != gjson.String {
		return "", false
	}
	return v.Str, true
}

// visit calls f with every value at path, until one is wanted. A name of the
// path that ends in "*" is a list in R4; a list elsewhere cannot be read, since
// a hospital might take any of its items. It reports whether the way could be
// read.
func visit(object gjson.Result, path []string, f func(gjson.Result) (done, readable bool)) (done, readable bool) {
	name, list := strings.CutSuffix(path[0], "*")
	value, readable := member(object, name)
	if !readable || !value.Exists() {
		return false, readable
	}
	step := func(item gjson.Result) (bool, bool) {
		if len(path) == 1 {
			return f(item)
		}
		return visit(item, path[1:], f)
	}
	if !value.IsArray() {
		return step(value)
	}
	if !list {
		return false, false
	}
	value.ForEach(func(_, item gjson.Result) bool {
		done, readable = step(item)
		return !done && readable
	})
	return done, readable
}

// typeOf returns the type of a resource, "" for what is none.
func typeOf(resource gjson.Result) string {
	typ, readable := text(resource, "resourceType")
	if !readable || !fhir.IsResourceType(typ) {
		return ""
	}
	return typ
}

// refersTo returns the Type/id that a Reference names, "" for one that names
// none of this hospital. base is the hospital's, below which absolute
// references are as good as relative ones.
func refersTo(reference gjson.Result, base string) (target string, readable bool) {
	ref, readable := text(reference, "reference")
	if !readable {
		return "", false
	}
	if rest, below := strings.CutPrefix(ref, base+"/"); base != "" && below {
		ref = rest
	}
	typ, id, _ := strings.Cut(ref, "/")
	id, _, _ = strings.Cut(id, "/_history/")
	if !fhir.IsResourceType(typ) || !fhir.IsID(id) {
		return "", true
	}
	return ref[:len(typ)+1+len(id)], true
}

// holds reports whether the resource has one of the values. loose compares
// codes without regard to letter case.
func (t test) holds(resource gjson.Result, base string, loose bool) (done, readable bool) {
	return visit(resource, t.path, func(value gjson.Result) (bool, bool) {
		switch t.kind {
		case codeKind, uriKind:
			return t.fitsAny("", value.Str, loose), value.Type == gjson.String
		case referenceKind:
			target, readable := refersTo(value, base)
			return t.fitsAny("", target, false), readable
		case codingKind:
			return t.fitsCoding(value, loose)
		default:
			return visit(value, codingPath, func(coding gjson.Result) (bool, bool) { return t.fitsCoding(coding, loose) })
		}
	})
}

var codingPath = []string{"coding*"}

func (t test) fitsCoding(coding gjson.Result, loose bool) (done, readable bool) {
	system, readableSystem := text(coding, "system")
	code, readableCode := text(coding, "code")
	if !readableSystem || !readableCode {
		return false, false
	}
	return t.fitsAny(system, code, loose), true
}

func (t test) fitsAny(system, code string, loose bool) bool {
	for _, tok := range t.tokens {
		if tok.fits(system, code, loose) {
			return true
		}
	}
	return false
}

// belongs reports whether a resource is in a patient's compartment. For a
// write it must be about this patient, and no other.
func belongs(resource gjson.Result, typ, patient, base string, write bool) bool {
	if typ == "Patient" {
		id, readable := text(resource, "id")
		return readable && id == patient
	}
	found, stranger := false, false
	look := func(reference gjson.Result) (bool, bool) {
		target, readable := refersTo(reference, base)
		if id, isPatient := strings.CutPrefix(target, "Patient/"); isPatient {
			found = found || id == patient
			stranger = stranger || id != patient
		}
		if ref, _ := text(reference, "reference"); target == "" && strings.Contains(ref, "Patient") { // perhaps the hospital finds whose it is
			stranger = true
		}
		return false, readable
	}
	m := compartment[typ]
	paths := m.owner
	if !write {
		paths = slices.Concat(m.owner, m.also)
	}
	for _, path := range paths {
		if _, readable := visit(resource, path, look); !readable {
			return false
		}
	}
	return found && !(write && stranger)
}
