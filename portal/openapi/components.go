package openapi

import "strings"

// Names of security schemes.
const (
	schemeBearer = "bearer"
	schemeHeader = "apiKey"
	schemeOAuth  = "oauth2"
)

const fhirJSON = "application/fhir+json"

// newDocument returns a document without paths.
func newDocument(public string) *Document {
	return &Document{
		OpenAPI: Version,
		Info:    Info{Title: "FHIR R4 through fhirgate", Version: "4.0.1"},
		Servers: []Server{{URL: public + "/fhir", Description: "The gateway"}},
		Tags:    []Tag{},
		Paths:   map[string]*PathItem{},
		Components: Components{
			Schemas:    schemas(),
			Responses:  componentResponses(),
			Parameters: componentParameters(),
			Headers:    componentHeaders(),
			SecuritySchemes: map[string]*SecurityScheme{
				schemeBearer: {Type: "http", Scheme: "bearer", Description: "An API key, as `Authorization: Bearer …`."},
				schemeHeader: {Type: "apiKey", In: "header", Name: "X-Api-Key", Description: "An API key. Not together with `Authorization`."},
				schemeOAuth: {
					Type: "oauth2", Description: "A token of the gateway's token endpoint, by client secret or by a signed assertion (`private_key_jwt`).",
					Flows: &Flows{ClientCredentials: &Flow{TokenURL: public + "/oauth/token", Scopes: map[string]string{}}},
				},
			},
		},
	}
}

// scopeText says what a scope permits.
func scopeText(scope string) string {
	typ, actions, _ := strings.Cut(strings.TrimPrefix(scope, "system/"), ".")
	verbs := map[rune]string{'c': "create", 'r': "read", 'u': "update and patch", 'd': "delete", 's': "search"}
	var said []string
	for _, action := range actions {
		said = append(said, verbs[action])
	}
	if typ == "*" {
		typ = "resources of every type"
	}
	return strings.ToUpper(said[0][:1]) + strings.Join(said, ", ")[1:] + ": " + typ
}

func schemaRef(name string) *Schema { return &Schema{Ref: "#/components/schemas/" + name} }

func schemas() map[string]*Schema {
	text := &Schema{Type: "string"}
	return map[string]*Schema{
		"Resource": {
			Type: "object", Description: "A FHIR R4 resource (https://hl7.org/fhir/R4/resourcelist.html).", Required: []string{"resourceType"},
			Properties: map[string]*Schema{"resourceType": text, "id": text, "meta": {Type: "object"}},
		},
		"Bundle": {
			AllOf: []*Schema{schemaRef("Resource"), {Type: "object", Required: []string{"resourceType", "type"}, Properties: map[string]*Schema{
				"resourceType": {Const: "Bundle"}, "type": text, "total": {Type: "integer"},
				"link":  {Type: "array", Items: &Schema{Type: "object", Properties: map[string]*Schema{"relation": text, "url": {Type: "string", Format: "uri"}}}},
				"entry": {Type: "array", Items: &Schema{Type: "object", Properties: map[string]*Schema{"fullUrl": text, "resource": schemaRef("Resource"), "search": {Type: "object"}, "request": {Type: "object"}, "response": {Type: "object"}}}},
			}}},
		},
		"OperationOutcome": {
			AllOf: []*Schema{schemaRef("Resource"), {Type: "object", Required: []string{"resourceType", "issue"}, Properties: map[string]*Schema{
				"resourceType": {Const: "OperationOutcome"},
				"issue": {Type: "array", Items: &Schema{Type: "object", Required: []string{"severity", "code"}, Properties: map[string]*Schema{
					"severity":    {Type: "string", Enum: []string{"fatal", "error", "warning", "information"}},
					"code":        {Type: "string", Description: "Of the value set issue-type."},
					"diagnostics": {Type: "string", Description: "What is wrong, for people."},
					"expression":  {Type: "array", Items: text, Description: "Where."},
					"extension":   {Type: "array", Items: &Schema{Type: "object"}, Description: "The request id, in `urn:fhirgate:request-id`."},
				}}},
			}}},
		},
		"JSONPatch": {Type: "array", Description: "RFC 6902.", Items: &Schema{Type: "object", Required: []string{"op", "path"}, Properties: map[string]*Schema{
			"op": {Type: "string", Enum: []string{"add", "remove", "replace", "move", "copy", "test"}}, "path": text, "from": text, "value": {},
		}}},
	}
}

func componentParameters() map[string]*Parameter {
	id := &Schema{Type: "string", Pattern: `^[A-Za-z0-9\-._]{1,128}$`}
	header := func(name, text string, example any) *Parameter {
		return &Parameter{Name: name, In: "header", Description: text, Schema: &Schema{Type: "string"}, Example: example}
	}
	query := func(name, kind, text string, enum ...string) *Parameter {
		return &Parameter{Name: name, In: "query", Description: text, Schema: &Schema{Type: kind, Enum: enum}}
	}
	return map[string]*Parameter{
		"id":                      {Name: "id", In: "path", Required: true, Description: "Logical id of the resource.", Schema: id},
		"version":                 {Name: "version", In: "path", Required: true, Description: "Id of the version.", Schema: id},
		"_count":                  query("_count", "integer", "Resources a page. A call costs by it."),
		"_sort":                   query("_sort", "string", "Search parameters to sort by; `-` before one turns the order round."),
		"_summary":                query("_summary", "string", "A shorter form of the answer.", "true", "text", "data", "count", "false"),
		"_elements":               query("_elements", "string", "Elements to return, with commas between them."),
		"_total":                  query("_total", "string", "Whether to count all matches.", "none", "estimate", "accurate"),
		"_since":                  {Name: "_since", In: "query", Description: "Only versions from then on.", Schema: &Schema{Type: "string", Format: "date-time"}},
		"If-Match":                header("If-Match", "The `ETag` of what was read: another version is not changed.", `W/"1"`),
		"If-None-Match":           header("If-None-Match", "An `ETag`: 304 when the resource still has it.", `W/"1"`),
		"If-Modified-Since":       header("If-Modified-Since", "304 when the resource was not changed since.", nil),
		"If-None-Exist":           header("If-None-Exist", "Search parameters: nothing is created where they find a resource.", "identifier=https://pacs.example/report|R-1"),
		"Prefer":                  header("Prefer", "What the answer holds; not every hospital heeds it.", "return=representation"),
		"X-Request-Id":            {Name: "X-Request-Id", In: "header", Description: "An id of your own, for answer and log.", Schema: &Schema{Type: "string", Pattern: `^[A-Za-z0-9\-_.]{1,64}$`}},
		"X-Fhirgate-On-Behalf-Of": header("X-Fhirgate-On-Behalf-Of", "For whom the call is made. Some plans require it.", nil),
		"X-Fhirgate-Purpose":      header("X-Fhirgate-Purpose", "Why the call is made, best a code of PurposeOfUse. Some plans require it.", "TREAT"),
	}
}
