package transforms

import (
	"net/http"
	"slices"

	"golang.org/x/net/http/httpguts"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// headerSet gives a request header a value in place of those it has.
type headerSet assignment

// reservedHeaders are those that the gateway or its transport must set itself
// (RFC 9110 sections 5 to 7), and those that carry what a caller must not be
// able to steer.
var reservedHeaders = []string{
	"Accept-Encoding", "Authorization", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie",
	"Expect", "Forwarded", "Host", "If-Match", "If-Modified-Since", "If-None-Exist", "If-None-Match", "Keep-Alive",
	"Proxy-Authorization", "Proxy-Connection", "Range", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func (o *headerSet) check(doc *strict.Document, place string) {
	switch {
	case !httpguts.ValidHeaderFieldName(o.Name):
		doc.Fail(place+".name", "must be the name of a header")
	case slices.Contains(reservedHeaders, http.CanonicalHeaderKey(o.Name)):
		doc.Fail(place+".name", "%s is set by the gateway itself", http.CanonicalHeaderKey(o.Name))
	}
	(*assignment)(o).checkValue(doc, place)
	if !httpguts.ValidHeaderFieldValue(o.Value.text) {
		doc.Fail(place+".value", "cannot be the value of a header")
	}
}

func (o *headerSet) reads() string { return o.Value.name }

func (o *headerSet) apply(r *request) (bool, *fhir.Error) {
	text, fault := o.Value.of(r.call.Vars)
	if fault != nil {
		return false, fault
	}
	r.header.Set(o.Name, text)
	return true, nil
}
