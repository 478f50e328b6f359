package facade

import (
	"net/http"

	"fhirgate/fhir"
	"fhirgate/policies"
)

// authorise decides, without any I/O, whether the consumer may do what the call
// asks: the plan must reach the hospital, the hospital's route must list the
// interaction, and a sealed link must have been given to this consumer.
func (f *Facade) authorise(c *call) error {
	plan := c.plan()
	if plan == nil || !plan.Active {
		return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "the key's plan does not exist any more or is not active")
	}
	if c.hospital == nil {
		return fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, "there is no hospital of this id")
	}
	route := c.hospital.Route
	if !plan.Reaches(route.ID, route.Environment) {
		return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "the key's plan does not reach this hospital")
	}
	if err := c.authoriseRaw(plan); err != nil {
		return err
	}
	if c.sealed != nil {
		return c.sealed.belongsTo(c)
	}
	return permitted(c.hospital, c.req)
}

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
		return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "the key's plan lacks the scope "+policies.ScopeRaw+", which "+rawHeader+" needs")
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
	what := "the interaction " + string(req.Interaction)
	switch {
	case req.Interaction == fhir.Operation:
		what = "this operation"
	case req.Conditional:
		what = "the interaction " + string(req.Interaction.Conditional())
	}
	if req.Type != "" {
		what += " on " + req.Type
	}
	return fhir.NewError(http.StatusForbidden, fhir.IssueNotSupported, "the hospital's route does not list "+what)
}
