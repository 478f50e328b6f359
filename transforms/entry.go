package transforms

import (
	"slices"
	"strings"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// entry is an entry of a Bundle on its way through the rules.
type entry struct {
	doc      *tree.Doc
	node     tree.Node
	resource tree.Node // its resource; None when it has none
	typ      string    // of the resource
	call     *Call
	base     string
}

// entryOperation changes an entry, but not its resource unless that is an
// OperationOutcome about the search. keep is false when the entry is to go.
type entryOperation interface {
	checked
	looksAt(typ string) bool // whether it may change entries with resources of a type
	applyEntry(e *entry) (keep bool)
}

// looksAtEntriesOf reports whether the rule may change entries with resources of
// a type.
func (r *answerRule) looksAtEntriesOf(typ string) bool {
	return slices.ContainsFunc(r.entries, func(o entryOperation) bool { return o.looksAt(typ) })
}

// totalDrop leaves Bundle.total out: a server that counts the page is worse
// than one that does not count.
type totalDrop struct{}

func (*totalDrop) check(*strict.Document, string) {}

// entryComplete gives the entries of a search the mode and the fullUrl that
// they lack (https://hl7.org/fhir/R4/bundle.html#searchset).
type entryComplete struct{}

func (*entryComplete) check(*strict.Document, string) {}

func (*entryComplete) looksAt(string) bool { return true }

func (*entryComplete) applyEntry(e *entry) bool {
	search := e.call.Interaction == fhir.SearchType || e.call.Interaction == fhir.SearchSystem
	if !search || e.doc.Kind(e.resource) != tree.Object {
		return true
	}
	if e.doc.Get(e.doc.Get(e.node, "search"), "mode") == tree.None {
		mode := tree.Quote(e.mode())
		if search := e.doc.Get(e.node, "search"); search != tree.None {
			e.doc.Put(search, "mode", mode)
		} else {
			e.doc.Put(e.node, "search", slices.Concat([]byte(`{"mode":`), mode, []byte("}")))
		}
	}
	if id := e.doc.Text(e.doc.Get(e.resource, "id")); id != "" && e.typ != "" && e.typ != "OperationOutcome" {
		e.completeURL(e.base + "/" + e.typ + "/" + id)
	}
	return true
}

func (e *entry) mode() string {
	switch {
	case e.typ == "OperationOutcome":
		return "outcome"
	case e.call.Type == "" || e.call.Type == e.typ:
		return "match"
	default:
		return "include"
	}
}

// completeURL sets a fullUrl that is missing, or that differs from the right one
// in letter case alone.
func (e *entry) completeURL(want string) {
	given := e.doc.Get(e.node, "fullUrl")
	if text := e.doc.Text(given); given == tree.None || text != want && strings.EqualFold(text, want) {
		e.doc.PutString(e.node, "fullUrl", want)
	}
}

// outcomeDrop removes the issues with one of the codes from the outcomes that
// come with a search, and an outcome that has none left.
type outcomeDrop []string

func (o *outcomeDrop) check(doc *strict.Document, place string) { checkCodes(doc, place, *o) }

func (*outcomeDrop) looksAt(typ string) bool { return typ == "OperationOutcome" }

func (o *outcomeDrop) applyEntry(e *entry) bool {
	e.eachIssue(*o, e.doc.Remove)
	return e.typ != "OperationOutcome" || e.doc.Get(e.resource, "issue") != tree.None
}

// outcomeWarn makes the issues with one of the codes warnings.
type outcomeWarn []string

func (o *outcomeWarn) check(doc *strict.Document, place string) { checkCodes(doc, place, *o) }

func (*outcomeWarn) looksAt(typ string) bool { return typ == "OperationOutcome" }

func (o *outcomeWarn) applyEntry(e *entry) bool {
	e.eachIssue(*o, func(issue tree.Node) {
		if severity := e.doc.Get(issue, "severity"); !e.doc.Is(severity, "warning") {
			e.doc.PutString(issue, "severity", "warning")
		}
	})
	return true
}

// eachIssue visits the issues that have one of the codes in details.
func (e *entry) eachIssue(codes []string, visit func(issue tree.Node)) {
	if e.typ != "OperationOutcome" {
		return
	}
	d := e.doc
	for issue := d.First(d.Get(e.resource, "issue")); issue != tree.None; {
		next := d.Next(issue)
		coding := d.First(d.Get(d.Get(issue, "details"), "coding"))
		for ; coding != tree.None; coding = d.Next(coding) {
			if slices.Contains(codes, d.Text(d.Get(coding, "code"))) {
				visit(issue)
				break
			}
		}
		issue = next
	}
}

func checkCodes(doc *strict.Document, place string, codes []string) {
	if len(codes) == 0 || slices.Contains(codes, "") {
		doc.Fail(place, "must be a list of codes in issue.details.coding")
	}
}
