package routes

import (
	"slices"
	"strconv"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// Ways are the ways in that Route.Accept may name: how a caller shows who it is.
// With "+certificate" the call's connection must also carry a client certificate
// that is registered with the caller.
var Ways = []string{
	"api-key", "token", "identity-provider", "certificate",
	"api-key+certificate", "token+certificate", "identity-provider+certificate",
}

// Accepts reports whether the hospital takes callers that came in by way;
// certificate says that they have shown one of their client certificates, too.
func (r *Route) Accepts(way string, certificate bool) bool {
	return len(r.Accept) == 0 || slices.Contains(r.Accept, way) ||
		certificate && slices.Contains(r.Accept, way+"+certificate")
}

// Denial withholds resources from every caller, whatever its scopes, as a
// patient's consent or a law may want it.
type Denial struct {
	Type  string `yaml:"type"`  // resource type, or "*"
	Where string `yaml:"where"` // search parameters that it must match, such as "_security=R"; empty = all of the type
}

func (r *Route) checkCallers(doc *strict.Document) {
	if doc.Has("accept") && len(r.Accept) == 0 {
		doc.Fail("accept", "must name at least one way in; leave it out to take all")
	}
	for i, way := range r.Accept {
		if !slices.Contains(Ways, way) {
			doc.Fail("accept."+strconv.Itoa(i), "%s", strict.Unknown("way in", way, Ways))
		}
	}
	for i, denial := range r.Deny {
		if denial.Type != "*" && !fhir.IsResourceType(denial.Type) {
			doc.Fail("deny."+strconv.Itoa(i)+".type", `must be a resource type of R4, or "*"`)
		}
	}
}
