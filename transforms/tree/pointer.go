package tree

import (
	"slices"
	"strings"
)

// Pointer is a JSON Pointer (RFC 6901) as its reference tokens, unescaped.
type Pointer []string

var (
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
)

// maxTokens bounds the reference tokens of a pointer: no resource goes as deep.
const maxTokens = 200

// ParsePointer reads a pointer. ok is false for what is none, or leads deeper
// than 200 levels.
func ParsePointer(text string) (p Pointer, ok bool) {
	if text == "" {
		return Pointer{}, true
	}
	if text[0] != '/' || strings.Count(text, "/") > maxTokens {
		return nil, false
	}
	p = strings.Split(text[1:], "/")
	for i, token := range p {
		p[i] = unescape.Replace(token)
	}
	return p, true
}

// String returns the pointer as RFC 6901 writes it.
func (p Pointer) String() string {
	var b strings.Builder
	for _, token := range p {
		b.WriteByte('/')
		b.WriteString(escape.Replace(token))
	}
	return b.String()
}

// SameShape reports whether the pointers differ at most in the elements of
// arrays that they name, as /name/0/use and /name/1/use do.
func (p Pointer) SameShape(other Pointer) bool {
	return slices.EqualFunc(p, other, func(a, b string) bool { return a == b || isElement(a) && isElement(b) })
}

// isElement reports whether token can name an element of an array: a number,
// or "-" for the one behind the last.
func isElement(token string) bool {
	return token == "-" || token != "" && strings.Trim(token, "0123456789") == ""
}

// Relation is where a Pointer stands, seen from a Path.
type Relation uint8

// The relations. A pointer is above a path if what it names may hold what the
// path leads to.
const (
	Apart Relation = iota
	Above
	Equal
	Below
)

// Meet tells how what pointer names relates to what the path leads to. rest is
// the path that leads on from there when the pointer is above; from Equal it
// leads nowhere further.
//
// Which elements a condition selects, and which one has a number after a patch,
// only the whole value can tell: here every element may be that one.
func (p Path) Meet(pointer Pointer) (r Relation, rest Path) {
	steps := p.steps
	for _, token := range pointer {
		switch {
		case len(steps) == 0:
			return Below, Path{}
		case steps[0].each || steps[0].query != "":
			if !isElement(token) {
				return Apart, Path{}
			}
			steps = steps[1:]
		case steps[0].name == token || steps[0].index >= 0 && isElement(token):
			steps = steps[1:]
		case !isElement(token):
			return Apart, Path{}
		}
	}
	if len(steps) == 0 {
		return Equal, Path{}
	}
	return Above, Path{text: p.text, steps: steps}
}

// MayShift reports whether pointer may name something else once what the path
// leads to is gone: it meets the path, or what stands beside a primitive of it,
// or goes through an element of an array that the path goes through too, which
// would go along if nothing else was in it.
func (p Path) MayShift(pointer Pointer) bool {
	plain := make(Pointer, len(pointer))
	for i, token := range pointer {
		plain[i] = strings.TrimPrefix(token, "_")
	}
	for n := range len(plain) + 1 {
		if n < len(plain) && (n == 0 || !isElement(plain[n-1])) {
			continue
		}
		if relation, _ := p.Meet(plain[:n]); relation != Apart {
			return true
		}
	}
	return false
}

// Lead returns the part of pointer that leads to an object of p, or to an
// element of an array of them, and what leads on. ok is false if pointer ends
// before it gets there, or goes elsewhere.
func (p Path) Lead(pointer Pointer) (there, onward Pointer, ok bool) {
	for n := range len(pointer) + 1 {
		if relation, _ := p.Meet(pointer[:n]); relation != Equal {
			continue
		}
		for n < len(pointer) && isElement(pointer[n]) {
			n++
		}
		return pointer[:n], pointer[n:], true
	}
	return nil, nil, false
}

// IsZero reports whether p is the zero Path, which leads from a value to
// itself.
func (p Path) IsZero() bool { return len(p.steps) == 0 }

// Plain reports whether the path holds names and "#" alone, so that it leads to
// the same places whatever the values are.
func (p Path) Plain() bool {
	return !slices.ContainsFunc(p.steps, func(s step) bool { return s.query != "" || s.index >= 0 })
}

// Split returns the path without its last part, and that part if it is a plain
// name.
func (p Path) Split() (parent Path, name string, ok bool) {
	if len(p.steps) == 0 {
		return p, "", false
	}
	last := p.steps[len(p.steps)-1]
	if last.each || last.query != "" || last.index >= 0 {
		return p, "", false
	}
	return Path{text: p.text, steps: p.steps[:len(p.steps)-1]}, last.name, true
}

// Beside returns the path to the ids and extensions of the primitives that p
// leads to. ok is false if p does not end in a plain name.
func (p Path) Beside() (beside Path, ok bool) {
	parent, name, ok := p.Split()
	if !ok {
		return p, false
	}
	steps := slices.Concat(parent.steps, []step{{name: "_" + name, index: -1}})
	return Path{text: p.text, steps: steps}, true
}

// Diverge returns the path that p and other have in common, and the names of
// members that lead on from there. ok is false if more than names leads on, or
// nothing.
func (p Path) Diverge(other Path) (common Path, names, otherNames []string, ok bool) {
	n := 0
	for n < min(len(p.steps), len(other.steps)) && p.steps[n] == other.steps[n] {
		n++
	}
	names, ok = memberNames(p.steps[n:])
	otherNames, otherOK := memberNames(other.steps[n:])
	return Path{text: p.text, steps: p.steps[:n]}, names, otherNames, ok && otherOK
}

func memberNames(steps []step) (names []string, ok bool) {
	for _, s := range steps {
		if s.each || s.query != "" || s.index >= 0 {
			return nil, false
		}
		names = append(names, s.name)
	}
	return names, len(names) > 0
}

// EachObject calls visit with every object that the path leads to from n. The
// elements stand for an array.
func (p Path) EachObject(d *Doc, n Node, visit func(Node) bool) {
	d.each(n, p.steps, func(value Node) bool { return d.eachObject(value, visit) })
}

func (d *Doc) eachObject(n Node, visit func(Node) bool) (more bool) {
	switch d.Kind(n) {
	case Object:
		return visit(n)
	case Array:
		for child := d.First(n); child != None; {
			next := d.Next(child)
			if !d.eachObject(child, visit) {
				return false
			}
			child = next
		}
	}
	return true
}

// Len returns the number of parts of the path.
func (p Path) Len() int { return len(p.steps) }
