package links

// text replaces the base URLs inside the string content buf[i:end], which is
// valid and, if whole, ends there. It returns where to go on: end, or before
// that if a base URL may have begun in what is left.
//
// Here only the exact bytes of a From count (escapes aside), and what follows
// must not make another name of its last segment or host: in running text a
// full stop or a quote ends a URL too.
func (s *machine) text(buf []byte, i, end int, whole bool) (next int, err error) {
	if len(s.prefixes) == 0 {
		return end, nil
	}
	// Each character may be an escape of six bytes; two follow the URL.
	sure := end
	if !whole {
		sure = end - 6*(s.longest+2)
	}
	for i < sure {
		c := buf[i]
		if c|0x20 == 'h' || c == '\\' && buf[i+1] == 'u' {
			if p, after := s.matchText(buf[:end], i); p != nil {
				if err := s.replace(buf, i, after, p.to, nil, ""); err != nil {
					return i, err
				}
				i = after
				continue
			}
		}
		if c == '\\' {
			_, i = decode(buf, i)
		} else {
			i++
		}
	}
	return i, nil
}

// matchText finds the prefix whose From stands at raw[i:], and where it ends.
func (s *machine) matchText(raw []byte, i int) (p *prefix, end int) {
next:
	for n := range s.prefixes {
		p := &s.prefixes[n]
		at := i
		for j := range len(p.from) {
			if at >= len(raw) {
				continue next
			}
			var r rune
			if r, at = decode(raw, at); r != rune(p.from[j]) {
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
	r, after := decode(raw, i)
	switch r {
	case '-', '_', '~', '%', '@':
		return false
	case '.', ':', '+', '!', '*', ',', ';', '=', '&', '$':
		if after == len(raw) {
			return true
		}
		r, _ = decode(raw, after)
	}
	return !wordy(r)
}

// wordy says whether r goes on with a name.
func wordy(r rune) bool {
	return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || r >= 0x80
}
