package openapi

import (
	"slices"
	"strings"
)

const parameterPrefix = "#/components/parameters/"

func parameterRef(name string) *Parameter { return &Parameter{Ref: parameterPrefix + name} }

// commonParameters may come with every call.
func commonParameters() []*Parameter {
	return []*Parameter{parameterRef("X-Request-Id"), parameterRef("X-Fhirgate-On-Behalf-Of"), parameterRef("X-Fhirgate-Purpose")}
}

func hospitalParameter(ids []string) *Parameter {
	return &Parameter{
		Name: "hospital", In: "path", Required: true, Description: "Which hospital; these have the call.",
		Schema: &Schema{Type: "string", Enum: ids},
	}
}

func typesParameter() *Parameter {
	return &Parameter{Name: "_type", In: "query", Description: "Resource types to search, with commas between them.", Schema: &Schema{Type: "string"}, Example: "Patient,Encounter"}
}

// controls shape the answer of a search (https://hl7.org/fhir/R4/search.html).
func controls() []*Parameter {
	var refs []*Parameter
	for _, name := range []string{"_count", "_sort", "_summary", "_elements", "_total"} {
		refs = append(refs, parameterRef(name))
	}
	return refs
}

func historyParameters() []*Parameter {
	return []*Parameter{parameterRef("_count"), parameterRef("_since")}
}

// kinds are the types of search parameters: what they take, and an example. Their
// modifiers are those of FHIR, to which the introduction leads.
var kinds = map[string]struct{ text, example string }{
	"number":    {"A number, also with a prefix such as `gt`.", "gt5"},
	"date":      {"A date or time, also with a prefix such as `ge`.", "ge2026-11-22"},
	"string":    {"The beginning of a text.", ""},
	"token":     {"`code` or `system|code`.", ""},
	"reference": {"`id` or `Type/id`.", ""},
	"composite": {"Parts, with `$` between them.", ""},
	"quantity":  {"`number` or `number|system|code`, also with a prefix.", ""},
	"uri":       {"A URI.", ""},
}

// mergedParameter is a search parameter of one type over all hospitals.
type mergedParameter struct {
	searchParameter
	hospitals []string
}

// parameterSet holds the search parameters of a type, by name.
type parameterSet []mergedParameter

// merge joins the search parameters of hospitals. Type and documentation are
// those of the first hospital that has one.
func merge(offers map[string]*offer) parameterSet {
	var set parameterSet
	for _, id := range sortedKeys(offers) {
		for _, p := range offers[id].parameters {
			i := slices.IndexFunc(set, func(m mergedParameter) bool { return m.name == p.name })
			if i < 0 {
				set = append(set, mergedParameter{searchParameter: p})
				i = len(set) - 1
			}
			if set[i].text == "" {
				set[i].text = p.text
			}
			set[i].hospitals = append(set[i].hospitals, id)
		}
	}
	slices.SortFunc(set, func(a, b mergedParameter) int { return strings.Compare(a.name, b.name) })
	return set
}

func (set parameterSet) has(name string) bool {
	return slices.ContainsFunc(set, func(m mergedParameter) bool { return m.name == name })
}

// of returns the parameters that hospitals with these ids take.
func (set parameterSet) of(ids []string) []*Parameter {
	var params []*Parameter
	for _, m := range set {
		taken := slices.DeleteFunc(slices.Clone(m.hospitals), func(id string) bool { return !slices.Contains(ids, id) })
		if len(taken) == 0 || m.name == "_format" { // the gateway speaks JSON only
			continue
		}
		params = append(params, m.parameter(taken, len(ids)))
	}
	return params
}

func (m *mergedParameter) parameter(taken []string, of int) *Parameter {
	kind, known := kinds[m.kind]
	text := joinSentences(clean(m.text), kind.text)
	if known {
		text = joinSentences(text, "Type "+m.kind+".")
	}
	if len(taken) < of {
		text = joinSentences(text, "Only at "+list(taken)+".")
	}
	p := &Parameter{Name: m.name, In: "query", Description: text, Schema: &Schema{Type: "array", Items: &Schema{Type: "string"}}}
	if kind.example != "" {
		p.Example = []string{kind.example}
	}
	return p
}

// maxText bounds what a hospital's documentation adds, in characters.
const maxText = 1000

// plainText has CommonMark, and viewers that take HTML with it, show a text as it
// is: a hospital's words make no elements, links or pictures on a page of ours, nor
// where somebody else shows the document.
var plainText = strings.NewReplacer("<", "&lt;", "[", `\[`, "]", `\]`)

// clean makes a hospital's documentation a sentence of bounded length.
func clean(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxText {
		text = string(runes[:maxText]) + "…"
	}
	if text != "" && !strings.ContainsAny(text[len(text)-1:], ".!?") {
		text += "."
	}
	return plainText.Replace(text)
}

// includes are _include and _revinclude with the values that hospitals list.
func includes(ids []string, offers map[string]*offer) []*Parameter {
	var params []*Parameter
	for _, p := range []struct {
		name, text string
		values     func(*offer) []string
	}{
		{"_include", "Also return what the matches refer to.", func(o *offer) []string { return o.includes }},
		{"_revinclude", "Also return what refers to the matches.", func(o *offer) []string { return o.revIncludes }},
	} {
		var values []string
		for _, id := range ids {
			values = append(values, p.values(offers[id])...)
		}
		slices.Sort(values)
		if values = slices.Compact(values); len(values) > 0 {
			params = append(params, &Parameter{
				Name: p.name, In: "query", Description: p.text + " The scopes must cover these types, too.",
				Schema: &Schema{Type: "array", Items: &Schema{Type: "string", Enum: values}},
			})
		}
	}
	return params
}
