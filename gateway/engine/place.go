package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"fhirgate/internal/strict"
)

// onlySection returns data with everything but the value of the top-level key
// name blanked out, so that a mistake in the value is found at its line and
// column of the whole file. data must be a valid JSON object.
func onlySection(data []byte, name string) []byte {
	out := bytes.Repeat([]byte{' '}, len(data))
	for i, b := range data {
		if b == '\n' {
			out[i] = b
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	for _, err := decoder.Token(); err == nil && decoder.More(); {
		var value json.RawMessage
		var token json.Token
		if token, err = decoder.Token(); err == nil {
			err = decoder.Decode(&value)
		}
		if end := int(decoder.InputOffset()); err == nil && token == name {
			copy(out[end-len(value):end], bytes.ReplaceAll(value, []byte("\t"), []byte(" ")))
		}
	}
	return out
}

var unknownField = regexp.MustCompile(`unknown field "(.*)"`)

// jsonProblem gives err, which encoding/json returned for data, its place.
func jsonProblem(file string, data []byte, err error) strict.Problem {
	p := strict.Problem{File: file, Line: 1, Column: 1, Text: err.Error()}
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		p.Line, p.Column = lineColumn(data, int(syntax.Offset)-1)
	case errors.As(err, &wrongType):
		p.Line, p.Column = lineColumn(data, int(wrongType.Offset)-1)
		p.Text = wrongType.Field + ": must be " + wrongType.Type.String() + ", not " + wrongType.Value
	default:
		if m := unknownField.FindStringSubmatch(err.Error()); m != nil {
			p.Text = "unknown key \"" + m[1] + "\""
			p.Line, p.Column = place(data, m[1])
		}
	}
	return p
}

// place returns where the key at path (names joined by dots) stands in data,
// or 0, 0 when it isn't there.
func place(data []byte, path string) (line, column int) {
	at := 0
	for name := range strings.SplitSeq(path, ".") {
		found := regexp.MustCompile(`"` + regexp.QuoteMeta(name) + `"\s*:`).FindIndex(data[at:])
		if found == nil {
			return 0, 0
		}
		at += found[0] + 1
	}
	return lineColumn(data, at-1)
}

// lineColumn counts from 1.
func lineColumn(data []byte, offset int) (line, column int) {
	before := data[:max(0, min(offset, len(data)))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}
