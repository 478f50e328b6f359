package fhir

import (
	"net/http"
	"net/url"
	"strings"
)

// Request is what a call asks for, told from its method and the path below a
// FHIR base (https://hl7.org/fhir/R4/http.html#summary). The query is kept
// apart: it may hold patient data.
type Request struct {
	Interaction Interaction
	Conditional bool   // a create, update, patch or delete that names its resource by search
	Type        string // resource type; empty for system-level interactions
	ID          string // logical id; empty for type- and system-level interactions
	Version     string // version id of a vread
	Operation   string // name of an operation with its "$"
	Compartment string // type of the compartment of a search (GET Patient/1/Observation); its id is in ID
	FormSearch  bool   // a search by POST _search
}

// SealedSegment is the path segment below a hospital's base under which links
// that no prefix can map come back to the gateway.
const SealedSegment = "_sealed"

// Parse tells the interaction of a call. path is what follows the base: "",
// "Patient", "Patient/1/_history/2" (no slash at either end). For POST to the
// base the interaction is Batch; the body says whether it is a transaction.
//
// Errors are *Error: 404 for a path that FHIR does not know or an unknown
// resource type, 405 with Allow for a method that the path does not take, 400
// for an id that cannot be one.
func Parse(method, path string, header http.Header, query string) (Request, error) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if path == "" {
		return parseSystem(method)
	}
	segments := strings.Split(path, "/")
	switch first := segments[0]; {
	case first == "metadata" && len(segments) == 1:
		return Request{Interaction: Capabilities}, allow(method, http.MethodGet)
	case first == "_history" && len(segments) == 1:
		return Request{Interaction: HistorySystem}, allow(method, http.MethodGet)
	case first == "_search" && len(segments) == 1:
		return Request{Interaction: SearchSystem, FormSearch: true}, allow(method, http.MethodPost)
	case strings.HasPrefix(first, "$") && len(segments) == 1:
		return operation(method, Request{Operation: first})
	case !IsResourceType(first):
		return Request{}, NewError(http.StatusNotFound, IssueNotFound,
			"the path is not one of the FHIR RESTful API: its first segment after the hospital is neither a resource type of R4 (names are case-sensitive) nor metadata, _history, _search or an operation")
	case len(segments) == 1:
		return parseType(method, first, header, query)
	default:
		return parseInstance(method, segments)
	}
}

func parseSystem(method string) (Request, error) {
	switch method {
	case http.MethodPost:
		return Request{Interaction: Batch}, nil
	case http.MethodGet:
		return Request{Interaction: SearchSystem}, nil
	default:
		return Request{}, allow(method, http.MethodGet, http.MethodPost)
	}
}

func parseType(method, typ string, header http.Header, query string) (Request, error) {
	req := Request{Type: typ}
	switch method {
	case http.MethodGet:
		req.Interaction = SearchType
	case http.MethodPost:
		req.Interaction = Create
		return req, condition(&req, header.Values("If-None-Exist"))
	case http.MethodPut:
		req.Interaction, req.Conditional = Update, true
	case http.MethodPatch:
		req.Interaction, req.Conditional = Patch, true
	case http.MethodDelete:
		req.Interaction, req.Conditional = Delete, true
	default:
		return req, allow(method, http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete)
	}
	if req.Conditional && !Selects(query) {
		return req, ErrSelectsNothing()
	}
	return req, nil
}

// condition reads the If-None-Exist of a create.
func condition(req *Request, values []string) error {
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return nil
	}
	req.Conditional = true
	if len(values) > 1 || !Selects(strings.TrimPrefix(values[0], "?")) {
		return ErrSelectsNothing()
	}
	return nil
}

// ErrSelectsNothing refuses a conditional call whose condition would hold for
// every resource of the type.
func ErrSelectsNothing() *Error {
	return NewError(http.StatusBadRequest, IssueInvalid,
		"the call names neither an id in the path nor search parameters, with values, that select a resource")
}

// Selects reports whether a query holds a parameter that selects resources: one
// with a value that is not about the form of the answer
// (https://hl7.org/fhir/R4/search.html#Summary). A server ignores parameters
// without a value, and a conditional delete that selects nothing would then
// delete all.
func Selects(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil {
			continue
		}
		name, _, _ = strings.Cut(name, ":")
		if name != "" && !formParameters[name] && strings.Trim(value, " \t,") != "" {
			return true
		}
	}
	return false
}

