package openapi

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Build makes the document of a gateway that is reached at public, a URL without
// a slash at its end. The same hospitals give the same document, byte by byte.
func Build(public string, hospitals []*Hospital) *Document {
	b := &builder{doc: newDocument(public), ids: map[string]int{}}
	hospitals = slices.SortedFunc(slices.Values(hospitals), func(a, b *Hospital) int { return cmp.Compare(a.ID, b.ID) })
	b.doc.Info.Description = describe(hospitals)
	if len(hospitals) == 0 {
		return b.doc
	}
	b.addSystem(hospitals)
	types := map[string]bool{}
	for _, h := range hospitals {
		for typ := range h.types {
			types[typ] = true
		}
	}
	for _, typ := range slices.Sorted(maps.Keys(types)) {
		b.addType(typ, hospitals)
	}
	return b.doc
}

// builder fills the document. Its methods add the operations of which some
// hospital has at least one.
type builder struct {
	doc *Document
	ids map[string]int // how often an operationId was wanted
}

// call is an operation on its way into the document.
type call struct {
	tag       string
	path      string // below the hospital: "/Patient/{id}"
	method    string
	id        string // operationId, if it is free
	summary   string
	text      string
	hospitals []string
	scope     string // of SMART; "" = none is needed
	public    bool   // answered without a credential, too
	params    []*Parameter
	body      *RequestBody
	success   map[string]string // status → name of a component
}

// add adds an operation, unless no hospital has it.
func (b *builder) add(c call) {
	if len(c.hospitals) == 0 {
		return
	}
	params := []*Parameter{hospitalParameter(c.hospitals)}
	if strings.Contains(c.path, "{id}") {
		params = append(params, parameterRef("id"))
	}
	if strings.Contains(c.path, "{version}") {
		params = append(params, parameterRef("version"))
	}
	op := &Operation{
		Tags: []string{c.tag}, Summary: c.summary, Description: c.text, OperationID: b.unique(c.id),
		Parameters: append(params, c.params...), RequestBody: c.body, Responses: responses(c), Security: b.security(c),
	}
	path := "/{hospital}" + c.path
	item := b.doc.Paths[path]
	if item == nil {
		item = &PathItem{Parameters: commonParameters()}
		b.doc.Paths[path] = item
	}
	switch c.method {
	case http.MethodGet:
		item.Get = op
	case http.MethodPut:
		item.Put = op
	case http.MethodPost:
		item.Post = op
	case http.MethodPatch:
		item.Patch = op
	case http.MethodDelete:
		item.Delete = op
	}
}

// unique returns an operationId that no other operation has.
func (b *builder) unique(id string) string {
	b.ids[id]++
	if n := b.ids[id]; n > 1 {
		return b.unique(id + strconv.Itoa(n))
	}
	return id
}

// security lists the ways in, of which each is enough, and notes the scope.
func (b *builder) security(c call) []map[string][]string {
	scopes := []string{}
	if c.scope != "" {
		scopes = append(scopes, c.scope)
		b.doc.Components.SecuritySchemes[schemeOAuth].Flows.ClientCredentials.Scopes[c.scope] = scopeText(c.scope)
	}
	ways := []map[string][]string{{schemeBearer: {}}, {schemeHeader: {}}, {schemeOAuth: scopes}}
	if c.public {
		ways = append(ways, map[string][]string{})
	}
	return ways
}

// describe introduces the document, in CommonMark.
func describe(hospitals []*Hospital) string {
	var s strings.Builder
	s.WriteString(introduction)
	var routed []string
	if len(hospitals) == 0 {
		s.WriteString("\n\nNo hospital is described here now.")
	} else {
		s.WriteString("\n\n| `hospital` | name |\n|---|---|\n")
	}
	for _, h := range hospitals {
		fmt.Fprintf(&s, "| `%s` | %s |\n", h.ID, cell(h.Name))
		if !h.statement {
			routed = append(routed, "`"+h.ID+"`")
		}
	}
	if len(routed) > 0 {
		fmt.Fprintf(&s, "\nTold from the routes of the gateway, without search parameters, because their own CapabilityStatement could not be read: %s.", strings.Join(routed, ", "))
	}
	return s.String()
}

const introduction = "One FHIR R4 endpoint for several hospitals: each is a FHIR server at its id below `/fhir`. " +
	"JSON only (`application/fhir+json`). What is listed is what the hospitals offer through the gateway; what a caller may do of it is a matter of its plan and scopes.\n\n" +
	"Errors are OperationOutcomes with a request id. Bundles are paged by their `next` links, which are followed as they stand. " +
	"Search parameters take the [modifiers of their types](https://hl7.org/fhir/R4/search.html#modifiers), as far as the hospital has them.\n\n" +
	"Answers have `X-Request-Id`, which finds the call in the gateway's log, `X-Fhirgate-Cost`, and `RateLimit` with what is left of the plan's limits. " +
	"`ETag` is the version of a resource, for `If-Match`. `Retry-After` says how many seconds to wait after 429 and 503."

// cell makes a text fit for a cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ", "<", "&lt;").Replace(s)
}

// camel makes "validate-code" into "ValidateCode".
func camel(name string) string {
	var s strings.Builder
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '-' || r == '_' }) {
		runes := []rune(word)
		s.WriteString(string(unicode.ToUpper(runes[0])) + string(runes[1:]))
	}
	return s.String()
}
