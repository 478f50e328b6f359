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

// syntaxProblem gives err, which yaml returned for data, its place. yaml knows
// the line at best: where what is not closed begins, or where it goes wrong.
func syntaxProblem(file string, data []byte, err error) Problem {
	p := Problem{File: file, Line: 1, Column: 1, Text: strings.TrimPrefix(err.Error(), "yaml: ")}
	m := lineText.FindStringSubmatch(err.Error())
	if m == nil {
		at := unreadable(data)
		if m := anchor.FindStringSubmatch(p.Text); m != nil {
			at = bytes.Index(data, []byte("*"+m[1]))
		}
		if at >= 0 {
			before := data[:at]
			p.Line, p.Column = 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n')
		}
		return p
	}
	p.Line, _ = strconv.Atoi(m[1])
	p.Text = m[2]
	if grammar.MatchString(p.Text) {
		p.Line++
	}
	last := 1 + bytes.Count(bytes.TrimRight(data, "\n"), []byte("\n"))
	switch {
	case p.Line <= last:
	case p.Text == "did not find expected node content":
		p.Line = last
	default:
		p.Line = 1 // yaml tells the end where what is not closed begins in the first line
	}
	return p
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
