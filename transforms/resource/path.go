package resource

import (
	"strconv"

	"go.yaml.in/yaml/v3"

	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// path is a tree.Path as a file gives it.
type path struct {
	tree.Path

	told bool // reading it has told what is wrong
}

// UnmarshalYAML reads a path in gjson's syntax.
func (p *path) UnmarshalYAML(node *yaml.Node) error {
	p.told = true
	if node.Kind != yaml.ScalarNode {
		return errNoPath
	}
	parsed, err := tree.ParsePath(node.Value)
	if err != nil {
		return err
	}
	p.Path, p.told = parsed, false
	return nil
}

// check tells whether there is a path that a rule may change things at.
func (p *path) check(doc *strict.Document, place string) {
	switch {
	case p.told:
	case p.IsZero():
		doc.Fail(place, "is missing: it must be a path such as name.#.family")
	case p.Top() == "resourceType":
		doc.Fail(place, "must not be resourceType: a resource keeps its type")
	}
}

// checkPlain tells whether the path leads to the same places before and after
// any change, as what can be undone must.
func (p *path) checkPlain(doc *strict.Document, place, otherwise string) {
	if !p.Plain() {
		doc.Fail(place, "must hold names and '#' only: where a number or a condition leads may differ on the way back; %s", otherwise)
	}
}

// paths are some of them.
type paths []path

func (ps paths) check(doc *strict.Document, place string) {
	if len(ps) == 0 {
		doc.Fail(place, "names no path")
	}
	for i := range ps {
		ps[i].check(doc, place+"."+strconv.Itoa(i))
	}
}

func (ps paths) trees() []tree.Path {
	out := make([]tree.Path, len(ps))
	for i, p := range ps {
		out[i] = p.Path
	}
	return out
}