// formParameters shape an answer and select nothing.
var formParameters = map[string]bool{
	"_format": true, "_pretty": true, "_summary": true, "_elements": true, "_count": true, "_sort": true, "_total": true,
	"_include": true, "_revinclude": true, "_contained": true, "_containedType": true, "_score": true,
}

func parseInstance(method string, segments []string) (Request, error) {
	typ, second := segments[0], segments[1]
	req := Request{Type: typ}
	switch {
	case second == "_search" && len(segments) == 2:
		req.Interaction, req.FormSearch = SearchType, true
		return req, allow(method, http.MethodPost)
	case second == "_history" && len(segments) == 2:
		req.Interaction = HistoryType
		return req, allow(method, http.MethodGet)
	case strings.HasPrefix(second, "$") && len(segments) == 2:
		req.Operation = second
		return operation(method, req)
	case !IsID(second):
		return req, NewError(http.StatusBadRequest, IssueValue, "the id in the path is not one: 1 to 128 characters of A-Z, a-z, 0-9, '-', '.' and '_'")
	}
	req.ID = second
	if len(segments) == 2 {
		switch method {
		case http.MethodGet:
			req.Interaction = Read
		case http.MethodPut:
			req.Interaction = Update
		case http.MethodPatch:
			req.Interaction = Patch
		case http.MethodDelete:
			req.Interaction = Delete
		default:
			return req, allow(method, http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete)
		}
		return req, nil
	}
	switch third := segments[2]; {
	case third == "_history" && len(segments) == 3:
		req.Interaction = HistoryInstance
		return req, allow(method, http.MethodGet)
	case third == "_history" && len(segments) == 4 && IsID(segments[3]):
		req.Interaction, req.Version = VRead, segments[3]
		return req, allow(method, http.MethodGet)
	case strings.HasPrefix(third, "$") && len(segments) == 3:
		req.Operation = third
		return operation(method, req)
	case IsResourceType(third) && len(segments) == 3:
		req.Interaction, req.Compartment, req.Type = SearchType, typ, third
		return req, allow(method, http.MethodGet)
	}
	return req, NewError(http.StatusNotFound, IssueNotFound,
		"the path is not one of the FHIR RESTful API: after Type/id come _history, _history/version, an operation or the type of a compartment search")
}

func operation(method string, req Request) (Request, error) {
	req.Interaction = Operation
	if !isOperationName(req.Operation) {
		return req, NewError(http.StatusNotFound, IssueNotFound, "the name of the operation is not one: '$' and letters, digits, '-', '_' or '.'")
	}
	return req, allow(method, http.MethodGet, http.MethodPost)
}

func isOperationName(name string) bool {
	return len(name) > 1 && IsID(name[1:])
}

// allow returns nil when method is one of methods, and else a 405 that lists
// them (RFC 9110 section 15.5.6).
func allow(method string, methods ...string) error {
	for _, m := range methods {
		if m == method {
			return nil
		}
	}
	return NewError(http.StatusMethodNotAllowed, IssueNotSupported, "the method does not go with this path").
		With("Allow", strings.Join(methods, ", "))
}

// Listed returns the interaction as a route lists it: the conditional form of one
// that is conditional.
func (r Request) Listed() Interaction {
	if r.Conditional {
		return r.Interaction.Conditional()
	}
	return r.Interaction
}

// Path returns the path of r below its base, as Parse took it.
func (r Request) Path() string {
	var parts []string
	switch {
	case r.Compartment != "":
		return r.Compartment + "/" + url.PathEscape(r.ID) + "/" + r.Type
	case r.Interaction == Capabilities:
		return "metadata"
	}
	if r.Type != "" {
		parts = append(parts, r.Type)
	}
	if r.ID != "" {
		parts = append(parts, r.ID)
	}
	switch r.Interaction {
	case HistoryInstance, HistoryType, HistorySystem:
		parts = append(parts, "_history")
	case VRead:
		parts = append(parts, "_history", r.Version)
	case Operation:
		parts = append(parts, r.Operation)
	case SearchType, SearchSystem:
		if r.FormSearch {
			parts = append(parts, "_search")
		}
	}
	return strings.Join(parts, "/")
}
