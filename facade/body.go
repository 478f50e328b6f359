package facade

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"fhirgate/fhir"
	"fhirgate/policies/smart"
	"fhirgate/transforms/links"
)

// holdWait is how long a body waits for room.
const holdWait = 2 * time.Second

const (
	jsonType  = "application/fhir+json"
	patchType = "application/json-patch+json"
	formType  = "application/x-www-form-urlencoded"
)

// adaptBody reads, checks and rewrites the request's body. JSON is held in
// memory, because nothing may be sent before all of it was seen; a Binary in
// its own media type streams.
func (f *Facade) adaptBody(c *call) error {
	media, err := contentType(c)
	if err != nil {
		return err
	}
	switch {
	case media == "":
		return nil
	case c.req.Type == "Binary" && media != jsonType:
		return f.streamBinary(c)
	}
	body, err := f.readBody(c)
	if err != nil {
		return err
	}
	switch {
	case media == formType:
		body, err = f.adaptForm(c, body)
	case media == patchType:
		body, err = f.adaptPatch(c, body)
	default:
		body, err = f.adaptResource(c, body)
	}
	if err != nil {
		return err
	}
	c.setBody(body, media)
	return nil
}

// contentType returns the media type that the body goes to the hospital with,
// "" for no body, or 415 when the interaction does not take what came.
func contentType(c *call) (string, error) {
	given, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if coding := c.r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return "", fhir.NewError(http.StatusUnsupportedMediaType, fhir.IssueNotSupported, "the body has a Content-Encoding: send it as it is")
	}
	isJSON := err == nil && (given == jsonType || given == "application/json" || given == "application/json+fhir")
	refuse := func(wanted string) error {
		return fhir.NewError(http.StatusUnsupportedMediaType, fhir.IssueNotSupported, "the Content-Type must be "+wanted)
	}
	switch i := c.req.Interaction; {
	case c.sealed != nil, i == fhir.Operation && c.r.Method != http.MethodPost, !i.Writes() && !c.req.FormSearch:
		return "", noBody(c)
	case i == fhir.Delete:
		return "", noBody(c)
	case c.req.FormSearch:
		if given != formType {
			return "", refuse(formType)
		}
		return formType, nil
	case i == fhir.Patch:
		if given != patchType {
			return "", refuse(patchType)
		}
		return patchType, nil
	case isJSON:
		return jsonType, nil
	case c.req.Type == "Binary" && (i == fhir.Create || i == fhir.Update) && err == nil:
		return given, nil
	case i == fhir.Operation && c.r.ContentLength == 0:
		return "", nil
	default:
		return "", refuse(jsonType)
	}
}

// noBody refuses a body where none belongs: it would be dropped in silence.
func noBody(c *call) error {
	n := c.r.ContentLength
	if n < 0 { // chunked: empty ones happen
		read, _ := io.ReadFull(c.r.Body, make([]byte, 1)) // an error of the body is one of the connection
		n = int64(read)
	}
	if n > 0 {
		return fhir.NewError(http.StatusBadRequest, fhir.IssueInvalid, "the interaction "+string(c.req.Interaction)+" takes no body")
	}
	return nil
}

// streamBinary passes a Binary in its own media type through
// (https://hl7.org/fhir/R4/binary.html#rest). It is not held, so it cannot be
// sent twice.
func (f *Facade) streamBinary(c *call) error {
	if c.r.ContentLength > f.limits.Binary {
		return tooLarge(f.limits.Binary)
	}
	if !c.permission.SendsUnseen() {
		return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "a condition of the caller's scopes, or a deny rule of the hospital, may be about this Binary, and only JSON tells: send it as application/fhir+json")
	}
	c.out.Header.Set("Content-Type", c.r.Header.Get("Content-Type"))
	if context := c.r.Header["X-Security-Context"]; len(context) > 0 {
		mapped, err := c.hospital.adaptValue(context[0])
		if err != nil {
			return err
		}
		c.out.Header.Set("X-Security-Context", mapped)
	}
	c.out.ContentLength = c.r.ContentLength
	c.out.Body = http.MaxBytesReader(nil, c.r.Body, f.limits.Binary)
	return nil
}

func tooLarge(limit int64) *fhir.Error {
	return fhir.NewError(http.StatusRequestEntityTooLarge, fhir.IssueTooLong, "the body is larger than "+strconv.FormatInt(limit, 10)+" bytes")
}

