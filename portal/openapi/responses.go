package openapi

// Names of the components that answers are.
const (
	resourceAnswer = "Resource"
	bundleAnswer   = "Bundle"
	createdAnswer  = "Created"
	binaryAnswer   = "Binary"
	notModified    = "NotModified"
	noContent      = "NoContent"
	errorAnswer    = "Error"
)

// errorText says what goes wrong, in CommonMark. One answer stands for all that do:
// each call may get nearly all of them, in the same form.
const errorText = "What went wrong, as an OperationOutcome. " +
	"`400` the path, a parameter or the body; `401` and `403` credential and rights; `404` and `410` nothing is there; " +
	"`405`, `406` and `415` method or media type; `409` and `412` changed in the meantime; `413` too large; " +
	"`422` a rule of the hospital; `429` and `503` wait for `Retry-After`; `500` the gateway; `502` and `504` the hospital. " +
	"[What each means, and what to do](/docs/errors)"

func okay(name string) map[string]string { return map[string]string{"200": name} }

func deleted() map[string]string { return map[string]string{"200": resourceAnswer, "204": noContent} }

func responseRef(name string) *Response { return &Response{Ref: "#/components/responses/" + name} }

// responses returns the answers of a call.
func responses(c call) map[string]*Response {
	all := map[string]*Response{"default": responseRef(errorAnswer)}
	for status, name := range c.success {
		all[status] = responseRef(name)
	}
	return all
}

func componentResponses() map[string]*Response {
	fhir := func(text, schema string, headers ...string) *Response {
		return &Response{Description: text, Headers: headerRefs(headers...), Content: map[string]*MediaType{fhirJSON: {Schema: schemaRef(schema)}}}
	}
	all := map[string]*Response{
		resourceAnswer: fhir("A resource.", "Resource", "ETag", "Last-Modified"),
		bundleAnswer:   fhir("A Bundle; follow its `next` link for more.", "Bundle"),
		createdAnswer:  fhir("Created. The body may be empty: `Location` says where the resource is.", "Resource", "Location", "ETag", "Last-Modified"),
		binaryAnswer:   fhir("A Binary as a resource, or the file itself in its own media type, as `Accept` asks.", "Resource", "ETag", "Last-Modified"),
		notModified:    {Description: "Not modified.", Headers: headerRefs("ETag")},
		noContent:      {Description: "Deleted.", Headers: headerRefs()},
		errorAnswer:    fhir(errorText, "OperationOutcome", "Retry-After", "WWW-Authenticate", "Allow"),
	}
	all[binaryAnswer].Content["*/*"] = &MediaType{}
	all[bundleAnswer].Content[fhirJSON].Example = searchExample
	all[errorAnswer].Content[fhirJSON].Example = errorExample
	return all
}

// headerRefs are the headers of every answer, and those that are named.
func headerRefs(names ...string) map[string]*Header {
	refs := map[string]*Header{}
	for _, name := range append(names, "X-Request-Id", "X-Fhirgate-Cost", "RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset") {
		refs[name] = &Header{Ref: "#/components/headers/" + name}
	}
	return refs
}

func componentHeaders() map[string]*Header {
	header := func(kind, text string) *Header { return &Header{Description: text, Schema: &Schema{Type: kind}} }
	return map[string]*Header{
		"X-Request-Id":        header("string", "Finds the call in the gateway's log."),
		"X-Fhirgate-Cost":     header("integer", "Cost of the call, in units of the plan's limits."),
		"RateLimit":           header("string", "What is left of the tighter limit: units (`r`), and seconds until all are there again (`t`)."),
		"RateLimit-Policy":    header("string", "The plan's limits: units (`q`) in a window of seconds (`w`)."),
		"RateLimit-Limit":     header("integer", "As in `RateLimit-Policy`, for older clients."),
		"RateLimit-Remaining": header("integer", "As in `RateLimit`, for older clients."),
		"RateLimit-Reset":     header("integer", "As in `RateLimit`, for older clients."),
		"Retry-After":         header("integer", "Seconds to wait, with 429 and 503."),
		"WWW-Authenticate":    header("string", "What the call would have needed, with 401 and 403."),
		"Allow":               header("string", "Methods that the path takes, with 405."),
		"Location":            header("string", "Where the resource is."),
		"ETag":                header("string", "The version, for `If-Match`. Not every hospital has versions."),
		"Last-Modified":       header("string", "When the resource was changed last."),
	}
}
