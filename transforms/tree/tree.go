// Package tree edits one JSON value in place. It reads only what is asked for,
// and everything that nobody touches keeps its bytes: the order of members, the
// digits of numbers, escapes, unknown members and white space.
package tree

import (
	"bytes"

	"fhirgate/internal/jsontext"
)

// Doc is a JSON value and what is to change in it. The zero Doc is ready for
// Reset. It is not safe for concurrent use.
type Doc struct {
	text  []byte // as it came
	made  []byte // values that were made since
	nodes []node // nodes[0] is None

	around [2]int // where the root began and ended in text
}

// Node is a value within a Doc, until the next Reset. The zero Node is None.
type Node int32

// None is the value that is not there. Every method takes it, and finds
// nothing in it.
const None Node = 0

// Kind is the sort of a JSON value.
type Kind uint8

// The kinds of values. Missing is that of None.
const (
	Missing Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

// node is a value. Its children are read one by one, when they are asked for:
// what lies behind the last one that anybody wanted is never looked at.
type node struct {
	start, end         int32 // of the value; the end is 0 until it is known
	nameStart, nameEnd int32 // of the content of its name, in an object
	slotStart, slotEnd int32 // of name and value where the parent was read; start 0 = added since
	slotValue          int32 // of the value there
	parent             Node
	first, last        Node // children that are still there, in their present order
	prev, next         Node // siblings
	read               Node // the last child that was read so far
	kind               Kind
	fresh              bool // the value lies in made, not in text
	freshName          bool // so does the name
	done               bool // all children were read
	edited             bool // something below differs from the value's bytes
	gone               bool // it was removed
}

// Reset makes d the tree of text, which must be valid JSON and stay unchanged
// while d is in use.
func (d *Doc) Reset(text []byte) {
	d.text, d.made = text, d.made[:0]
	d.nodes = append(d.nodes[:0], node{})
	end := len(text)
	for blank(text[end-1]) {
		end--
	}
	d.around = [2]int{jsontext.Space(text, 0), end}
	d.add(node{start: int32(d.around[0]), end: int32(end)})
}

// Root returns the whole value.
func (d *Doc) Root() Node { return 1 }

// Edited reports whether anything was changed since Reset.
func (d *Doc) Edited() bool { return d.nodes[1].edited || d.nodes[1].fresh }

// Kind returns the sort of n.
func (d *Doc) Kind(n Node) Kind { return d.nodes[n].kind }

// Parent returns the object or array that n stands in.
func (d *Doc) Parent(n Node) Node { return d.nodes[n].parent }

// First returns the first member or element of n.
func (d *Doc) First(n Node) Node {
	if first := d.nodes[n].first; first != None {
		return first
	}
	return d.more(n)
}

// Next returns the member or element behind n.
func (d *Doc) Next(n Node) Node {
	v := &d.nodes[n]
	if v.next != None || v.gone || v.parent == None {
		return v.next
	}
	return d.more(v.parent)
}

// Len returns the number of members or elements of n.
func (d *Doc) Len(n Node) (count int) {
	for child := d.First(n); child != None; child = d.Next(child) {
		count++
	}
	return count
}

// Index returns the place of n among its siblings, from 0.
func (d *Doc) Index(n Node) (index int) {
	for prev := d.nodes[n].prev; prev != None; prev = d.nodes[prev].prev {
		index++
	}
	return index
}

// At returns the element of the array n at index, from 0.
func (d *Doc) At(n Node, index int) Node {
	if d.nodes[n].kind != Array {
		return None
	}
	child := d.First(n)
	for ; child != None && index > 0; index-- {
		child = d.Next(child)
	}
	return child
}

// Get returns the member of the object n with that name, the first if there
// are several.
func (d *Doc) Get(n Node, name string) Node {
	if d.nodes[n].kind != Object {
		return None
	}
	for child := d.First(n); child != None; child = d.Next(child) {
		if d.isName(child, name) {
			return child
		}
	}
	return None
}

// Name returns the name of the member n, or "" for what is none.
func (d *Doc) Name(n Node) string { return unquoted(d.rawName(n)) }

// Named reports whether n is a member of that name.
func (d *Doc) Named(n Node, name string) bool {
	return d.nodes[d.nodes[n].parent].kind == Object && d.isName(n, name)
}

// Aside reports whether the name of n begins with an underscore, as that of
// the id and extensions of a primitive does.
func (d *Doc) Aside(n Node) bool {
	name := d.rawName(n)
	return len(name) > 0 && name[0] == '_'
}

// Beside returns the member that holds id and extensions of the primitive
// member n: the one of the same name with an underscore before it.
func (d *Doc) Beside(n Node) Node {
	name := d.rawName(n)
	if len(name) == 0 || name[0] == '_' {
		return None
	}
	for child := d.First(d.Parent(n)); child != None; child = d.Next(child) {
		if isBeside(d.rawName(child), name) {
			return child
		}
	}
	return None
}

// isBeside reports whether raw stands for the name with an underscore before.
func isBeside(raw, name []byte) bool {
	if bytes.IndexByte(raw, '\\') < 0 && bytes.IndexByte(name, '\\') < 0 {
		return len(raw) > 0 && raw[0] == '_' && bytes.Equal(raw[1:], name)
	}
	return unquoted(raw) == "_"+unquoted(name)
}

// Raw returns the bytes of n as it is now.
func (d *Doc) Raw(n Node) []byte {
	if v := &d.nodes[n]; !v.edited {
		return d.source(v.fresh)[v.start:d.end(n)]
	}
	return d.encode(nil, n)
}

// Text returns what the string n stands for, or "" for what is no string.
func (d *Doc) Text(n Node) string {
	v := &d.nodes[n]
	if v.kind != String {
		return ""
	}
	return unquoted(d.source(v.fresh)[v.start+1 : v.end-1])
}

// AppendText appends to dst what Text returns.
func (d *Doc) AppendText(dst []byte, n Node) []byte {
	v := &d.nodes[n]
	if v.kind != String {
		return dst
	}
	return jsontext.Unescape(dst, d.source(v.fresh)[v.start+1:v.end-1])
}

// Is reports whether n is the string text.
func (d *Doc) Is(n Node, text string) bool {
	v := &d.nodes[n]
	return v.kind == String && equal(d.source(v.fresh)[v.start+1:v.end-1], text)
}

// source returns the buffer that a value or a name lies in.
func (d *Doc) source(fresh bool) []byte {
	if fresh {
		return d.made
	}
	return d.text
}

func (d *Doc) rawName(n Node) []byte {
	v := &d.nodes[n]
	return d.source(v.freshName)[v.nameStart:v.nameEnd]
}

func (d *Doc) isName(n Node, name string) bool { return equal(d.rawName(n), name) }

// add appends a node, whose kind its first byte tells.
func (d *Doc) add(v node) Node {
	v.kind = kindOf(d.source(v.fresh)[v.start])
	d.nodes = append(d.nodes, v)
	return Node(len(d.nodes) - 1)
}

func kindOf(first byte) Kind {
	switch first {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	default:
		return Number
	}
}

// more reads one member or element of n more, but not what is in it, and returns
// it; None when there is none left.
func (d *Doc) more(n Node) Node {
	if v := &d.nodes[n]; v.done || v.kind != Object && v.kind != Array {
		return None
	}
	i := int(d.nodes[n].start) + 1
	if read := d.nodes[n].read; read != None {
		i = int(d.slotEnd(read))
	}
	v := &d.nodes[n]
	b := d.source(v.fresh)
	i = jsontext.Space(b, i)
	switch b[i] {
	case '}', ']':
		v.done, v.end = true, int32(i+1)
		return None
	case ',':
		i = jsontext.Space(b, i+1)
	}
	child := node{parent: n, fresh: v.fresh, freshName: v.fresh, slotStart: int32(i)}
	if v.kind == Object {
		end := jsontext.Skip(b, i)
		child.nameStart, child.nameEnd = int32(i+1), int32(end-1)
		i = jsontext.Space(b, jsontext.Space(b, end)+1)
	}
	child.start, child.slotValue = int32(i), int32(i)
	if b[i] != '{' && b[i] != '[' {
		child.end = int32(jsontext.Skip(b, i))
		child.slotEnd = child.end
	}
	added := d.add(child)
	d.link(added, n)
	d.nodes[n].read = added
	return added
}

// finish reads all that is left of the members or elements of n.
func (d *Doc) finish(n Node) {
	for d.more(n) != None {
	}
}

// slotEnd returns where the child n ended when its parent was read.
func (d *Doc) slotEnd(n Node) int32 {
	v := &d.nodes[n]
	if v.slotEnd == 0 {
		fresh := d.nodes[v.parent].fresh
		replaced := v.start != v.slotValue || v.fresh != fresh
		if v.slotEnd = v.end; replaced || v.end == 0 {
			v.slotEnd = int32(jsontext.Skip(d.source(fresh), int(v.slotValue)))
		}
		if !replaced {
			v.end = v.slotEnd
		}
	}
	return v.slotEnd
}

// end returns where the value n ends.
func (d *Doc) end(n Node) int32 {
	if d.nodes[n].end == 0 {
		d.slotEnd(n)
	}
	return d.nodes[n].end
}

// link makes child the last one of n.
func (d *Doc) link(child, n Node) {
	parent := &d.nodes[n]
	d.nodes[child].prev, d.nodes[child].next = parent.last, None
	if parent.last == None {
		parent.first = child
	} else {
		d.nodes[parent.last].next = child
	}
	parent.last = child
}

// unlink takes n out of its siblings.
func (d *Doc) unlink(n Node) {
	v := &d.nodes[n]
	parent := &d.nodes[v.parent]
	if v.prev == None {
		parent.first = v.next
	} else {
		d.nodes[v.prev].next = v.next
	}
	if v.next == None {
		parent.last = v.prev
	} else {
		d.nodes[v.next].prev = v.prev
	}
	v.prev, v.next = None, None
}

// equal reports whether the content of a JSON string stands for text.
func equal(raw []byte, text string) bool {
	if string(raw) == text {
		return true
	}
	for _, c := range raw {
		if c == '\\' {
			return string(jsontext.Unescape(nil, raw)) == text
		}
	}
	return false
}

func unquoted(raw []byte) string {
	for _, c := range raw {
		if c == '\\' {
			return string(jsontext.Unescape(nil, raw))
		}
	}
	return string(raw)
}
