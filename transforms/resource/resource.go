// Package resource holds the operations of vendor files on one FHIR resource.
// They serve both ways: on the body of a request, and on what a hospital
// answers. docs/vendor-operations.md shows each with an example.
//
// Paths start at the resource, so contained resources and signed content are
// touched only by a rule that names them.
package resource

import (
	"context"
	"net/http"
	"time"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// Resource is a resource on its way through the rules that match it.
type Resource struct {
	Doc  *tree.Doc
	Node tree.Node // the resource itself, an object, in Doc
	Call *Call
}

// Call is what an operation may know besides the resource.
type Call struct {
	Answer bool              // the resource comes from the hospital, not from the caller
	Vars   map[string]string // of the route
	Zone   *time.Location    // of the hospital; never nil
	Now    time.Time         // of the call
	Bases  []string          // base URLs of the hospital, without a slash at the end

	// Fetch returns the content of an attachment that a body names by its
	// locator at the hospital, and its media type. Nil where nothing may be
	// fetched: in answers. It should stop reading behind MaxInline, and return
	// more than that, or an error, for what is greater.
	Fetch func(ctx context.Context, locator string) (mediaType string, content []byte, err error)
	// Context is that of the request; it bounds Fetch.
	Context context.Context //nolint:containedctx // a Call lives as long as its request
	// Header is that of the request to the hospital, to read. Nil in answers.
	Header http.Header
	// SetHeader gives the request to the hospital a header. Nil in answers.
	SetHeader func(name, value string)
}

// Effect is what an operation does to the way back.
type Effect uint8

// The effects.
const (
	// Reversible operations have an inverse, so that what was read can be sent
	// back.
	Reversible Effect = iota + 1
	// Lossy operations change what no inverse can bring back.
	Lossy
	// OneWay operations have a place in requests only.
	OneWay
)

// String returns the word for the effect in vendor files, or "".
func (e Effect) String() string {
	return map[Effect]string{Reversible: "reversible", Lossy: "lossy"}[e]
}

// Operation is one operation of a rule, ready for many calls at once.
type Operation interface {
	// Check tells what is wrong with the operation as it stands at place. It is
	// called once, before anything else, and compiles what Apply needs.
	Check(doc *strict.Document, place string)

	// Effect tells whether Apply can be undone, in answers.
	Effect() Effect

	// Paths returns what Apply may touch: a JSON Patch that meets one of them
	// (tree.Path.Meet) meets what a lossy operation changed. Below such a path
	// everything may be touched.
	Paths() []tree.Path

	// Apply changes the resource. It reports whether it changed something. The
	// error, a *fhir.Error with the place and never a value, refuses the body
	// (422) or fails the answer (502).
	Apply(r *Resource) (changed bool, err *fhir.Error)
}

// Inverse is an Operation of Effect Reversible: what undoes it on the way in.
// An operation that is only sometimes reversible, as its file says, has these
// methods too; Effect tells.
//
// What a hospital sends by itself in the very form that Apply makes would be
// undone as well. Apply marks it, so that Undo knows it by its mark, or else
// fails the answer.
type Inverse interface {
	Operation

	// Undo changes the resource, as the caller sends it, back into what the
	// hospital knows: Undo after Apply leaves the resource as it was.
	Undo(r *Resource) (changed bool, err *fhir.Error)

	// UndoParam changes the value of a search parameter back. name is without
	// modifier, value decoded and one of those that a comma separates. ok is
	// false when the parameter is none of the operation's.
	UndoParam(call *Call, name, value string) (changed string, ok bool)

	// UndoPatch changes one operation of a JSON Patch (RFC 6902), an object with
	// op, path and value, back. It refuses what only the whole resource could
	// tell how to change.
	UndoPatch(r *Resource) (changed bool, err *fhir.Error)
}

// Marker is an Inverse that marks what a hospital sends by itself.
type Marker interface {
	// DropMarks takes away the marks that are left when everything is undone:
	// the caller changed or removed what they stood beside. The hospital would
	// keep them, and answers that hold them could not be told apart any more. It
	// reports whether there were any.
	DropMarks(r *Resource) (changed bool)
}

// Places reports whether an operation may put a locator where none was: those
// that move and copy, and those that give a value which may be one.
func Places(o Operation) bool {
	switch o := o.(type) {
	case *move, *copied, *prefix:
		return true
	case *set:
		return o.Value.mayLead()
	case *preset:
		return o.Value.mayLead()
	default:
		return false
	}
}

// Reader is an Operation that reads vars of the route.
type Reader interface {
	// Reads returns their names.
	Reads() []string
}
