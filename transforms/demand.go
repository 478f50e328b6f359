package transforms

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// requireAny refuses a call that has none of the listed parameters. An item
// may be a combination joined by commas, such as "patient,intent".
type requireAny []string

func (o *requireAny) check(doc *strict.Document, place string) {
	if len(*o) == 0 {
		doc.Fail(place, "names no parameter")
	}
	for i, item := range *o {
		for name := range strings.SplitSeq(item, ",") {
			checkName(doc, place+"."+strconv.Itoa(i), name)
		}
	}
}

func (o *requireAny) apply(r *request) (bool, *fhir.Error) {
	for _, item := range *o {
		if r.hasAll(item) {
			return true, nil
		}
	}
	return true, fhir.NewError(http.StatusBadRequest, fhir.IssueRequired,
		"the hospital takes this call only with one of these parameters: "+strings.ReplaceAll(strings.Join(*o, "; "), ",", " and "))
}

func (r *request) hasAll(combination string) bool {
	for name := range strings.SplitSeq(combination, ",") {
		if !r.params.has(name) {
			return false
		}
	}
	return true
}

// once refuses a call that gives one of the listed parameters twice. Repeats
// are not joined by commas, because that would turn "and" into "or"
// (https://hl7.org/fhir/R4/search.html#combining).
type once []string

func (o *once) check(doc *strict.Document, place string) { checkNames(doc, place, *o) }

func (o *once) apply(r *request) (bool, *fhir.Error) {
	for _, name := range *o {
		first := slices.IndexFunc(r.params, func(p param) bool { return p.is(name) })
		if first >= 0 && slices.ContainsFunc(r.params[first+1:], func(p param) bool { return p.is(name) }) {
			return true, fhir.NewError(http.StatusBadRequest, fhir.IssueNotSupported,
				"the hospital takes the parameter "+name+" only once; values of which any may match are joined by commas")
		}
	}
	return true, nil
}

// exclusive refuses a call that has more than one of the listed parameters.
type exclusive []string

func (o *exclusive) check(doc *strict.Document, place string) {
	checkNames(doc, place, *o)
	if len(*o) == 1 {
		doc.Fail(place, "must name two parameters or more: which of them exclude each other")
	}
}

func (o *exclusive) apply(r *request) (bool, *fhir.Error) {
	var given []string
	for _, name := range *o {
		if r.params.has(name) {
			given = append(given, name)
		}
	}
	if len(given) > 1 {
		return true, fhir.NewError(http.StatusBadRequest, fhir.IssueNotSupported,
			"the hospital takes only one of these parameters in a call: "+strings.Join(given, ", "))
	}
	return true, nil
}
