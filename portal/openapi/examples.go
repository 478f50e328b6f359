package openapi

import "encoding/json"

// Examples of bodies, as short as they can be: what a viewer makes of the schemas
// by itself fills a page with every element there may be. Their members stand in
// the order in which FHIR has them.
var (
	searchExample = json.RawMessage(`{"resourceType":"Bundle","type":"searchset","total":1,
		"entry":[{"fullUrl":"https://gateway.example/fhir/hospital/Patient/1","resource":{"resourceType":"Patient","id":"1"}}]}`)
	batchExample = json.RawMessage(`{"resourceType":"Bundle","type":"batch",
		"entry":[{"request":{"method":"GET","url":"Patient/1"}}]}`)
	patchExample = json.RawMessage(`[{"op":"replace","path":"/status","value":"arrived"}]`)
	errorExample = json.RawMessage(`{"resourceType":"OperationOutcome",
		"issue":[{"severity":"error","code":"not-found","diagnostics":"There is no such resource."}]}`)
)
