package facade

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"fhirgate/fhir"
	"fhirgate/transforms/links"
)

// holdBack is how much of an answer is read before any of it is sent: what is
// wrong within it can still become a clean refusal.
const holdBack = 1 << 20

// present sends the hospital's answer to the caller in the gateway's form.
func (f *Facade) present(c *call) error {
	if c.batch.nothingToSend() {
		return f.presentRefusedBatch(c)
	}
	presentHeader(c)
	c.startRules()
	switch status := c.answer.StatusCode; {
	case status == http.StatusNotModified && c.looksAtAnswer():
		return errWithheld() // there is none to look at
	case status == http.StatusNoContent, status == http.StatusNotModified:
		c.w.WriteHeader(status)
		return nil
	case status >= 200 && status < 300:
		return f.presentSuccess(c)
	case status >= 300 && status < 400:
		return notFHIR("the hospital answered with a redirect, which the gateway does not follow")
	case status >= 400 && status < 600:
		return f.presentRefusal(c)
	default:
		return notFHIR("the hospital answered with a status that the gateway did not ask for")
	}
}

// passedAnswerHeaders go to the caller as they came. Locations are mapped, and
// the rest (cookies, servers, hop-by-hop, the hospital's own limits) stays.
var passedAnswerHeaders = []string{
	"Etag", "Last-Modified", "Preference-Applied", "Content-Language", "Content-Disposition",
}

var mappedAnswerHeaders = []string{"Location", "Content-Location"}

func presentHeader(c *call) {
	h := c.w.Header()
	h["Cache-Control"] = noStore
	if c.pages() && c.answer.StatusCode == http.StatusOK && !c.counts() {
		return // they would tell of what is left out: when it was changed, or where it is
	}
	for _, name := range passedAnswerHeaders {
		if values := c.answer.Header[name]; len(values) > 0 {
			h[name] = values
		}
	}
	for _, name := range mappedAnswerHeaders {
		if value := c.answer.Header.Get(name); value != "" {
			if c.created == "" && c.req.Interaction == fhir.Create {
				c.created = createdAt(value)
			}
			if mapped := c.hospital.headerLocator(value); mapped != "" {
				h.Set(name, mapped)
			}
		}
	}
}

var (
	noStore  = []string{"no-store"}
	fhirType = []string{fhir.MediaType}
	lineType = []string{linesType}
)

func (c *call) mediaType() []string {
	if c.lines {
		return lineType
	}
	return fhirType
}

func (f *Facade) presentSuccess(c *call) error {
	media, _, _ := mime.ParseMediaType(c.answer.Header.Get("Content-Type")) // "" when it is missing or broken
	raw := c.req.Type == "Binary" && c.req.Interaction != fhir.SearchType && !jsonMedia[media]
	head, err := readHead(c.answer.Body, c.answer.ContentLength)
	defer head.release()
	switch {
	case err != nil:
		return brokenOff(err)
	case mayBeEmpty(c) && !c.permission.MayReturn(c.req.Type):
		return c.sendEmpty()
	case c.alternate != nil:
		return f.presentAlternate(c, head)
	case head.whole && mayBeEmpty(c) && (saysNothing(head.bytes) || c.answer.StatusCode == http.StatusCreated && !isJSON(media, head.bytes)):
		return c.sendEmpty()
	case encoded(c.answer):
		return notFHIR("the hospital answered in a content coding that the gateway did not ask for")
	case !head.whole && !c.r.ProtoAtLeast(1, 1) && !(raw && c.answer.ContentLength >= 0):
		return fhir.NewError(http.StatusHTTPVersionNotSupported, fhir.IssueNotSupported, "the answer is too long for HTTP/1.0, where half of it could not be told from the whole: call with HTTP/1.1")
	case raw && c.permission.Looks("Binary") && changesOne(c.req):
		return c.sendEmpty()
	case raw && c.permission.Looks("Binary"):
		return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "a condition of the caller's scopes, or a deny rule of the hospital, may be about this Binary, and only JSON tells: ask for it as application/fhir+json")
	case raw && c.sealed != nil && isFHIRXML(head.bytes):
		return notFHIR("the link leads to a resource, and the hospital did not answer with JSON")
	case raw:
		return f.streamRaw(c, head)
	case isLines(media):
		return f.presentLines(c, head)
	case !isJSON(media, head.bytes):
		return notFHIR("the hospital answered " + strconv.Itoa(c.answer.StatusCode) + " with something that is not FHIR JSON")
	case c.req.Interaction == fhir.Capabilities:
		return f.presentCapabilities(c, head)
	}
	if err := c.hospital.Vendor.Succeeded(c.rulesCall(), c.query, c.answer.StatusCode, head.bytes); err != nil {
		return err
	}
	err = f.presentJSON(c, head)
	if isWithheld(err) && changesOne(c.req) && !c.w.begun {
		return c.sendEmpty() // it is written: a refusal would have the caller write it again
	}
	return err
}

