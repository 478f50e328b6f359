package links

import (
	"errors"
	"fmt"

	"fhirgate/fhir"
	"fhirgate/internal/jsontext"
)

// Edit changes resources on their way through: the root, when it is no Bundle,
// or the entries of the root Bundle. Each is held until it is whole, and passes
// with its locators moved already. Signed Bundles pass unchanged.
//
// Its functions are called in the order of the text, but again for the same
// resource if the end of a Write cut it.
type Edit struct {
	// Holds reports whether Resource is to see resources of a type. Others are
	// not held.
	Holds func(resourceType string) bool

	// Every says that Resource is to see what tells no type as well: entries without
	// a resource, and objects that are none. A text in which it would miss some
	// fails: an array, and entries of a Bundle that are no array of objects.
	Every bool

	// Resource returns what is to stand for text: one resource, then entry is -1,
	// or one whole entry of the root Bundle, with its index in the hospital's
	// answer. typ is the type of the resource, "" where none is told. It returns text
	// itself to change nothing, and nil to leave the entry out. What it returns must
	// not lie in text otherwise, and is used before the next call. An error fails the
	// pass with an *Error that wraps it.
	Resource func(text []byte, entry int, typ string) ([]byte, error)

	// Places says that what Resource returns may hold locators at places where they
	// were not when they were moved: then its locators are moved again, which
	// leaves those that were moved as they are. Bundle.link is not among them.
	Places bool

	// Signed, if set, fails the pass of a text that is a signed Bundle, whose
	// entries Resource would not see.
	Signed error

	// DropTotal leaves Bundle.total out.
	DropTotal bool

	// Next, if set, is asked for the url of a next link if the root Bundle has
	// none; "" means that it stays without.
	Next func() (string, error)
}

// maxHeld bounds a resource, or an entry, that an Edit holds.
const maxHeld = 16 << 20

// maxEditDepth is that of a resource in an entry of the root Bundle.
const maxEditDepth = 4

// mark is a place to which the machine can go back as if it had not read on.
type mark struct {
	active bool
	at     int // where to go on, in the buffer
	from   int // the comma before, if there is one that may have to go as well; else at
	mode   mode
	depth  int // of what surrounds the place
	index  int // in the array there
	out    int // the output,
	last   int // as it was
	edits  int
}

// edits is the state of a machine that has an Edit.
type edits struct {
	hold   mark // the object that is held
	typed  bool // its type is known, and Resource wants to see it
	typ    string
	member mark // the member of the root that may have to go: entry or total
	comma  int  // before the entry or member that begins, in the buffer; -1 = none
	skip   bool // the next comma of the root goes

	kept, dropped bool // at least one entry was
	changed       bool // likewise
	gaveUp        bool // the root was taken for a Bundle before it told its type
	linked        int  // links of the root
	nextSeen      bool // one of them has the relation next, or the Edit was asked for one
	nextAdded     bool
}

var (
	errTooLarge = errors.New("a resource that rules of its vendor apply to is larger than 16 MiB")
	errLateType = errors.New("the resource's type stands behind what made it look like a Bundle")
	errNoEntry  = fmt.Errorf("%w: arrays and objects are not where FHIR has them", ErrMalformed)
)

func (e *edits) reset() { *e = edits{comma: -1} }

// here is the mark of a place whose surroundings are at the given depth.
func (s *machine) here(i, depth int, m mode) mark {
	from := i
	if s.edit.comma >= 0 {
		from = s.edit.comma
	}
	return mark{true, i, from, m, depth, s.stack[depth].index, len(s.out), s.last, s.edits}
}

// rewind goes back to the earliest mark that is active, because the buffer
// ends before it was decided what becomes of it.
func (s *machine) rewind(buf []byte) error {
	e := &s.edit
	m := e.hold
	if e.member.active && !(m.active && m.depth == 0) {
		m = e.member
	}
	if !m.active {
		return nil
	}
	if s.pos-m.at > maxHeld {
		return &Error{Offset: s.base + int64(m.at), Path: s.path(buf, m.depth, false), Err: errTooLarge}
	}
	s.pos, s.mode, s.key, s.depth = m.at, m.mode, keyOther, m.depth
	s.stack[m.depth].index = m.index
	s.out, s.last, s.edits = s.out[:m.out], m.last, m.edits
	s.held.active = false
	if s.frozen > m.depth { // it is read again, and found to be signed again
		s.frozen = 0
	}
	if m.depth == 0 {
		e.reset() // the whole text is read again
	} else if e.member.active {
		e.kept, e.dropped = false, false
	}
	e.hold.active, e.member.active, e.comma = false, false, -1
	if m.from < m.at {
		e.comma = m.from
	}
	return nil
}

