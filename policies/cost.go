package policies

import (
	"errors"
	"maps"
	"net/url"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// Cost says how many units of a plan's rate and quota a call uses up, so that
// what is hard for a hospital uses up more than what is easy. The tags are the
// keys of a plan's "cost"; what a plan does not give is as in DefaultCost.
type Cost struct {
	Read         Units            `yaml:"read"`          // a read or vread
	Binary       Units            `yaml:"binary"`        // a read or vread of a Binary
	Search       Units            `yaml:"search"`        // each step of a search or history, see SearchStep
	SearchStep   Units            `yaml:"search_step"`   // resources of _count that make one step; at least 1
	DefaultCount Units            `yaml:"default_count"` // the _count of a search that gives none; 1 to MaxCount
	Create       Units            `yaml:"create"`        // conditional or not
	Update       Units            `yaml:"update"`        // conditional or not
	Patch        Units            `yaml:"patch"`         // conditional or not
	Delete       Units            `yaml:"delete"`        // conditional or not
	Operation    Units            `yaml:"operation"`     // an operation that is not in Operations
	Operations   map[string]Units `yaml:"operations"`    // by name, as in "$everything"
	Capabilities Units            `yaml:"capabilities"`  // the CapabilityStatement
}

// Units is a whole number of 0 or more.
type Units uint32

// UnmarshalYAML refuses what is no whole number, where yaml itself would cut off
// a fraction.
func (u *Units) UnmarshalYAML(node *yaml.Node) error {
	n, err := strconv.ParseUint(node.Value, 10, 32)
	if err != nil || node.ShortTag() != "!!int" {
		return errors.New("must be a whole number of 0 or more")
	}
	*u = Units(n)
	return nil
}

// MaxCount bounds the _count that a search is charged for: servers give no
// larger pages.
const MaxCount = 1000

// DefaultCost is what calls cost where the plan does not say.
func DefaultCost() *Cost {
	return &Cost{
		Read: 1, Binary: 5,
		Search: 1, SearchStep: 10, DefaultCount: 50,
		Create: 20, Update: 20, Patch: 20, Delete: 20,
		Operation: 20, Operations: map[string]Units{"$everything": 50, "$export": 100},
	}
}

var defaultCost = DefaultCost()

// Of returns the cost of a call with the given query. A batch or transaction is
// charged by its entries and is nothing by itself. The costs of a nil Cost are
// those of DefaultCost.
func (c *Cost) Of(req fhir.Request, query string) int {
	if c == nil {
		c = defaultCost
	}
	switch req.Interaction {
	case fhir.Read, fhir.VRead:
		if req.Type == "Binary" {
			return int(c.Binary)
		}
		return int(c.Read)
	case fhir.SearchType, fhir.SearchSystem, fhir.HistoryInstance, fhir.HistoryType, fhir.HistorySystem:
		return c.search(query)
	case fhir.Create:
		return int(c.Create)
	case fhir.Update:
		return int(c.Update)
	case fhir.Patch:
		return int(c.Patch)
	case fhir.Delete:
		return int(c.Delete)
	case fhir.Operation:
		if cost, ok := c.Operations[req.Operation]; ok {
			return int(cost)
		}
		return int(c.Operation)
	case fhir.Capabilities:
		return int(c.Capabilities)
	default:
		return 0
	}
}

// search charges a page by the resources that it may hold, and a mere count of
// them (https://hl7.org/fhir/R4/search.html#summary) as one step. Of a parameter
// that comes twice the dearer value counts: nobody knows which the hospital takes.
func (c *Cost) search(query string) int {
	count, given, counted, whole := Units(0), false, false, false
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch unescaped(name) {
		case "_count":
			given = true
			count = max(count, c.count(unescaped(value)))
		case "_summary":
			if unescaped(value) == "count" {
				counted = true
			} else {
				whole = true
			}
		}
	}
	if !given {
		count = c.DefaultCount
	}
	if counted && !whole {
		count = 0
	}
	steps := max((count+c.SearchStep-1)/c.SearchStep, 1)
	return int(steps) * int(c.Search)
}

// count reads the value of _count. What is no number is what the hospital makes
// of it: a page of its own size.
func (c *Cost) count(value string) Units {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // beyond its range it returns the largest number
		return c.DefaultCount
	}
	return Units(min(n, MaxCount))
}

// unescaped returns s as a server reads it, or as it is when its escapes are
// broken.
func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// parseCost reads a plan's "cost"; a missing one (the zero node) is DefaultCost.
func parseCost(file string, node *yaml.Node) (*Cost, strict.Problems) {
	cost := DefaultCost()
	if node.IsZero() {
		return cost, nil
	}
	cost.Operations = nil
	doc := strict.DecodeNode(file, metaPlace+".cost", node, cost)
	if cost.SearchStep == 0 {
		doc.Fail("search_step", "must be at least 1")
	}
	if cost.DefaultCount == 0 || cost.DefaultCount > MaxCount {
		doc.Fail("default_count", "must be 1 to %d", MaxCount)
	}
	operations := maps.Clone(defaultCost.Operations)
	for name, units := range cost.Operations {
		if !strings.HasPrefix(name, "$") {
			doc.Fail("operations."+name, `must be named as it is called, "$%s"`, name)
		}
		operations[name] = units
	}
	cost.Operations = operations
	return cost, doc.Problems()
}
