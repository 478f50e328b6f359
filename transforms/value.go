package transforms

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"go.yaml.in/yaml/v3"
	"golang.org/x/net/http/httpguts"

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
	text, ok := vars[v.name]
	if !ok {
		return "", fhir.NewError(http.StatusInternalServerError, fhir.IssueException, "the route has no var "+v.name)
	}
	return text, nil
}

// reads notes the var that an operation reads.
func (c *compiler) reads(rule string, o operation) {
	reader, ok := o.(interface{ reads() string })
	if !ok || reader.reads() == "" {
		return
	}
	_, header := o.(*headerSet)
	c.vendor.reads = append(c.vendor.reads, reading{rule: rule, name: reader.reads(), header: header})
}

// CheckVars returns what is wrong with a route's vars for this vendor, one
// text a var, sorted by the var's name: a var that a rule reads and the route
// lacks, or one that cannot be a header's value. The texts hold no value.
func (v *Vendor) CheckVars(vars map[string]string) []string {
	if v == nil {
		return nil
	}
	wrong := make(map[string]string)
	for _, read := range v.reads {
		text, ok := vars[read.name]
		switch {
		case !ok || text == "":
			wrong[read.name] = fmt.Sprintf("%s is missing: rule %q of vendor %s reads it", read.name, read.rule, v.Name)
		case read.header && !httpguts.ValidHeaderFieldValue(text):
			wrong[read.name] = fmt.Sprintf("%s cannot be the value of a header: rule %q of vendor %s makes it one", read.name, read.rule, v.Name)
		}
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		texts = append(texts, wrong[name])
	}
	return texts
}
