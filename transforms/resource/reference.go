package resource

import (
	"strings"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// relative writes absolute references to the hospital's own resources as
// relative ones: Patient/e1.
type relative struct {
	oneWay

	Path path `yaml:"path"` // to References, or to their reference
}

// Check implements Operation.
func (o *relative) Check(doc *strict.Document, place string) { o.Path.check(doc, place+".path") }

// Paths implements Operation.
func (o *relative) Paths() []tree.Path { return []tree.Path{o.Path.Path} }

// Apply implements Operation.
func (o *relative) Apply(r *Resource) (changed bool, _ *fhir.Error) {
	visit := func(n tree.Node) bool {
		if local, ok := r.local(r.Doc.Text(n)); ok {
			r.Doc.SetString(n, local)
			changed = true
		}
		return true
	}
	o.Path.Each(r.Doc, r.Node, visit)
	o.Path.EachObject(r.Doc, r.Node, func(n tree.Node) bool { return visit(r.Doc.Get(n, "reference")) })
	return changed, nil
}

// local returns the part of a reference behind the hospital's base, if it
// names a resource there.
func (r *Resource) local(reference string) (local string, ok bool) {
	for _, base := range r.Call.Bases {
		if local, ok = strings.CutPrefix(reference, base+"/"); ok {
			name, _, split := strings.Cut(local, "/")
			return local, split && fhir.IsResourceType(name)
		}
	}
	return "", false
}

// ifMatch asks the hospital to take the body only if it still has the version
// that the body names (https://hl7.org/fhir/R4/http.html#concurrency).
type ifMatch struct{ oneWay }

var versionID = must("meta.versionId")

// Check implements Operation.
func (*ifMatch) Check(*strict.Document, string) {}

// Paths implements Operation: it touches nothing in the body.
func (*ifMatch) Paths() []tree.Path { return nil }

// Apply implements Operation.
func (*ifMatch) Apply(r *Resource) (changed bool, _ *fhir.Error) {
	n := versionID.Find(r.Doc, r.Node)
	if n == tree.None || r.Call.SetHeader == nil || r.Call.Header.Get("If-Match") != "" {
		return false, nil
	}
	version := r.Doc.Text(n)
	if !fhir.IsID(version) {
		return false, r.refuse(n, fhir.IssueValue, "must be the id of a version")
	}
	r.Call.SetHeader("If-Match", `W/"`+version+`"`)
	return true, nil
}
