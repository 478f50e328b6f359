// Package fhirgate holds the files that the binary carries, so that it can run
// a demo anywhere.
package fhirgate

import "embed"

// Defaults are tyk.conf and the shipped vendor rules and plans, under the
// paths that they have in the project.
//
//go:embed tyk.conf transforms/*.yaml policies/*.json
var Defaults embed.FS
