package alternate

import (
	"errors"

	"github.com/tidwall/gjson"
	"go.yaml.in/yaml/v3"
)

// parsePick reads {from: path}, with as, map and default.
func parsePick(n *yaml.Node) (node, error) {
	var form struct {
		From    string            `yaml:"from"`    // path in the item
		As      string            `yaml:"as"`      // "text" or "number"; default: as it came
		Map     map[string]string `yaml:"map"`     // the vendor's word to FHIR's; another word has the default
		Default string            `yaml:"default"` // for what is missing; default: the element is left out
	}
	if err := onlyKeys(n, "from", "as", "map", "default"); err != nil {
		return nil, err
	}
	if n.Decode(&form) != nil || !validPath(form.From) || form.As != "" && form.As != "text" && form.As != "number" {
		return nil, errors.New("must be {from: path}, with as: text or number, map: {word: word} and default: word where they are wanted")
	}
	if form.As == "number" && (form.Map != nil || form.Default != "") {
		return nil, errors.New("as: number goes without map and default, which are texts")
	}
	out := &pick{path: form.From, as: form.As, words: form.Map}
	if form.Default != "" {
		out.fallback = gjson.AppendJSONString(nil, form.Default)
	}
	return out, nil
}

// parseMoment reads {date: path, time: path, layout: text}.
func parseMoment(n *yaml.Node) (node, error) {
	var form struct {
		Date   string `yaml:"date"`   // path in the item
		Time   string `yaml:"time"`   // path in the item; default: the value is a date
		Layout string `yaml:"layout"` // of both, with a blank between them
	}
	if err := onlyKeys(n, "date", "time", "layout"); err != nil {
		return nil, err
	}
	if n.Decode(&form) != nil || !validPath(form.Date) || form.Time != "" && !validPath(form.Time) {
		return nil, errors.New("must be {date: path, time: path, layout: MM/DD/YYYY hh:mm}, of a date without time")
	}
	layout, err := Layout(form.Layout)
	if err != nil {
		return nil, err
	}
	return &moment{date: form.Date, time: form.Time, layout: layout}, nil
}

func onlyKeys(n *yaml.Node, allowed ...string) error {
	for i := 0; i < len(n.Content); i += 2 {
		known := false
		for _, key := range allowed {
			known = known || n.Content[i].Value == key
		}
		if !known {
			return errors.New("has the unknown key " + n.Content[i].Value)
		}
	}
	return nil
}
