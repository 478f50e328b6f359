package openapi

// Names of the components that answers are.
const (
	resourceAnswer = "Resource"
	bundleAnswer   = "Bundle"
	createdAnswer  = "Created"
	binaryAnswer   = "Binary"
	notModified    = "NotModified"
	noContent      = "NoContent"
)

// failures are the answers that every call may get.
var failures = map[string]struct{ name, text string }{
	"400": {"BadRequest", "The path, a parameter or the body is not right: the outcome says where."},
	"401": {"Unauthorized", "No credential, or one that is not known, has expired or was revoked."},
	"403": {"Forbidden", "The hospital's route, the plan or the scopes do not permit the call."},
	"404": {"NotFound", "No such resource, or no hospital of this id within the plan."},
	"405": {"MethodNotAllowed", "The method does not go with the path."},
	"406": {"NotAcceptable", "Only JSON is answered."},
	"409": {"Conflict", "Changed in the meantime."},
	"410": {"Gone", "The resource was deleted, or the link has expired."},
	"412": {"PreconditionFailed", "`If-Match` names another version, or a condition finds more than one resource."},
	"413": {"ContentTooLarge", "The body is too large."},
	"415": {"UnsupportedMediaType", "Only JSON is taken."},
	"422": {"UnprocessableContent", "A rule of the hospital, or a reference to another hospital. Nothing was changed."},
	"429": {"TooManyRequests", "A limit is reached: of the plan, or of the hospital. Wait for `Retry-After`."},
	"500": {"InternalServerError", "A fault of the gateway. Report the request id."},
	"502": {"BadGateway", "The hospital failed, cannot be reached or answers what is not FHIR."},
	"503": {"ServiceUnavailable", "Not available now. Wait for `Retry-After`."},
	"504": {"GatewayTimeout", "The hospital did not answer in time."},
}

// withBody are the failures that only a call with a body gets.
var withBody = map[string]bool{"409": true, "412": true, "413": true, "415": true, "422": true}

func okay(name string) map[string]string { return map[string]string{"200": name} }

func deleted() map[string]string { return map[string]string{"200": resourceAnswer, "204": noContent} }

func responseRef(name string) *Response { return &Response{Ref: "#/components/responses/" + name} }

// responses returns the answers of a call.
func responses(c call) map[string]*Response {
	all := map[string]*Response{}
	for status, name := range c.success {
		all[status] = responseRef(name)
	}
	for status, failure := range failures {
		if withBody[status] && c.body == nil && c.success["204"] == "" { // a delete may be one of a stale version
			continue
		}
		all[status] = responseRef(failure.name)
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
	}
	all[binaryAnswer].Content["*/*"] = &MediaType{}
	for status, failure := range failures {
		var headers []string
		switch status {
		case "401", "403":
			headers = []string{"WWW-Authenticate"}
		case "405":
			headers = []string{"Allow"}
		case "429", "503":
			headers = []string{"Retry-After"}
		}
		all[failure.name] = fhir(failure.text, "OperationOutcome", headers...)
	}
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
		"Retry-After":         header("integer", "Seconds to wait."),
		"WWW-Authenticate":    header("string", "What the call would have needed."),
		"Allow":               header("string", "Methods that the path takes."),
		"Location":            header("string", "Where the resource is."),
		"ETag":                header("string", "The version, for `If-Match`. Not every hospital has versions."),
		"Last-Modified":       header("string", "When the resource was changed last."),
	}
}
