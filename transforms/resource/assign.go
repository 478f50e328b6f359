package resource

import (
	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// lossy is part of the operations that nothing can undo.
type lossy struct{}

// Effect implements Operation.
func (lossy) Effect() Effect { return Lossy }

// oneWay is part of the operations that have a place in requests only.
type oneWay struct{}

// Effect implements Operation.
func (oneWay) Effect() Effect { return OneWay }

// assignment is the form of the operations that give an element a value.
type assignment struct {
	lossy

	Path  path  `yaml:"path"`
	Value value `yaml:"value"`
}

// Check implements Operation.
func (o *assignment) Check(doc *strict.Document, place string) {
	o.Path.check(doc, place+".path")
	o.Value.check(doc, place+".value")
}

// Paths implements Operation.
func (o *assignment) Paths() []tree.Path { return []tree.Path{o.Path.Path} }

// Reads implements Reader.
func (o *assignment) Reads() []string { return o.Value.reads() }

// set gives an element a value. It makes what is missing on the way there.
type set struct{ assignment }

// Apply implements Operation.
func (o *set) Apply(r *Resource) (changed bool, _ *fhir.Error) {
	raw, fault := o.Value.jsonOf(r.Call)
	if fault != nil {
		return false, fault
	}
	return o.Path.Put(r.Doc, r.Node, raw), nil
}

// preset gives an element that is missing a value: in each object that is
// there to hold it, or in one that it makes.
type preset struct{ assignment }

// Apply implements Operation.
func (o *preset) Apply(r *Resource) (changed bool, _ *fhir.Error) {
	raw, fault := o.Value.jsonOf(r.Call)
	if fault != nil {
		return false, fault
	}
	return r.putMissing(o.Path.Path, raw), nil
}

// putMissing gives what p leads to a value where it is missing.
func (r *Resource) putMissing(p tree.Path, raw []byte) (changed bool) {
	parent, name, ok := p.Split()
	if !ok {
		return p.Find(r.Doc, r.Node) == tree.None && p.Put(r.Doc, r.Node, raw)
	}
	there := false
	parent.EachObject(r.Doc, r.Node, func(n tree.Node) bool {
		there = true
		if r.Doc.Get(n, name) == tree.None {
			r.Doc.Put(n, name, raw)
			changed = true
		}
		return true
	})
	return changed || !there && p.Put(r.Doc, r.Node, raw)
}

// copied gives an element that is missing the first value of another. Nothing
// is copied where that is missing too.
type copied struct {
	lossy

	From path `yaml:"from"`
	To   path `yaml:"to"`
}

// Check implements Operation.
func (o *copied) Check(doc *strict.Document, place string) {
	o.From.check(doc, place+".from")
	o.To.check(doc, place+".to")
	if o.From.String() == o.To.String() && !o.From.IsZero() {
		doc.Fail(place+".to", "is the same as from")
	}
}

// Paths implements Operation.
func (o *copied) Paths() []tree.Path { return []tree.Path{o.To.Path} }

// Apply implements Operation.
func (o *copied) Apply(r *Resource) (changed bool, _ *fhir.Error) {
	from := o.From.Find(r.Doc, r.Node)
	if from == tree.None {
		return false, nil
	}
	return r.putMissing(o.To.Path, r.Doc.Raw(from)), nil
}

// require refuses a body that lacks an element.
type require []path

// Check implements Operation.
func (o *require) Check(doc *strict.Document, place string) { paths(*o).check(doc, place) }

// Effect implements Operation.
func (*require) Effect() Effect { return OneWay }

// Paths implements Operation: it touches nothing.
func (*require) Paths() []tree.Path { return nil }

// Apply implements Operation.
func (o *require) Apply(r *Resource) (bool, *fhir.Error) {
	for _, p := range *o {
		if p.Find(r.Doc, r.Node) == tree.None {
			return false, r.refuseMissing(p.Path, fhir.IssueRequired, "is missing: the hospital takes no "+r.typeName()+" without it")
		}
	}
	return false, nil
}