// presentJSON rewrites an answer, whole or as it comes.
func (f *Facade) presentJSON(c *call, h head) error {
	h, err := c.holdGuarded(h)
	switch {
	case err != nil:
		return err
	case h.whole:
		return f.presentWhole(c, h)
	default:
		return f.streamJSON(c, h)
	}
}

// sendEmpty answers a write with its status and header alone.
func (c *call) sendEmpty() error {
	c.w.Header().Set("Content-Length", "0")
	c.w.WriteHeader(c.answer.StatusCode)
	return nil
}

var jsonMedia = map[string]bool{"application/fhir+json": true, "application/json+fhir": true, "application/json": true, "text/json": true}

// mayBeEmpty reports whether a successful answer may have no body: one to a
// write may (https://hl7.org/fhir/R4/http.html#ops), one to a read may not. What
// a hospital says in another format beside a 201 goes as well: the resource is
// there, and a refusal would make the caller create it twice.
func mayBeEmpty(c *call) bool {
	return c.req.Interaction.Writes() && c.req.Interaction != fhir.Batch && c.req.Interaction != fhir.Transaction
}

// isJSON reports whether an answer of a media type begins as FHIR JSON does.
// Few hospitals are exact about the type, but a page of HTML is none.
func isJSON(media string, b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return media != "text/html" && len(b) > 0 && (b[0] == '{' || b[0] == '[')
}

// isFHIRXML reports whether an answer begins as a resource in XML does: by its
// namespace (https://hl7.org/fhir/R4/xml.html).
func isFHIRXML(b []byte) bool {
	b = b[:min(len(b), 4<<10)]
	return bytes.Contains(b, []byte(`"http://hl7.org/fhir"`)) || bytes.Contains(b, []byte(`'http://hl7.org/fhir'`))
}

func saysNothing(b []byte) bool { return len(bytes.TrimSpace(b)) == 0 }

// encoded reports whether an answer is still in a content coding: the transport
// has undone the one that it asked for.
func encoded(answer *http.Response) bool {
	coding := answer.Header.Get("Content-Encoding")
	return coding != "" && !strings.EqualFold(coding, "identity")
}

// head is the part of an answer that is held back.
type head struct {
	bytes []byte
	whole bool // it is all of the answer
	pool  *[]byte
}

var headPool = sync.Pool{New: func() any { b := make([]byte, 0, 64<<10); return &b }}

// readHead reads up to holdBack bytes; length is the declared one, or -1.
func readHead(body io.Reader, length int64) (head, error) {
	pooled := headPool.Get().(*[]byte)
	buf := (*pooled)[:0]
	if length > int64(cap(buf)) {
		buf = make([]byte, 0, min(length, holdBack)+1)
	}
	h := head{pool: pooled}
	var err error
	for len(buf) < holdBack && err == nil {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		var n int
		n, err = body.Read(buf[len(buf):min(cap(buf), holdBack)])
		buf = buf[:len(buf)+n]
	}
	h.bytes = buf
	if errors.Is(err, io.EOF) {
		h.whole, err = true, nil
	}
	return h, err
}

func (h *head) release() {
	if h.pool == nil {
		return
	}
	if cap(h.bytes) <= holdBack+1 {
		*h.pool = h.bytes[:0]
	}
	headPool.Put(h.pool)
	h.pool = nil
}

// isLines reports whether an answer of a media type is NDJSON: a file of a bulk
// export (https://hl7.org/fhir/uv/bulkdata/STU2/export.html#file-request).
func isLines(media string) bool {
	return media == linesType || media == "application/ndjson" || media == "application/x-ndjson"
}

const linesType = "application/fhir+ndjson"

// presentLines rewrites NDJSON line by line.
func (f *Facade) presentLines(c *call, h head) error {
	c.lines = true
	if h.whole {
		return f.presentWhole(c, h)
	}
	return f.streamJSON(c, h)
}

// presentWhole rewrites an answer that is held as a whole.
func (f *Facade) presentWhole(c *call, h head) error {
	pooled := headPool.Get().(*[]byte)
	defer headPool.Put(pooled)
	out, err := links.Rewrite((*pooled)[:0], h.bytes, f.answerLinks(c))
	if err != nil {
		return answerError(err)
	}
	if cap(out) <= holdBack+1 {
		*pooled = out[:0]
	}
	if err := c.checkStored(out); err != nil {
		return err
	}
	if c.batch != nil && len(c.batch.refused) > 0 {
		if out, err = c.batch.merge(out, c.id); err != nil {
			return err
		}
	}
	return c.sendJSON(out)
}

func (c *call) sendJSON(body []byte) error {
	h := c.w.Header()
	h["Content-Type"] = c.mediaType()
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	status := http.StatusOK
	if c.answer != nil {
		status = c.answer.StatusCode
	}
	c.w.WriteHeader(status)
	_, err := c.w.Write(body)
	return err
}

