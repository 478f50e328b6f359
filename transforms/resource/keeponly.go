package resource

import (
	"slices"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// keepOnly leaves the codings of one system in a list of Codings: of the first
// listed system that is there. Where none is, all stay.
type keepOnly struct {
	lossy

	Path    path     `yaml:"path"`    // to the list, such as type.coding
	Systems []string `yaml:"systems"` // in the order of preference
}

// Check implements Operation.
func (o *keepOnly) Check(doc *strict.Document, place string) {
	o.Path.check(doc, place+".path")
	if _, _, ok := o.Path.Split(); !ok && !o.Path.IsZero() {
		doc.Fail(place+".path", "must lead to a list of Codings, such as type.coding, not to its elements")
	}
	if len(o.Systems) == 0 || slices.Contains(o.Systems, "") {
		doc.Fail(place+".systems", "must list the URIs of code systems, the preferred first")
	}
}

// Paths implements Operation.
func (o *keepOnly) Paths() []tree.Path { return []tree.Path{o.Path.Path} }

// Apply implements Operation.
func (o *keepOnly) Apply(r *Resource) (changed bool, _ *fhir.Error) {
	o.Path.Each(r.Doc, r.Node, func(list tree.Node) bool {
		if r.Doc.Kind(list) == tree.Array {
			changed = o.keep(r.Doc, list) || changed
		}
		return true
	})
	return changed, nil
}

func (o *keepOnly) keep(d *tree.Doc, list tree.Node) (changed bool) {
	for _, system := range o.Systems {
		if !has(d, list, system) {
			continue
		}
		for coding := d.First(list); coding != tree.None; {
			next := d.Next(coding)
			if !d.Is(d.Get(coding, "system"), system) {
				d.Remove(coding)
				changed = true
			}
			coding = next
		}
		return changed
	}
	return false
}

func has(d *tree.Doc, list tree.Node, system string) bool {
	for coding := d.First(list); coding != tree.None; coding = d.Next(coding) {
		if d.Is(d.Get(coding, "system"), system) {
			return true
		}
	}
	return false
}
