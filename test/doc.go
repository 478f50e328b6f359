// Package test drives the real fhirgate binary from outside: real keys from its
// command line, real HTTP, a real Redis beside the embedded store, real FHIR
// clients from npm, and simulated hospitals in the test's own process.
//
// The binary is the one that FHIRGATE_BIN names, or the one that "make build"
// makes. Scenarios run once with the embedded store and once with Redis.
package test
