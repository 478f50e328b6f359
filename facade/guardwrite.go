package facade

import (
	"io"
	"net/http"

	"fhirgate/fhir"
	"fhirgate/transforms/links"
)

// guardWrite has the resource that a write changes looked at first, when the
// scopes or the hospital's deny rules want that. The write is then bound to the
// version that was seen, if the hospital tells versions and the caller named
// none.
func (f *Facade) guardWrite(c *call) error {
	if c.batch != nil || !c.permission.NeedsPresent() {
		return nil
	}
	present, etag, err := f.readPresent(c)
	switch {
	case err != nil:
		return err
	case present == nil && c.req.Interaction == fhir.Update: // which may create it
		return nil
	case present == nil:
		return errWithheld()
	}
	if err := c.permission.Changes(present); err != nil {
		if c.permission.MayReturn(c.req.Type) && c.permission.Sees(present) {
			return err // the caller may know it
		}
		return errWithheld()
	}
	if etag != "" && c.out.Header.Get("If-Match") == "" {
		c.out.Header.Set("If-Match", etag)
	}
	return nil
}

// readPresent returns the resource that the call is about as a caller would read
// it, in a call that counts; nil when the hospital has none.
func (f *Facade) readPresent(c *call) (resource []byte, etag string, err error) {
	asked := fhir.Request{Interaction: fhir.Read, Type: c.req.Type, ID: c.req.ID}
	if err := f.take(c, c.cost(asked, "")); err != nil {
		return nil, "", err
	}
	answer, err := c.get(c.r.Context(), c.hospital.target(asked, ""), jsonAccept)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusNotFound, answer.StatusCode == http.StatusGone:
		return nil, "", nil
	case answer.StatusCode != http.StatusOK, encoded(answer):
		return nil, "", notSeen("the hospital does not hand it out")
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxGuarded+1))
	if err != nil {
		return nil, "", brokenOff(err)
	}
	if len(body) > maxGuarded {
		return nil, "", notSeen("it is larger than 8 MiB")
	}
	rules := c.hospital.Vendor.Answer(c.hospital.rulesCall(asked, nil), "", answer.StatusCode, c.hospital.public, c.began)
	defer rules.Release()
	m := f.answerLinks(c)
	m.Edit = rules.Edit()
	if body, err = links.Rewrite(nil, body, m); err != nil {
		return nil, "", answerError(err)
	}
	return body, answer.Header.Get("Etag"), nil
}

func notSeen(why string) *fhir.Error {
	return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "the caller's scopes, or a deny rule of the hospital, want the present resource looked at before it is changed: "+why)
}
