package resource

import (
	"slices"
	"strconv"
	"strings"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// remove takes an element out: its value, and for a primitive that is a member
// also its id and extensions, which stand beside it
// (https://hl7.org/fhir/R4/json.html#primitive).
func (r *Resource) remove(n tree.Node) {
	r.Doc.Remove(r.Doc.Beside(n))
	r.Doc.Remove(n)
}

// drop removes elements.
type drop []path

// Check implements Operation.
func (o *drop) Check(doc *strict.Document, place string) { paths(*o).check(doc, place) }

// Effect implements Operation.
func (*drop) Effect() Effect { return Lossy }

// Paths implements Operation.
func (o *drop) Paths() []tree.Path { return paths(*o).trees() }

// Apply implements Operation.
func (o *drop) Apply(r *Resource) (changed bool, _ *fhir.Error) {
	for _, p := range *o {
		p.Each(r.Doc, r.Node, func(n tree.Node) bool {
			r.remove(n)
			changed = true
			return true
		})
	}
	return changed, nil
}

// dropIf removes elements that have one of the values.
type dropIf struct {
	lossy

	Path path    `yaml:"path"`
	Is   []value `yaml:"is"`
}

// Check implements Operation.
func (o *dropIf) Check(doc *strict.Document, place string) {
	o.Path.check(doc, place+".path")
	if len(o.Is) == 0 {
		doc.Fail(place+".is", "must list the values that mean none")
	}
	for i := range o.Is {
		if at := place + ".is." + strconv.Itoa(i); o.Is[i].name != "" {
			doc.Fail(at, "must be a value, not a var")
		} else {
			o.Is[i].check(doc, at)
		}
	}
}

// Paths implements Operation.
func (o *dropIf) Paths() []tree.Path { return []tree.Path{o.Path.Path} }

// Apply implements Operation.
func (o *dropIf) Apply(r *Resource) (changed bool, _ *fhir.Error) {
	o.Path.Each(r.Doc, r.Node, func(n tree.Node) bool {
		if slices.ContainsFunc(o.Is, func(v value) bool { return v.is(r.Doc, n) }) {
			r.remove(n)
			changed = true
		}
		return true
	})
	return changed, nil
}

// trim removes the white space around strings, and strings of nothing else.
type trim struct {
	lossy

	Path path `yaml:"path"`
}

// Check implements Operation.
func (o *trim) Check(doc *strict.Document, place string) { o.Path.check(doc, place+".path") }

// Paths implements Operation.
func (o *trim) Paths() []tree.Path { return []tree.Path{o.Path.Path} }

// Apply implements Operation.
func (o *trim) Apply(r *Resource) (changed bool, _ *fhir.Error) {
	o.Path.Each(r.Doc, r.Node, func(n tree.Node) bool {
		if r.Doc.Kind(n) != tree.String || !padded(r.Doc.Raw(n)) {
			return true
		}
		text := r.Doc.Text(n)
		trimmed := strings.Trim(text, " \t\r\n")
		switch {
		case trimmed == text:
			return true
		case trimmed == "":
			r.remove(n)
		default:
			r.Doc.SetString(n, trimmed)
		}
		changed = true
		return true
	})
	return changed, nil
}

// padded reports whether the JSON string raw may begin or end with white
// space, which an escape may stand for.
func padded(raw []byte) bool {
	if len(raw) == 2 {
		return false
	}
	first, last, before := raw[1], raw[len(raw)-2], raw[len(raw)-3]
	return first == ' ' || first == '\\' || last == ' ' || before == '\\' || len(raw) > 7 && raw[len(raw)-7] == '\\'
}

// prefix writes a text before strings that lack it: a scheme before a URI.
type prefix struct {
	lossy

	Path   path   `yaml:"path"`
	With   string `yaml:"with"`
	Unless string `yaml:"unless"` // a text within those that stay; default: none
}

// Check implements Operation.
func (o *prefix) Check(doc *strict.Document, place string) {
	o.Path.check(doc, place+".path")
	if o.With == "" {
		doc.Fail(place+".with", "must be the text to write before, such as https://")
	}
}

// Paths implements Operation.
func (o *prefix) Paths() []tree.Path { return []tree.Path{o.Path.Path} }

// Apply implements Operation.
func (o *prefix) Apply(r *Resource) (changed bool, _ *fhir.Error) {
	o.Path.Each(r.Doc, r.Node, func(n tree.Node) bool {
		text := r.Doc.Text(n)
		if text == "" || hasScheme(text) || strings.HasPrefix(text, o.With) || o.Unless != "" && strings.Contains(text, o.Unless) {
			return true
		}
		r.Doc.SetString(n, o.With+text)
		changed = true
		return true
	})
	return changed, nil
}

// hasScheme reports whether text begins as an absolute URI does (RFC 3986
// section 3.1).
func hasScheme(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
		case c == ':':
			return i > 0
		case i == 0 || strings.IndexByte("0123456789+-.", c) < 0:
			return false
		}
	}
	return false
}
