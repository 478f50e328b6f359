package facade

import (
	"net/http"
	"slices"
	"strings"

	"fhirgate/fhir"
	"fhirgate/policies"
	"fhirgate/policies/smart"
)

// authorise decides, without any I/O, whether the consumer may do what the call
// asks: from where it calls and how it came in, whether plan and record reach the
// hospital, whether the hospital's route lists the interaction, whether the
// scopes of plan and token cover it, and whether a sealed link was given to this
// consumer.
func (f *Facade) authorise(c *call) error {
	if err := c.mayCall(); err != nil {
		return err
	}
	plan := c.plan()
	// A hospital that is out of reach looks like one that does not exist.
	if !c.reaches() {
		return fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, "the caller's plan reaches no hospital of this id")
	}
	if err := c.acceptedWay(); err != nil {
		return err
	}
	if err := c.readPurpose(plan); err != nil {
		return err
	}
	if err := c.authoriseRaw(plan); err != nil {
		return err
	}
	c.access = accessOf(c.consumer, plan, c.hospital)
	if c.sealed != nil {
		if err := c.sealed.belongsTo(c); err != nil {
			return err
		}
	}
	var err error
	if c.permission, err = c.permit(c.req, conditionOf(c)); c.sealed != nil {
		c.permission = c.permission.Unsettled() // who wrote the link that was sealed is not known
	}
	return err
}

// mayCall checks what has to do with no hospital.
func (c *call) mayCall() error {
	if !AllowedFrom(c.consumer.AllowFrom, c.address) {
		return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "the credential may not be used from this address")
	}
	if plan := c.plan(); plan == nil || !plan.Active {
		return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "the caller's plan does not exist any more or is not active")
	}
	return nil
}

// conditionOf returns the parameters that decide which resources the call is
// about. Those of a POST _search are not read yet: adaptForm permits them.
func conditionOf(c *call) string {
	if c.req.Conditional && c.req.Interaction == fhir.Create {
		return joinQueries(c.r.URL.RawQuery, strings.TrimPrefix(c.r.Header.Get("If-None-Exist"), "?"))
	}
	return c.r.URL.RawQuery
}

// joinQueries returns the parameters of both queries, either of which may be empty.
func joinQueries(a, b string) string { return strings.Trim(a+"&"+b, "&") }

// permit checks an interaction against the hospital's route and the scopes, and
// returns what has still to be looked at in resources.
func (c *call) permit(req fhir.Request, query string) (smart.Permission, error) {
	if err := permitted(c.hospital, req); err != nil {
		return smart.Permission{}, err
	}
	permission, err := c.access.Check(req, query)
	if err == nil && c.raw && !permission.Free() {
		err = fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "the scopes or the hospital's deny rules want resources looked at, which "+rawHeader+" hands out in a form that they do not know")
	}
	return permission, err
}

// permitReference refuses a conditional reference of a body, which is a search
// (https://hl7.org/fhir/R4/http.html#trules), if the caller may not make it.
func (c *call) permitReference(locator []byte) error {
	path, query, conditional := strings.Cut(string(locator), "?")
	if !conditional {
		return nil
	}
	typ := typeOf(path)
	if typ == "" {
		return nil // no search
	}
	permission, err := c.access.Check(fhir.Request{Interaction: fhir.SearchType, Type: typ}, query)
	if err == nil && permission.Looks(typ) {
		err = fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "a conditional reference would search "+typ+" beyond the caller's scopes, or past a deny rule of the hospital")
	}
	return err
}

// accessOf returns what a consumer may do at a hospital.
func accessOf(consumer *Consumer, plan *policies.Plan, hospital *Hospital) smart.Access {
	holder := smart.Holder{User: consumer.User != "", Base: hospital.public}
	if consumer.PatientHospital == hospital.Route.ID {
		holder.Patient = consumer.Patient
	}
	if consumer.Scopes == nil {
		return smart.NewAccess(holder, hospital.Denied, plan.Clinical)
	}
	return smart.NewAccess(holder, hospital.Denied, plan.Clinical, consumer.Scopes)
}

