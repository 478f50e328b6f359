package resource

import (
	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

const absentReason = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

// absentDrop removes elements of which nothing is known but that they are
// unknown: whose only content is the extension data-absent-reason
// (https://hl7.org/fhir/R4/extension-data-absent-reason.html).
type absentDrop []path

// Check implements Operation.
func (o *absentDrop) Check(doc *strict.Document, place string) { paths(*o).check(doc, place) }

// Effect implements Operation.
func (*absentDrop) Effect() Effect { return Lossy }

// Paths implements Operation.
func (o *absentDrop) Paths() []tree.Path {
	out := paths(*o).trees()
	for _, p := range *o {
		if beside, ok := p.Beside(); ok {
			out = append(out, beside)
		}
	}
	return out
}

// Apply implements Operation.
func (o *absentDrop) Apply(r *Resource) (changed bool, _ *fhir.Error) {
	visit := func(n tree.Node) bool {
		if r.Doc.Kind(n) == tree.Object && r.absent(n) {
			r.Doc.Remove(n)
			changed = true
		}
		return true
	}
	for _, p := range *o {
		p.EachObject(r.Doc, r.Node, visit)
		parent, name, ok := p.Split()
		if !ok {
			continue
		}
		parent.EachObject(r.Doc, r.Node, func(n tree.Node) bool {
			primitive, beside := r.Doc.Get(n, name), r.Doc.Get(n, "_"+name)
			if primitive == tree.None {
				return visit(beside)
			}
			changed = r.dropAbsentElements(primitive, beside) || changed
			return true
		})
	}
	return changed, nil
}

// dropAbsentElements removes the elements of an array of primitives that are
// null, and absent by what stands beside them.
func (r *Resource) dropAbsentElements(primitives, beside tree.Node) (changed bool) {
	if r.Doc.Kind(primitives) != tree.Array || r.Doc.Kind(beside) != tree.Array {
		return false
	}
	n, aside := r.Doc.First(primitives), r.Doc.First(beside)
	for n != tree.None && aside != tree.None {
		next, nextAside := r.Doc.Next(n), r.Doc.Next(aside)
		if r.Doc.Kind(n) == tree.Null && r.Doc.Kind(aside) == tree.Object && r.absent(aside) {
			r.Doc.Remove(n)
			changed = true
		}
		n, aside = next, nextAside
	}
	return changed
}

// absent reports whether the object n holds nothing but the extension, itself
// or in what stands beside its primitives.
func (r *Resource) absent(n tree.Node) bool {
	if r.Doc.First(n) == tree.None {
		return false
	}
	for member := r.Doc.First(n); member != tree.None; member = r.Doc.Next(member) {
		switch {
		case r.Doc.Named(member, "extension"):
			if !r.onlyAbsentReason(member) {
				return false
			}
		case !r.Doc.Aside(member) || r.Doc.Kind(member) != tree.Object || !r.absent(member):
			return false
		}
	}
	return true
}

func (r *Resource) onlyAbsentReason(extensions tree.Node) bool {
	if r.Doc.Kind(extensions) != tree.Array {
		return false
	}
	first := r.Doc.First(extensions)
	for e := first; e != tree.None; e = r.Doc.Next(e) {
		if !r.Doc.Is(r.Doc.Get(e, "url"), absentReason) {
			return false
		}
	}
	return first != tree.None
}
