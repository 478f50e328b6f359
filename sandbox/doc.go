// Package sandbox simulates hospitals: one with the habits of Epic, one of Oracle Health, one of HAPI, and one that replays recorded
// answers. The same simulators serve the demo and the tests.
//
// Each [Hospital] is an [http.Handler] with a FHIR R4 base and a token endpoint of its own, which checks what the vendor checks. Its
// patients, schedule and documents are synthetic and follow from [Options.Seed] and [Options.Now] alone. Resources are kept as bytes:
// what a client stored comes back with only id and meta set. Tests watch a hospital with [Hospital.Calls] and [Hospital.Resource] and
// make it misbehave with [Hospital.Fail].
//
// The habits come from public documentation and recorded answers. Where no public text names an error code of Epic's, a plausible one
// stands in: clients must not depend on any beyond 4101, 4113, 4118, 4119, 59159 and 59204.
package sandbox
