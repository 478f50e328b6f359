// Package routes reads the hospital files: one YAML file a hospital, named
// after its id. It checks everything that can be checked without calling the
// hospital, and reports all mistakes of all files at once.
package routes

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// Route is one hospital: where its FHIR server is, how we log in there, and
// which interactions may go there. See docs/add-a-hospital.md.
type Route struct {
	Version      int                           `yaml:"version"`      // of the file's format; 1
	ID           string                        `yaml:"id"`           // equals the file name; the path segment /fhir/{id}
	Name         string                        `yaml:"name"`         // for people
	Vendor       string                        `yaml:"vendor"`       // names transforms/{vendor}.yaml; empty = no vendor rules
	Environment  string                        `yaml:"environment"`  // "production" or "sandbox"; a key of one never works in the other
	TimeZone     string                        `yaml:"time_zone"`    // IANA name; default UTC
	Upstream     Upstream                      `yaml:"upstream"`     // the hospital's FHIR server
	Interactions map[string][]fhir.Interaction `yaml:"interactions"` // by resource type, or "system"
	Operations   map[string][]string           `yaml:"operations"`   // "$name" by resource type, or "system"
	Vars         map[string]string             `yaml:"vars"`         // values that the vendor's rules read as {var: name}
	Accept       []string                      `yaml:"accept"`       // the ways in that callers may use, see Ways; default all
	Deny         []Denial                      `yaml:"deny"`         // resources that no caller gets or changes
	Rules        yaml.Node                     `yaml:"rules"`        // rules between the caller and the vendor's, of the form that vendor files have

	File     string         `yaml:"-"` // where it was read from
	Location *time.Location `yaml:"-"` // of TimeZone

	doc *strict.Document
}

// Allows reports whether the route lists the interaction that r is.
// Capabilities are always allowed. A batch or transaction must be listed under
// "system"; its entries are looked at one by one.
func (r *Route) Allows(req fhir.Request) bool {
	if req.Interaction == fhir.Capabilities {
		return true
	}
	key := req.Type
	if key == "" {
		key = System
	}
	if req.Interaction == fhir.Operation {
		return slices.Contains(r.Operations[key], req.Operation)
	}
	return slices.Contains(r.Interactions[key], req.Listed())
}

// System is the key of Interactions and Operations for what has no type.
const System = "system"
