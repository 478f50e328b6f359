package smart

import "fmt"

// Scopes is a set of scopes, compiled. It is never changed once it is made;
// nil permits nothing.
type Scopes struct {
	list   []Scope
	system rights
	user   rights
	narrow []grant // constrained ones, and all of the context patient
}

// rights are scopes without a condition.
type rights struct {
	all   Actions
	types map[string]Actions
}

func (r rights) of(typ string) Actions { return r.all | r.types[typ] }

// grant is a scope with a condition.
type grant struct {
	context string
	typ     string
	actions Actions

	constraints []Constraint
	tests       []test // one a constraint; of a patient scope possibly none
}

// Parse compiles scopes given as text. Every one must be well formed.
func Parse(list []string) (*Scopes, error) {
	scopes := make([]Scope, 0, len(list))
	for i, text := range list {
		s, err := ParseScope(text)
		if err != nil {
			return nil, fmt.Errorf("scope %d: %w", i+1, err)
		}
		scopes = append(scopes, s)
	}
	return Compile(scopes), nil
}

// Compile compiles scopes that ParseScope returned. Those that differ in their
// actions alone become one. A constraint that ParseScope would refuse takes
// its scope out: it permits nothing.
func Compile(list []Scope) *Scopes {
	s := &Scopes{
		system: rights{types: make(map[string]Actions)},
		user:   rights{types: make(map[string]Actions)},
	}
	places := make(map[string]int)
	for _, scope := range list {
		key := scope.key("")
		if at, ok := places[key]; ok {
			s.list[at].Actions |= scope.Actions
			continue
		}
		places[key] = len(s.list)
		s.list = append(s.list, scope)
	}
	for _, scope := range s.list {
		s.add(scope)
	}
	return s
}

func (s *Scopes) add(scope Scope) {
	if scope.Context != Patient && len(scope.Constraints) == 0 {
		r := &s.system
		if scope.Context == User {
			r = &s.user
		}
		if scope.Type == AllTypes {
			r.all |= scope.Actions
		} else {
			r.types[scope.Type] |= scope.Actions
		}
		return
	}
	g := grant{context: scope.Context, typ: scope.Type, actions: scope.Actions, constraints: scope.Constraints}
	for _, c := range scope.Constraints {
		t, err := c.compile(scope.Type)
		if err != nil {
			return
		}
		g.tests = append(g.tests, t)
	}
	s.narrow = append(s.narrow, g)
}

// Strings returns the scopes in the form of version 2, in the order in which
// they were given.
func (s *Scopes) Strings() []string {
	if s == nil {
		return nil
	}
	list := make([]string, len(s.list))
	for i, scope := range s.list {
		list[i] = scope.String()
	}
	return list
}

// Narrow returns what of the requested scopes lies within the allowed ones:
// of every pair in the same context the narrower type, the actions of both and
// the constraints of both.
func Narrow(requested, allowed *Scopes) *Scopes {
	if requested == nil || allowed == nil {
		return Compile(nil)
	}
	var list []Scope
	for _, r := range requested.list {
		for _, a := range allowed.list {
			if s, ok := meet(r, a); ok {
				list = append(list, s)
			}
		}
	}
	return Compile(list)
}

func meet(r, a Scope) (Scope, bool) {
	s := Scope{Context: r.Context, Type: r.Type, Actions: r.Actions & a.Actions}
	if r.Type == AllTypes {
		s.Type = a.Type
	}
	if s.Actions == 0 || r.Context != a.Context || a.Type != AllTypes && a.Type != s.Type {
		return Scope{}, false
	}
	seen := make(map[string]bool)
	for _, list := range [][]Constraint{r.Constraints, a.Constraints} {
		for _, c := range list {
			if key := c.key(); !seen[key] {
				seen[key] = true
				s.Constraints = append(s.Constraints, c)
			}
		}
	}
	return s, true
}
