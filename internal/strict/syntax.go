package strict

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// lineText takes the texts of yaml apart.
var lineText = regexp.MustCompile(`line (\d+): (.*)`)

// grammar are the mistakes of which yaml counts lines from 0; those of
// characters it counts from 1.
var grammar = regexp.MustCompile(`^did not find expected (<.*>|node content|'-' indicator|key|',' or .*)$|^found (undefined|duplicate|incompatible) `)

// anchor is what yaml says of an alias, without a line.
var anchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)

// syntaxProblem gives err, which yaml returned for data, its place, and says in
// people's words what is wrong.
func syntaxProblem(file string, data []byte, err error) Problem {
	line, text := told(err)
	if line == 0 {
		at := unreadable(data)
		if m := anchor.FindStringSubmatch(text); m != nil {
			at = bytes.Index(data, []byte("*"+m[1]))
		}
		if at >= 0 {
			before := data[:at]
			return Problem{file, 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n'), text}
		}
	}
	line, text = explained(data, max(line, 1), text)
	return Problem{file, line, 1, text}
}

// told takes an error of yaml apart: the line, or 0, and the text.
func told(err error) (line int, text string) {
	m := lineText.FindStringSubmatch(err.Error())
	if m == nil {
		return 0, strings.TrimPrefix(err.Error(), "yaml: ")
	}
	line, _ = strconv.Atoi(m[1])
	if grammar.MatchString(m[2]) {
		line++
	}
	return line, m[2]
}

// unreadable returns the offset of the first byte that cannot stand in YAML
// (YAML 1.2.2, section 5.1), or -1.
func unreadable(data []byte) int {
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 || r < ' ' && !strings.ContainsRune("\t\n\r", r) || r == 0x7f {
			return at
		}
		at += size
	}
	return -1
}
