package links

import "strconv"

// maxDepth bounds the objects and arrays inside one another. R4 needs about
// 20; the rest is room for nested Parameters and extensions.
const maxDepth = 200

// frame is an open object or array.
type frame struct {
	start int64 // offset of its bracket in the text
	out   int   // length of the output before its bracket, counted in this run
	edits int   // changes made before it
	index int   // of the current element, in an array
	name  name  // of the member that it hangs on, if its parent is an object
	role  key   // what lookup says of that name, or of its array's
	array bool

	// In objects only.
	signed   bool // has a member signature
	isBundle bool // its resourceType is Bundle
	isOther  bool // its resourceType is another
	hasEntry bool // has a member entry
}

// signedBundle says whether what is known of the object so far makes it one.
func (f *frame) signedBundle() bool {
	return f.signed && (f.isBundle || f.hasEntry && !f.isOther)
}

// nameSize is the longest name that a path shows; R4 has none longer.
const nameSize = 40

// name is a member's name. While the bytes it came from are at hand it is only
// their place, so that the usual case, no error, costs nothing; save copies it.
type name struct {
	start, end int // in the buffer of this run; end 0 if it was saved
	size       uint8
	saved      [nameSize]byte
}

func (n *name) set(start, end int) { n.start, n.end = start, end }

// save keeps the name beyond the run that read it from buf.
func (n *name) save(buf []byte) {
	if n.end == 0 {
		return
	}
	n.size = 0
	if raw := buf[n.start:n.end]; nameable(raw) {
		n.size = uint8(copy(n.saved[:], raw))
	}
	n.end = 0
}

// text is the name, or "?" if it is none that FHIR could have: then it may
// be anything, even a value.
func (n *name) text(buf []byte) string {
	raw := n.saved[:n.size]
	if n.end > 0 {
		raw = buf[n.start:n.end]
	}
	if !nameable(raw) {
		return "?"
	}
	return string(raw)
}

// nameable says whether raw is made like the name of a FHIR element or type.
func nameable(raw []byte) bool {
	if len(raw) == 0 || len(raw) > nameSize {
		return false
	}
	for i, c := range raw {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && !(c == '_' && i == 0) && !(c-'0' < 10 && i > 0) {
			return false
		}
	}
	return true
}

// path is the place of the element that is being read, depth containers down.
func (s *machine) path(buf []byte, depth int, inMember bool) string {
	b := make([]byte, 0, 96)
	if s.rootType.size > 0 {
		b = append(b, s.rootType.text(nil)...)
	} else {
		b = append(b, '$')
	}
	for d := 1; d <= depth; d++ {
		f := &s.stack[d]
		if d > 1 && !s.stack[d-1].array {
			b = append(append(b, '.'), f.name.text(buf)...)
		}
		if f.array {
			b = append(strconv.AppendInt(append(b, '['), int64(f.index), 10), ']')
		}
	}
	if inMember && depth > 0 && !s.stack[depth].array {
		b = append(append(b, '.'), s.name.text(buf)...)
	}
	return string(b)
}
