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

// Extend returns the vendor with the rules that a hospital file adds: node is the value of the file's key rules. v may be nil, for a hospital
// without a vendor; then name names the result in errors.
func (v *Vendor) Extend(name, file string, node *yaml.Node) (*Vendor, strict.Problems) {
	var f fileRules
	doc := strict.DecodeNode(file, "rules", node, &f)
	extended := &Vendor{Name: name, File: file}
	if v != nil {
		*extended = *v
		extended.rules, extended.answers, extended.vars = slices.Clip(v.rules), slices.Clip(v.answers), slices.Clip(v.vars)
	}
	vendors := len(extended.rules)
	c := compiler{doc: doc, vendor: extended, decoded: len(doc.Problems()) == 0}
	if c.decoded && len(f.Request)+len(f.Response) == 0 {
		doc.Fail("", "holds no rule: leave it out")
	}
	c.rules(f.Request, f.Response, "")
	extended.rules = slices.Concat(extended.rules[vendors:], extended.rules[:vendors])
	return extended, doc.Problems()
}