// streamJSON rewrites an answer that goes on after its head. Nothing is sent
// before the head was rewritten without an error; what fails later breaks the
// answer off.
func (f *Facade) streamJSON(c *call, h head) error {
	if c.batch != nil && len(c.batch.refused) > 0 {
		return notFHIR("the hospital's answer to the batch is too large to be joined with the outcomes of refused entries")
	}
	if !c.lines && gjson.GetBytes(h.bytes, "type").Str == "document" {
		document, whole, err := readOn(h.bytes, c.answer.Body, maxDocument)
		if err != nil {
			return brokenOff(err)
		}
		if h.bytes = document; whole {
			return f.presentWhole(c, h)
		}
	}
	m := f.answerLinks(c)
	out := &heldWriter{}
	w := links.NewWriter(out, m)
	_, err := w.Write(h.bytes)
	for signed := (*links.SignedError)(nil); errors.As(err, &signed) && len(m.Frozen) < maxSigned; {
		m.Frozen = append(m.Frozen, signed.Offset)
		out.held.Reset()
		w = links.NewWriter(out, m)
		_, err = w.Write(h.bytes)
	}
	if err != nil {
		return answerError(err)
	}
	c.w.Header()["Content-Type"] = c.mediaType()
	c.w.WriteHeader(c.answer.StatusCode)
	if err := out.sendTo(c.w); err != nil {
		return err
	}
	if err := copyBody(w, c.answer.Body); err != nil {
		return answerError(err)
	}
	if err := w.Close(); err != nil {
		return answerError(err)
	}
	return nil
}

// maxDocument is how much of a document Bundle is held back. Most are signed, and
// the signature is the last element: only then is it known that nothing of it
// may change (https://hl7.org/fhir/R4/documents.html#signatures).
const maxDocument = 16 << 20

// readOn reads on behind head until there are limit bytes, or all.
func readOn(head []byte, body io.Reader, limit int) (read []byte, whole bool, err error) {
	buf := bytes.NewBuffer(bytes.Clone(head))
	_, err = io.CopyN(buf, body, int64(limit-len(head)))
	if errors.Is(err, io.EOF) {
		return buf.Bytes(), true, nil
	}
	return buf.Bytes(), false, err
}

// maxSigned is the number of signed Bundles within one streamed answer up to
// which it is begun again to leave them unchanged.
const maxSigned = 16

// heldWriter keeps what is written until sendTo gives it somewhere to go.
type heldWriter struct {
	held bytes.Buffer
	to   io.Writer
}

func (w *heldWriter) Write(p []byte) (int, error) {
	if w.to == nil {
		return w.held.Write(p)
	}
	return w.to.Write(p)
}

func (w *heldWriter) sendTo(to io.Writer) error {
	w.to = to
	_, err := w.held.WriteTo(to)
	w.held = bytes.Buffer{}
	return err
}

// streamRaw passes a Binary in its own media type through.
func (f *Facade) streamRaw(c *call, h head) error {
	header := c.w.Header()
	header["Content-Type"] = c.answer.Header["Content-Type"]
	header.Set("X-Content-Type-Options", "nosniff")
	if c.answer.ContentLength >= 0 {
		header.Set("Content-Length", strconv.FormatInt(c.answer.ContentLength, 10))
	}
	c.w.WriteHeader(c.answer.StatusCode)
	if _, err := c.w.Write(h.bytes); err != nil {
		return err
	}
	if h.whole {
		return nil
	}
	if err := copyBody(c.w, c.answer.Body); err != nil {
		return brokenOff(err)
	}
	return nil
}

var copyPool = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// copyBody copies with a pooled buffer. It hides optional interfaces of both
// sides, which would take the copy out of our hands.
func copyBody(dst io.Writer, src io.Reader) error {
	buf := copyPool.Get().(*[]byte)
	defer copyPool.Put(buf)
	_, err := io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, *buf)
	return err
}

// brokenOff is the refusal of an answer whose body ended before its end.
func brokenOff(err error) error {
	return fhir.NewError(http.StatusBadGateway, fhir.IssueTransient, "the hospital broke its answer off").Because(err)
}

// within returns the place of an element that a rule names from its resource on,
// as in Patient.gender, in the answer that holds the resource at path.
func within(path, element string) string {
	if typ, rest, ok := strings.Cut(element, "."); ok && fhir.IsResourceType(typ) {
		element = rest
	}
	switch {
	case element == "":
		return path
	case strings.HasSuffix(path, "]"): // an entry
		return path + ".resource." + element
	default:
		return path + "." + element
	}
}

// answerError says what is wrong with a hospital's JSON: the place, never a
// value.
func answerError(err error) error {
	var refusal *fhir.Error
	var place *links.Error
	var signed *links.SignedError
	switch {
	case errors.As(err, &refusal):
		if errors.As(err, &place) && !isWithheld(err) { // whose place would tell that there is something
			refusal = refusal.At(within(place.Path, refusal.Expression))
		}
		return refusal
	case errors.As(err, &signed):
		return notFHIR("the hospital's answer holds a signed Bundle that is too large to be passed on unchanged").Because(signed)
	case errors.As(err, &place):
		return notFHIR("the hospital's answer is not well-formed JSON").At(place.Path).Because(place)
	default:
		return brokenOff(err)
	}
}
