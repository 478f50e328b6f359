package fhir

import (
	"encoding/json"
)

// MediaType is the media type of every body that the gateway writes
// (https://hl7.org/fhir/R4/http.html#mime-type).
const MediaType = "application/fhir+json; charset=utf-8"

// IssueCode is a code of the value set issue-type
// (https://hl7.org/fhir/R4/valueset-issue-type.html).
type IssueCode string

// The issue codes that the gateway itself uses.
const (
	IssueInvalid      IssueCode = "invalid"
	IssueStructure    IssueCode = "structure"
	IssueRequired     IssueCode = "required"
	IssueValue        IssueCode = "value"
	IssueSecurity     IssueCode = "security"
	IssueLogin        IssueCode = "login"
	IssueExpired      IssueCode = "expired"
	IssueForbidden    IssueCode = "forbidden"
	IssueNotFound     IssueCode = "not-found"
	IssueDeleted      IssueCode = "deleted"
	IssueTooLong      IssueCode = "too-long"
	IssueNotSupported IssueCode = "not-supported"
	IssueConflict     IssueCode = "conflict"
	IssueDuplicate    IssueCode = "duplicate"
	IssueProcessing   IssueCode = "processing"
	IssueTransient    IssueCode = "transient"
	IssueTimeout      IssueCode = "timeout"
	IssueThrottled    IssueCode = "throttled"
	IssueException    IssueCode = "exception"
	IssueNoStore      IssueCode = "no-store"
	IssueBusinessRule IssueCode = "business-rule"
)

// Issue is one OperationOutcome.issue
// (https://hl7.org/fhir/R4/operationoutcome.html). Severity is "error" when
// it is left empty.
type Issue struct {
	Severity    string         `json:"severity"`
	Code        IssueCode      `json:"code"`
	Details     *CodeableText  `json:"details,omitempty"`
	Diagnostics string         `json:"diagnostics,omitempty"`
	Expression  []string       `json:"expression,omitempty"`
	Extension   []textIssueExt `json:"extension,omitempty"`
}

// CodeableText is a CodeableConcept that only has a text.
type CodeableText struct {
	Text string `json:"text"`
}

// textIssueExt carries the request id, so that a report of an error can be
// found in the log.
type textIssueExt struct {
	URL         string `json:"url"`
	ValueString string `json:"valueString"`
}

// RequestIDExtension is the url of the extension that carries the request id
// in an OperationOutcome of the gateway.
const RequestIDExtension = "urn:fhirgate:request-id"

type operationOutcome struct {
	ResourceType string  `json:"resourceType"`
	Issue        []Issue `json:"issue"`
}

// Outcome returns an OperationOutcome resource as JSON. requestID, when not
// empty, stands in an extension of the first issue. Without issues it says
// that nothing went wrong (code "informational").
func Outcome(requestID string, issues ...Issue) []byte {
	if len(issues) == 0 {
		issues = []Issue{{Severity: "information", Code: "informational", Diagnostics: "All OK"}}
	}
	out := operationOutcome{ResourceType: "OperationOutcome", Issue: append([]Issue(nil), issues...)}
	for i := range out.Issue {
		if out.Issue[i].Severity == "" {
			out.Issue[i].Severity = "error"
		}
	}
	if requestID != "" {
		out.Issue[0].Extension = []textIssueExt{{URL: RequestIDExtension, ValueString: requestID}}
	}
	body, err := json.Marshal(out)
	if err != nil {
		// Strings and slices of strings always marshal.
		panic(err)
	}
	return body
}
