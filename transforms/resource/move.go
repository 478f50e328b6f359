package resource

import (
	"slices"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// move gives an element another place in the same object, or in objects below
// it. Nothing is moved to a place that is taken.
type move struct {
	From  path `yaml:"from"`
	To    path `yaml:"to"`
	Lossy bool `yaml:"lossy"` // give up the way back; default: false

	base tree.Path // what from and to have in common
	ways [2]way    // from there: of the value, and of what stands beside it
}

// Check implements Operation.
func (o *move) Check(doc *strict.Document, place string) {
	o.From.check(doc, place+".from")
	o.To.check(doc, place+".to")
	if o.From.IsZero() || o.To.IsZero() {
		return
	}
	if !o.Lossy {
		o.From.checkPlain(doc, place+".from", "or set lossy: true")
	}
	base, from, to, ok := o.From.Diverge(o.To.Path)
	if !ok {
		doc.Fail(place+".to", "must differ from from in names only, and neither may lie within the other: an element stays within its object and those below it")
		return
	}
	w := way{from, to}
	o.base, o.ways = base, [2]way{w, w.aside()}
}

// Effect implements Operation.
func (o *move) Effect() Effect {
	if o.Lossy {
		return Lossy
	}
	return Reversible
}

// Paths implements Operation.
func (o *move) Paths() []tree.Path { return []tree.Path{o.From.Path, o.To.Path} }

// Apply implements Operation.
func (o *move) Apply(r *Resource) (changed bool, err *fhir.Error) {
	strict := r.Call.Answer && !o.Lossy
	o.base.EachObject(r.Doc, r.Node, func(n tree.Node) bool {
		for _, w := range o.ways {
			var moved bool
			moved, err = r.move(n, w, strict)
			changed = changed || moved
			if err != nil {
				return false
			}
		}
		return true
	})
	return changed, err
}

// Undo implements Inverse.
func (o *move) Undo(r *Resource) (changed bool, _ *fhir.Error) {
	return o.undo(r, o.base), nil
}

func (o *move) undo(r *Resource, base tree.Path) (changed bool) {
	base.EachObject(r.Doc, r.Node, func(n tree.Node) bool {
		for _, w := range o.ways {
			moved, _ := r.move(n, w.reverse(), false) // only strictness refuses
			changed = changed || moved
		}
		return true
	})
	return changed
}

// UndoParam implements Inverse: parameters have names of their own.
func (*move) UndoParam(_ *Call, _, value string) (string, bool) { return value, false }

// UndoPatch implements Inverse.
func (o *move) UndoPatch(r *Resource) (changed bool, err *fhir.Error) {
	var pointers []tree.Pointer // to what holds the element
	err = r.patchPointers(func(member tree.Node, pointer tree.Pointer) *fhir.Error {
		there, onward, below := o.base.Lead(pointer)
		if below && len(onward) > 0 {
			back, refusal := o.back(onward)
			if back != nil {
				r.Doc.SetString(member, slices.Concat(there, back).String())
				changed = true
			}
			return refusal
		}
		relation, rest := o.base.Meet(pointer)
		if !below && relation != tree.Above {
			return nil
		}
		pointers = append(pointers, pointer)
		value := r.Doc.Get(r.Node, "value")
		if value == tree.None {
			return nil
		}
		changed = o.undo(&Resource{Doc: r.Doc, Node: value, Call: r.Call}, rest) || changed
		return nil
	})
	if err == nil && r.relocates() && len(pointers) > 0 && !(len(pointers) == 2 && pointers[0].SameShape(pointers[1])) {
		return false, refusePatch(o.To.Path, "without moving or copying what holds it")
	}
	return changed, err
}

// back returns what the hospital has in the place of onward, a pointer from
// the base, or nil if it is the same.
func (o *move) back(onward tree.Pointer) (tree.Pointer, *fhir.Error) {
	for _, w := range o.ways {
		switch {
		case startsWith(onward, w.to):
			return slices.Concat(w.from, onward[len(w.to):]), nil
		case startsWith(w.to, onward):
			return nil, refusePatch(o.To.Path, "by itself")
		case startsWith(onward, w.from), startsWith(w.from, onward):
			return nil, refusePatch(o.From.Path, "as "+o.To.String())
		}
	}
	return nil, nil
}

// startsWith reports whether names begins with start.
func startsWith(names, start []string) bool {
	return len(names) >= len(start) && slices.Equal(names[:len(start)], start)
}

// way is where an element of an object goes, in names of members.
type way struct{ from, to []string }

func (w way) reverse() way { return way{w.to, w.from} }

// aside is the way of the id and extensions of a primitive.
func (w way) aside() way { return way{aside(w.from), aside(w.to)} }

func aside(names []string) []string {
	out := slices.Clone(names)
	out[len(out)-1] = "_" + out[len(out)-1]
	return out
}

// move takes an element of the object n along w. strict refuses one that
// stands at its new place already, because it would be moved away on the way
// back.
func (r *Resource) move(n tree.Node, w way, strict bool) (moved bool, _ *fhir.Error) {
	from, to := r.member(n, w.from), r.member(n, w.to)
	if to != tree.None {
		if strict && from == tree.None {
			return false, r.refuse(to, fhir.IssueProcessing, "stands already where the rule moves another to: the rule needs lossy: true here")
		}
		return false, nil
	}
	if from == tree.None {
		return false, nil
	}
	if len(w.from) == 1 && len(w.to) == 1 {
		r.Doc.Rename(from, w.to[0])
		return true, nil
	}
	raw := r.Doc.Raw(from)
	parent, rest := n, w.to
	for ; len(rest) > 1; rest = rest[1:] {
		child := r.Doc.Get(parent, rest[0])
		if child == tree.None {
			break
		}
		parent = child
	}
	if r.Doc.Kind(parent) != tree.Object {
		return false, nil
	}
	for ; len(rest) > 1; rest = rest[1:] {
		parent = r.Doc.Put(parent, rest[0], []byte("{}"))
	}
	r.Doc.Put(parent, rest[0], raw)
	r.Doc.Remove(from)
	return true, nil
}

// member returns what names lead to from the object n.
func (r *Resource) member(n tree.Node, names []string) tree.Node {
	for _, name := range names {
		n = r.Doc.Get(n, name)
	}
	return n
}
