package facade

import (
	"context"

	"fhirgate/fhir"
	"fhirgate/transforms"
	"fhirgate/transforms/links"
	"fhirgate/transforms/resource"
)

// rulesCall is what the vendor's rules see of this call.
func (c *call) rulesCall() transforms.Call {
	out := c.hospital.rulesCall(c.req, c.r.Header)
	out.Raw = c.raw
	return out
}

// startRules finds out what the vendor's rules do to the answer.
func (c *call) startRules() {
	c.rules = c.hospital.Vendor.Answer(c.rulesCall(), c.query, c.answer.StatusCode, c.hospital.public, c.began)
	if c.rules == nil || c.batch == nil {
		return
	}
	c.rules.Entries = c.batch.sent
}

// answerEdit returns the rules for the pass that moves locators; nil when
// nothing else is to change.
func (c *call) answerEdit() *links.Edit {
	edit := c.guarded(c.rules.Edit())
	if c.rest == nil {
		return edit
	}
	if edit == nil {
		edit = &links.Edit{Holds: func(string) bool { return false }}
	}
	edit.Next = c.continuation
	return edit
}

// presentAlternate turns an answer of a vendor's own API into the searchset
// that was asked for.
func (f *Facade) presentAlternate(c *call, h head) error {
	if err := c.hospital.Vendor.Succeeded(c.rulesCall(), c.query, c.answer.StatusCode, h.bytes); err != nil {
		return err
	}
	body := h.bytes
	if !h.whole {
		read, _, err := readOn(h.bytes, c.answer.Body, maxAlternate+1)
		if err != nil {
			return brokenOff(err)
		}
		body = read
	}
	mapped, err := c.alternateAnswer(body)
	if err != nil {
		return err
	}
	return f.presentWhole(c, head{bytes: mapped, whole: true})
}

// applyBody takes a resource of the caller, whose locators are the hospital's
// already, through the vendor's rules for what is asked. setHeader sets a header
// of the request that carries it.
func (f *Facade) applyBody(c *call, asked transforms.Call, body []byte, setHeader func(name, value string)) ([]byte, error) {
	if asked.Interaction == fhir.Update || asked.Interaction == fhir.ConditionalUpdate {
		if err := c.hospital.Vendor.Lossy(asked); err != nil {
			return nil, err
		}
	}
	adapted, _, err := c.hospital.Vendor.Body(asked, f.rulesEnv(c, setHeader), body)
	return adapted, err
}

// rulesEnv is what operations on a body may use of the call.
func (f *Facade) rulesEnv(c *call, setHeader func(name, value string)) resource.Call {
	return resource.Call{
		Now:       c.began,
		Bases:     c.hospital.bases,
		Header:    c.out.Header,
		SetHeader: setHeader,
		Context:   c.r.Context(),
		Fetch: func(ctx context.Context, locator string) (mediaType string, content []byte, err error) {
			return f.fetch(ctx, c, locator)
		},
	}
}