// beginHold holds the object whose bracket is buf[i], if it is the root or an
// entry of a Bundle. It is called before the object is pushed.
func (s *machine) beginHold(buf []byte, i int, m mode) {
	e := &s.edit
	switch {
	case s.frozen > 0 || e.hold.active:
		return
	case s.depth == 0:
	case s.depth == 2 && s.stack[2].array && s.stack[2].role == keyEntry && !s.stack[1].array && !s.stack[1].isOther:
		s.firstKept(buf)
	default:
		return
	}
	e.hold, e.typed, e.typ = s.here(i, s.depth, m), false, ""
}

// openEdited is called before the container whose bracket is buf[i] is pushed.
func (s *machine) openEdited(buf []byte, i int, m mode, k key) error {
	if s.m.Edit.Every && s.misplaced(buf[i] == '[', k) {
		return s.fail(buf, i, m, errNoEntry)
	}
	if buf[i] == '{' {
		s.beginHold(buf, i, m)
	}
	entries := s.depth == 1 && k == keyEntry && buf[i] == '['
	if s.depth == 1 && !entries {
		s.edit.member.active = false
	}
	if s.depth > 0 && !entries && !s.edit.hold.active {
		s.passEdited(buf)
	}
	return nil
}

// misplaced reports whether an array or object is not where it would be seen: an
// array that is the root or an entry, or an object in place of the entries.
func (s *machine) misplaced(array bool, k key) bool {
	switch s.depth {
	case 0:
		return array
	case 1:
		return !array && k == keyEntry && !s.stack[1].isOther
	default:
		return array && s.stack[2].array && s.stack[2].role == keyEntry && !s.stack[1].isOther
	}
}

// passEdited is called for a value among the members of the root or the entries
// that stays.
func (s *machine) passEdited(buf []byte) {
	e := &s.edit
	if s.depth == 2 {
		if s.stack[2].role != keyEntry {
			e.comma = -1
			return
		}
		s.firstKept(buf)
	}
	e.comma = -1
	e.kept = true
	e.member.active = false
}

// scalarEdited is called behind a number or literal under the key k, which ends
// before buf[end].
func (s *machine) scalarEdited(buf []byte, end int, k key) {
	if s.depth == 1 && k == keyTotal && s.edit.member.active {
		s.dropMember(buf, end)
		return
	}
	s.passEdited(buf)
}

// firstKept takes the comma before an entry away if all entries before it were
// left out.
func (s *machine) firstKept(buf []byte) {
	e := &s.edit
	if e.kept || e.comma < 0 {
		return
	}
	s.out = append(s.out, buf[s.last:e.comma]...)
	s.last = e.comma + 1
	s.edits++
	e.comma = -1
}

// knowType learns the type of the innermost object.
func (s *machine) knowType(buf, raw []byte) error {
	e := &s.edit
	root, typ := s.depth == 1, fhir.TypeName(raw)
	if root && typ != "Bundle" && (e.gaveUp && (e.changed || s.m.Edit.Holds(typ)) || e.nextAdded) {
		return s.fail(buf, s.pos, atValue, errLateType)
	}
	if !e.hold.active || e.typed {
		return nil
	}
	switch entry := e.hold.depth == 2; {
	case entry && s.depth == 4, root && !entry:
		e.typed, e.typ = s.m.Edit.Holds(typ) && !(root && typ == "Bundle"), typ
		if !e.typed {
			s.letGo()
		}
	}
	return nil
}

// letGo lets what is held pass.
func (s *machine) letGo() {
	e := &s.edit
	e.hold.active, e.comma = false, -1
	if e.hold.depth == 2 {
		e.kept = true
		e.member.active = false
	}
}

