package resource

import (
	"maps"
	"slices"
	"strings"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// identifierSystem gives the identifiers that meet a condition a system, if
// they have none. One that comes with this very system is marked, so that it
// keeps it on the way back.
type identifierSystem struct {
	Path     path              `yaml:"path"`      // to Identifiers; default: identifier
	Where    map[string]string `yaml:"where"`     // path in the identifier: text; all must hold
	System   value             `yaml:"system"`    // to give
	SearchAs string            `yaml:"search_as"` // the system in searches; default: none

	where []condition
}

// condition is a text that a path must lead to.
type condition struct {
	path tree.Path
	text string
}

// Check implements Operation.
func (o *identifierSystem) Check(doc *strict.Document, place string) {
	if doc.Has(place + ".path") {
		o.Path.check(doc, place+".path")
		o.Path.checkPlain(doc, place+".path", "conditions stand in where")
	} else {
		o.Path.Path = identifiers
	}
	o.System.check(doc, place+".system")
	if len(o.Where) == 0 {
		doc.Fail(place+".where", "must say which identifiers get the system, as in {type.text: MRN}")
	}
	for _, key := range slices.Sorted(maps.Keys(o.Where)) {
		at := place + ".where." + key
		p, err := tree.ParsePath(key)
		switch {
		case err != nil:
			doc.Fail(at, "%s", err)
		case p.Top() == "system" || p.Top() == "_system":
			doc.Fail(at, "must not depend on the system, which the rule changes")
		case o.Where[key] == "":
			doc.Fail(at, "must be a text, and not empty")
		default:
			o.where = append(o.where, condition{p, o.Where[key]})
		}
	}
}

var identifiers = must("identifier")

// Effect implements Operation.
func (*identifierSystem) Effect() Effect { return Reversible }

// Paths implements Operation.
func (o *identifierSystem) Paths() []tree.Path { return []tree.Path{o.Path.Path} }

// Reads implements Reader.
func (o *identifierSystem) Reads() []string { return o.System.reads() }

// each calls visit with the identifiers that p leads to and that meet the
// condition.
func (o *identifierSystem) each(r *Resource, p tree.Path, visit func(identifier tree.Node) bool) {
	p.EachObject(r.Doc, r.Node, func(n tree.Node) bool {
		for i := range o.where {
			if !r.Doc.Is(o.where[i].path.Find(r.Doc, n), o.where[i].text) {
				return true
			}
		}
		return visit(n)
	})
}

// Apply implements Operation.
func (o *identifierSystem) Apply(r *Resource) (changed bool, err *fhir.Error) {
	text, err := o.System.of(r.Call)
	if err != nil {
		return false, err
	}
	o.each(r, o.Path.Path, func(identifier tree.Node) bool {
		system := r.Doc.Get(identifier, "system")
		switch {
		case system == tree.None:
			added := r.Doc.PutString(identifier, "system", text)
			err = r.refuseMarked(added)
			changed = true
		case r.Doc.Is(system, text) && r.Call.Answer:
			err = r.markOwn(system)
			changed = true
		}
		return err == nil
	})
	return changed, err
}

// Undo implements Inverse.
func (o *identifierSystem) Undo(r *Resource) (changed bool, err *fhir.Error) {
	return o.undo(r, o.Path.Path)
}

func (o *identifierSystem) undo(r *Resource, p tree.Path) (changed bool, err *fhir.Error) {
	text, err := o.System.of(r.Call)
	if err != nil {
		return false, err
	}
	o.each(r, p, func(identifier tree.Node) bool {
		system := r.Doc.Get(identifier, "system")
		if !r.Doc.Is(system, text) {
			return true
		}
		if own, _ := r.unmarkOwn(system); !own {
			r.Doc.Remove(system)
		}
		changed = true
		return true
	})
	return changed, err
}

// DropMarks implements Marker.
func (o *identifierSystem) DropMarks(r *Resource) bool { return r.dropMarks(o.Path.Path, "system") }

// UndoParam implements Inverse. The hospital does not know the system, so the
// value alone is looked for, or under the system that it wants in searches.
func (o *identifierSystem) UndoParam(call *Call, name, value string) (changed string, ok bool) {
	if name != "identifier" {
		return value, false
	}
	text, err := o.System.of(call)
	system, rest, split := strings.Cut(value, "|")
	switch {
	case err != nil || !split || system != text || rest == "":
		return value, true
	case o.SearchAs != "":
		return o.SearchAs + "|" + rest, true
	}
	return rest, true
}

// UndoPatch implements Inverse. The system alone cannot be patched: the
// pointer does not tell whether the identifier meets the condition.
func (o *identifierSystem) UndoPatch(r *Resource) (changed bool, err *fhir.Error) {
	return r.undoPatch(o.Path.Path, []string{"system", "_system"}, o.undo)
}
