package links

import (
	"slices"
	"sync"
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

	scratch []byte
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
		s.joinOf, s.join = m.Base, quote(m.Base)+"/"
	}
	s.held.active, s.relationAt = false, 0
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

// run reads buf from s.pos as far as its bytes suffice.
func (s *machine) run(buf []byte) error {
	i, mode, k := s.pos, s.mode, s.key
	f := &s.stack[s.depth]
	s.fresh = i

	for i < len(buf) {
		c := buf[i]
		if c <= ' ' && mode < inString {
			j := space(buf, i)
			if j == i {
				return s.fail(buf, i, mode, errUnexpected)
			}
			i = j
			continue
		}
		switch mode {
		case atNext:
			switch {
			case c == ',' && f.array:
				f.index++
				mode, k = atValue, keyOther
			case c == ',':
				mode = atKey
			case c == '}' && !f.array, c == ']' && f.array:
				s.pos = i
				if err := s.pop(buf); err != nil {
					return err
				}
				f = &s.stack[s.depth]
				if s.depth == 0 {
					mode = atEnd
				}
			default:
				return s.fail(buf, i, mode, errUnexpected)
			}
			i++

		case atFirstKey, atKey:
			if c == '}' && mode == atFirstKey {
				mode = atNext
				continue
			}
			if c != '"' {
				return s.fail(buf, i, mode, errUnexpected)
			}
			end, how, escaped := scan(buf, i+1)
			if how != closed {
				if how == open && len(buf)-i <= maxToken {
					return s.pause(i, mode, k)
				}
				return s.failString(buf, i, end, mode, how)
			}
			if end-i > maxToken {
				return s.fail(buf, i, mode, ErrTooLong)
			}
			s.name.set(i+1, end)
			k = keyOther
			if s.frozen == 0 {
				k = s.classify(buf[i+1:end], escaped)
			}
			i = end + 1
			mode = atColon
			if k == keySignature || k == keyEntry {
				f.signed = f.signed || k == keySignature
				f.hasEntry = f.hasEntry || k == keyEntry
				if f.signedBundle() {
					rewound, err := s.freeze(f)
					if err != nil {
						return err
					}
					if rewound {
						i, mode = int(f.start-s.base)+1, atFirstKey
					}
					k = keyOther
				}
			}

		case atColon:
			if c != ':' {
				return s.fail(buf, i, mode, errUnexpected)
			}
			i++
			mode = atValue

		case atValue, atFirst, atRoot:
			switch {
			case c == '{' || c == '[':
				if s.depth == maxDepth {
					return s.fail(buf, i, mode, ErrTooDeep)
				}
				f = s.push(i, k, c == '[')
				k = keyOther
				mode = atFirstKey
				if f.array {
					mode = atFirst
				}
				i++
			case mode == atRoot:
				return s.fail(buf, i, mode, errUnexpected)
			case c == '"':
				var kind Kind
				if k != keyOther && k <= lastStringKey {
					kind = use(k, f.role, s.depth)
				}
				if kind == 0 {
					mode = inString
					i++
					continue
				}
				if kind == useText {
					mode = inText
					i++
					continue
				}
				end, how, escaped := scan(buf, i+1)
				switch {
				case how == closed && end-i <= maxToken:
				case how == badControl || how == badEscape:
					return s.failString(buf, i, end, mode, how)
				case end-i > maxToken && isData(buf[i+1:]):
					mode = inString
					i++
					continue
				case end-i > maxToken:
					return s.fail(buf, i, mode, ErrTooLong)
				default:
					return s.pause(i, mode, k)
				}
				s.pos = i
				rewound, err := s.visit(kind, buf, i+1, end, escaped)
				if err != nil {
					return err
				}
				i, mode = end+1, atNext
				if rewound {
					i, mode = int(f.start-s.base)+1, atFirstKey
				}
			case c == 't' || c == 'f' || c == 'n':
				n, ok := literal(buf[i:])
				if !ok {
					return s.fail(buf, i, mode, errLiteral)
				}
				if n == 0 {
					return s.pause(i, mode, k)
				}
				i += n
				mode = atNext
			case c == '-' || c-'0' < 10:
				end, ok := number(buf, i)
				if end-i > maxToken {
					return s.fail(buf, i, mode, ErrTooLong)
				}
				if end == len(buf) {
					return s.pause(i, mode, k)
				}
				if !ok {
					return s.fail(buf, end, mode, errNumber)
				}
				i = end
				mode = atNext
			case c == ']' && mode == atFirst:
				mode = atNext
			default:
				return s.fail(buf, i, mode, errUnexpected)
			}

		case inString:
			end, how, _ := scan(buf, i)
			switch how {
			case closed:
				i = end + 1
				mode = atNext
			case open:
				return s.pause(end, mode, k)
			default:
				return s.failString(buf, i, end, mode, how)
			}

		case inText:
			end, how, _ := scan(buf, i)
			if how != closed && how != open {
				return s.failString(buf, i, end, mode, how)
			}
			s.pos = i
			next, err := s.text(buf, i, end, how == closed)
			if err != nil {
				return err
			}
			if how == open {
				return s.pause(next, mode, k)
			}
			i = next + 1
			mode = atNext

		default: // atEnd
			return s.fail(buf, i, mode, errTrailing)
		}
	}
	return s.pause(i, mode, k)
}

