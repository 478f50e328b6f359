package facade

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tidwall/gjson"

	"fhirgate/fhir"
	"fhirgate/transforms/resource"
)

// fetch returns the content of an attachment that a body refers to, for rules
// that put it in its place. It asks as the caller could, in a call that counts:
// for a Binary of this hospital that the route lets be read. All that is fetched
// for one body is bounded as a body is.
func (f *Facade) fetch(ctx context.Context, c *call, locator string) (mediaType string, content []byte, err error) {
	refuse := func(text string) error {
		return fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueNotFound, text)
	}
	absolute := c.hospital.absolute(locator)
	target, err := url.Parse(absolute)
	if err != nil || !c.hospital.mayReach(target) || !c.leadsToBinary(absolute) {
		return "", nil, refuse("the attachment's url leads to no Binary of this hospital")
	}
	asked := fhir.Request{Interaction: fhir.Read, Type: "Binary"}
	permission, err := c.permit(asked, "")
	switch {
	case err != nil:
		return "", nil, err
	case permission.Looks("Binary"):
		return "", nil, refuse("the caller's scopes, or a deny rule of the hospital, want the attachment looked at")
	}
	if err := f.take(c, c.cost(asked, "")); err != nil {
		return "", nil, err
	}
	answer, err := c.get(ctx, target, anyAccept)
	if err != nil {
		return "", nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || encoded(answer) {
		return "", nil, refuse("the hospital does not hand out the attachment that the body refers to")
	}
	content, err = io.ReadAll(io.LimitReader(answer.Body, resource.MaxInline+1))
	if err != nil {
		return "", nil, brokenOff(err)
	}
	if isFHIRXML(content) {
		return "", nil, refuse("the attachment's url leads to a resource, which is no attachment")
	}
	if len(content) > resource.MaxInline {
		return "", nil, fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueTooLong, "the attachment that the body refers to is larger than 32 MiB")
	}
	if err := f.holdFetched(c, int64(len(content))); err != nil {
		return "", nil, err
	}
	mediaType, _, _ = mime.ParseMediaType(answer.Header.Get("Content-Type")) // "" when it is missing or broken
	if jsonMedia[mediaType] && bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) {
		return binary(content)
	}
	return mediaType, content, nil
}

// leadsToBinary reports whether an absolute locator is that of a Binary, by its
// path below the hospital's base or by the sealed link of an attachment that the
// body held. The gateway's credential would open more.
func (c *call) leadsToBinary(locator string) bool {
	rest, ok := c.hospital.under(locator)
	if !ok {
		return c.attachments[locator]
	}
	req, err := fhir.Parse(http.MethodGet, rest, nil, "")
	return err == nil && req.Type == "Binary" && (req.Interaction == fhir.Read || req.Interaction == fhir.VRead)
}

// holdFetched takes room for n fetched bytes, which stand in the body as base64.
func (f *Facade) holdFetched(c *call, n int64) error {
	if c.fetched += n; c.fetched > f.limits.JSON {
		return fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueTooLong, "the attachments that the body refers to are larger than "+strconv.FormatInt(f.limits.JSON, 10)+" bytes together")
	}
	return f.holdBytes(c, n*4/3)
}

// binary returns what a Binary in JSON holds (https://hl7.org/fhir/R4/binary.html).
func binary(resource []byte) (mediaType string, content []byte, err error) {
	notBinary := fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueStructure, "the attachment that the body refers to is no Binary")
	if gjson.GetBytes(resource, "resourceType").Str != "Binary" {
		return "", nil, notBinary
	}
	content, err = base64.StdEncoding.DecodeString(gjson.GetBytes(resource, "data").Str)
	if err != nil {
		return "", nil, notBinary
	}
	return gjson.GetBytes(resource, "contentType").Str, content, nil
}
