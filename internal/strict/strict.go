// Package strict decodes YAML (and JSON, which is a subset of it) so that a
// user learns of every mistake at once, each with file, line and column: an
// unknown key, a key given twice, a value of the wrong type, and whatever the
// caller finds wrong afterwards.
package strict

import (
	"bytes"
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Problem is one mistake in a file. Line and Column start at 1; both are 0
// when the mistake has no place.
type Problem struct {
	File         string
	Line, Column int
	Text         string
}

// Error returns "file:line:column: text".
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// Problems are all mistakes found, in the order of the file.
type Problems []Problem

// Error returns one problem a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns p as an error, sorted by place and each problem once, or nil when
// there is none. What is wrong at the same place stays in the order in which it was
// found.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	sorted, told := make(Problems, 0, len(p)), make(map[Problem]bool, len(p))
	for _, problem := range p {
		if !told[problem] {
			sorted, told[problem] = append(sorted, problem), true
		}
	}
	slices.SortStableFunc(sorted, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
	})
	return sorted
}

// Document is a decoded file that still knows where its values stood, so that
// checks made after decoding can name the place.
type Document struct {
	file     string
	prefix   string // of paths in problems
	places   map[string]*yaml.Node
	problems Problems

	undecoded map[string]bool // paths whose value is wrong
}

// Decode decodes data into out, a pointer to a struct with yaml tags. It never
// stops at the first mistake: what is wrong is in Problems, and out holds the
// rest.
func Decode(file string, data []byte, out any) *Document {
	d := &Document{file: file, places: make(map[string]*yaml.Node)}
	documents, err := parse(data)
	if err != nil {
		d.problems = Problems{syntaxProblem(file, data, err)}
		return d
	}
	if len(documents) == 0 {
		d.problems = append(d.problems, Problem{File: file, Line: 1, Column: 1, Text: "the file is empty"})
		return d
	}
	if len(documents) > 1 {
		d.at(documents[1], "", "a second document begins here, but a file holds one")
	}
	d.value("", documents[0].Content[0], reflect.ValueOf(out).Elem())
	return d
}

// parse returns the documents that stand in data: a file should hold one.
func parse(data []byte) ([]*yaml.Node, error) {
	var documents []*yaml.Node
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var root yaml.Node
		switch err := decoder.Decode(&root); {
		case errors.Is(err, io.EOF):
			return documents, nil
		case err != nil:
			return nil, err
		}
		documents = append(documents, &root)
	}
}

// DecodeNode decodes a part of a file that another Decode left as it is, in a
// field of the type yaml.Node. The places in problems are those of the file;
// their paths start with prefix.
func DecodeNode(file, prefix string, node *yaml.Node, out any) *Document {
	d := &Document{file: file, prefix: prefix, places: make(map[string]*yaml.Node)}
	d.value("", node, reflect.ValueOf(out).Elem())
	return d
}

// Problems returns everything found so far, or nil.
func (d *Document) Problems() Problems { return d.problems }

// wrong notes a value that could not be decoded: what later checks would say of
// it is noise.
func (d *Document) wrong(node *yaml.Node, path, format string, args ...any) {
	if d.undecoded == nil {
		d.undecoded = make(map[string]bool)
	}
	d.undecoded[path] = true
	d.at(node, path, format, args...)
}

func (d *Document) at(node *yaml.Node, path, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, node.Line, node.Column, d.text(path, format, args...)})
}

