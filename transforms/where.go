package transforms

import (
	"slices"
	"strings"

	"fhirgate/transforms/tree"
)

// anyValue stands for every value in a condition on one.
const anyValue = "*"

// valueIs is a condition on an element: one of its values is one of words.
type valueIs struct {
	path  tree.Path
	words []string
}

// where compiles the conditions on values that stand at place.
func (c *compiler) where(place string, f map[string]words) []valueIs {
	out := make([]valueIs, 0, len(f))
	for text, words := range f {
		path, err := tree.ParsePath(text)
		if err != nil {
			c.doc.Fail(place, "the path %q %s", text, err)
			continue
		}
		if len(words) == 0 {
			c.doc.Fail(place, "the path %q has no value: %q stands for any", text, anyValue)
		}
		out = append(out, valueIs{path, words})
	}
	slices.SortFunc(out, func(a, b valueIs) int { // the file's order is lost in a map
		return strings.Compare(a.path.String(), b.path.String())
	})
	return out
}

// hold reports whether all conditions hold for the resource n.
func hold(conditions []valueIs, d *tree.Doc, n tree.Node) bool {
	for i := range conditions {
		if !conditions[i].holds(d, n) {
			return false
		}
	}
	return true
}

func (v *valueIs) holds(d *tree.Doc, n tree.Node) (holds bool) {
	v.path.Each(d, n, func(value tree.Node) bool {
		holds = slices.ContainsFunc(v.words, func(word string) bool {
			switch kind := d.Kind(value); {
			case word == anyValue, kind == tree.String && d.Is(value, word):
				return true
			case kind == tree.Object, kind == tree.Array, kind == tree.String:
				return false
			default:
				return string(d.Raw(value)) == word
			}
		})
		return !holds
	})
	return holds
}
