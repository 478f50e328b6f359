package transforms

import (
	"bytes"
	"net/http"
	"strconv"

	"fhirgate/fhir"
	"fhirgate/transforms/resource"
	"fhirgate/transforms/tree"
)

// Body takes a resource that the caller sends to the hospital: what the rules
// for answers had changed is taken back and the rules for requests are applied.
// call.Type is the resource's. env needs what the operations use; its Vars and
// Zone are set here. The error is a *fhir.Error with the
// place; then applied ends with the rule that refused.
//
// body must be a JSON object. It comes back itself when no rule changed it.
func (v *Vendor) Body(call Call, env resource.Call, body []byte) (changed []byte, applied []string, err error) {
	if v == nil {
		return body, nil, nil
	}
	if call.Raw && resource.Marked(body) {
		return nil, nil, fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueBusinessRule,
			"the body holds marks of the gateway, so it was read without X-Fhirgate-Raw: true: send it without that header, or read the resource with it")
	}
	if !v.mayChangeBody(&call) {
		return body, nil, nil
	}
	if err := readable(body); err != nil {
		return nil, nil, err
	}
	var d tree.Doc
	d.Reset(body)
	env.Vars, env.Zone = call.Vars, call.zone()
	r := &resource.Resource{Doc: &d, Node: d.Root(), Call: &env}
	applied, refusal := v.undoBody(&call, r)
	if refusal != nil {
		return nil, applied, refusal
	}
	for i := range v.rules {
		rule := &v.rules[i]
		if len(rule.body) == 0 || !rule.forBody(&call, r) {
			continue
		}
		did, err := applyAll(rule.body, r)
		if err != nil {
			return nil, append(applied, rule.name), v.named(err, rule.name)
		}
		if did {
			applied = append(applied, rule.name)
		}
	}
	if !d.Edited() {
		return body, applied, nil
	}
	return d.AppendTo(nil), applied, nil
}

// maxParts bounds the values of a body that rules look at: the tree takes much
// more memory for each than its text does.
const maxParts = 1 << 20

// readable refuses a body of too many parts. Commas and brackets within strings
// count as well, which base64 has none of.
func readable(body []byte) error {
	if bytes.Count(body, []byte(","))+bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) <= maxParts {
		return nil
	}
	return fhir.NewError(http.StatusRequestEntityTooLarge, fhir.IssueTooLong, "the body has more parts than rules of the hospital's vendor can look at: "+strconv.Itoa(maxParts))
}

// mayChangeBody reports whether any rule is for bodies of the call.
func (v *Vendor) mayChangeBody(call *Call) bool {
	for i := range v.rules {
		if len(v.rules[i].body) > 0 && v.rules[i].when.concerns(call) {
			return true
		}
	}
	return v.undoes(call)
}

// forBody reports whether the rule's operations on bodies apply to r.
func (r *rule) forBody(call *Call, body *resource.Resource) bool {
	return r.when.concerns(call) && hold(r.when.where, body.Doc, body.Node) &&
		(r.unless == nil || !r.unless.concerns(call) || !hold(r.unless.where, body.Doc, body.Node))
}

func applyAll(operations []resource.Operation, r *resource.Resource) (changed bool, err *fhir.Error) {
	for _, o := range operations {
		did, err := o.Apply(r)
		if err != nil {
			return false, err
		}
		changed = changed || did
	}
	return changed, nil
}