var (
	nodeType            = reflect.TypeFor[yaml.Node]()
	durationType        = reflect.TypeFor[time.Duration]()
	yamlUnmarshalerType = reflect.TypeFor[yaml.Unmarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func (d *Document) value(path string, node *yaml.Node, out reflect.Value) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	d.places[path] = node
	if out.Kind() == reflect.Pointer {
		if node.Tag == "!!null" {
			return
		}
		out.Set(reflect.New(out.Type().Elem()))
		d.value(path, node, out.Elem())
		return
	}
	switch {
	case out.Type() == durationType:
		d.duration(path, node, out)
	case out.Type() == nodeType:
		out.Set(reflect.ValueOf(*node))
	case out.Addr().Type().Implements(yamlUnmarshalerType), out.Addr().Type().Implements(textUnmarshalerType):
		if err := node.Decode(out.Addr().Interface()); err != nil {
			d.wrong(node, path, "%s", cleaned(err))
		}
	case out.Kind() == reflect.Struct:
		d.structure(path, node, out)
	case out.Kind() == reflect.Map:
		d.mapping(path, node, out)
	case out.Kind() == reflect.Slice:
		d.list(path, node, out)
	case (out.CanInt() || out.CanUint()) && node.ShortTag() == "!!float", // yaml would cut the fraction off,
		out.Kind() == reflect.Bool && node.ShortTag() != "!!bool": // and take "no" for false
		d.wrong(node, path, "must be %s", kindName(out.Type()))
	default:
		if err := node.Decode(out.Addr().Interface()); err != nil {
			d.wrong(node, path, "must be %s", kindName(out.Type()))
		}
	}
}

func (d *Document) duration(path string, node *yaml.Node, out reflect.Value) {
	parsed, err := time.ParseDuration(node.Value)
	if err != nil || parsed < 0 {
		d.wrong(node, path, `must be a duration such as "500ms", "30s" or "5m"`)
		return
	}
	out.SetInt(int64(parsed))
}

func (d *Document) structure(path string, node *yaml.Node, out reflect.Value) {
	if node.Kind != yaml.MappingNode {
		if _, known := fieldByKey(out, node.Value); known && node.Kind == yaml.ScalarNode {
			d.wrong(node, path, "a colon is missing behind %q", node.Value)
			return
		}
		d.wrong(node, path, "must be a mapping with the keys %s", strings.Join(keys(out.Type()), ", "))
		return
	}
	d.eachKey(path, node, func(key *yaml.Node, child string, value *yaml.Node) {
		field, ok := fieldByKey(out, key.Value)
		if !ok {
			d.at(key, path, "unknown key %q%s", key.Value, suggestion(key.Value, keys(out.Type())))
			return
		}
		d.value(child, value, field)
	})
}

func (d *Document) mapping(path string, node *yaml.Node, out reflect.Value) {
	if node.Kind != yaml.MappingNode {
		d.wrong(node, path, "must be a mapping")
		return
	}
	out.Set(reflect.MakeMapWithSize(out.Type(), len(node.Content)/2))
	d.eachKey(path, node, func(key *yaml.Node, child string, value *yaml.Node) {
		elem := reflect.New(out.Type().Elem()).Elem()
		d.value(child, value, elem)
		out.SetMapIndex(reflect.ValueOf(key.Value).Convert(out.Type().Key()), elem)
	})
}

func (d *Document) eachKey(path string, node *yaml.Node, do func(key *yaml.Node, child string, value *yaml.Node)) {
	seen := make(map[string]bool, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if seen[key.Value] {
			d.at(key, path, "the key %q is given twice", key.Value)
			continue
		}
		seen[key.Value] = true
		do(key, join(path, key.Value), node.Content[i+1])
	}
}

func (d *Document) list(path string, node *yaml.Node, out reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		d.wrong(node, path, "must be a list")
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(node.Content), len(node.Content)))
	for i, item := range node.Content {
		d.value(join(path, strconv.Itoa(i)), item, out.Index(i))
	}
}

// fieldByKey finds a field by its yaml key, in embedded structs too.
func fieldByKey(out reflect.Value, key string) (reflect.Value, bool) {
	for _, field := range reflect.VisibleFields(out.Type()) {
		if key != "" && keyOf(field) == key {
			return out.FieldByIndex(field.Index), true
		}
	}
	return reflect.Value{}, false
}

func keys(t reflect.Type) []string {
	var out []string
	for _, field := range reflect.VisibleFields(t) {
		if key := keyOf(field); key != "" {
			out = append(out, key)
		}
	}
	return out
}

func keyOf(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if key == "-" {
		return ""
	}
	return key
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number of 0 or more"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a string"
	}
}

// cleaned returns the text of err without yaml's own "line N:", because the
// place is told apart.
func cleaned(err error) string {
	var typeErr *yaml.TypeError
	if errors.As(err, &typeErr) && len(typeErr.Errors) > 0 {
		if m := lineText.FindStringSubmatch(typeErr.Errors[0]); m != nil {
			return m[2]
		}
	}
	return err.Error()
}
