package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"strconv"
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
		p.Text = strings.TrimPrefix(wrongType.Field, "Config.") + ": must be " + inWords(wrongType.Type) + ", not " + wrongType.Value
	default:
		if m := unknownField.FindStringSubmatch(err.Error()); m != nil {
			p.Text = "unknown key \"" + m[1] + "\""
			p.Line, p.Column = anywhere(data, m[1]) // encoding/json does not tell its parents
		}
	}
	return p
}

// inWords is what a setting of a type must be.
func inWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return inWords(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.String {
			return "a list of strings"
		}
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	default: // there are no other kinds in a configuration
		return "a whole number"
	}
}

// place returns where the key at path stands in data, which is JSON: names and
// indexes of lists, joined by dots. Where it is not there it is the place of its
// nearest parent, or 0, 0.
func place(data []byte, path string) (line, column int) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	for name := range strings.SplitSeq(path, ".") {
		offset, found := enter(decoder, data, name)
		if !found {
			break
		}
		line, column = lineColumn(data, offset)
	}
	return line, column
}

// enter moves decoder, which stands before an object or a list, before its value of
// a name or index. It returns where that begins: the name, or the value in a list.
func enter(decoder *json.Decoder, data []byte, name string) (offset int, found bool) {
	opening, err := decoder.Token()
	for i := 0; err == nil && decoder.More(); i++ {
		rest := data[decoder.InputOffset():]
		offset = len(data) - len(bytes.TrimLeft(rest, " \t\r\n,"))
		switch opening {
		case json.Delim('{'):
			var key json.Token
			key, err = decoder.Token()
			text, _ := key.(string)
			found = strings.EqualFold(text, name) // as encoding/json does
		case json.Delim('['):
			found = strconv.Itoa(i) == name
		}
		if found || err != nil {
			return offset, found
		}
		var passed json.RawMessage
		err = decoder.Decode(&passed)
	}
	return 0, false
}

// anywhere returns where a name first stands as a key in data, or 0, 0.
func anywhere(data []byte, name string) (line, column int) {
	found := regexp.MustCompile(`"` + regexp.QuoteMeta(name) + `"\s*:`).FindIndex(data)
	if found == nil {
		return 0, 0
	}
	return lineColumn(data, found[0])
}

// lineColumn counts from 1.
func lineColumn(data []byte, offset int) (line, column int) {
	before := data[:max(0, min(offset, len(data)))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}
