package resource

import (
	"net/http"
	"slices"

	"fhirgate/fhir"
	"fhirgate/transforms/tree"
)

// patchPointers visits the pointers of an operation of a JSON Patch: from, if
// it moves or copies, and path.
func (r *Resource) patchPointers(visit func(member tree.Node, pointer tree.Pointer) *fhir.Error) *fhir.Error {
	names := []string{"path", "from"}
	if !r.relocates() {
		names = names[:1]
	}
	for _, name := range names {
		member := r.Doc.Get(r.Node, name)
		if r.Doc.Kind(member) != tree.String {
			return errNoPatch(name)
		}
		pointer, ok := tree.ParsePointer(r.Doc.Text(member))
		if !ok {
			return errNoPatch(name)
		}
		if err := visit(member, pointer); err != nil {
			return err
		}
	}
	return nil
}

// relocates reports whether an operation of a JSON Patch moves or copies.
func (r *Resource) relocates() bool {
	op := r.Doc.Get(r.Node, "op")
	return r.Doc.Is(op, "move") || r.Doc.Is(op, "copy")
}

// undoPatch undoes a change of what p leads to, or of the members of it that
// are named, in the value of an operation of a JSON Patch. undo is given the
// value and the path that leads on from there. What lies below p and is changed
// cannot be patched by itself, nor moved or copied between places of which a
// rule changes only one.
func (r *Resource) undoPatch(p tree.Path, members []string, undo func(value *Resource, rest tree.Path) (bool, *fhir.Error)) (changed bool, err *fhir.Error) {
	var (
		meets    bool
		rest     tree.Path
		pointers []tree.Pointer
	)
	err = r.patchPointers(func(_ tree.Node, pointer tree.Pointer) *fhir.Error {
		pointers = append(pointers, pointer)
		relation, onward := p.Meet(pointer)
		if relation == tree.Below {
			_, below, _ := p.Lead(pointer)
			if len(below) > 0 && (len(members) == 0 || slices.Contains(members, below[0])) {
				return refusePatch(p, "as a whole")
			}
			if len(below) > 0 {
				return nil
			}
			onward = tree.Path{} // an element of the array that p leads to
		}
		if relation != tree.Apart {
			meets, rest = true, onward
		}
		return nil
	})
	if err != nil || !meets {
		return false, err
	}
	if len(pointers) > 1 {
		if pointers[0].SameShape(pointers[1]) {
			return false, nil
		}
		return false, refusePatch(p, "without move and copy")
	}
	value := r.Doc.Get(r.Node, "value")
	if value == tree.None {
		return false, nil
	}
	return undo(&Resource{Doc: r.Doc, Node: value, Call: r.Call}, rest)
}

func errNoPatch(name string) *fhir.Error {
	return fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueStructure, "an operation of the JSON Patch has no JSON Pointer as "+name).At(name)
}

func refusePatch(p tree.Path, how string) *fhir.Error {
	return fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueNotSupported,
		"the element "+p.String()+", which the gateway translates for this hospital, can be patched only "+how+": or send the whole resource with PUT").At(p.String())
}
