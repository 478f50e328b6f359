package transforms

import (
	"bytes"
	"maps"
	"slices"

	"fhirgate/transforms/tree"
)

// dictionary holds what stood under each name in vendors' tests. JSON that is
// composed of it is nearly what rules are for.
type dictionary map[string]*word

// word is what stood under one name. Elements of an array stand under its name
// and "[]", and the whole under none.
type word struct {
	kinds   []tree.Kind // Object, Array, or Missing for a scalar; as often as they came
	members []string    // in order, each once
	scalars []string    // likewise
}

func newDictionary(texts [][]byte) dictionary {
	d := make(dictionary)
	for _, text := range texts {
		if compact(text) != nil && !isLines(text) {
			var doc tree.Doc
			doc.Reset(text)
			d.learn(&doc, doc.Root(), "")
		}
	}
	for _, w := range d {
		slices.Sort(w.members)
		slices.Sort(w.scalars)
		w.members, w.scalars = slices.Compact(w.members), slices.Compact(w.scalars)
	}
	return d
}

func (d dictionary) learn(doc *tree.Doc, n tree.Node, name string) {
	w := d[name]
	if w == nil {
		w = new(word)
		d[name] = w
	}
	kind := doc.Kind(n)
	if kind != tree.Object && kind != tree.Array {
		w.kinds, w.scalars = append(w.kinds, tree.Missing), append(w.scalars, string(doc.Raw(n)))
		return
	}
	w.kinds = append(w.kinds, kind)
	for child := doc.First(n); child != tree.None; child = doc.Next(child) {
		under := name + "[]"
		if kind == tree.Object {
			under = doc.Name(child)
			w.members = append(w.members, under)
		}
		d.learn(doc, child, under)
	}
}

// compose makes an object or an array of bytes, which are read as choices;
// behind the last one all choices are 0.
func (d dictionary) compose(choices []byte) []byte {
	c := composer{dictionary: d, names: slices.Sorted(maps.Keys(d)), choices: choices}
	c.value("", 0)
	return c.out.Bytes()
}

type composer struct {
	dictionary
	names   []string
	choices []byte
	out     bytes.Buffer
}

// choose returns a number below n.
func (c *composer) choose(n int) int {
	if len(c.choices) == 0 {
		return 0
	}
	chosen := int(c.choices[0])
	c.choices = c.choices[1:]
	return chosen % n
}

// seldom reports a choice that is made once in sixteen times.
func (c *composer) seldom() bool { return c.choose(16) == 15 }

// maxComposed bounds how deep composed JSON goes.
const maxComposed = 10

// value writes what may stand under a name, or seldom what stands under
// another.
func (c *composer) value(name string, depth int) {
	if c.seldom() && depth > 0 {
		name = c.names[c.choose(len(c.names))]
	}
	w := c.dictionary[name]
	switch kind := w.kinds[c.choose(len(w.kinds))]; {
	case depth == maxComposed && len(w.scalars) == 0:
		c.out.WriteString("null")
	case depth == maxComposed || kind == tree.Missing:
		c.out.WriteString(w.scalars[c.choose(len(w.scalars))])
	case kind == tree.Array:
		c.out.WriteByte('[')
		for i := range c.choose(4) {
			if i > 0 {
				c.out.WriteByte(',')
			}
			c.value(name+"[]", depth+1)
		}
		c.out.WriteByte(']')
	default:
		c.object(w.members, depth)
	}
}

// object writes some of the members, and a type first, as servers do.
func (c *composer) object(members []string, depth int) {
	c.out.WriteByte('{')
	comma := false
	member := func(name string) {
		if comma {
			c.out.WriteByte(',')
		}
		comma = true
		c.out.Write(tree.Quote(name))
		c.out.WriteByte(':')
		c.value(name, depth+1)
	}
	typed := slices.Contains(members, "resourceType") && !c.seldom()
	if typed {
		member("resourceType")
	}
	for _, name := range members {
		if c.choose(4) == 3 && !(typed && name == "resourceType") {
			member(name)
		}
	}
	c.out.WriteByte('}')
}
