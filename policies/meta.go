package policies

import (
	"strconv"

	"go.yaml.in/yaml/v3"

	"fhirgate/internal/strict"
	"fhirgate/policies/smart"
)

// metaPlace is where meta stands in a plan's file.
const metaPlace = "meta_data.fhirgate"

// meta is what Tyk has no word for.
type meta struct {
	Hospitals    []string  `yaml:"hospitals"`
	Environments []string  `yaml:"environments"`
	Scopes       []string  `yaml:"scopes"`
	Requires     []string  `yaml:"requires"`
	Burst        int       `yaml:"burst"`
	Cost         yaml.Node `yaml:"cost"`
}

// The words of "requires".
const (
	requiresOnBehalfOf = "on-behalf-of"
	requiresPurpose    = "purpose"
)

func (m *meta) check(doc *strict.Document, decoded bool) {
	if decoded && len(m.Hospitals) == 0 {
		doc.Fail(metaPlace+".hospitals", `must name at least one hospital, or "*" for all of the environments`)
	}
	if decoded && len(m.Environments) == 0 {
		doc.Fail(metaPlace+".environments", "must name production, sandbox or both")
	}
	for i, id := range m.Hospitals {
		if id == "" {
			doc.Fail(metaPlace+".hospitals."+strconv.Itoa(i), "must not be empty")
		}
	}
	for i, e := range m.Environments {
		if e != "production" && e != "sandbox" {
			doc.Fail(metaPlace+".environments."+strconv.Itoa(i), "must be production or sandbox")
		}
	}
	for i, header := range m.Requires {
		if header != requiresOnBehalfOf && header != requiresPurpose {
			doc.Fail(metaPlace+".requires."+strconv.Itoa(i), "must be %s or %s", requiresOnBehalfOf, requiresPurpose)
		}
	}
	if m.Burst < 0 {
		doc.Fail(metaPlace+".burst", "must be a number of cost units")
	}
	m.checkScopes(doc, decoded)
}

// checkScopes wants a clinical scope: without one a plan would permit nothing.
func (m *meta) checkScopes(doc *strict.Document, decoded bool) {
	clinical := 0
	for i, text := range m.Scopes {
		if text == ScopeRaw {
			continue
		}
		clinical++
		if _, err := smart.ParseScope(text); err != nil {
			doc.Fail(metaPlace+".scopes."+strconv.Itoa(i), "%v", err)
		}
	}
	if decoded && clinical == 0 {
		doc.Fail(metaPlace+".scopes", `must say what the plan permits, in SMART scopes such as "system/Patient.rs" (read and search) or "system/DocumentReference.c" (create); `+
			`"system/*.cruds" is whatever the hospitals' files list, which a plan without scopes used to permit`)
	}
}

// fill sets what the plan takes from m. Of a file with mistakes it takes what
// can be understood.
func (m *meta) fill(plan *Plan) strict.Problems {
	plan.Hospitals, plan.Environments, plan.Scopes, plan.Burst = m.Hospitals, m.Environments, m.Scopes, m.Burst
	var clinical []smart.Scope
	for _, text := range m.Scopes {
		if scope, err := smart.ParseScope(text); err == nil {
			clinical = append(clinical, scope)
		}
	}
	plan.Clinical = smart.Compile(clinical)
	for _, header := range m.Requires {
		plan.Requires.OnBehalfOf = plan.Requires.OnBehalfOf || header == requiresOnBehalfOf
		plan.Requires.Purpose = plan.Requires.Purpose || header == requiresPurpose
	}
	cost, problems := parseCost(plan.File, &m.Cost)
	plan.Cost = cost
	return problems
}
