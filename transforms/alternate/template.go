package alternate

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"go.yaml.in/yaml/v3"
)

// Template is a resource of which some values come from an item of the
// vendor's answer, from a var or from a date and a time. An object with from,
// var or layout is such a value; any other is an object of the resource.
type Template struct {
	root object
	typ  string   // resourceType
	vars []string // read
}

// UnmarshalYAML reads the template. Its error names the element at fault.
func (t *Template) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return errors.New("must be a mapping of elements")
	}
	p := parser{}
	root, err := p.node(n, "")
	if err != nil {
		return err
	}
	members, ok := root.(object)
	if !ok {
		return errors.New("must be a mapping of elements")
	}
	t.root, t.vars = members, p.vars
	for i, member := range members {
		if raw, ok := member.node.(literal); ok && member.name == "resourceType" {
			t.typ = gjson.ParseBytes(raw).Str
			t.root[0], t.root[i] = t.root[i], t.root[0] // first, as readers that stream like it
		}
	}
	return nil
}

// maxDepth bounds how deep a template goes.
const maxDepth = 32

// parser makes nodes of YAML and notes the vars in it.
type parser struct {
	vars  []string
	depth int
}

func (p *parser) node(n *yaml.Node, place string) (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("%s lies too deep", place)
	}
	defer func() { p.depth-- }()
	switch n.Kind {
	case yaml.MappingNode:
		return p.mapping(n, place)
	case yaml.SequenceNode:
		items := make(list, len(n.Content))
		for i, content := range n.Content {
			item, err := p.node(content, place+"["+strconv.Itoa(i)+"]")
			if err != nil {
				return nil, err
			}
			items[i] = item
		}
		return items, nil
	case yaml.ScalarNode:
		return p.scalar(n, place)
	default:
		return nil, fmt.Errorf("%s must not be an alias", place)
	}
}

func (p *parser) mapping(n *yaml.Node, place string) (node, error) {
	given := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		name := n.Content[i].Value
		if given[name] != nil {
			return nil, fmt.Errorf("%s has %q twice", called(place), name)
		}
		given[name] = n.Content[i+1]
	}
	var (
		source node
		err    error
	)
	switch {
	case given["from"] != nil:
		source, err = parsePick(n)
	case given["layout"] != nil:
		source, err = parseMoment(n)
	case given["var"] != nil && len(given) == 1 && given["var"].Value != "":
		p.vars = append(p.vars, given["var"].Value)
		source = variable(given["var"].Value)
	case given["var"] != nil:
		err = errors.New("must be {var: name}")
	default:
		return p.object(n, place)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %w", called(place), err)
	}
	return source, nil
}

func (p *parser) object(n *yaml.Node, place string) (node, error) {
	var out object
	for i := 0; i < len(n.Content); i += 2 {
		name := n.Content[i].Value
		at := name
		if place != "" {
			at = place + "." + name
		}
		value, err := p.node(n.Content[i+1], at)
		if err != nil {
			return nil, err
		}
		out = append(out, member{name, value})
	}
	return out, nil
}

// called is how an error names the element at place.
func called(place string) string {
	if place == "" {
		return "the resource"
	}
	return place
}

var hole = regexp.MustCompile(`\{([^{}]*)\}`)

// scalar returns a literal, or what a text with paths in braces stands for.
func (p *parser) scalar(n *yaml.Node, place string) (node, error) {
	switch n.Tag {
	case "!!null":
		return nil, fmt.Errorf("%s says nothing", place)
	case "!!bool", "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			return literal(n.Value), nil
		}
		return nil, fmt.Errorf("%s is no value of JSON: write a text in quotes", place)
	}
	if n.Value == "" {
		return nil, fmt.Errorf("%s is empty", place)
	}
	var (
		out  text
		rest int
	)
	for _, at := range append(hole.FindAllStringSubmatchIndex(n.Value, -1), []int{len(n.Value), len(n.Value), 0, 0}) {
		plain := n.Value[rest:at[0]]
		for _, c := range plain {
			if c == '{' || c == '}' {
				return nil, fmt.Errorf("%s has a brace without its other one", place)
			}
		}
		out = append(out, piece{plain: plain})
		if at[1] > at[0] {
			path := n.Value[at[2]:at[3]]
			if !validPath(path) {
				return nil, fmt.Errorf("%s: what stands in braces %w", place, errPath)
			}
			if name, ok := strings.CutPrefix(path, "vars."); ok {
				p.vars = append(p.vars, name)
				out = append(out, piece{variable: name})
			} else {
				out = append(out, piece{path: path})
			}
		}
		rest = at[1]
	}
	switch {
	case len(out) == 1:
		return literal(gjson.AppendJSONString(nil, n.Value)), nil
	case len(out) == 3 && out[0].plain == "" && out[2].plain == "" && out[1].path != "":
		return &pick{path: out[1].path}, nil
	}
	return out, nil
}
