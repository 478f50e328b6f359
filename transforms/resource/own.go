package resource

import (
	"bytes"

	"fhirgate/fhir"
	"fhirgate/transforms/tree"
)

// ownExtension marks a primitive that the hospital sent by itself in the very
// form that a rule gives others, so that undoing the rule leaves it alone. It
// stands beside the primitive, as in
//
//	"system": "urn:oid:1.2",
//	"_system": {"extension": [{"url": "urn:fhirgate:own", "valueString": "urn:oid:1.2"}]}
//
// A mark that names another value than the primitive has is out of date: the
// caller changed the value.
const ownExtension = "urn:fhirgate:own"

// Marked reports whether a body carries a mark or a tag of ours as a string of
// its own.
func Marked(body []byte) bool {
	return bytes.Contains(body, []byte(`"`+ownExtension+`"`)) || bytes.Contains(body, []byte(`"`+tagSystem+`"`))
}

// markOwn marks the member n of an object. It refuses what it cannot mark.
func (r *Resource) markOwn(n tree.Node) *fhir.Error {
	parent, mark := r.Doc.Parent(n), ownMark(r.Doc.Text(n))
	if r.Doc.Kind(parent) != tree.Object || r.ownMark(n) != tree.None {
		return r.refuseOwn(n)
	}
	name := "_" + r.Doc.Name(n)
	beside := r.Doc.Get(parent, name)
	if beside == tree.None {
		r.Doc.Put(parent, name, []byte(`{"extension":[`+mark+`]}`))
		return nil
	}
	list := r.Doc.Get(beside, "extension")
	switch {
	case r.Doc.First(beside) != tree.None && list == tree.None:
		if r.Doc.Put(beside, "extension", []byte(`[`+mark+`]`)) == tree.None {
			return r.refuseOwn(n)
		}
	case r.Doc.Kind(list) == tree.Array && r.Doc.First(list) != tree.None:
		r.Doc.Append(list, []byte(mark))
	default: // what is empty would be gone afterwards
		return r.refuseOwn(n)
	}
	return nil
}

func ownMark(text string) string {
	return `{"url":"` + ownExtension + `","valueString":` + string(tree.Quote(text)) + `}`
}

func (r *Resource) refuseOwn(n tree.Node) *fhir.Error {
	return r.refuse(n, fhir.IssueProcessing, "cannot be told from what the rule makes of others: the rule needs lossy: true here")
}

// ownMark returns the mark of the member n.
func (r *Resource) ownMark(n tree.Node) tree.Node {
	return r.findMark(r.Doc.Get(r.Doc.Beside(n), "extension"))
}

func (r *Resource) findMark(list tree.Node) tree.Node {
	if r.Doc.Kind(list) != tree.Array {
		return tree.None
	}
	for e := r.Doc.First(list); e != tree.None; e = r.Doc.Next(e) {
		if r.Doc.Is(r.Doc.Get(e, "url"), ownExtension) {
			return e
		}
	}
	return tree.None
}

// refuseMarked refuses a member that carries a mark before a rule changes it:
// a mark that is not ours would keep the change from being undone.
func (r *Resource) refuseMarked(n tree.Node) *fhir.Error {
	if r.ownMark(n) == tree.None {
		return nil
	}
	return r.refuse(n, fhir.IssueProcessing, "carries the extension "+ownExtension+", which belongs to the gateway")
}

// dropMarks takes the marks beside the members of that name away in every object
// that p leads to.
func (r *Resource) dropMarks(p tree.Path, name string) (changed bool) {
	p.EachObject(r.Doc, r.Node, func(n tree.Node) bool {
		mark := r.findMark(r.Doc.Get(r.Doc.Get(n, "_"+name), "extension"))
		r.Doc.Remove(mark)
		changed = changed || mark != tree.None
		return true
	})
	return changed
}

// unmarkOwn takes the mark of the member n away and reports whether it held:
// whether the hospital sent n as it stands.
func (r *Resource) unmarkOwn(n tree.Node) (own, changed bool) {
	mark := r.ownMark(n)
	if mark == tree.None {
		return false, false
	}
	own = r.Doc.Is(r.Doc.Get(mark, "valueString"), r.Doc.Text(n))
	r.Doc.Remove(mark)
	return own, true
}