// readBody reads a whole body within the limits for one and for all.
func (f *Facade) readBody(c *call) ([]byte, error) {
	declared := c.r.ContentLength
	if declared > f.limits.JSON {
		return nil, tooLarge(f.limits.JSON)
	}
	var buf bytes.Buffer
	if declared >= 0 {
		if err := f.holdBytes(c, declared); err != nil {
			return nil, err
		}
		buf.Grow(int(declared) + bytes.MinRead)
	}
	chunk := io.LimitReader(c.r.Body, f.limits.JSON+1)
	for {
		n, err := io.CopyN(&buf, chunk, 1<<20)
		if int64(buf.Len()) > f.limits.JSON {
			return nil, tooLarge(f.limits.JSON)
		}
		if declared < 0 && n > 0 {
			if err := f.holdBytes(c, n); err != nil {
				return nil, err
			}
		}
		if errors.Is(err, io.EOF) {
			return buf.Bytes(), nil
		}
		if err != nil {
			return nil, fhir.NewError(http.StatusBadRequest, fhir.IssueStructure, "the body could not be read to its end").Because(err)
		}
	}
}

// adaptResource rewrites a JSON body. For a batch or transaction its entries go
// through their own stages first.
func (f *Facade) adaptResource(c *call, body []byte) ([]byte, error) {
	adapted, err := f.moveReferences(c, body)
	if err != nil {
		return nil, err
	}
	if c.req.Interaction == fhir.Batch {
		return f.adaptBatch(c, body, adapted)
	}
	if c.req.Interaction == fhir.Create || c.req.Interaction == fhir.Update {
		if typ, once := resourceType(body); typ != c.req.Type || !once {
			return nil, fhir.NewError(http.StatusBadRequest, fhir.IssueInvalid, "resourceType must be "+c.req.Type+", the type in the path").At("resourceType")
		}
		if c.req.Interaction == fhir.Update && !c.req.Conditional && !c.permission.Free() && gjson.GetBytes(body, "id").Str != c.req.ID {
			return nil, fhir.NewError(http.StatusBadRequest, fhir.IssueInvalid, "the resource's id must be the one in the path (https://hl7.org/fhir/R4/http.html#update)").At("id")
		}
		if err := c.sends(c.permission, adapted); err != nil {
			return nil, err
		}
		return f.applyBody(c, c.rulesCall(), adapted, c.out.Header.Set)
	}
	return adapted, nil
}

// moveReferences returns a body with its locators mapped. It notes the patients
// that it refers to, and refuses a reference that is a search which the caller may
// not make.
func (f *Facade) moveReferences(c *call, body []byte) ([]byte, error) {
	m := f.requestLinks(c)
	var refused error
	m.Seen = func(locator []byte) {
		if refused == nil {
			refused = c.refersTo(locator)
		}
	}
	adapted, err := links.Rewrite(nil, body, m)
	if err != nil {
		return nil, bodyError(err)
	}
	return adapted, refused
}

// refersTo takes note of a reference in a body.
func (c *call) refersTo(locator []byte) error {
	if c.touched != nil {
		c.touched.seen(locator)
	}
	return c.permitReference(locator)
}

// sends refuses a content that the caller may not write. It is looked at as it
// would be read again: with the gateway's addresses, also where the caller wrote
// the hospital's own.
func (c *call) sends(permission smart.Permission, adapted []byte) error {
	if permission.SendsUnseen() {
		return nil
	}
	m := &links.Map{}
	for _, base := range c.hospital.bases {
		m.Prefixes = append(m.Prefixes, links.Prefix{From: base, To: c.hospital.public})
	}
	content, err := links.Rewrite(nil, adapted, m)
	if err != nil {
		return bodyError(err)
	}
	return permission.Sends(content)
}

// resourceType returns a resource's type, and whether it is said once. gjson
// reads the first one, and a hospital may read the last.
func resourceType(body []byte) (typ string, once bool) {
	found := 0
	gjson.ParseBytes(body).ForEach(func(key, value gjson.Result) bool {
		if strings.EqualFold(key.Str, "resourceType") {
			typ = value.Str
			found++
		}
		return true
	})
	return typ, found == 1
}

