// Package smart decides what SMART App Launch scopes permit, in the forms of
// version 1 and 2 (https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html).
package smart
