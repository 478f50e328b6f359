package links

import "fhirgate/internal/jsontext"

// run reads buf from s.pos as far as its bytes suffice.
func (s *machine) run(buf []byte) error {
	i, mode, k := s.pos, s.mode, s.key
	f := &s.stack[s.depth]
	s.fresh = i
	editing := s.m.Edit != nil

	for i < len(buf) {
		c := buf[i]
		if c <= ' ' && mode < inString {
			j := jsontext.Space(buf, i)
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
				if editing && s.depth == 2 {
					s.atComma(buf, i)
				}
			case c == ',':
				mode = atKey
				if editing && s.depth == 1 {
					s.atComma(buf, i)
				}
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
			end, escaped := jsontext.Plain(buf, i+1), false
			if end == len(buf) || buf[end] != '"' {
				var how jsontext.Ending
				end, how, escaped = jsontext.Scan(buf, end)
				if how == jsontext.Open && len(buf)-i <= maxToken {
					return s.pause(i, mode, k)
				}
				if how != jsontext.Closed {
					return s.failString(buf, i, end, mode, how)
				}
			}
			if end-i > maxToken {
				return s.fail(buf, i, mode, ErrTooLong)
			}
			s.name.set(i+1, end)
			k = keyOther
			if s.frozen == 0 {
				k = s.classify(buf[i+1:end], escaped)
			}
			begin, was := i, mode
			i = end + 1
			mode = atColon
			if i < len(buf) && buf[i] == ':' {
				mode = atValue
				i++
			}
			if k == keySignature || k == keyEntry {
				f.signed = f.signed || k == keySignature
				f.hasEntry = f.hasEntry || k == keyEntry
				if f.signedBundle() {
					back, err := s.freeze(f)
					if err != nil {
						return err
					}
					if back > 0 {
						i, mode = back, atFirstKey
					}
					k = keyOther
				}
			}
			if editing && s.depth == 1 && i > begin {
				s.beginMember(begin, k, was)
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
				if editing && s.depth <= 2 {
					if err := s.openEdited(buf, i, mode, k); err != nil {
						return err
					}
				}
				f = s.push(i, k, c == '[')
				k = keyOther
				mode = atFirstKey
				if f.array {
					mode = atFirst
				}
				i++
			case c == '"' && mode != atRoot:
				if editing && s.depth <= 2 {
					s.passEdited(buf)
				}
				if k != keyOther && k <= lastStringKey {
					if kind := use(k, f.role, s.depth); kind != 0 {
						var err error
						if i, mode, err = s.special(kind, buf, i); err != nil {
							return err
						}
						if mode == atValue {
							return s.pause(i, mode, k)
						}
						continue
					}
				}
				// Most strings: the common end is looked for here and now.
				mode = inString
				if i = jsontext.Plain(buf, i+1); i < len(buf) && buf[i] == '"' {
					mode = atNext
					i++
				}
			case c == ']' && mode == atFirst:
				mode = atNext
			default:
				next, err := s.scalar(buf, i, mode)
				if err != nil {
					return err
				}
				if next == i {
					return s.pause(i, mode, k)
				}
				if editing && s.depth <= 2 {
					s.scalarEdited(buf, next, k)
				}
				i = next
				mode = atNext
			}

		case inString:
			end, how, _ := jsontext.Scan(buf, i)
			switch how {
			case jsontext.Closed:
				i = end + 1
				mode = atNext
			case jsontext.Open:
				return s.pause(end, mode, k)
			default:
				return s.failString(buf, i, end, mode, how)
			}

		case inText:
			end, how, _ := jsontext.Scan(buf, i)
			if how != jsontext.Closed && how != jsontext.Open {
				return s.failString(buf, i, end, mode, how)
			}
			s.pos = i
			next, err := s.text(buf, i, end, how == jsontext.Closed)
			if err != nil {
				return err
			}
			if how == jsontext.Open {
				return s.pause(next, mode, k)
			}
			i = next + 1
			mode = atNext

		default: // atEnd
			if s.m.Lines {
				mode, k = atRoot, keyOther // the root hangs on no member of the line before
				s.rootType.size = 0
				s.edit.reset()
				continue
			}
			return s.fail(buf, i, mode, errTrailing)
		}
	}
	return s.pause(i, mode, k)
}

// special handles a string that means something, whose opening quote is
// buf[i]. It returns where and how to go on: at itself if buf ends too early.
func (s *machine) special(kind Kind, buf []byte, i int) (next int, m mode, err error) {
	if kind == useText {
		return i + 1, inText, nil
	}
	end, how, escaped := jsontext.Scan(buf, i+1)
	switch {
	case how == jsontext.BadControl || how == jsontext.BadEscape:
		return 0, 0, s.failString(buf, i, end, atValue, how)
	case end-i > maxToken && isData(buf[i+1:]):
		return i + 1, inString, nil
	case end-i > maxToken:
		return 0, 0, s.fail(buf, i, atValue, ErrTooLong)
	case how == jsontext.Open:
		return i, atValue, nil
	}
	s.pos = i
	back, err := s.visit(kind, buf, i+1, end, escaped)
	if back > 0 {
		return back, atFirstKey, err
	}
	return end + 1, atNext, err
}

// scalar reads the number or literal that starts at buf[i]. It returns where
// that ends, or i if buf ends too early to tell.
func (s *machine) scalar(buf []byte, i int, m mode) (next int, err error) {
	switch c := buf[i]; {
	case m == atRoot:
	case c == 't' || c == 'f' || c == 'n':
		n, ok := literal(buf[i:])
		if !ok {
			return i, s.fail(buf, i, m, errLiteral)
		}
		return i + n, nil
	case c == '-' || c-'0' < 10:
		end, ok := jsontext.Number(buf, i)
		switch {
		case end-i > maxToken:
			return i, s.fail(buf, i, m, ErrTooLong)
		case end == len(buf):
			return i, nil
		case !ok:
			return i, s.fail(buf, end, m, errNumber)
		}
		return end, nil
	}
	return i, s.fail(buf, i, m, errUnexpected)
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

// finish checks that the text, which ends with buf, is complete.
func (s *machine) finish(buf []byte) error {
	if s.mode == atEnd || s.m.Lines && s.mode == atRoot && s.pos == len(buf) {
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
func (s *machine) failString(buf []byte, i, end int, m mode, how jsontext.Ending) error {
	switch how {
	case jsontext.BadControl:
		return s.fail(buf, end, m, errControl)
	case jsontext.BadEscape:
		return s.fail(buf, end, m, errEscape)
	default:
		return s.fail(buf, i, m, ErrTooLong)
	}
}
