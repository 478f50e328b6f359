package links

import (
	"bytes"

	"fhirgate/internal/jsontext"
)

// text replaces the base URLs inside the string content buf[i:end], which is
// valid and, if whole, ends there. It returns where to go on: end, or before
// that if a base URL may have begun in what is left.
//
// Here only the exact bytes of a From count (escapes aside, its scheme in lower
// case), and what follows must not make another name of its last segment or
// host: in running text a full stop or a quote ends a URL too.
func (s *machine) text(buf []byte, i, end int, whole bool) (next int, err error) {
	if len(s.prefixes) == 0 {
		return end, nil
	}
	// A URL that begins before sure is at hand with the two characters after
	// it, each of which may be an escape of six bytes.
	sure := end
	if !whole {
		sure = end - 6*(s.longest+2)
	}
	letters := !bytes.Contains(buf[i:end], []byte(`\u`)) // no letter is an escape
	for i < sure {
		if letters {
			n := bytes.Index(buf[i:end], []byte("http"))
			if n < 0 || i+n >= sure {
				return character(buf, i, sure), nil
			}
			i += n
		}
		p, after := s.matchText(buf[:end], i)
		switch {
		case p != nil:
			if err := s.replace(buf, i, after, p.to, nil, ""); err != nil {
				return i, err
			}
			i = after
		case buf[i] == '\\':
			_, i = jsontext.Decode(buf, i)
		default:
			i++
		}
	}
	return i, nil
}

// character returns i, or the index before if that is the second byte of an
// escape; buf[start] is not, and no escape between is longer.
func character(buf []byte, start, i int) int {
	n := 0
	for i-n > start && buf[i-n-1] == '\\' {
		n++
	}
	return i - n%2
}

// matchText finds the prefix whose From stands at raw[i:], and where it ends.
func (s *machine) matchText(raw []byte, i int) (p *prefix, end int) {
	if c := raw[i]; c != 'h' && c != '\\' {
		return nil, 0
	}
next:
	for n := range s.prefixes {
		p := &s.prefixes[n]
		at := i
		for j := range len(p.from) {
			if at >= len(raw) {
				continue next
			}
			var r rune
			if r, at = jsontext.Decode(raw, at); r != rune(p.from[j]) {
				continue next
			}
		}
		if textBoundary(raw, at) {
			if p.to == "" {
				return nil, 0
			}
			return p, at
		}
	}
	return nil, 0
}

// textBoundary says whether a URL that reaches raw[i] in running text is whole
// there.
func textBoundary(raw []byte, i int) bool {
	if i == len(raw) {
		return true
	}
	r, after := jsontext.Decode(raw, i)
	switch r {
	case '-', '_', '~', '%', '@':
		return false
	case '.', ':', '+', '!', '*', ',', ';', '=', '&', '$':
		if after == len(raw) {
			return true
		}
		r, _ = jsontext.Decode(raw, after)
	}
	return !wordy(r)
}

// wordy says whether r goes on with a name.
func wordy(r rune) bool {
	return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || r >= 0x80
}
