package transforms

import (
	"net/http"
	"slices"
	"strconv"

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

// checkHeader tells whether a rule may change the header name.
func checkHeader(doc *strict.Document, place, name string) {
	switch canonical := http.CanonicalHeaderKey(name); {
	case !httpguts.ValidHeaderFieldName(name):
		doc.Fail(place, "must be the name of a header")
	case slices.Contains(reservedHeaders, canonical):
		doc.Fail(place, "%s is set by the gateway itself", canonical)
	}
}

func (o *headerSet) check(doc *strict.Document, place string) {
	checkHeader(doc, place+".name", o.Name)
	(*assignment)(o).checkValue(doc, place)
	if !httpguts.ValidHeaderFieldValue(o.Value.text) {
		doc.Fail(place+".value", "cannot be the value of a header")
	}
}

func (o *headerSet) reads() []string { return o.Value.reads() }

func (o *headerSet) apply(r *request) (bool, *fhir.Error) {
	text, fault := o.Value.of(r.call.Vars)
	if fault != nil {
		return false, fault
	}
	r.header.Set(o.Name, text)
	return true, nil
}

// headerDrop removes the listed request headers.
type headerDrop []string

func (o *headerDrop) check(doc *strict.Document, place string) {
	if len(*o) == 0 {
		doc.Fail(place, "names no header")
	}
	for i, name := range *o {
		checkHeader(doc, place+"."+strconv.Itoa(i), name)
	}
}

func (o *headerDrop) apply(r *request) (touched bool, _ *fhir.Error) {
	for _, name := range *o {
		touched = touched || len(r.header.Values(name)) > 0
		r.header.Del(name)
	}
	return touched, nil
}
