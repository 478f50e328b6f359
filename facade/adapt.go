package facade

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"fhirgate/fhir"
	"fhirgate/upstream"
)

// adapt makes the request to the hospital: its URL from the parsed path, its
// query and headers by allow-list, its body with the gateway's references
// turned into the hospital's.
func (f *Facade) adapt(c *call) error {
	header := requestHeader(c)
	target, err := f.target(c, header)
	if err != nil {
		return err
	}
	c.out = c.request(c.r.Context(), c.r.Method, target, header)
	if c.r.Method == http.MethodHead {
		c.out.Method = http.MethodGet
	}
	if condition := c.r.Header.Get("If-None-Exist"); condition != "" && c.req.Interaction == fhir.Create {
		mapped, err := c.adaptQuery(strings.TrimPrefix(condition, "?"))
		if err != nil {
			return err
		}
		c.out.Header.Set("If-None-Exist", c.hospital.Vendor.Condition(c.rulesCall(), mapped))
	}
	if err := f.adaptBody(c); err != nil {
		return err
	}
	return c.redirect()
}

// target returns the URL of the request to the hospital. The vendor's rules
// may change its query and header.
func (f *Facade) target(c *call, header http.Header) (*url.URL, error) {
	if c.sealed != nil {
		return c.sealedTarget(header)
	}
	var query string
	if !c.req.FormSearch { // whose parameters all go into the body
		var err error
		if query, err = c.adaptQuery(c.narrow(c.r.URL.RawQuery)); err != nil {
			return nil, err
		}
		if query, err = c.applyRules(query, header); err != nil {
			return nil, err
		}
		if c.req.Conditional && c.req.Interaction != fhir.Create && !fhir.Selects(query) {
			return nil, fhir.ErrSelectsNothing()
		}
	}
	return c.hospital.target(c.req, query), nil
}

// request returns a request to the hospital on behalf of the caller.
func (c *call) request(ctx context.Context, method string, target *url.URL, header http.Header) *http.Request {
	return (&http.Request{
		Method:     method,
		URL:        target,
		Host:       target.Host,
		Header:     header,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
	}).WithContext(upstream.WithConsumer(ctx, c.consumer.KeyID))
}

// get asks the hospital for something that the call itself is not about.
func (c *call) get(ctx context.Context, target *url.URL, accept []string) (*http.Response, error) {
	return c.hospital.Client.Do(c.request(ctx, http.MethodGet, target, http.Header{"Accept": accept, "User-Agent": userAgent}))
}

// narrow returns the parameters of a search with those that the scopes add.
func (c *call) narrow(query string) string {
	if c.req.Interaction != fhir.SearchType {
		return query
	}
	return c.permission.Narrow(query)
}

// target returns the URL of a call of the RESTful API.
func (h *Hospital) target(req fhir.Request, query string) *url.URL {
	target := *h.base
	if path := req.Path(); path != "" {
		target.Path += "/" + path
		if target.RawPath != "" { // the base has escapes of its own
			target.RawPath += "/" + path
		}
	}
	target.RawQuery = query
	return &target
}

// applyRules lets the rules of the hospital's vendor change the parameters and
// the header.
func (c *call) applyRules(query string, header http.Header) (string, error) {
	c.query = query
	var err error
	c.ruled, err = c.hospital.Vendor.Apply(c.rulesCall(), query, header)
	c.rest, c.alternate = c.ruled.Rest, c.ruled.Alternate
	return c.ruled.Query, err
}

// passedRequestHeaders go to the hospital as they came
// (https://hl7.org/fhir/R4/http.html#Http-Headers).
var passedRequestHeaders = []string{
	"Prefer", "If-Match", "If-None-Match", "If-Modified-Since", "Accept-Language",
}

