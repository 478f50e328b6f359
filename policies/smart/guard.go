package smart

import "strings"

// guard is the set of top-level elements that decide whether a resource is in
// scope.
type guard []string

// guarded returns the elements of typ that conditions of the scopes for these
// actions, or deny rules, look at.
func (a *Access) guarded(typ string, actions Actions) guard {
	elements := guard{"resourceType", "id"}
	for _, s := range a.sets[:a.count] {
		for i := range s.narrow {
			if g := &s.narrow[i]; g.usable(&a.holder, typ)&actions != 0 {
				elements = elements.of(g.tests)
				elements = elements.owner(g, typ)
			}
		}
	}
	for i := range a.denied {
		elements = append(elements, "contained")
		if a.denied[i].applies(typ) {
			elements = elements.of(a.denied[i].tests)
		}
	}
	return elements
}

func (e guard) of(tests []test) guard {
	for _, t := range tests {
		e = append(e, strings.TrimSuffix(t.path[0], "*"))
	}
	return e
}

func (e guard) owner(g *grant, typ string) guard {
	if g.context != Patient {
		return e
	}
	for _, path := range compartment[typ].owner {
		e = append(e, strings.TrimSuffix(path[0], "*"))
	}
	return e
}

// touchedBy reports whether a JSON pointer (RFC 6901) leads to, into or above
// one of the elements. Without a "/" at its start it leads to the whole. The
// names of elements have no characters that a pointer escapes.
func (e guard) touchedBy(pointer string) bool {
	first, below := strings.CutPrefix(pointer, "/")
	if !below {
		return true
	}
	first, _, _ = strings.Cut(first, "/")
	for _, element := range e {
		if strings.EqualFold(first, element) {
			return true
		}
	}
	return false
}
