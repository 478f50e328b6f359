package openapi

// body returns what an interaction sends; kind is "resource", "patch" or "" for
// nothing.
func body(kind, typ string) *RequestBody {
	switch kind {
	case "resource":
		content := map[string]*MediaType{fhirJSON: {Example: map[string]string{"resourceType": typ}, Schema: &Schema{AllOf: []*Schema{
			schemaRef("Resource"), {Type: "object", Properties: map[string]*Schema{"resourceType": {Const: typ}}},
		}}}}
		if typ == "Binary" {
			content["*/*"] = &MediaType{}
		}
		return &RequestBody{Required: true, Content: content}
	case "patch":
		return &RequestBody{Required: true, Content: map[string]*MediaType{"application/json-patch+json": {Schema: schemaRef("JSONPatch"), Example: patchExample}}}
	default:
		return nil
	}
}

func bundleBody() *RequestBody {
	return &RequestBody{Required: true, Description: "A Bundle of type batch or transaction.", Content: map[string]*MediaType{fhirJSON: {Schema: schemaRef("Bundle"), Example: batchExample}}}
}

func parametersBody() *RequestBody {
	return &RequestBody{Description: "Parameters of the operation, or the resource that it takes.", Content: map[string]*MediaType{fhirJSON: {Schema: schemaRef("Resource")}}}
}

func formBody() *RequestBody {
	return &RequestBody{Content: map[string]*MediaType{"application/x-www-form-urlencoded": {Schema: &Schema{Type: "object"}}}}
}

// binaryText says what is special about Binaries.
func binaryText(code string) string {
	switch code {
	case "read", "vread":
		return "`Accept: application/fhir+json` asks for the resource, another media type for the file itself."
	case "create", "update":
		return "The file itself may be sent in its own media type, and streams then."
	default:
		return ""
	}
}

// rawAnswer makes the answer of a Binary's read one that may be the file itself.
func rawAnswer(code string, success map[string]string) map[string]string {
	if code != "read" && code != "vread" {
		return success
	}
	raw := map[string]string{}
	for status, name := range success {
		if name == resourceAnswer {
			name = binaryAnswer
		}
		raw[status] = name
	}
	return raw
}
