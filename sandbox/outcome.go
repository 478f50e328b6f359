package sandbox

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// issue is one entry of an OperationOutcome. Empty fields are left out.
type issue struct {
	severity    string
	code        string
	system      string // coding of details
	detail      string
	display     string
	diagnostics string
	expression  string
}

// outcome writes an OperationOutcome (https://hl7.org/fhir/R4/operationoutcome.html).
func outcome(issues ...issue) json.RawMessage {
	list := make([]any, len(issues))
	for i, it := range issues {
		var details, expression json.RawMessage
		if it.detail != "" {
			details = obj("coding", arr(obj("system", it.system, "code", it.detail, "display", it.display)), "text", it.display)
		}
		if it.expression != "" {
			expression = arr(it.expression)
		}
		list[i] = obj("severity", it.severity, "code", it.code, "details", details, "diagnostics", text(it.diagnostics), "expression", expression)
	}
	return obj("resourceType", "OperationOutcome", "issue", arr(list...))
}

// text is a JSON string, or nothing for an empty one.
func text(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return encode(s)
}

// write sends a complete answer with its length declared.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	if contentType != "" {
		w.Header().Set("Content-Type", contentType)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
