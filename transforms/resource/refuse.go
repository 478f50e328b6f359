package resource

import (
	"net/http"
	"strconv"
	"strings"

	"fhirgate/fhir"
	"fhirgate/transforms/tree"
)

// refuse returns the error for the element n: 422 for a body, 502 for an
// answer.
func (r *Resource) refuse(n tree.Node, code fhir.IssueCode, text string) *fhir.Error {
	return r.refuseAt(r.expression(n), code, text)
}

// refuseMissing is refuse for an element that is not there.
func (r *Resource) refuseMissing(p tree.Path, code fhir.IssueCode, text string) *fhir.Error {
	return r.refuseAt(r.typeName()+"."+p.String(), code, text)
}

func (r *Resource) refuseAt(expression string, code fhir.IssueCode, text string) *fhir.Error {
	status := http.StatusUnprocessableEntity
	if r.Call.Answer {
		status = http.StatusBadGateway
	}
	return fhir.NewError(status, code, expression+" "+text).At(expression)
}

// expression returns the place of n in the resource as FHIRPath writes it:
// Patient.identifier[1].value. Only names that a rule's path led through, or
// that are FHIR's, stand in it.
func (r *Resource) expression(n tree.Node) string {
	var parts []string
	for ; n != r.Node && n != tree.None; n = r.Doc.Parent(n) {
		if parent := r.Doc.Parent(n); r.Doc.Kind(parent) == tree.Array {
			parts = append(parts, "["+strconv.Itoa(r.Doc.Index(n))+"]")
			continue
		}
		parts = append(parts, "."+r.Doc.Name(n))
	}
	var b strings.Builder
	b.WriteString(r.typeName())
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteString(parts[i])
	}
	return b.String()
}

// typeName returns the type of the resource, if it is one of FHIR's.
func (r *Resource) typeName() string {
	if name := r.Doc.Text(r.Doc.Get(r.Node, "resourceType")); fhir.IsResourceType(name) {
		return name
	}
	return "Resource"
}
