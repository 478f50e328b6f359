package transforms

import (
	"errors"
	"net/http"
	"slices"

	"go.yaml.in/yaml/v3"

	"fhirgate/fhir"
)

// words is a word or a list of words.
type words []string

// UnmarshalYAML reads a word or a list of words.
func (w *words) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*w = words{node.Value}
		return nil
	}
	if err := node.Decode((*[]string)(w)); err != nil {
		return errors.New("must be a word or a list of words")
	}
	return nil
}

// value is a text of the file, or the name of a var of the route.
type value struct {
	text string
	name string // of the var; empty for a text
}

// UnmarshalYAML reads a text or {var: name}. A number is taken as it is
// written.
func (v *value) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*v = value{text: node.Value}
		return nil
	}
	if node.Kind != yaml.MappingNode || len(node.Content) != 2 || node.Content[0].Value != "var" ||
		node.Content[1].Kind != yaml.ScalarNode || node.Content[1].Value == "" {
		return errors.New("must be a text or {var: name}")
	}
	*v = value{name: node.Content[1].Value}
	return nil
}

// of returns the value for a route's vars. A var that is missing, which
// CheckVars reports when the configuration is read, is a fault of ours.
func (v value) of(vars map[string]string) (string, *fhir.Error) {
	if v.name == "" {
		return v.text, nil
	}
	text := vars[v.name]
	if text == "" {
		return "", fhir.NewError(http.StatusInternalServerError, fhir.IssueException, "the route has no var "+v.name)
	}
	return text, nil
}

// reading is a var that the rules of a file read.
type reading struct {
	name string
	when condition // of the rule; the zero condition for what every call needs
}

// reads notes the vars that an operation reads.
func (c *compiler) reads(names []string, when condition) {
	for _, name := range names {
		c.vendor.vars = append(c.vendor.vars, reading{name, when})
	}
}

// reads returns the var that the value is, if any.
func (v value) reads() []string {
	if v.name == "" {
		return nil
	}
	return []string{v.name}
}

// CheckVars returns the names of the vars that the rules for a hospital read
// and its route lacks, or leaves empty; sorted, each once. serves tells whether
// the route serves a resource type, nil that it serves all: rules for others read
// nothing.
func (v *Vendor) CheckVars(hospital string, serves func(typ string) bool, vars map[string]string) []string {
	if v == nil {
		return nil
	}
	var missing []string
	for _, read := range v.vars {
		if vars[read.name] == "" && read.when.reaches(hospital) && (serves == nil || len(read.when.types) == 0 || slices.ContainsFunc(read.when.types, serves)) {
			missing = append(missing, read.name)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}
