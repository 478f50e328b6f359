// Package audit keeps the trail of who touched which patient at which hospital,
// without a reference in clear: patients and resources are told by keyed
// hashes, with a key for each hospital.
//
// A record is a FHIR R4 AuditEvent in the form of IHE's Basic Audit Log
// Patterns (https://profiles.ihe.net/ITI/BALP). Records are linked: each has a
// number and a keyed hash of the one before it, so that Verify finds what was
// changed, removed or put between. They go to encrypted files or, over TLS, to
// a syslog server. Record only puts an event into a bounded queue; a writer in
// the background does the rest.
package audit
