package transforms

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"

	"fhirgate/transforms/tree"
)

// testName is a name that knows its line.
type testName struct {
	text string
	line int
}

// UnmarshalYAML reads the name.
func (n *testName) UnmarshalYAML(node *yaml.Node) error {
	n.line = node.Line
	return node.Decode(&n.text)
}

// testText is a text of a test, or the file that holds it.
type testText struct {
	inline []byte
	file   string // path; empty = inline
}

// UnmarshalYAML reads a text, a path, or JSON that is written as YAML.
func (t *testText) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.ScalarNode {
		var err error
		t.inline, err = appendJSON(nil, node)
		return err
	}
	if text := strings.TrimLeft(node.Value, " \t\r\n"); text == "" || strings.ContainsRune("{[<", rune(text[0])) || strings.Contains(text, "\n") {
		t.inline = []byte(node.Value)
		return nil
	}
	t.file = node.Value
	return nil
}

// appendJSON appends the JSON that a YAML value stands for. Members keep their
// order, and numbers their digits.
func appendJSON(dst []byte, node *yaml.Node) ([]byte, error) {
	var err error
	switch node.Kind {
	case yaml.AliasNode: // which may hold itself
		return dst, errors.New("holds a YAML alias: write out what it stands for")
	case yaml.MappingNode:
		dst = append(dst, '{')
		for i := 0; i+1 < len(node.Content) && err == nil; i += 2 {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(append(dst, tree.Quote(node.Content[i].Value)...), ':')
			dst, err = appendJSON(dst, node.Content[i+1])
		}
		return append(dst, '}'), err
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i := 0; i < len(node.Content) && err == nil; i++ {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst, err = appendJSON(dst, node.Content[i])
		}
		return append(dst, ']'), err
	}
	switch node.ShortTag() {
	case "!!null":
		return append(dst, "null"...), nil
	case "!!bool", "!!int", "!!float":
		if !json.Valid([]byte(node.Value)) { // such as 0x10, .5 or True
			return dst, errors.New("holds a number or a word that is none in JSON: write it in quotes, or as JSON does")
		}
		return append(dst, node.Value...), nil
	default:
		return append(dst, tree.Quote(node.Value)...), nil
	}
}

// compact returns JSON, or NDJSON a line each, without white space between its
// values; nil when the text is neither.
func compact(text []byte) []byte {
	var out bytes.Buffer
	if json.Compact(&out, text) == nil {
		return out.Bytes()
	}
	out.Reset()
	for line := range bytes.Lines(text) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if json.Compact(&out, line) != nil {
			return nil
		}
		out.WriteByte('\n')
	}
	if out.Len() == 0 {
		return nil
	}
	return out.Bytes()
}

// isLines reports whether a text that is no single JSON value is NDJSON.
func isLines(text []byte) bool { return !json.Valid(text) && compact(text) != nil }