// adaptForm maps the parameters of a POST _search. Those of its URL count too
// (https://hl7.org/fhir/R4/http.html#search); they go into the body as well.
func (f *Facade) adaptForm(c *call, body []byte) ([]byte, error) {
	form := string(body)
	if credentialInQuery(form) {
		return nil, fhir.NewError(http.StatusBadRequest, fhir.IssueSecurity, "the form carries a credential, which would go to the hospital: have it revoked, and send the next one in a header")
	}
	if format, ok := queryValue(form, "_format"); ok && !jsonFormats[strings.ToLower(strings.ReplaceAll(format, " ", "+"))] {
		return nil, notAcceptable("_format")
	}
	asked := joinQueries(c.r.URL.RawQuery, form)
	var err error
	if c.permission, err = c.permit(c.req, asked); err != nil {
		return nil, err
	}
	if c.touched != nil {
		c.touched.asked(c.req, form)
	}
	if err := f.take(c, c.cost(c.req, asked)); err != nil {
		return nil, err
	}
	query, err := c.adaptQuery(c.narrow(asked))
	if err != nil {
		return nil, err
	}
	query, err = c.applyRules(query, c.out.Header)
	return []byte(query), err
}

// adaptPatch rewrites a JSON Patch (RFC 6902): the references inside its
// values, and values that are a locator themselves.
func (f *Facade) adaptPatch(c *call, body []byte) ([]byte, error) {
	adapted, err := f.moveReferences(c, body)
	if err != nil {
		return nil, err
	}
	if err := uniqueKeys(body); err != nil {
		return nil, err
	}
	if err := c.permission.Sends(body); err != nil {
		return nil, err
	}
	operations := gjson.ParseBytes(adapted)
	if !operations.IsArray() {
		return nil, fhir.NewError(http.StatusBadRequest, fhir.IssueStructure, "a JSON Patch must be an array of operations")
	}
	if operations.Get("#").Int() > maxEntries {
		return nil, fhir.NewError(http.StatusRequestEntityTooLarge, fhir.IssueTooLong, "the JSON Patch has more than "+strconv.Itoa(maxEntries)+" operations")
	}
	changed := false
	sent := make([]string, 0, 8)
	for i, op := range operations.Array() {
		raw, err := f.adaptOperation(c, op)
		if err != nil {
			return nil, asError(err).At("[" + strconv.Itoa(i) + "].value")
		}
		changed = changed || raw != op.Raw
		sent = append(sent, raw)
	}
	if changed {
		adapted = []byte("[" + strings.Join(sent, ",") + "]")
	}
	env := f.rulesEnv(c, c.out.Header.Set)
	adapted, _, err = c.hospital.Vendor.Patch(c.rulesCall(), env, adapted)
	return adapted, err
}

// adaptOperation returns an operation of a JSON Patch with its value mapped, if
// that is a locator.
func (f *Facade) adaptOperation(c *call, op gjson.Result) (string, error) {
	value := op.Get("value")
	if value.Type != gjson.String || !isLocatorPath(op.Get("path").Str) {
		return op.Raw, nil
	}
	if err := c.refersTo([]byte(value.Str)); err != nil {
		return "", err
	}
	mapped, err := f.requestLocator(c, value.Str)
	if err != nil || mapped == value.Str {
		return op.Raw, err
	}
	return sjson.Set(op.Raw, "value", mapped)
}

// isLocatorPath reports whether a JSON Patch path leads to a reference, to a
// value of the type url or to an attachment's url. An extension's url is an
// identity.
func isLocatorPath(path string) bool {
	if strings.HasSuffix(path, "/reference") || strings.HasSuffix(path, "/valueUrl") {
		return true
	}
	return strings.HasSuffix(path, "/url") && !strings.Contains(strings.ToLower(path), "extension/") && strings.Count(path, "/") > 1
}

// requestLocator maps one locator of a request as the rewriter would.
func (f *Facade) requestLocator(c *call, locator string) (string, error) {
	m := f.requestLinks(c)
	if token, ok := below(c.hospital.public+"/"+fhir.SealedSegment, locator); ok {
		return f.unseal(c, token)
	}
	if rest, ok := below(c.hospital.public, locator); ok {
		return join(c.hospital.Route.Upstream.BaseURL, rest), nil
	}
	if !strings.Contains(locator, "//") {
		return locator, nil
	}
	return m.Other(links.KindReference, locator)
}

// bodyError says where a request body is wrong: 400 for what is not JSON, or
// the refusal of one of its locators.
func bodyError(err error) error {
	var place *links.Error
	if !errors.As(err, &place) {
		return err
	}
	var refusal *fhir.Error
	if errors.As(err, &refusal) {
		return refusal.At(place.Path)
	}
	return fhir.NewError(http.StatusBadRequest, fhir.IssueStructure, "the body is "+place.Err.Error()+", at byte "+strconv.FormatInt(place.Offset, 10)).At(place.Path)
}
