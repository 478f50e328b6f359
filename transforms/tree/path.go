package tree

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Path leads from a value to values below it, in gjson's syntax
// (https://github.com/tidwall/gjson/blob/master/SYNTAX.md): names joined by
// dots, "#" for every element of an array, a number for one, #(use=="old") for
// the first that meets a condition and #(use=="old")# for all. A backslash
// takes the meaning from the character behind it. Wildcards, modifiers and
// multipaths have no place here.
//
// A name asked of an array is asked of each of its elements, as in FHIRPath, so
// name.family and name.#.family are the same.
type Path struct {
	text  string
	steps []step
}

// step is one part of a Path.
type step struct {
	name  string // of a member; the number too, for objects that have such a name
	index int    // of an element; -1 = none
	each  bool   // every element
	query string // the condition, with its "#(" and ")": the elements that meet it
	equal equality
	all   bool // all of them, not only the first
}

// ParsePath reads a path. The error says what is wrong, for people.
func ParsePath(text string) (Path, error) {
	p := Path{text: text}
	for rest := text; ; {
		s, after, err := parseStep(rest)
		if err != nil {
			return Path{}, err
		}
		p.steps = append(p.steps, s)
		if after == "" {
			return p, nil
		}
		if after[0] != '.' {
			return Path{}, errors.New("must have a '.' behind each part")
		}
		rest = after[1:]
	}
}

func parseStep(text string) (s step, rest string, err error) {
	s.index = -1
	if strings.HasPrefix(text, "#(") {
		end := queryEnd(text)
		if end < 0 {
			return s, "", errors.New("holds a condition that does not end")
		}
		s.query, rest = text[:end], text[end:]
		s.equal = parseEquality(s.query)
		if strings.HasPrefix(rest, "#") {
			s.all, rest = true, rest[1:]
		}
		return s, rest, nil
	}
	var name strings.Builder
	plain, i := true, 0
	for ; i < len(text) && text[i] != '.'; i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			plain = false
		case strings.IndexByte(`*?|@!{}[]()"\`, c) >= 0:
			return s, "", errors.New("holds " + strconv.QuoteRune(rune(c)) + ": only names, '#', numbers and #(conditions) lead somewhere here")
		}
		name.WriteByte(text[i])
	}
	s.name = name.String()
	switch {
	case s.name == "":
		return s, "", errors.New("has an empty part")
	case s.name == "#" && plain:
		s.each = true
	case plain:
		if n, err := strconv.ParseUint(s.name, 10, 31); err == nil {
			s.index = int(n)
		}
	}
	return s, text[i:], nil
}

// queryEnd returns the index behind the ")" of the condition that text starts
// with.
func queryEnd(text string) int {
	depth, quoted := 0, false
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// String returns the path as it was written.
func (p Path) String() string { return p.text }

// Top returns the name of the member that the path begins with, or "" for the
// zero Path.
func (p Path) Top() string {
	if len(p.steps) == 0 {
		return ""
	}
	return p.steps[0].name
}

// Each calls visit with every value that the path leads to from n. visit may
// change and remove the value that it is given, but neither move it nor touch
// its siblings; it returns false to stop.
func (p Path) Each(d *Doc, n Node, visit func(Node) bool) { d.each(n, p.steps, visit) }

// Find returns the first value that the path leads to from n.
func (p Path) Find(d *Doc, n Node) (found Node) {
	p.Each(d, n, func(value Node) bool {
		found = value
		return false
	})
	return found
}

func (d *Doc) each(n Node, steps []step, visit func(Node) bool) (more bool) {
	if n == None {
		return true
	}
	if len(steps) == 0 {
		return visit(n)
	}
	s := &steps[0]
	switch d.Kind(n) {
	case Object:
		if s.each || s.query != "" {
			return true
		}
		return d.each(d.Get(n, s.name), steps[1:], visit)
	case Array:
		if s.index >= 0 {
			return d.each(d.At(n, s.index), steps[1:], visit)
		}
		rest := steps
		if s.each || s.query != "" {
			rest = steps[1:]
		}
		for child := d.First(n); child != None; {
			next := d.Next(child)
			if s.query != "" && !d.meets(child, s) {
				child = next
				continue
			}
			if !d.each(child, rest, visit) {
				return false
			}
			if s.query != "" && !s.all {
				return true
			}
			child = next
		}
	}
	return true
}

// Put gives the values that the path leads to from n another value. What is
// missing on the way is made: members of objects, and with the number that is
// the array's length a further element. It reports whether there was a place.
func (p Path) Put(d *Doc, n Node, raw []byte) (put bool) { return d.put(n, p.steps, raw) }

func (d *Doc) put(n Node, steps []step, raw []byte) (put bool) {
	if len(steps) == 0 {
		d.SetRaw(n, raw)
		return true
	}
	s := &steps[0]
	switch d.Kind(n) {
	case Object:
		if s.each || s.query != "" {
			return false
		}
		child := d.Get(n, s.name)
		if child == None {
			if !makeable(steps[1:]) {
				return false
			}
			child = d.Put(n, s.name, d.blank(steps[1:]))
		}
		return d.put(child, steps[1:], raw)
	case Array:
		switch {
		case s.index >= 0:
			child := d.At(n, s.index)
			if child == None && s.index == d.Len(n) && makeable(steps[1:]) {
				child = d.Append(n, d.blank(steps[1:]))
			}
			return child != None && d.put(child, steps[1:], raw)
		case s.each || s.query != "":
			d.each(n, steps[:1], func(child Node) bool {
				put = d.put(child, steps[1:], raw) || put
				return true
			})
		default:
			for child := d.First(n); child != None; child = d.Next(child) {
				put = d.put(child, steps, raw) || put
			}
		}
	}
	return put
}

// makeable reports whether steps can be made from nothing.
func makeable(steps []step) bool {
	return !slices.ContainsFunc(steps, func(s step) bool { return s.each || s.query != "" || s.index > 0 })
}

// blank is the value that is made so that steps lead on from it.
func (*Doc) blank(steps []step) []byte {
	switch {
	case len(steps) == 0:
		return []byte("null")
	case steps[0].index == 0:
		return []byte("[]")
	default:
		return []byte("{}")
	}
}
