package facade

import (
	"net/http"
	"net/url"

	"fhirgate/fhir"
	"fhirgate/transforms"
)

// rulesCall is what the vendor's rules see of a call, or of an entry of a
// batch; header is the caller's.
func (h *Hospital) rulesCall(req fhir.Request, header http.Header) transforms.Call {
	route := h.Route
	return transforms.Call{
		Hospital:    route.ID,
		Type:        req.Type,
		Interaction: req.Listed(),
		Compartment: req.Compartment != "",
		Form:        req.FormSearch,
		Header:      header,
		Vars:        route.Vars,
		Zone:        route.Location,
	}
}

// redirect gives a search the verb and the place that the vendor's rules chose
// for it. A call that they left alone, or that is no search, stays as it is.
func (c *call) redirect() error {
	if c.sealed != nil {
		if c.sealed.Form {
			c.post(c.out.URL)
		}
		return nil
	}
	if c.ruled.Form == c.req.FormSearch && c.alternate == nil {
		return c.restFits()
	}
	target, err := c.hospital.searchURL(c.req, c.ruled)
	if err != nil {
		return err
	}
	c.out.Header.Del("Content-Type")
	c.out.Method, c.out.URL, c.out.Body, c.out.GetBody, c.out.ContentLength = http.MethodGet, target, nil, nil, 0
	if c.ruled.Form {
		c.post(target)
	}
	return c.restFits()
}

// searchURL returns where a search goes, with its parameters as a query.
func (h *Hospital) searchURL(req fhir.Request, ruled transforms.Outgoing) (*url.URL, error) {
	if ruled.Alternate != nil {
		return url.Parse(h.base.Scheme + "://" + h.base.Host + ruled.Alternate.URL)
	}
	req.FormSearch = ruled.Form
	return h.target(req, ruled.Query), nil
}

// post makes the call a POST of the query of target as a form.
func (c *call) post(target *url.URL) {
	place := *target
	place.RawQuery = ""
	c.out.Method, c.out.URL = http.MethodPost, &place
	c.setBody([]byte(target.RawQuery), formType)
}

// sealedTarget returns where a sealed link leads, and takes up what it carries.
func (c *call) sealedTarget(header http.Header) (*url.URL, error) {
	asked := c.rulesCall()
	if c.sealed.Rule != "" {
		if c.alternate = c.hospital.Vendor.Alternate(asked, c.sealed.Rule); c.alternate == nil {
			return nil, fhir.NewError(http.StatusGone, fhir.IssueExpired, "the vendor's rules have changed: search again")
		}
	}
	c.rest = c.sealed.Rest
	if c.req.Interaction == fhir.SearchType { // a page of it, of which the rules know what they knew of the first
		if err := c.hospital.Vendor.ApplyHeaders(asked, header); err != nil {
			return nil, err
		}
	}
	return url.Parse(c.sealed.URL)
}

// inParts reports whether a page of this call's answer is more than its address
// tells: one of a split search, or of an alternate route. A link to such a page
// is sealed, whatever it looks like.
func (c *call) inParts() bool { return c.rest != nil || c.alternate != nil }

// sealPage returns the link to another page of this call's answer, at target.
func (c *call) sealPage(target string) (string, error) {
	link := c.pageAt(target)
	link.Rest = c.rest
	if c.alternate != nil {
		link.Rule = c.alternate.Rule
	}
	token, err := c.sealer.Seal(link)
	if err != nil {
		return "", fhir.NewError(http.StatusBadGateway, fhir.IssueTooLong, err.Error())
	}
	return c.sealedURL(token), nil
}

// pageAt returns the link to target that is authorised as this call when it
// comes back. A page of a search within a batch is authorised as a search of all
// types, because the link does not tell which it is of.
func (c *call) pageAt(target string) sealedLink {
	interaction := c.req.Interaction
	if c.batch != nil {
		interaction = fhir.SearchSystem
	}
	link := sealedLink{
		URL:         target,
		Hospital:    c.hospital.Route.ID,
		Consumer:    c.consumer.KeyID,
		Patient:     c.consumer.Patient,
		Interaction: interaction,
		Type:        c.req.Type,
		Operation:   c.req.Operation,
		Expires:     c.began.Add(pageLinkLife).Unix(),
	}
	if c.req.Compartment == "" { // whose id is another resource's
		link.ID = c.req.ID
	}
	return link
}

func (c *call) sealedURL(token string) string {
	return c.hospital.public + "/" + fhir.SealedSegment + "/" + token
}

// continuation returns the link to what a split search asks for next, or ""
// when it has asked for everything. It belongs on the last page of the part
// before.
func (c *call) continuation() (string, error) {
	token, err := c.sealRest()
	if token == "" || err != nil {
		return "", err
	}
	return c.sealedURL(token), nil
}

func (c *call) sealRest() (token string, err error) {
	if c.rest == nil {
		return "", nil
	}
	next, err := c.hospital.Vendor.Resume(c.rulesCall(), c.rest)
	if err != nil {
		return "", err
	}
	target, err := c.hospital.searchURL(c.req, next)
	if err != nil {
		return "", err
	}
	link := c.pageAt(target.String())
	link.Form, link.Rest = next.Form, next.Rest
	if next.Alternate != nil {
		link.Rule = next.Alternate.Rule
	}
	if token, err = c.sealer.Seal(link); err != nil {
		return "", restTooLong()
	}
	return token, nil
}

// restFits refuses a split search whose further parts have no room in a link,
// before anything is sent. The hospital's own page links need room beside them.
func (c *call) restFits() error {
	const roomForPage = 1 << 10
	token, err := c.sealRest()
	if err == nil && len(token) > maxSealed-roomForPage {
		err = restTooLong()
	}
	return err
}

func restTooLong() error {
	return fhir.NewError(http.StatusBadRequest, fhir.IssueTooLong, "the search lists more values than a link to its further parts can hold: search for fewer at a time")
}

// maxAlternate is the most that an answer of an alternate route may be long, in
// bytes: it is held as a whole.
const maxAlternate = 8 << 20

// alternateAnswer turns the answer of an alternate route, read as a whole, into
// a searchset.
func (c *call) alternateAnswer(body []byte) ([]byte, error) {
	if len(body) > maxAlternate {
		return nil, notFHIR("the hospital's answer is too large to be turned into a Bundle")
	}
	bundle, err := c.alternate.Map(body)
	if err != nil {
		return nil, notFHIR("the hospital's answer is not what the rule " + c.alternate.Rule + " makes a Bundle of: " + err.Error())
	}
	return bundle, nil
}
