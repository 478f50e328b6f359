// Package smart decides what SMART App Launch scopes permit, in the forms of
// version 1 and 2 (https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html).
//
// Access.Check says whether a call may be made at all. What it returns, a
// Permission, says which resources of the answer may be handed out, and which
// a write may change. What cannot be understood is refused. docs/scopes.md
// explains the rules to people.
package smart
