package facade

import (
	"net/http"
	"net/url"
	"strings"

	"fhirgate/fhir"
	"fhirgate/transforms/links"
)

// answerLinks returns the map that turns the hospital's locators in an answer
// to c into the gateway's.
func (f *Facade) answerLinks(c *call) *links.Map {
	h := c.hospital
	m := &links.Map{
		Prefixes: make([]links.Prefix, len(h.bases)),
		Base:     h.public,
		Link:     func(relation, locator string) (string, error) { return f.pageLink(c, relation, locator) },
		Other:    func(kind links.Kind, locator string) (string, error) { return f.otherLink(c, kind, locator) },
	}
	for i, base := range h.bases {
		m.Prefixes[i] = links.Prefix{From: base, To: h.public}
	}
	m.Edit, m.Lines = c.answerEdit(), c.lines
	if c.touched != nil {
		m.Seen = c.touched.seen
	}
	return m
}

// pageLink maps one Bundle.link. A link that is a plain FHIR request below the
// hospital's base keeps its form, because its path alone tells what it asks
// for; any other is sealed with what this call asked for.
func (f *Facade) pageLink(c *call, relation, locator string) (string, error) {
	absolute := c.hospital.absolute(locator)
	rest, ok := c.hospital.under(absolute)
	whole := ok && tellsItself(rest) && !c.inParts() && !c.hospital.retranslates(rest)
	switch {
	case whole:
		return join(c.hospital.public, rest), nil
	case relation == "self" && (c.inParts() || ok && tellsItself(rest)):
		return c.hospital.public + selfOf(c), nil
	}
	target, err := url.Parse(absolute)
	if err != nil || !c.hospital.mayReach(target) {
		if relation == "self" {
			return c.hospital.public + selfOf(c), nil
		}
		return "", fhir.NewError(http.StatusBadGateway, fhir.IssueSecurity,
			"the hospital's answer goes on at a host that its route does not allow (upstream.link_hosts)")
	}
	return c.sealPage(absolute)
}

// selfOf returns the call's own path and query below the hospital, for a self
// link that the hospital wrote with an address that nobody can follow.
func selfOf(c *call) string {
	if c.sealed != nil {
		return strings.TrimPrefix(c.r.URL.Path, Prefix+c.hospital.Route.ID)
	}
	self := "/" + c.req.Path()
	if c.r.URL.RawQuery != "" {
		self += "?" + c.r.URL.RawQuery
	}
	return self
}

// tellsItself reports whether a link below the base can come back as a call of
// its own: a path of the RESTful API that names a type.
func tellsItself(rest string) bool {
	path, query, _ := strings.Cut(rest, "?")
	req, err := fhir.Parse(http.MethodGet, path, nil, query)
	return err == nil && req.Type != ""
}

// retranslates reports whether rules would take the words of a link below the
// base for the caller's, though they are the hospital's already.
func (h *Hospital) retranslates(rest string) bool {
	path, query, _ := strings.Cut(rest, "?")
	req, err := fhir.Parse(http.MethodGet, path, nil, query)
	return err == nil && h.Vendor.Condition(h.rulesCall(req, nil), query) != query
}

// otherLink maps an absolute locator that no base of the hospital maps: one
// that leads to a host of the hospital is sealed, any other is not the
// hospital's and passes.
func (f *Facade) otherLink(c *call, kind links.Kind, locator string) (string, error) {
	target, err := url.Parse(locator)
	if err != nil || !c.hospital.mayReach(target) {
		return locator, nil //nolint:nilerr // what is no URL leads nowhere
	}
	asked := fhir.Request{Interaction: fhir.Read, Type: typeOf(target.Path)}
	switch {
	case kind == links.KindAttachment:
		asked.Type = "Binary"
	case asked.Type == "" && c.req.Type != "":
		asked.Type = c.req.Type
	case asked.Type == "":
		asked = c.req // may be followed as long as what it came with may be asked
	}
	return f.seal(c, locator, asked)
}

