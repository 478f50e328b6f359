package smart

import (
	"github.com/tidwall/gjson"

	"fhirgate/fhir"
)

// Permission is what Check allowed of one call. The zero value permits nothing
// on resources.
type Permission struct {
	access      Access
	typ         string // of the call; "" at the system level
	interaction fhir.Interaction
	ok          bool
	free        bool
	needs       Actions            // of the call on typ
	included    map[string]Actions // types that includes bring in, and what each needs; usually nil
}

// Free reports that no resource of the answer has to be looked at.
func (p Permission) Free() bool { return p.free }

// Unsettled returns p for a call whose path does not tell what it is about: that
// the answer is what was asked for is not taken for granted.
func (p Permission) Unsettled() Permission {
	p.free = p.free && p.access.open(p.needs|Read|Search)
	return p
}

// brings returns the actions that a resource of typ in the answer needs. One
// that nobody asked for needs r.
func (p *Permission) brings(typ string) Actions {
	actions := p.included[typ] | p.included[AllTypes]
	switch p.interaction {
	case fhir.SearchSystem, fhir.HistorySystem:
		return actions | Search
	case fhir.SearchType, fhir.HistoryType:
		if typ == p.typ {
			return actions | Search
		}
	}
	if actions == 0 {
		return Read
	}
	return actions
}

// Looks reports whether resources of this type in an answer must be looked at
// with Sees. Others may be handed out unseen.
func (p Permission) Looks(typ string) bool {
	switch {
	case p.free, p.ok && typ == "OperationOutcome":
		return false
	case !p.ok, typ == "Bundle", typ == "Parameters", p.access.mayDeny(typ):
		return true
	}
	return p.access.level(typ, p.brings(typ)) != full
}

// Sees reports whether a resource of the answer may be handed out: scopes
// permit it, and no deny rule matches it or what it contains. An
// OperationOutcome may; a Bundle or Parameters may if all in it may. What
// cannot be read, or could be read in two ways, may not.
func (p Permission) Sees(resource []byte) bool { return p.seesText(resource, 0) }

// SeesEntry is Sees for a resource in an entry of an answer: a Bundle there is no
// answer by itself, but a resource that must be in scope as any other.
func (p Permission) SeesEntry(resource []byte) bool { return p.seesText(resource, 1) }

func (p *Permission) seesText(resource []byte, depth int) bool {
	if p.free {
		return true
	}
	return p.ok && wellFormed(resource) && p.sees(gjson.ParseBytes(resource), depth)
}

// maxBundles bounds Bundles and Parameters in one another, parts of parameters
// included.
const maxBundles = 6

func (p *Permission) sees(resource gjson.Result, depth int) bool {
	if depth > maxBundles {
		return false
	}
	switch typ := typeOf(resource); typ {
	case "":
		return false
	case "OperationOutcome":
		return true
	case "Parameters":
		return p.seesAll(resource, parametersPath, depth)
	case "Bundle":
		return p.seesBundle(resource, depth)
	default:
		return p.access.holds(resource, typ, p.brings(typ), false) && !p.access.deniedBy(resource, typ)
	}
}

var (
	parametersPath = []string{"parameter*"}
	entryPath      = []string{"entry*"}
)

// seesBundle looks at the answer to a search or history entry by entry. Any
// other Bundle, a document for instance, is a resource as well.
func (p *Permission) seesBundle(bundle gjson.Result, depth int) bool {
	kind, readable := text(bundle, "type")
	if !readable {
		return false
	}
	answer := depth == 0 && p.interaction.AnswersBundle() && (kind == "searchset" || kind == "history")
	if !answer && (!p.access.holds(bundle, "Bundle", p.brings("Bundle"), false) || p.access.deniedBy(bundle, "Bundle")) {
		return false
	}
	return p.seesAll(bundle, entryPath, depth)
}

// seesAll looks at the resources of entries or parameters, and of the parts of
// parameters. One without a resource shows none.
func (p *Permission) seesAll(resource gjson.Result, path []string, depth int) bool {
	if depth > maxBundles {
		return false
	}
	hidden, readable := visit(resource, path, func(item gjson.Result) (bool, bool) {
		inner, readable := member(item, "resource")
		if !readable || inner.Exists() && !p.sees(inner, depth+1) {
			return true, readable
		}
		part, readable := member(item, "part")
		if !readable || part.Exists() && !p.seesAll(item, partPath, depth+1) {
			return true, readable
		}
		return false, true
	})
	return !hidden && readable
}

var partPath = []string{"part*"}

// holds reports whether every set of scopes permits the actions on this very
// resource.
func (a *Access) holds(resource gjson.Result, typ string, actions Actions, write bool) bool {
	if a.count == 0 {
		return false
	}
	for _, s := range a.sets[:a.count] {
		if s == nil || !s.holds(&a.holder, resource, typ, actions, write) {
			return false
		}
	}
	return true
}

func (s *Scopes) holds(h *Holder, resource gjson.Result, typ string, actions Actions, write bool) bool {
	missing := actions &^ s.unconditional(h, typ)
	for i := range s.narrow {
		if missing == 0 {
			return true
		}
		g := &s.narrow[i]
		if useful := g.usable(h, typ) & missing; useful != 0 && g.holds(h, resource, typ, write) {
			missing &^= useful
		}
	}
	return missing == 0
}

// holds reports whether a resource meets the conditions of a grant.
func (g *grant) holds(h *Holder, resource gjson.Result, typ string, write bool) bool {
	for _, t := range g.tests {
		if done, readable := t.holds(resource, h.Base, false); !done || !readable {
			return false
		}
	}
	return g.context != Patient || openTypes[typ] || belongs(resource, typ, h.Patient, h.Base, write)
}

// maxDepth bounds the nesting of a resource: R4's own stays below thirty.
const maxDepth = 200

// wellFormed reports whether b is JSON that is not nested too deep to read.
func wellFormed(b []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{', c == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return gjson.ValidBytes(b)
}
