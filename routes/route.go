// Package routes reads the hospital files: one YAML file a hospital, named
// after its id. It checks everything that can be checked without calling the
// hospital, and reports all mistakes of all files at once.
package routes

import (
	"slices"
	"time"

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

	File     string         `yaml:"-"` // where it was read from
	Location *time.Location `yaml:"-"` // of TimeZone

	doc *strict.Document
}

// Upstream is how a hospital's FHIR server is reached.
type Upstream struct {
	BaseURL        string            `yaml:"base_url"`        // FHIR base, without a slash at the end
	Aliases        []string          `yaml:"aliases"`         // other bases under which the hospital writes its own links
	LinkHosts      []string          `yaml:"link_hosts"`      // host[:port] that sealed links may reach besides the base's own
	Auth           Auth              `yaml:"auth"`            // default: none
	Headers        map[string]string `yaml:"headers"`         // fixed request headers, e.g. Epic-Client-ID
	Timeouts       Timeouts          `yaml:"timeouts"`        // defaults in Timeouts
	PrivateNetwork bool              `yaml:"private_network"` // allow loopback, private and link-local addresses
	CAFile         string            `yaml:"ca_file"`         // PEM bundle to trust instead of the system's
}

// Auth is how the gateway logs in to a hospital. Which fields a kind takes is
// in authFields.
type Auth struct {
	Kind         string        `yaml:"kind"`
	TokenURL     string        `yaml:"token_url"`     // absolute, or "discover": read from {base}/.well-known/smart-configuration
	ClientID     strict.Secret `yaml:"client_id"`     // no secret: may stand in the file
	ClientSecret strict.Secret `yaml:"client_secret"` // {env: NAME} or {file: PATH}
	Token        strict.Secret `yaml:"token"`         // of kind bearer
	Username     strict.Secret `yaml:"username"`      // of kind basic
	Password     strict.Secret `yaml:"password"`      // of kind basic
	Key          strict.Secret `yaml:"key"`           // private key, PEM or JWK
	KeyID        string        `yaml:"key_id"`        // kid of the key; default: the JWK's own
	Alg          string        `yaml:"alg"`           // RS256, RS384, ES256 or ES384; default RS384 or ES384 by the key
	Scope        []string      `yaml:"scope"`
}

// Timeouts bound a call to a hospital. Zero means the default.
type Timeouts struct {
	Connect   time.Duration `yaml:"connect"`    // TCP and TLS; default 5s
	FirstByte time.Duration `yaml:"first_byte"` // from the request's end to the answer's headers; default 30s
	Idle      time.Duration `yaml:"idle"`       // between two pieces of a body; default 60s
}

// The kinds of Auth.
const (
	AuthNone              = "none"
	AuthBearer            = "bearer"
	AuthBasic             = "basic"
	AuthClientSecretBasic = "client_secret_basic"
	AuthClientSecretPost  = "client_secret_post"
	AuthSmartBackend      = "smart-backend"
)

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
	listed := r.Interactions[key]
	if req.Conditional {
		return slices.Contains(listed, req.Interaction.Conditional())
	}
	return slices.Contains(listed, req.Interaction)
}

// System is the key of Interactions and Operations for what has no type.
const System = "system"
