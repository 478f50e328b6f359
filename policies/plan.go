// Package policies reads the plans: native Tyk policies, one JSON file each,
// whose meta_data.fhirgate says what Tyk has no word for. A plan says which
// hospitals a consumer may reach, what it may do there, and how often.
package policies

import (
	"encoding/json"
	"slices"
	"time"

	"fhirgate/internal/strict"
	"fhirgate/policies/smart"
)

// Plan is what a consumer may do. Rate, Burst and Quota are in the units of
// Cost: a plain read is one.
type Plan struct {
	ID           string        // Tyk policy id; equals the file name
	Name         string        // for people
	Active       bool          // an inactive plan refuses its consumers
	Rate         int           // units per Per; 0 = no rate limit
	Per          time.Duration // 1s when the file gives none
	Burst        int           // units that may come at once; default Rate
	Quota        int64         // units per QuotaPeriod; 0 = no quota
	QuotaPeriod  time.Duration // starts with the first call that counts
	Cost         *Cost         // of calls; nil = DefaultCost
	Hospitals    []string      // route ids; "*" = every hospital of Environments
	Environments []string      // "production", "sandbox"
	Scopes       []string      // as the file has them: SMART scopes, and ScopeRaw
	Requires     Requires      // what every call must tell

	// Clinical are the SMART scopes of Scopes, ready to be asked.
	Clinical *smart.Scopes

	File string          // where it was read from
	Raw  json.RawMessage // the file itself, for the engine

	doc *strict.Document
}

// Requires are headers that every call must carry, for the audit trail.
type Requires struct {
	OnBehalfOf bool // X-Fhirgate-On-Behalf-Of: the person for whom the consumer calls
	Purpose    bool // X-Fhirgate-Purpose: what for
}

// AllHospitals in Plan.Hospitals stands for every hospital.
const AllHospitals = "*"

// ScopeRaw lets a plan's keys ask for resources as the hospital has them, past
// the rules of its vendor, and send such ones (header X-Fhirgate-Raw).
const ScopeRaw = "fhirgate/raw"

// Grants reports whether the plan has the scope.
func (p *Plan) Grants(scope string) bool { return slices.Contains(p.Scopes, scope) }

// Reaches reports whether the plan's keys may call the hospital, which belongs
// to the given environment. A key of one environment never works in another.
func (p *Plan) Reaches(hospital, environment string) bool {
	return p.Active &&
		slices.Contains(p.Environments, environment) &&
		(slices.Contains(p.Hospitals, hospital) || slices.Contains(p.Hospitals, AllHospitals))
}
