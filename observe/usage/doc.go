// Package usage counts what consumers call, and keeps their last errors, in
// Redis, for all nodes together.
//
// A [Recorder] counts the calls of a node in memory and adds what it counted to
// Redis every other second; a [Reader] tells what changed. Nothing here may hold
// patient data: counts are by consumer, day, hospital, interaction and status,
// and errors have no more than the access log without its cause.
//
// # Names in Redis
//
// All begin with [Prefix] and end by themselves, a week after their last change
// or a little later. Each is written by commands and scripts of its own, so that
// a cluster may spread them.
//
//	fhirgate:usage:2026-11-22:key_…         a hash: "hospital|interaction|status" to calls,
//	                                        "@recorder" to its last flush
//	fhirgate:usage:changed:2026-11-22       a sorted set: the day's consumers in the order of their last changes
//	fhirgate:usage:errors:consumer:key_…    a sorted set: the last errors by their time in milliseconds
//	fhirgate:usage:errors:hospital:…        likewise
package usage
