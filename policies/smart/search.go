package smart

import (
	"net/url"
	"slices"
	"strings"

	"fhirgate/fhir"
)

// Narrow returns the query of a search by type with the constraints of the
// scopes and the patient in context added, so that the hospital leaves out
// what the caller may not have. Scopes that are alternatives of one another
// are added where they differ in the values of one parameter; other
// alternatives have no form in a query, and Sees alone holds them. The query
// of any other call comes back as it is.
func (p Permission) Narrow(query string) string {
	if p.free || !p.ok || p.interaction != fhir.SearchType {
		return query
	}
	var added []Constraint
	for _, s := range p.access.sets[:p.access.count] {
		for _, c := range s.narrowing(&p.access.holder, p.typ) {
			if !slices.ContainsFunc(added, func(have Constraint) bool { return have.key() == c.key() }) {
				added = append(added, c)
			}
		}
	}
	for _, c := range added {
		if query != "" {
			query += "&"
		}
		query += url.QueryEscape(c.Param) + "=" + url.QueryEscape(strings.Join(c.Values, ","))
	}
	return query
}

// narrowing returns the constraints that hold for everything that the set
// permits to search on typ.
func (s *Scopes) narrowing(h *Holder, typ string) []Constraint {
	if s == nil || s.unconditional(h, typ)&Search != 0 {
		return nil
	}
	var grants []*grant
	for i := range s.narrow {
		if g := &s.narrow[i]; g.usable(h, typ)&Search != 0 {
			grants = append(grants, g)
		}
	}
	if len(grants) == 0 {
		return nil
	}
	var all []Constraint
	if !openTypes[typ] && !slices.ContainsFunc(grants, func(g *grant) bool { return g.context != Patient }) {
		value := "Patient/" + h.Patient
		if typ == "Patient" {
			value = h.Patient
		}
		all = append(all, Constraint{Param: compartment[typ].param, Values: []string{value}})
	}
	return append(all, alternatives(grants)...)
}

// alternatives returns the constraints of a single grant, or of several that
// have one constraint each, on the same parameter, with the values of all.
func alternatives(grants []*grant) []Constraint {
	if len(grants) == 1 {
		return grants[0].constraints
	}
	joined := Constraint{}
	for _, g := range grants {
		if len(g.constraints) != 1 || joined.Param != "" && joined.Param != g.constraints[0].Param {
			return nil
		}
		joined.Param = g.constraints[0].Param
		joined.Values = append(joined.Values, g.constraints[0].Values...)
	}
	return []Constraint{joined}
}