func requestHeader(c *call) http.Header {
	out := make(http.Header, 8)
	for _, name := range passedRequestHeaders {
		if values := c.r.Header[name]; len(values) > 0 {
			out[name] = values
		}
	}
	if !c.req.Interaction.Writes() && c.looksAtAnswer() {
		// A 304 would tell that there is the resource, and which version of it,
		// without one to look at.
		delete(out, "If-None-Match")
		delete(out, "If-Modified-Since")
	}
	out["Accept"] = jsonAccept
	if c.req.Type == "Binary" && (c.req.Interaction == fhir.Read || c.req.Interaction == fhir.VRead) {
		if accept := c.r.Header["Accept"]; len(accept) > 0 {
			out["Accept"] = accept
		}
	}
	if c.sealed != nil && c.req.Type == "Binary" {
		out["Accept"] = anyAccept
	}
	out["User-Agent"] = userAgent
	return out
}

var (
	jsonAccept = []string{"application/fhir+json, application/json;q=0.9"}
	anyAccept  = []string{"*/*"}
	userAgent  = []string{"fhirgate"}
)

// maxParams bounds the parameters of a call: a form may be as long as a body, and
// each rule looks at every one.
const maxParams = 10_000

// adaptQuery turns gateway references in parameter values into the hospital's
// and drops _format, which the gateway answers for. Everything else keeps its
// bytes and its order.
func (c *call) adaptQuery(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	if strings.Contains(raw, ";") {
		return "", fhir.NewError(http.StatusBadRequest, fhir.IssueInvalid, "the query holds a ';': escape it as %3B")
	}
	if strings.Count(raw, "&") >= maxParams {
		return "", fhir.NewError(http.StatusRequestEntityTooLarge, fhir.IssueTooLong, "the call has more than "+strconv.Itoa(maxParams)+" parameters")
	}
	changed := false
	pairs := strings.Split(raw, "&")
	kept := pairs[:0]
	for _, pair := range pairs {
		name, value, hasValue := strings.Cut(pair, "=")
		plainName, errName := url.QueryUnescape(name)
		plain, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil {
			return "", fhir.NewError(http.StatusBadRequest, fhir.IssueInvalid, "the query is not well formed: a '%' is not followed by two hexadecimal digits")
		}
		if plainName == "_format" {
			changed = true
			continue
		}
		mapped, err := c.hospital.adaptValue(plain)
		if err != nil {
			return "", err
		}
		if hasValue && mapped != plain {
			pair, changed = name+"="+url.QueryEscape(mapped), true
		}
		kept = append(kept, pair)
	}
	if !changed {
		return raw, nil
	}
	return strings.Join(kept, "&"), nil
}

// adaptValue maps the references in a search parameter's value, which may be a
// list joined by commas (https://hl7.org/fhir/R4/search.html#reference). What
// holds a "|" is a token or a canonical: it names and does not refer.
func (h *Hospital) adaptValue(value string) (string, error) {
	if !strings.Contains(value, "//") {
		return value, nil
	}
	parts := strings.Split(value, ",")
	for i, part := range parts {
		if strings.Contains(part, "|") {
			continue
		}
		if rest, ok := below(h.public, part); ok {
			parts[i] = join(h.Route.Upstream.BaseURL, rest)
		} else if h.foreign(part) {
			return "", fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueValue, "a search parameter refers to a resource of another hospital: nothing was sent")
		}
	}
	return strings.Join(parts, ","), nil
}

// queryValue returns the first value of a parameter without decoding the rest.
func queryValue(raw, name string) (string, bool) {
	for pair := range strings.SplitSeq(raw, "&") {
		if key, value, _ := strings.Cut(pair, "="); key == name {
			plain, err := url.QueryUnescape(value)
			return plain, err == nil
		}
	}
	return "", false
}

// setBody gives the request to the hospital a body that it may read again.
func (c *call) setBody(body []byte, contentType string) {
	c.out.Header.Set("Content-Type", contentType)
	c.out.ContentLength = int64(len(body))
	c.out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	c.out.Body, _ = c.out.GetBody() // never fails
}

// holdBytes takes n bytes from the room for held bodies, waiting a moment for
// calls that are about to end.
func (f *Facade) holdBytes(c *call, n int64) error {
	ctx, cancel := context.WithTimeout(c.r.Context(), holdWait)
	defer cancel()
	if err := f.bodies.Acquire(ctx, n); err != nil {
		return fhir.NewError(http.StatusServiceUnavailable, fhir.IssueThrottled, "the gateway holds as many request bodies as it can").After(holdWait)
	}
	c.held += n
	return nil
}
