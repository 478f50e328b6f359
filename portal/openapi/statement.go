package openapi

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Hospital is what a hospital offers through the gateway.
type Hospital struct {
	ID   string
	Name string

	statement  bool // it said so itself
	types      map[string]*offer
	system     []string // interactions
	operations []string // of the system, names without "$"
}

// offer is what a hospital offers of a resource type.
type offer struct {
	interactions []string
	operations   []string // names without "$"
	parameters   []searchParameter
	includes     []string
	revIncludes  []string
}

type searchParameter struct {
	name, kind, text string
}

// statement is the part of a CapabilityStatement that is read here
// (https://hl7.org/fhir/R4/capabilitystatement.html).
type statement struct {
	ResourceType string `json:"resourceType"`
	Rest         []struct {
		Mode        string       `json:"mode"`
		Interaction []code       `json:"interaction"`
		SearchParam []jsonSearch `json:"searchParam"`
		Operation   []named      `json:"operation"`
		Resource    []struct {
			Type              string       `json:"type"`
			Interaction       []code       `json:"interaction"`
			ConditionalCreate bool         `json:"conditionalCreate"`
			ConditionalUpdate bool         `json:"conditionalUpdate"`
			ConditionalPatch  bool         `json:"conditionalPatch"` // of R5
			ConditionalDelete string       `json:"conditionalDelete"`
			SearchInclude     []string     `json:"searchInclude"`
			SearchRevInclude  []string     `json:"searchRevInclude"`
			SearchParam       []jsonSearch `json:"searchParam"`
			Operation         []named      `json:"operation"`
		} `json:"resource"`
	} `json:"rest"`
}

type code struct {
	Code string `json:"code"`
}

type named struct {
	Name string `json:"name"`
}

type jsonSearch struct {
	Name          string `json:"name"`
	Type          string `json:"type"`
	Documentation string `json:"documentation"`
}

// What may stand in a path. Other names are left out: they could be no call.
var (
	typeName      = regexp.MustCompile(`^[A-Z][A-Za-z]{0,63}$`)
	operationName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)
)

// maxListed bounds each list of a statement: what is beyond is left out. R4 has
// 148 types, and no type has so many search parameters.
const maxListed = 300

func bounded[T any](list []T) []T { return list[:min(len(list), maxListed)] }

// Parse reads a hospital's CapabilityStatement as the gateway serves it. What it
// does not know it passes over. An error names the hospital.
func Parse(id, name string, body []byte) (*Hospital, error) {
	var s statement
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("hospital %s: its CapabilityStatement cannot be read: %w", id, err)
	}
	if s.ResourceType != "CapabilityStatement" {
		return nil, fmt.Errorf("hospital %s: what it answers is no CapabilityStatement", id)
	}
	h := &Hospital{ID: id, Name: name, statement: true, types: map[string]*offer{}}
	for _, rest := range s.Rest {
		if rest.Mode != "server" {
			continue
		}
		h.system = codes(rest.Interaction)
		h.operations = names(rest.Operation)
		for _, r := range bounded(rest.Resource) {
			if !typeName.MatchString(r.Type) {
				continue
			}
			o := &offer{
				interactions: codes(r.Interaction), operations: names(r.Operation),
				parameters: searches(slices.Concat(bounded(r.SearchParam), bounded(rest.SearchParam))),
				includes:   bounded(r.SearchInclude), revIncludes: bounded(r.SearchRevInclude),
			}
			for form, taken := range map[string]bool{
				"conditional-create": r.ConditionalCreate, "conditional-update": r.ConditionalUpdate, "conditional-patch": r.ConditionalPatch,
				"conditional-delete": r.ConditionalDelete != "" && r.ConditionalDelete != "not-supported",
			} {
				if taken {
					o.interactions = append(o.interactions, form)
				}
			}
			h.types[r.Type] = o
		}
		break // the gateway serves one
	}
	return h, nil
}

// FromRoute returns what a hospital's route lists: more than Parse cannot know of
// a hospital that does not answer. interactions and operations are by resource
// type or "system".
func FromRoute(id, name string, interactions, operations map[string][]string) *Hospital {
	h := &Hospital{ID: id, Name: name, types: map[string]*offer{}, system: interactions["system"], operations: plain(operations["system"])}
	for typ, listed := range interactions {
		if typeName.MatchString(typ) {
			h.types[typ] = &offer{interactions: listed}
		}
	}
	h.addOperations(operations)
	return h
}

// AddRoute adds what statements often leave out although it is there: the
// conditional forms and the operations that the hospital's route lists.
func (h *Hospital) AddRoute(interactions, operations map[string][]string) {
	for typ, listed := range interactions {
		o := h.types[typ]
		if o == nil {
			continue
		}
		for _, interaction := range listed {
			plain, conditional := strings.CutPrefix(interaction, "conditional-")
			if conditional && slices.Contains(o.interactions, plain) {
				o.interactions = append(o.interactions, interaction)
			}
		}
	}
	h.addOperations(operations)
}

func (h *Hospital) addOperations(operations map[string][]string) {
	for typ, listed := range operations {
		if o := h.types[typ]; o != nil {
			o.operations = append(o.operations, plain(listed)...)
		}
	}
}

func codes(list []code) []string {
	var found []string
	for _, c := range bounded(list) {
		found = append(found, c.Code)
	}
	return found
}

func names(list []named) []string {
	var found []string
	for _, n := range bounded(list) {
		found = append(found, n.Name)
	}
	return plain(found)
}

// plain returns the names of operations without the "$", which some write and
// some do not.
func plain(names []string) []string {
	var found []string
	for _, name := range names {
		name = strings.TrimPrefix(name, "$")
		if operationName.MatchString(name) {
			found = append(found, name)
		}
	}
	return found
}

// searches returns search parameters, each name once: the first one counts.
func searches(list []jsonSearch) []searchParameter {
	var found []searchParameter
	for _, p := range list {
		if p.Name == "" || slices.ContainsFunc(found, func(f searchParameter) bool { return f.name == p.Name }) {
			continue
		}
		found = append(found, searchParameter{name: p.Name, kind: p.Type, text: p.Documentation})
	}
	return found
}