// endHold has the held object, which ends before buf[end], changed.
func (s *machine) endHold(buf []byte, end int) error {
	e, h := &s.edit, s.edit.hold
	entry := -1
	if h.depth == 2 {
		entry = s.stack[2].index
	}
	if !e.typed && !s.m.Edit.Every {
		s.letGo()
		return nil
	}
	text := buf[h.at:end]
	if s.edits != h.edits {
		s.out = append(s.out, buf[s.last:end]...)
		s.last = end
		text = s.out[h.out+h.at-h.last:]
	}
	fail := func(err error) error {
		return &Error{Offset: s.base + int64(h.at), Path: s.path(buf, s.depth, false), Err: err}
	}
	if len(text) > maxHeld {
		return fail(errTooLarge)
	}
	changed, err := s.m.Edit.Resource(text, entry, e.typ)
	switch {
	case err != nil:
		return fail(err)
	case changed == nil && entry >= 0:
		s.out = append(s.out[:h.out], buf[h.last:h.from]...)
		s.last = end
		s.edits++
		e.dropped, e.changed, e.hold.active, e.comma = true, true, false, -1
		return nil
	case len(changed) == 0 || &changed[0] != &text[0]:
		if s.m.Edit.Places {
			again := Map{Prefixes: s.m.Prefixes, Base: s.m.Base, Other: s.m.Other}
			if changed, err = Rewrite(nil, changed, &again); err != nil {
				return fail(err)
			}
		}
		s.out = append(append(s.out[:h.out], buf[h.last:h.at]...), changed...)
		s.last = end
		s.edits++
		e.changed = true
	}
	s.letGo()
	return nil
}

// beginMember notes the member of the root whose name starts at buf[i], if it
// may have to go.
func (s *machine) beginMember(i int, k key, m mode) {
	e := &s.edit
	if s.frozen > 0 || s.stack[1].array || s.stack[1].isOther {
		e.comma = -1
		return
	}
	if k == keyEntry && e.hold.active && !e.typed { // only a Bundle has entries
		e.hold.active = false
		e.gaveUp = true
	}
	if k == keyEntry || k == keyTotal && s.m.Edit.DropTotal && !(e.hold.active && e.typed) {
		e.member = s.here(i, 1, m)
		e.kept, e.dropped = false, false
	}
	e.comma = -1
}

// dropMember leaves the noted member out, which ends before buf[end].
func (s *machine) dropMember(buf []byte, end int) {
	m := s.edit.member
	s.out = append(s.out[:m.out], buf[m.last:m.from]...)
	s.last = end
	s.edits++
	s.edit.member.active = false
	s.edit.skip = m.from == m.at // it was the first
}

// atComma notes the comma buf[i] between members of the root or entries.
func (s *machine) atComma(buf []byte, i int) {
	e := &s.edit
	if s.frozen > 0 {
		return
	}
	switch {
	case s.depth == 1 && e.skip:
		s.out = append(s.out, buf[s.last:i]...)
		s.last = i + 1
		s.edits++
		e.skip = false
	case s.depth == 1, s.depth == 2 && s.stack[2].array && s.stack[2].role == keyEntry:
		e.comma = i
	}
}

// endContainer is called before the innermost container is popped, whose
// closing bracket is buf[i].
func (s *machine) endContainer(buf []byte, i int) error {
	e := &s.edit
	if e.hold.active && e.hold.depth == s.depth-1 {
		if err := s.endHold(buf, i+1); err != nil {
			return err
		}
	}
	if s.frozen > 0 {
		return nil
	}
	switch f := &s.stack[s.depth]; {
	case s.depth == 2 && f.role == keyEntry && f.array:
		if e.member.active && e.dropped && !e.kept {
			s.dropMember(buf, i+1)
		}
		e.member.active, e.comma = false, -1
	case s.depth == 3 && f.role == keyLink && !f.array:
		e.linked++
	case s.depth == 2 && f.role == keyLink && f.array:
		if !s.stack[1].array && !s.stack[1].isOther {
			return s.addNext(buf, i, e.linked > 0, "", "")
		}
	case s.depth == 1 && f.isBundle:
		return s.addNext(buf, i, true, `"link":[`, "]")
	}
	return nil
}

// addNext adds a next link before buf[i] if the Edit has one and the Bundle has
// none.
func (s *machine) addNext(buf []byte, i int, comma bool, before, after string) error {
	e := &s.edit
	if e.nextSeen || s.m.Edit.Next == nil {
		e.nextSeen = true
		return nil
	}
	e.nextSeen = true
	url, err := s.m.Edit.Next()
	if err != nil {
		return s.fail(buf, i, atNext, err)
	}
	if url == "" {
		return nil
	}
	s.out = append(s.out, buf[s.last:i]...)
	if comma {
		s.out = append(s.out, ',')
	}
	s.out = append(s.out, before...)
	s.out = append(s.out, `{"relation":"next","url":"`...)
	s.out = append(s.out, jsontext.Quote(url)...)
	s.out = append(s.out, `"}`...)
	s.out = append(s.out, after...)
	s.last = i
	s.edits++
	e.nextAdded = true
	return nil
}