// seal returns the link to target that is authorised as asked when it comes
// back.
func (f *Facade) seal(c *call, target string, asked fhir.Request) (string, error) {
	token, err := f.sealer.Load().Seal(sealedLink{
		URL:         target,
		Hospital:    c.hospital.Route.ID,
		Consumer:    c.consumer.KeyID,
		Patient:     c.consumer.Patient,
		Interaction: asked.Interaction,
		Type:        asked.Type,
		Operation:   asked.Operation,
		Expires:     c.began.Add(otherLinkLife).Unix(),
	})
	if err != nil {
		return "", fhir.NewError(http.StatusBadGateway, fhir.IssueTooLong, err.Error())
	}
	return c.hospital.public + "/" + fhir.SealedSegment + "/" + token, nil
}

// requestLinks returns the map that turns the gateway's locators in a request
// body into the hospital's.
func (f *Facade) requestLinks(c *call) *links.Map {
	h := c.hospital
	sealed := h.public + "/" + fhir.SealedSegment
	return &links.Map{
		Prefixes: []links.Prefix{{From: sealed}, {From: h.public, To: h.Route.Upstream.BaseURL}},
		Other: func(kind links.Kind, locator string) (string, error) {
			if token, ok := below(sealed, locator); ok {
				return f.unseal(c, token)
			}
			// What an entry asks for is looked at with the entry (adaptEntry).
			if kind != links.KindRequest && h.foreign(locator) {
				return "", errForeign()
			}
			return locator, nil
		},
	}
}

func errForeign() *fhir.Error {
	return fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueValue, "the body refers to a resource of another hospital: nothing was sent")
}

// unseal gives back what a sealed link in a request body stood for, so that a
// resource that was read can be sent back as it was.
func (f *Facade) unseal(c *call, token string) (string, error) {
	link, err := f.sealer.Load().Open(token)
	if err != nil || !link.given(c) {
		return "", fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueValue, "the body holds a sealed link that is not the caller's or is too old")
	}
	if link.Interaction == fhir.Read && link.Type == "Binary" {
		if c.attachments == nil {
			c.attachments = make(map[string]bool)
		}
		c.attachments[link.URL] = true
	}
	return link.URL, nil
}

// headerLocator maps a Location or Content-Location. What no base maps but ends
// like a resource is that resource at the gateway: these headers speak of the
// hospital's own resources only.
func (h *Hospital) headerLocator(locator string) string {
	absolute := h.absolute(locator)
	if rest, ok := h.under(absolute); ok {
		return join(h.public, rest)
	}
	segments := strings.Split(strings.Trim(locator, "/"), "/")
	for i := len(segments) - 2; i >= 0 && i >= len(segments)-4; i-- {
		if fhir.IsResourceType(segments[i]) && fhir.IsID(segments[i+1]) {
			return join(h.public, strings.Join(segments[i:], "/"))
		}
	}
	return ""
}

// absolute resolves a locator of the hospital: relative ones are below its base
// (https://hl7.org/fhir/R4/references.html), those that start with a slash below
// its host.
func (h *Hospital) absolute(locator string) string {
	switch {
	case strings.HasPrefix(locator, "//"):
		return h.base.Scheme + ":" + locator
	case strings.HasPrefix(locator, "/"):
		return h.base.Scheme + "://" + h.base.Host + locator
	case strings.HasPrefix(locator, "?"):
		return h.Route.Upstream.BaseURL + locator
	}
	if scheme, _, ok := strings.Cut(locator, ":"); ok && !strings.ContainsAny(scheme, "/?#") {
		return locator
	}
	return h.Route.Upstream.BaseURL + "/" + locator
}

// under returns what follows one of the hospital's bases in an absolute locator.
func (h *Hospital) under(locator string) (rest string, ok bool) {
	for _, base := range h.bases {
		if rest, ok = below(base, locator); ok {
			return rest, true
		}
	}
	return "", false
}

// join puts what below returned back behind a base.
func join(base, rest string) string {
	if rest == "" || rest[0] == '?' || rest[0] == '#' {
		return base + rest
	}
	return base + "/" + rest
}

// typeOf returns the resource type in a path that ends like one of a resource.
func typeOf(path string) string {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for i := len(segments) - 1; i >= 0; i-- {
		if fhir.IsResourceType(segments[i]) {
			return segments[i]
		}
	}
	return ""
}
