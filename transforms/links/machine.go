package links

import (
	"slices"
	"sync"

	"fhirgate/internal/jsontext"
)

// mode is what the machine expects next.
type mode uint8

const (
	atRoot     mode = iota // the object or array that the text is
	atFirstKey             // after "{": a name or "}"
	atKey                  // after a comma in an object: a name
	atColon                // after a name
	atFirst                // after "[": a value or "]"
	atValue                // after a colon, or a comma in an array: a value
	atNext                 // after a value: a comma or the closing bracket
	atEnd                  // after the root: nothing
	inString               // inside a string that passes
	inText                 // inside a string in which base URLs are replaced
)

// maxToken bounds what must be held to be understood, in bytes.
const maxToken = 64 << 10

// machine reads JSON, checks it and edits its locators. It can stop after any
// byte and go on with the next ones.
type machine struct {
	m        *Map
	prefixes []prefix // of m, longest path first
	origin   string   // scheme and authority of m's first prefix
	longest  int      // length of the longest From
	joinOf   string   // the Base that join was made of
	join     string   // m's Base and a slash, escaped

	// Where the text stands.
	base  int64 // offset of the buffer's first byte
	pos   int   // next byte to read, in the buffer; inside run only what callees need
	fresh int   // where this run began to read, in the buffer
	mode  mode
	key   key  // of the current member
	name  name // the current member's

	depth    int // open containers; stack[0] stands for what surrounds the text
	stack    [maxDepth + 1]frame
	rootType name

	// What was changed.
	out    []byte // the output up to buf[last]
	last   int
	edits  int
	frozen int // depth of the object that passes unchanged, 0 if none

	held       heldLink
	relation   []byte // the last one read,
	relationAt int    // in the link object at this depth; 0 if none was

	edit edits // used only with an Edit

	scratch []byte
	spare   []byte // a Writer's output buffer, between two Writers
}

var machines = sync.Pool{New: func() any { return new(machine) }}

// newMachine returns a machine at the start of a text. Callers release it.
func newMachine(m *Map) (*machine, error) {
	s := machines.Get().(*machine)
	s.m = m
	s.base, s.pos, s.fresh, s.mode, s.key, s.depth = 0, 0, 0, atRoot, 0, 0
	s.name.end, s.name.size, s.rootType.size = 0, 0, 0
	s.last, s.edits, s.frozen = 0, 0, 0
	if m.Base != s.joinOf {
		s.joinOf, s.join = m.Base, jsontext.Quote(m.Base)+"/"
	}
	s.held.active, s.relationAt = false, 0
	s.edit.reset()
	if err := s.compile(m.Prefixes); err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

// release gives the machine back, without the buffers of others.
func (s *machine) release() {
	s.m, s.out = nil, nil
	clear(s.prefixes)
	machines.Put(s)
}

// settled is how much of the buffer the machine needs no more.
func (s *machine) settled() int {
	at := s.pos
	if s.held.active {
		at = s.held.start
	}
	if s.edit.comma >= 0 {
		at = min(at, s.edit.comma)
	}
	return at
}

// advance makes buf[n:] the buffer that the next run goes on with.
func (s *machine) advance(buf []byte, n int) {
	s.name.save(buf)
	for d := 1; d <= s.depth; d++ {
		s.stack[d].name.save(buf)
	}
	s.base += int64(n)
	s.pos -= n
	s.held.start -= n
	s.held.end -= n
	if s.edit.comma >= 0 {
		s.edit.comma -= n
	}
	s.last = 0
}

// classify looks a member's name up.
func (s *machine) classify(raw []byte, escaped bool) key {
	if escaped {
		s.scratch = jsontext.Unescape(s.scratch[:0], raw)
		raw = s.scratch
	}
	return lookup(raw)
}

// push opens the container whose bracket is buf[i] and which hangs on k.
func (s *machine) push(i int, k key, array bool) *frame {
	parent := &s.stack[s.depth]
	s.depth++
	f := &s.stack[s.depth]
	f.start = s.base + int64(i)
	f.out = len(s.out) + i - s.last
	f.edits = s.edits
	f.array = array
	f.index = 0
	f.name.end = 0
	if parent.array {
		f.role = parent.role
	} else {
		f.role = role(k, parent.role)
		if f.name.start, f.name.end = s.name.start, s.name.end; s.name.end == 0 {
			f.name = s.name
		}
	}
	f.signed, f.isBundle, f.isOther, f.hasEntry = false, false, false, false // also of an array: what stood here before is over
	if array {
		return f
	}
	if f.role == keyLink {
		s.relationAt = 0
	}
	if s.frozen == 0 && len(s.m.Frozen) > 0 && slices.Contains(s.m.Frozen, f.start) {
		s.frozen = s.depth
	}
	return f
}

// pop closes the innermost container.
func (s *machine) pop(buf []byte) error {
	if s.held.active && s.held.depth == s.depth {
		if err := s.settle(buf); err != nil {
			return err
		}
	}
	if s.m.Edit != nil && s.depth <= maxEditDepth {
		if err := s.endContainer(buf, s.pos); err != nil {
			return err
		}
	}
	if s.frozen == s.depth {
		s.frozen = 0
	}
	s.depth--
	return nil
}

// freeze lets the signed Bundle f, the innermost container, pass unchanged. If
// it was changed already but began in this run, the changes are taken back and
// the caller must go on at buf[back], its first member again.
func (s *machine) freeze(f *frame) (back int, err error) {
	if s.depth == 1 && s.m.Edit != nil && s.m.Edit.Signed != nil {
		return 0, &Error{Offset: f.start, Err: s.m.Edit.Signed}
	}
	if s.held.active && s.held.depth >= s.depth {
		s.held.active = false
	}
	if s.edits > f.edits {
		if f.start < s.base+int64(s.fresh) {
			return 0, &SignedError{Offset: f.start}
		}
		s.out = s.out[:f.out]
		s.last = int(f.start - s.base)
		s.edits = f.edits
		back = s.last + 1
	}
	if s.depth == 1 {
		s.edit.reset()
	}
	s.frozen = s.depth
	return back, nil
}
