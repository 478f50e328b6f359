package resource

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"go.yaml.in/yaml/v3"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

var (
	errNoPath  = errors.New("must be a path such as name.#.family")
	errNoValue = errors.New("must be a text, a number, true or false, or {var: name}")
)

// value is a primitive value of the file, or the name of a var of the route.
type value struct {
	text string // what a string stands for
	raw  []byte // as JSON
	name string // of the var; empty for a value of the file
	told bool   // reading it has told what is wrong
}

// UnmarshalYAML reads a text, a number, true or false, or {var: name}. Numbers
// keep their digits; what is quoted, or looks like a date, is a text.
func (v *value) UnmarshalYAML(node *yaml.Node) error {
	switch {
	case node.Kind == yaml.ScalarNode:
		*v = value{text: node.Value, raw: tree.Quote(node.Value)}
		switch node.ShortTag() {
		case "!!bool", "!!int", "!!float":
			v.raw = []byte(node.Value)
			v.told = !json.Valid(v.raw) // such as 0x10, .5 or True
		}
	case node.Kind == yaml.MappingNode && len(node.Content) == 2 && node.Content[0].Value == "var" &&
		node.Content[1].Kind == yaml.ScalarNode && node.Content[1].Value != "":
		*v = value{name: node.Content[1].Value}
	default:
		v.told = true
	}
	if v.told {
		return errNoValue
	}
	return nil
}

func (v *value) check(doc *strict.Document, place string) {
	if !v.told && v.name == "" && v.text == "" {
		doc.Fail(place, "must be a text, a number, true or false, or {var: name}, and not empty")
	}
}

// of returns the text of the value for the vars of a route. A var that is
// missing, which is reported when the configuration is read, is a fault of
// ours.
func (v *value) of(call *Call) (string, *fhir.Error) {
	if v.name == "" {
		return v.text, nil
	}
	text := call.Vars[v.name]
	if text == "" {
		return "", fhir.NewError(http.StatusInternalServerError, fhir.IssueException, "the route has no var "+v.name)
	}
	return text, nil
}

// jsonOf returns the value as JSON.
func (v *value) jsonOf(call *Call) ([]byte, *fhir.Error) {
	if v.name == "" {
		return v.raw, nil
	}
	text, fault := v.of(call)
	return tree.Quote(text), fault
}

func (v *value) reads() []string {
	if v.name == "" {
		return nil
	}
	return []string{v.name}
}

// is reports whether n is the value, which must be one of the file.
func (v *value) is(d *tree.Doc, n tree.Node) bool {
	if v.raw[0] == '"' {
		return d.Is(n, v.text)
	}
	return d.Kind(n) != tree.Object && d.Kind(n) != tree.Array && string(d.Raw(n)) == v.text
}

// mayLead reports whether the value may be a locator.
func (v *value) mayLead() bool { return v.name != "" || strings.Contains(v.text, "/") }
