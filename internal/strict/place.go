package strict

import (
	"fmt"
	"strings"
)

// Problem returns a mistake at path without adding it, for checks that need
// more than one file. Path and text are as for Fail.
func (d *Document) Problem(path, format string, args ...any) Problem {
	text := d.text(path, format, args...)
	for p := path; ; p = parent(p) {
		if node, ok := d.places[p]; ok {
			return Problem{d.file, node.Line, node.Column, text}
		}
		if p == "" {
			return Problem{File: d.file, Text: text}
		}
	}
}

// text is that of a mistake at path.
func (d *Document) text(path, format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	if place := strings.TrimSuffix(d.prefix+"."+path, "."); place != "." && place != "" {
		text = strings.TrimPrefix(place, ".") + ": " + text
	}
	return text
}

// Fail adds a mistake at path: keys joined by dots, list items by their index,
// as in "upstream.auth.scope.0". Where the path does not stand in the file its
// nearest parent is named. Of a value that could not be decoded, and of what is
// in it, enough was said.
func (d *Document) Fail(path, format string, args ...any) {
	for p := path; p != ""; p = parent(p) {
		if d.undecoded[p] {
			return
		}
	}
	d.problems = append(d.problems, d.Problem(path, format, args...))
}

// Has reports whether path stands in the file.
func (d *Document) Has(path string) bool {
	_, ok := d.places[path]
	return ok
}

func parent(path string) string {
	return path[:max(strings.LastIndexByte(path, '.'), 0)]
}
