package transforms

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"fhirgate/internal/strict"
)

// fileRules is the form of the rules that a hospital file adds. They stand
// between the caller and the vendor's.
type fileRules struct {
	Request  []fileRule   `yaml:"request"`  // before the vendor's
	Response []fileAnswer `yaml:"response"` // behind the vendor's
}

// Extend returns the vendor with the rules that the file of the hospital site
// adds: node is the value of its key rules. v may be nil, for a hospital without
// a vendor. CheckHospitals of what is returned looks at the added rules alone.
func (v *Vendor) Extend(site, file string, node *yaml.Node) (*Vendor, strict.Problems) {
	var f fileRules
	doc := strict.DecodeNode(file, "rules", node, &f)
	extended := &Vendor{File: file}
	if v != nil {
		*extended = *v
		extended.rules, extended.answers, extended.vars = slices.Clip(v.rules), slices.Clip(v.answers), slices.Clip(v.vars)
	}
	extended.site, extended.hospitals = site, nil // those of the vendor stand in its file
	vendors, answers := len(extended.rules), len(extended.answers)
	c := compiler{doc: doc, vendor: extended, decoded: len(doc.Problems()) == 0}
	if c.decoded && len(f.Request)+len(f.Response) == 0 {
		doc.Fail("", "holds no rule: leave it out")
	}
	c.rules(f.Request, f.Response)
	for _, r := range extended.rules[vendors:] {
		extended.own = append(extended.own, r.name)
	}
	for _, r := range extended.answers[answers:] {
		extended.own = append(extended.own, r.name)
	}
	extended.rules = slices.Concat(extended.rules[vendors:], extended.rules[:vendors])
	return extended, doc.Problems()
}
