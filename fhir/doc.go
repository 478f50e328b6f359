// Package fhir is the vocabulary of the gateway: interactions, resource types,
// parsed requests, OperationOutcomes and the error that carries one.
//
// It follows HL7 FHIR R4 (4.0.1), imports the standard library only, and
// knows nothing of hospitals, keys or upstreams.
package fhir
