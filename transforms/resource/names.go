package resource

import (
	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// currentFirst puts the names that are valid now before those that have
// expired, and those of use old behind them. None is dropped.
type currentFirst struct {
	lossy

	Path path `yaml:"path"` // to a list of HumanName, or of anything with a use and a period
}

// Check implements Operation.
func (o *currentFirst) Check(doc *strict.Document, place string) {
	o.Path.check(doc, place+".path")
}

// Paths implements Operation.
func (o *currentFirst) Paths() []tree.Path { return []tree.Path{o.Path.Path} }

// Apply implements Operation.
func (o *currentFirst) Apply(r *Resource) (changed bool, _ *fhir.Error) {
	o.Path.Each(r.Doc, r.Node, func(list tree.Node) bool {
		if r.Doc.Kind(list) == tree.Array {
			changed = r.sortNames(list) || changed
		}
		return true
	})
	return changed, nil
}

// sortNames reports whether it changed the order.
func (r *Resource) sortNames(list tree.Node) bool {
	sorted, last := true, current
	for n := r.Doc.First(list); n != tree.None && sorted; n = r.Doc.Next(n) {
		v := r.validity(n)
		sorted, last = v >= last, v
	}
	if sorted {
		return false
	}
	count := r.Doc.Len(list)
	for _, v := range [...]validity{expired, old} {
		n := r.Doc.First(list)
		for range count {
			next := r.Doc.Next(n)
			if r.validity(n) == v {
				r.Doc.MoveLast(n)
			}
			n = next
		}
	}
	return true
}

// validity is how well a name still holds; the best first.
type validity uint8

const (
	current validity = iota
	expired
	old
)

func (r *Resource) validity(name tree.Node) validity {
	if r.Doc.Is(r.Doc.Get(name, "use"), "old") {
		return old
	}
	end := r.Doc.Get(r.Doc.Get(name, "period"), "end")
	if end == tree.None {
		return current
	}
	if _, at, of := period(r.Doc.Text(end), r.Call.Zone); of != ofNone && at.Before(r.Call.Now) {
		return expired
	}
	return current
}
