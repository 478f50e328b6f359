// Package hookreg holds the functions that Tyk's hooks call. The host fills
// them in before it starts Tyk; the plugin in plugins/fhir only calls them.
//
// A plugin runs its own copy of every function it was linked with but shares
// package variables with its host. All logic therefore stays in the host, and
// a change of it never needs a new plugin.
package hookreg

import "net/http"

// The hooks, one a symbol of the plugin. They are written once, before Tyk
// starts, and only read afterwards; nil means that the host isn't ready.
var (
	// FHIR answers everything below /fhir/.
	FHIR http.HandlerFunc
	// Root answers every other path.
	Root http.HandlerFunc
	// Auth authenticates in the chain that uses Tyk's auth_check.
	Auth http.HandlerFunc
)
