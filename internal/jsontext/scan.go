// Package jsontext reads and writes the tokens of JSON (RFC 8259) in bytes that
// are not decoded: what the link rewriter and the resource tree share.
package jsontext

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Eight bytes at a time: the lowest and the highest bit of each byte.
const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// Plain returns the index of the first byte of b[i:] that is not plain inside
// a string: a quote, a backslash or a control character. It is len(b) if there
// is none.
func Plain(b []byte, i int) int {
	for ; len(b)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		// A byte below 0x20, or 0x22, is below 0x21 once 0x02 is flipped. A
		// borrow can only mark bytes above one that is rightly marked, so the
		// lowest mark is always right.
		if m := (((w ^ 0x02*lows) - 0x21*lows) | ((w ^ '\\'*lows) - lows)) &^ w & highs; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// Ending is how a scan of a string's content ended.
type Ending uint8

// The endings.
const (
	Open       Ending = iota // at the end of the bytes, or at an escape that they cut
	Closed                   // at the closing quote
	BadControl               // at a control character
	BadEscape                // at a byte that no escape has
)

// Scan reads the content of a string from b[i:]. It returns where it ended,
// how, and whether it saw escapes.
func Scan(b []byte, i int) (end int, how Ending, escaped bool) {
	for {
		i = Plain(b, i)
		if i == len(b) {
			return i, Open, escaped
		}
		switch b[i] {
		case '"':
			return i, Closed, escaped
		case '\\':
			n, at := escape(b[i:])
			if at != 0 {
				return i + at, BadEscape, escaped
			}
			if n == 0 {
				return i, Open, escaped
			}
			escaped = true
			i += n
		default:
			return i, BadControl, escaped
		}
	}
}

// escape checks the escape that b starts with. It returns its length, or 0 if
// b ends inside it, or else the index of the byte that is wrong.
func escape(b []byte) (length, wrong int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, 0
	case 'u':
		for j := 2; j < 6; j++ {
			if j == len(b) {
				return 0, 0
			}
			if _, ok := hex(b[j]); !ok {
				return 0, j
			}
		}
		return 6, 0
	}
	return 0, 1
}

func hex(c byte) (value rune, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0'), true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10, true
	}
	return 0, false
}

// Decode returns the character of raw at i, a byte or what an escape stands
// for, and the index after it. The content is known to be valid.
func Decode(raw []byte, i int) (r rune, next int) {
	if raw[i] != '\\' {
		return rune(raw[i]), i + 1
	}
	switch c := raw[i+1]; c {
	case 'b':
		return '\b', i + 2
	case 'f':
		return '\f', i + 2
	case 'n':
		return '\n', i + 2
	case 'r':
		return '\r', i + 2
	case 't':
		return '\t', i + 2
	case 'u':
		for _, h := range raw[i+2 : i+6] {
			v, _ := hex(h)
			r = r<<4 | v
		}
		return r, i + 6
	default:
		return rune(c), i + 2
	}
}

// Unescape appends the text that raw stands for.
func Unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			i++
			continue
		}
		var r rune
		r, i = Decode(raw, i)
		if utf16.IsSurrogate(r) && i < len(raw) {
			low, next := Decode(raw, i)
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				i = next
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// Quote escapes s as the content of a JSON string.
func Quote(s string) string {
	const digits = "0123456789abcdef"
	first := strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' })
	if first < 0 {
		return s
	}
	b := []byte(s[:first])
	for _, c := range []byte(s[first:]) {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// Space returns the index of the first byte of b[i:] that is not white space.
func Space(b []byte, i int) int {
	for i < len(b) {
		if len(b)-i >= 8 && binary.LittleEndian.Uint64(b[i:]) == ' '*lows {
			i += 8
			continue
		}
		if c := b[i]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			break
		}
		i++
	}
	return i
}

// Number reads a number from b[i:], which starts with a minus or a digit. It
// returns the index of the first byte that is not part of it, and whether what
// stands before is a whole number (RFC 8259 section 6).
func Number(b []byte, i int) (end int, ok bool) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i, ok = i+1, true
	} else if i, ok = digits(b, i); !ok {
		return i, false
	}
	if i < len(b) && b[i] == '.' {
		if i, ok = digits(b, i+1); !ok {
			return i, false
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		i, ok = digits(b, i)
	}
	return i, ok
}

func digits(b []byte, i int) (end int, some bool) {
	start := i
	for i < len(b) && b[i]-'0' < 10 {
		i++
	}
	return i, i > start
}

// Skip returns the index after the value that starts at b[i], in text that is
// known to be valid JSON.
func Skip(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipContainer(b, i)
	}
	for i < len(b) && b[i] > ' ' && b[i] != ',' && b[i] != '}' && b[i] != ']' {
		i++
	}
	return i
}

// skipString returns the index after the string whose opening quote is b[i].
func skipString(b []byte, i int) int {
	for i = Plain(b, i+1); b[i] != '"'; i = Plain(b, i+2) {
	}
	return i + 1
}

// skipContainer returns the index after the object or array whose bracket is
// b[i].
func skipContainer(b []byte, i int) int {
	for depth := 0; ; {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
}
