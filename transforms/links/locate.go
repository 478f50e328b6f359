package links

import (
	"bytes"
	"slices"
	"strings"

	"fhirgate/internal/jsontext"
)

// relativeMark is the fragment of an attachment URL that was relative before
// an answer's rewriting made it absolute.
const relativeMark = "#relative"

// heldLink is the url of a Bundle.link that waits for the relation after it.
type heldLink struct {
	active     bool
	depth      int // of the link object
	start, end int // of the content, in the buffer
	escaped    bool
}

// visit handles the string of the given kind with content buf[start:end]. If
// it turns out that the innermost container is a signed Bundle, changed already,
// the caller must go on at buf[back].
func (s *machine) visit(kind Kind, buf []byte, start, end int, escaped bool) (back int, err error) {
	if s.m.Seen != nil && (kind == KindReference || kind == KindFullURL || kind == KindLocation) {
		s.m.Seen(s.content(buf[start:end], escaped))
	}
	switch kind {
	case useType:
		return s.resourceType(buf, buf[start:end], escaped)
	case useRelation:
		s.relation = append(s.relation[:0], buf[start:end]...)
		if escaped {
			s.relation = jsontext.Unescape(s.relation[:0], buf[start:end])
		}
		s.relationAt = s.depth
		if s.depth == 3 && string(s.relation) == "next" {
			s.edit.nextSeen = true
		}
		if s.held.active && s.held.depth == s.depth {
			return 0, s.settle(buf)
		}
		return 0, nil
	case KindLink:
		if s.m.Link == nil {
			break
		}
		if s.relationAt != s.depth {
			err = s.settle(buf)
			s.held = heldLink{err == nil, s.depth, start, end, escaped}
			return 0, err
		}
		return 0, s.link(buf, heldLink{true, s.depth, start, end, escaped}, string(s.relation))
	case KindReference:
		// Nearly all references are relative, which shows in the first byte.
		if end == start || buf[start]|0x20 != 'h' && buf[start] != '/' && buf[start] != '\\' {
			return 0, nil
		}
	}
	return 0, s.locator(kind, buf, start, end, escaped)
}

// resourceType learns the type of the innermost object.
func (s *machine) resourceType(buf, raw []byte, escaped bool) (back int, err error) {
	if escaped {
		s.scratch = jsontext.Unescape(s.scratch[:0], raw)
		raw = s.scratch
	}
	if s.depth == 1 {
		s.rootType.set(0, len(raw))
		s.rootType.save(raw)
	}
	if s.m.Edit != nil && s.depth <= maxEditDepth {
		if err := s.knowType(buf, raw); err != nil {
			return 0, err
		}
	}
	f := &s.stack[s.depth]
	f.isBundle = string(raw) == "Bundle"
	f.isOther = !f.isBundle
	if f.signedBundle() {
		return s.freeze(f)
	}
	return 0, nil
}

// settle maps the held link, if there is one, because its relation is known,
// its object ends, or the output must go on.
func (s *machine) settle(buf []byte) error {
	if !s.held.active {
		return nil
	}
	h := s.held
	s.held.active = false
	relation := ""
	if s.relationAt == h.depth {
		relation = string(s.relation)
	}
	return s.link(buf, h, relation)
}

// link maps the url h of a Bundle.link by the Map's function.
func (s *machine) link(buf []byte, h heldLink, relation string) error {
	url := string(s.content(buf[h.start:h.end], h.escaped))
	to, err := s.m.Link(relation, url)
	if s.pos-h.start > 2*maxToken {
		err = ErrTooLong
	}
	if err != nil {
		return &Error{Offset: s.base + int64(h.start) - 1, Path: s.path(buf, h.depth, false) + ".url", Err: err}
	}
	if to == url {
		return nil
	}
	to = jsontext.Quote(to)
	for d := h.depth + 1; d <= s.depth; d++ {
		// Opened while the link was held: this change comes before them.
		s.stack[d].edits++
		s.stack[d].out += len(to) - (h.end - h.start)
	}
	return s.replace(buf, h.start, h.end, to, nil, "")
}

// locator maps one locator.
func (s *machine) locator(kind Kind, buf []byte, start, end int, escaped bool) error {
	url := s.content(buf[start:end], escaped)
	switch formOf(url) {
	case formAbsolute:
		return s.absolute(kind, buf, start, end, escaped, url)
	case formRooted:
		if !kind.joins() || s.m.Base == "" || s.origin == "" {
			return nil
		}
		// From here the locator is no longer what stands in the buffer.
		resolved := slices.Concat([]byte(s.origin), url)
		if p, n := s.match(resolved); p != nil {
			return s.replace(buf, start, end, p.to+jsontext.Quote(string(resolved[n:])), nil, "")
		}
		return s.other(kind, buf, start, end, string(resolved))
	case formRelative:
		if !kind.joins() || s.m.Base == "" {
			return nil
		}
		base, mark := s.join, ""
		if kind == KindAttachment {
			if bytes.IndexByte(url, '#') >= 0 {
				return nil
			}
			mark = relativeMark
		}
		if url[0] == '?' {
			base = strings.TrimSuffix(base, "/")
		}
		return s.replace(buf, start, end, base, buf[start:end], mark)
	}
	return nil
}

// absolute maps an absolute locator.
func (s *machine) absolute(kind Kind, buf []byte, start, end int, escaped bool, url []byte) error {
	p, n := s.match(url)
	if p == nil {
		return s.other(kind, buf, start, end, string(url))
	}
	if kind == KindAttachment && s.m.Base == "" && bytes.HasSuffix(url[n:], []byte(relativeMark)) {
		relative := bytes.TrimPrefix(url[n:len(url)-len(relativeMark)], []byte("/"))
		return s.replace(buf, start, end, jsontext.Quote(string(relative)), nil, "")
	}
	tail := start + n
	if escaped {
		tail = start + rawLength(buf[start:end], n)
	}
	return s.replace(buf, start, end, p.to, buf[tail:end], "")
}

// other asks the Map about an absolute locator that no prefix maps.
func (s *machine) other(kind Kind, buf []byte, start, end int, url string) error {
	if s.m.Other == nil {
		return nil
	}
	to, err := s.m.Other(kind, url)
	if err != nil {
		return s.refuse(buf, start, err)
	}
	if to != url {
		return s.replace(buf, start, end, jsontext.Quote(to), nil, "")
	}
	return nil
}

// content is the text of a string's content; it is valid until the next call.
func (s *machine) content(raw []byte, escaped bool) []byte {
	if !escaped {
		return raw
	}
	s.scratch = jsontext.Unescape(s.scratch[:0], raw)
	return s.scratch
}

// rawLength is how many bytes of raw stand for the first n bytes, all ASCII,
// of its text.
func rawLength(raw []byte, n int) (i int) {
	for ; n > 0; n-- {
		_, i = jsontext.Decode(raw, i)
	}
	return i
}

// replace puts head, which is escaped, tail and mark where buf[start:end]
// stands. The output is made in order: a held link before it is held no more.
func (s *machine) replace(buf []byte, start, end int, head string, tail []byte, mark string) error {
	if err := s.settle(buf); err != nil {
		return err
	}
	s.out = append(s.out, buf[s.last:start]...)
	s.out = append(s.out, head...)
	s.out = append(s.out, tail...)
	s.out = append(s.out, mark...)
	s.last = end
	s.edits++
	return nil
}

// refuse is the error err about the string with the content buf[start:].
func (s *machine) refuse(buf []byte, start int, err error) error {
	return s.fail(buf, start-1, atValue, err)
}
