package smart

import (
	"fhirgate/fhir"
)

// everything is the operation that collects what is known of a patient.
const everything = "$everything"

// readOnly are the operations that change nothing, and the types whose
// resources they look at: AllTypes, or "" for the type they are called on.
// Each needs r and s there. Every other operation needs all actions.
var readOnly = map[string]string{
	everything:       AllTypes,
	"$export":        AllTypes,
	"$summary":       AllTypes,
	"$document":      AllTypes,
	"$graph":         AllTypes,
	"$docref":        "",
	"$expand":        "",
	"$lastn":         "",
	"$lookup":        "",
	"$match":         "",
	"$meta":          "",
	"$stats":         "",
	"$subsumes":      "",
	"$translate":     "",
	"$validate":      "",
	"$validate-code": "",
}

// digests are those of readOnly whose answer can tell of a resource without
// holding it, in numbers or in a narrative, or comes by another way.
var digests = map[string]bool{"$document": true, "$export": true, "$meta": true, "$stats": true, "$summary": true, "$validate": true}

// stores are those of readOnly that can leave a resource of a type behind.
var stores = map[string]string{"$document": "Bundle"}

// needs returns the actions that an interaction other than an operation needs
// on its type (https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources).
// A conditional one searches first, and a conditional update may create.
func needs(req fhir.Request) Actions {
	var actions Actions
	switch req.Interaction {
	case fhir.Read, fhir.VRead, fhir.HistoryInstance:
		actions = Read
	case fhir.SearchType, fhir.SearchSystem, fhir.HistoryType, fhir.HistorySystem:
		actions = Search
	case fhir.Create:
		actions = Create
	case fhir.Update:
		actions = Update
		if req.Conditional {
			actions |= Create
		}
	case fhir.Patch:
		actions = Update
	case fhir.Delete:
		actions = Delete
	default:
		return allActions
	}
	if req.Conditional {
		actions |= Search
	}
	return actions
}

// Check decides whether a call may be made. query is that of the URL; form
// holds further search parameters: the body of a POST _search, or the
// condition of If-None-Exist. A batch or transaction passes, because each of
// its entries is a call of its own; its Permission sees nothing.
//
// The error is a *fhir.Error: 403 with the scope that is missing, 400 where the
// query cannot be read.
func (a Access) Check(req fhir.Request, query string, form ...string) (Permission, error) {
	switch req.Interaction {
	case fhir.Capabilities:
		return Permission{access: a, free: true}, nil
	case fhir.Batch, fhir.Transaction:
		return Permission{}, nil
	}
	needed := needs(req)
	if a.open(needed | Read | Search) {
		return Permission{access: a, typ: req.Type, interaction: req.Interaction, ok: true, free: true, needs: needed}, nil
	}
	return closely(a, req, needed, query, form)
}

// closely is Check for a caller who may not do everything.
func closely(a Access, req fhir.Request, needed Actions, query string, form []string) (Permission, error) {
	p := Permission{access: a, typ: req.Type, interaction: req.Interaction, ok: true, needs: needed}
	if err := p.check(req, query, form); err != nil {
		return Permission{}, err
	}
	return p, nil
}

func (p *Permission) check(req fhir.Request, query string, form []string) error {
	a := &p.access
	q := asked{access: a, permission: p, req: req}
	if err := q.read(query); err != nil {
		return err
	}
	for _, more := range form {
		if err := q.read(more); err != nil {
			return err
		}
	}
	switch req.Interaction {
	case fhir.Operation:
		return p.checkOperation(req)
	case fhir.SearchSystem, fhir.HistorySystem:
		return q.checkSystem()
	}
	reason := "for the interaction " + string(req.Interaction)
	switch {
	case req.Conditional && req.Interaction == fhir.Create:
		if err := a.permit(req.Type, Create, "for the interaction conditional create"); err != nil {
			return err
		}
		return a.permitFully(req.Type, Search, "for the interaction conditional create")
	case req.Conditional:
		return a.permitFully(req.Type, p.needs, "for the interaction conditional "+string(req.Interaction))
	}
	if err := a.permit(req.Type, p.needs, reason); err != nil {
		return err
	}
	if req.Compartment != "" {
		return a.checkCompartment(req)
	}
	p.free = p.settled()
	return nil
}

// settled reports whether nothing of the answer can be out of scope: it is one
// resource, or versions, of a type without conditions. The answer to a search
// may hold types that nobody asked for, and one with an include those that were.
func (p *Permission) settled() bool {
	if len(p.access.denied) > 0 || len(p.included) > 0 || p.typ == "Bundle" || p.interaction == fhir.SearchType {
		return false
	}
	return p.access.level(p.typ, p.needs|p.brings(p.typ)) == full
}

// checkCompartment permits a search below a resource only to those who may read
// that resource: the answer tells that it exists.
func (a *Access) checkCompartment(req fhir.Request) error {
	const reason = "for a search in the compartment of a resource"
	if req.Compartment == "Patient" && req.ID == a.holder.Patient {
		return a.permit("Patient", Read, reason)
	}
	return a.permitFully(req.Compartment, Read, reason)
}

func (p *Permission) checkOperation(req fhir.Request) error {
	a := &p.access
	typ, known := readOnly[req.Operation]
	if !known {
		p.needs = allActions
	} else {
		p.needs = Read | Search
	}
	if typ == "" {
		typ = req.Type
	}
	if typ == "" {
		typ = AllTypes
	}
	const reason = "for this operation"
	if err := a.refuseDenied(req.Type, reason); err != nil {
		return err
	}
	if stored := stores[req.Operation]; stored != "" {
		if err := a.permitFully(stored, Create, reason); err != nil {
			return err
		}
	}
	if len(a.denied) > 0 && (!known || digests[req.Operation]) {
		return a.permitFully(AllTypes, p.needs, reason)
	}
	if req.Operation == everything && req.Type == "Patient" && req.ID != "" && req.ID == a.holder.Patient {
		p.free = a.open(p.needs)
		return a.permit(typ, p.needs, reason) // the whole record of the patient in context, entry by entry
	}
	if a.level(typ, p.needs) != full {
		return a.needsFull(typ, p.needs, reason)
	}
	p.free = a.open(p.needs)
	return nil
}