// settled is how much of the buffer the machine needs no more.
func (s *machine) settled() int {
	if s.held.active {
		return s.held.start
	}
	return s.pos
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
	s.last = 0
}

// finish checks that the text, which ends with buf, is complete.
func (s *machine) finish(buf []byte) error {
	if s.mode == atEnd {
		return nil
	}
	return s.fail(buf, len(buf), s.mode, ErrTruncated)
}

// pause stops the run before buf[i].
func (s *machine) pause(i int, m mode, k key) error {
	s.pos, s.mode, s.key = i, m, k
	return nil
}

// fail is the error err at buf[i].
func (s *machine) fail(buf []byte, i int, m mode, err error) error {
	inMember := m == atColon || m == atValue || m == inString || m == inText
	return &Error{Offset: s.base + int64(i), Path: s.path(buf, s.depth, inMember), Err: err}
}

// failString is the error of a string that starts at i and ended badly.
func (s *machine) failString(buf []byte, i, end int, m mode, how ending) error {
	switch how {
	case badControl:
		return s.fail(buf, end, m, errControl)
	case badEscape:
		return s.fail(buf, end, m, errEscape)
	default:
		return s.fail(buf, i, m, ErrTooLong)
	}
}

// classify looks a member's name up.
func (s *machine) classify(raw []byte, escaped bool) key {
	if escaped {
		s.scratch = unescape(s.scratch[:0], raw)
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
	if array {
		return f
	}
	f.signed, f.isBundle, f.isOther, f.hasEntry = false, false, false, false
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
	if s.frozen == s.depth {
		s.frozen = 0
	}
	s.depth--
	return nil
}

// freeze lets the signed Bundle f, the innermost container, pass unchanged. If
// it was changed already but began in this run, the changes are taken back and
// the caller must read it again from its first member.
func (s *machine) freeze(f *frame) (rewound bool, err error) {
	if s.held.active && s.held.depth >= s.depth {
		s.held.active = false
	}
	if s.edits > f.edits {
		if f.start < s.base+int64(s.fresh) {
			return false, &SignedError{Offset: f.start}
		}
		s.out = s.out[:f.out]
		s.last = int(f.start - s.base)
		s.edits = f.edits
		rewound = true
	}
	s.frozen = s.depth
	return rewound, nil
}

// literal returns the length of the literal that b starts with, or 0 if b may
// end inside it.
func literal(b []byte) (n int, ok bool) {
	word := "true"
	switch b[0] {
	case 'f':
		word = "false"
	case 'n':
		word = "null"
	}
	if len(b) < len(word) {
		return 0, string(b) == word[:len(b)]
	}
	return len(word), string(b[:len(word)]) == word
}
