package resource

import (
	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// The tag of a patient that was merged into another.
const (
	tagSystem  = "urn:fhirgate:tag"
	tagMerged  = "merged"
	mergedText = `{"system":"` + tagSystem + `","code":"` + tagMerged + `","display":"Merged into another patient"}`
)

// merged flags a patient that was merged into another: inactive, and replaced
// by a link. It adds a tag of our own behind the others, and takes the last
// such tag away on the way back. A patient that comes with one gets a second,
// so that it keeps the first.
//
// FHIR has no empty objects and arrays, so a meta or a list of tags that the
// last tag leaves empty was made with it. One that comes empty gets no tag.
type merged struct{}

var metaTag, linkType = must("meta.tag"), must("link.type")

// must parses a path of ours.
func must(text string) tree.Path {
	p, err := tree.ParsePath(text)
	if err != nil {
		panic(err)
	}
	return p
}

// Check implements Operation.
func (*merged) Check(*strict.Document, string) {}

// Effect implements Operation.
func (*merged) Effect() Effect { return Reversible }

// Paths implements Operation.
func (*merged) Paths() []tree.Path { return []tree.Path{metaTag} }

// Apply implements Operation.
func (*merged) Apply(r *Resource) (changed bool, _ *fhir.Error) {
	meta := r.Doc.Get(r.Node, "meta")
	tags := r.Doc.Get(meta, "tag")
	if r.lastTag(tags) == tree.None && !r.replaced() {
		return false, nil
	}
	switch {
	case meta == tree.None:
		r.Doc.Put(r.Node, "meta", []byte(`{"tag":[`+mergedText+`]}`))
	case tags == tree.None && r.Doc.Kind(meta) == tree.Object && r.Doc.First(meta) != tree.None:
		r.Doc.Put(meta, "tag", []byte(`[`+mergedText+`]`))
	case r.Doc.Kind(tags) == tree.Array && r.Doc.First(tags) != tree.None:
		r.Doc.Append(tags, []byte(mergedText))
	default:
		return false, nil
	}
	return true, nil
}

// replaced reports whether the patient is inactive and replaced by another
// (https://hl7.org/fhir/R4/patient.html#merging).
func (r *Resource) replaced() (yes bool) {
	active := r.Doc.Get(r.Node, "active")
	if r.Doc.Kind(active) != tree.Bool || string(r.Doc.Raw(active)) != "false" {
		return false
	}
	linkType.Each(r.Doc, r.Node, func(n tree.Node) bool {
		yes = r.Doc.Is(n, "replaced-by")
		return !yes
	})
	return yes
}

// lastTag returns the last of our tags.
func (r *Resource) lastTag(tags tree.Node) (last tree.Node) {
	if r.Doc.Kind(tags) != tree.Array {
		return tree.None
	}
	for n := r.Doc.First(tags); n != tree.None; n = r.Doc.Next(n) {
		if r.Doc.Is(r.Doc.Get(n, "system"), tagSystem) && r.Doc.Is(r.Doc.Get(n, "code"), tagMerged) {
			last = n
		}
	}
	return last
}

// Undo implements Inverse. The tag goes whatever became of the patient: it is
// the hospital's business no longer.
func (o *merged) Undo(r *Resource) (changed bool, _ *fhir.Error) { return o.undo(r, metaTag) }

func (*merged) undo(r *Resource, p tree.Path) (changed bool, _ *fhir.Error) {
	p.Each(r.Doc, r.Node, func(tags tree.Node) bool {
		if last := r.lastTag(tags); last != tree.None {
			r.Doc.Remove(last)
			changed = true
		}
		return true
	})
	return changed, nil
}

// UndoParam implements Inverse: no hospital can be searched for the tag.
func (*merged) UndoParam(_ *Call, _, value string) (string, bool) { return value, false }

// UndoPatch implements Inverse. The tag stands behind the others, so theirs
// keep their numbers. It cannot be added by itself.
func (o *merged) UndoPatch(r *Resource) (changed bool, err *fhir.Error) {
	return r.undoPatch(metaTag, nil, func(value *Resource, rest tree.Path) (bool, *fhir.Error) {
		if r.Doc.Is(r.Doc.Get(value.Node, "system"), tagSystem) {
			return false, refusePatch(metaTag, "with tags that are not the gateway's")
		}
		return o.undo(value, rest)
	})
}