// acceptedWay checks the way in against those that the hospital's route takes.
func (c *call) acceptedWay() error {
	route, certificate := c.hospital.Route, c.consumer.Way == WayCertificate
	if !certificate && len(route.Accept) > 0 && len(c.consumer.Certificates) > 0 {
		certificate = slices.Contains(c.consumer.Certificates, certificateOf(c.r))
	}
	if route.Accepts(string(c.consumer.Way), certificate) {
		return nil
	}
	text := "the hospital does not take this way in: it takes " + strings.Join(route.Accept, ", ")
	if !certificate && certificateOf(c.r) != "" {
		text += "; the certificate of this connection is not registered with this caller"
	}
	return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, text)
}

// Headers in which callers say for whom and why they call.
const (
	behalfHeader  = "X-Fhirgate-On-Behalf-Of"
	purposeHeader = "X-Fhirgate-Purpose"
)

// readPurpose notes for the audit trail on whose behalf and for which purpose
// the call is made, which plans may require.
func (c *call) readPurpose(plan *policies.Plan) error {
	for _, header := range [...]struct {
		name     string
		required bool
		to       *string
	}{
		{behalfHeader, plan.Requires.OnBehalfOf, &c.onBehalfOf},
		{purposeHeader, plan.Requires.Purpose, &c.purpose},
	} {
		values := c.r.Header[header.name]
		switch {
		case len(values) == 0 && !header.required:
			continue
		case len(values) != 1 || values[0] == "":
			return fhir.NewError(http.StatusBadRequest, fhir.IssueRequired, "the call must carry the header "+header.name+" once")
		case len(values[0]) > maxPurpose || strings.ContainsFunc(values[0], isControl):
			return fhir.NewError(http.StatusBadRequest, fhir.IssueValue, "the header "+header.name+" is too long or holds control characters")
		}
		*header.to = values[0]
	}
	return nil
}

// maxPurpose bounds each of these headers, in bytes.
const maxPurpose = 256

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// rawHeader asks for resources as the hospital has them, but for locators, and
// says that a body is such a one.
const rawHeader = "X-Fhirgate-Raw"

// authoriseRaw lets only plans with the scope for it speak the hospital's own
// dialect: what the rules leave out may be left out for a reason.
func (c *call) authoriseRaw(plan *policies.Plan) error {
	switch c.r.Header.Get(rawHeader) {
	case "", "false":
		return nil
	case "true":
		c.raw = true
	default:
		return fhir.NewError(http.StatusBadRequest, fhir.IssueValue, "the header "+rawHeader+" must be true or false")
	}
	if !plan.Grants(policies.ScopeRaw) {
		return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "the caller's plan lacks the scope "+policies.ScopeRaw+", which "+rawHeader+" needs")
	}
	return nil
}

// plan returns the consumer's plan in the snapshot that the call began with.
func (c *call) plan() *policies.Plan { return c.snapshot.Plans[c.consumer.PlanID] }

// permitted checks an interaction against the hospital's route. A batch passes
// when the route lists batch or transaction: its body tells which it is, and
// its entries are permitted one by one.
func permitted(h *Hospital, req fhir.Request) error {
	if h.Route.Allows(req) {
		return nil
	}
	if req.Interaction == fhir.Batch && h.Route.Allows(fhir.Request{Interaction: fhir.Transaction}) {
		return nil
	}
	return notListed(req)
}

func notListed(req fhir.Request) *fhir.Error {
	what := "the interaction " + string(req.Listed())
	if req.Interaction == fhir.Operation {
		what = "this operation"
	}
	if req.Type != "" {
		what += " on " + req.Type
	}
	return fhir.NewError(http.StatusForbidden, fhir.IssueNotSupported, "the hospital's route does not list "+what)
}
