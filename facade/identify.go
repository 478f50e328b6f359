package facade

import (
	"net/http"
	"strings"

	"fhirgate/fhir"
)

// identify tells the hospital and the FHIR interaction from the path. The path
// is taken literally: what a server might clean or decode (empty and dot
// segments, encoded slashes) is refused, so that every stage and the hospital
// see the same one.
func (f *Facade) identify(c *call) error {
	path, err := plainPath(c.r)
	if err != nil {
		return err
	}
	id, rest, _ := strings.Cut(strings.TrimPrefix(path, Prefix), "/")
	if id == "" {
		return fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, "the path names no hospital: /fhir/{hospital}/{type}/{id}")
	}
	c.hospital = c.snapshot.Hospitals[id] // unknown ones are told apart after authentication only
	if token, ok := strings.CutPrefix(rest, fhir.SealedSegment+"/"); ok {
		return f.identifySealed(c, token)
	}
	c.req, err = fhir.Parse(c.r.Method, rest, c.r.Header, c.r.URL.RawQuery)
	if err != nil {
		return err
	}
	return acceptable(c)
}

// identifySealed opens a link that an earlier answer carried. Whether it
// belongs to the caller is a question for authorise.
func (f *Facade) identifySealed(c *call, token string) error {
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		return fhir.NewError(http.StatusMethodNotAllowed, fhir.IssueNotSupported, "a link of an earlier answer is followed with GET").With("Allow", "GET, HEAD")
	}
	link, err := f.sealer.Load().Open(token)
	if err != nil {
		return err
	}
	c.sealed = link
	c.req = fhir.Request{Interaction: link.Interaction, Type: link.Type, ID: link.ID, Operation: link.Operation}
	return acceptable(c)
}

// forbiddenInPath are escapes that decode to path syntax: slash, backslash,
// dot, semicolon, percent, NUL, question mark and hash.
var forbiddenInPath = []string{"%2f", "%5c", "%2e", "%3b", "%25", "%00", "%3f", "%23"}

func plainPath(r *http.Request) (string, error) {
	path := strings.TrimSuffix(r.URL.Path, "/")
	escaped := strings.ToLower(r.URL.EscapedPath())
	bad := strings.Contains(r.URL.Path, "//") || strings.ContainsAny(path, `\;`)
	for _, escape := range forbiddenInPath {
		bad = bad || strings.Contains(escaped, escape)
	}
	for _, segment := range strings.Split(path, "/") {
		bad = bad || segment == "." || segment == ".."
	}
	if bad {
		return "", fhir.NewError(http.StatusBadRequest, fhir.IssueInvalid, "the path holds an empty segment, a dot segment, ';', a backslash or an encoded separator")
	}
	if !strings.HasPrefix(path, Prefix) {
		return "", fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, "FHIR endpoints are at /fhir/{hospital}")
	}
	return path, nil
}

// acceptable refuses a call that asks for anything but JSON
// (https://hl7.org/fhir/R4/http.html#mime-type). A Binary may be asked for in
// its own media type.
func acceptable(c *call) error {
	if format, ok := queryValue(c.r.URL.RawQuery, "_format"); ok && !jsonFormats[strings.ToLower(strings.ReplaceAll(format, " ", "+"))] {
		return notAcceptable("_format")
	}
	if c.req.Type == "Binary" || c.sealed != nil || accepts(c.r.Header.Values("Accept")) {
		return nil
	}
	return notAcceptable("Accept")
}

var jsonFormats = map[string]bool{"json": true, "application/json": true, "application/fhir+json": true, "application/json+fhir": true, "text/json": true}

// accepts reports whether one of the Accept headers' media ranges takes JSON.
func accepts(values []string) bool {
	if len(values) == 0 {
		return true
	}
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			media, params, _ := strings.Cut(part, ";")
			switch media = strings.ToLower(strings.TrimSpace(media)); media {
			case "", "*/*", "application/*", "application/fhir+json", "application/json", "application/json+fhir", "text/json":
				if !refusedByQuality(params) {
					return true
				}
			}
		}
	}
	return false
}

// refusedByQuality reports whether the parameters of a media range hold a
// weight of 0 (RFC 9110 section 12.4.2).
func refusedByQuality(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(name, "q") {
			return strings.Trim(value, "0.") == ""
		}
	}
	return false
}

func notAcceptable(where string) error {
	return fhir.NewError(http.StatusNotAcceptable, fhir.IssueNotSupported, where+" asks for a format that the gateway does not serve: it speaks JSON only (application/fhir+json)")
}
