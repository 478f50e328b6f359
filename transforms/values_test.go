package transforms

import (
	"fhirgate/transforms/tree"
)

// counts is a multiset, of which a member may be missing more often than it is
// there.
type counts map[string]int

// add adds the other multiset times times.
func (c counts) add(other counts, times int) {
	for member, n := range other {
		c[member] += n * times
	}
}

// settled is c without members that count nothing.
func (c counts) settled() counts {
	out := make(counts)
	for member, n := range c {
		if n != 0 {
			out[member] = n
		}
	}
	return out
}

func (c counts) total() (total int) {
	for _, n := range c {
		total += n
	}
	return total
}

// valuesOf returns the scalars of a JSON text, each with the name that leads to
// it: strings decoded, and everything else as it is written. An empty text has
// none.
func valuesOf(text []byte) counts {
	out := make(counts)
	eachScalar(text, func(d *tree.Doc, n tree.Node, names []string) {
		value := string(d.Raw(n))
		if d.Kind(n) == tree.String {
			value = `"` + d.Text(n)
		}
		out[last(names)+"="+value]++
	})
	return out
}

// numbersOf returns the numbers of a JSON text as they are written, in order.
func numbersOf(text []byte) (numbers []string) {
	eachScalar(text, func(d *tree.Doc, n tree.Node, _ []string) {
		if d.Kind(n) == tree.Number {
			numbers = append(numbers, string(d.Raw(n)))
		}
	})
	return numbers
}

// eachScalar visits the scalars of a JSON text with the names that lead to
// them; elements of arrays have none.
func eachScalar(text []byte, visit func(d *tree.Doc, n tree.Node, names []string)) {
	if len(text) == 0 {
		return
	}
	var d tree.Doc
	d.Reset(text)
	var walk func(n tree.Node, names []string)
	walk = func(n tree.Node, names []string) {
		kind := d.Kind(n)
		if kind != tree.Object && kind != tree.Array {
			visit(&d, n, names)
			return
		}
		for child := d.First(n); child != tree.None; child = d.Next(child) {
			if kind == tree.Object {
				walk(child, append(names, d.Name(child)))
			} else {
				walk(child, names)
			}
		}
	}
	walk(d.Root(), nil)
}

// last returns the last of names, or nothing.
func last(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1]
}
