package transforms

import (
	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// searchPost makes a search a POST _search, whose parameters are a form body
// (https://hl7.org/fhir/R4/http.html#search). A compartment search has no such
// form in R4 and stays a GET.
type searchPost struct{}

func (*searchPost) check(*strict.Document, string) {}

func (*searchPost) apply(r *request) (bool, *fhir.Error) {
	return r.turn(true), nil
}

// searchGet makes a POST _search a GET. It writes what may be patient data
// into a URL, so a route must allow it; see Vendor.SearchesInURL.
type searchGet struct{}

func (*searchGet) check(*strict.Document, string) {}

func (*searchGet) apply(r *request) (bool, *fhir.Error) {
	return r.turn(false), nil
}

// turn makes the parameters of a search a form body, or a query. It reports
// whether they were the other.
func (r *request) turn(form bool) bool {
	if !r.searches() || r.call.Compartment || r.form == form {
		return false
	}
	r.form = form
	return true
}

// searches reports whether the call is a search.
func (r *request) searches() bool {
	return r.call.Interaction == fhir.SearchType || r.call.Interaction == fhir.SearchSystem
}

// SearchesInURL returns the names of the rules for a hospital that write the
// parameters of a POST _search into a URL.
func (v *Vendor) SearchesInURL(hospital string) []string {
	if v == nil {
		return nil
	}
	var names []string
	for _, rule := range v.rules {
		for _, operation := range rule.operations {
			if _, ok := operation.(*searchGet); ok && rule.when.reaches(hospital) {
				names = append(names, rule.name)
			}
		}
	}
	return names
}
