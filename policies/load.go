package policies

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"

	"fhirgate/internal/strict"
)

// file is the part of Tyk's policy format that a plan may use. What is not
// listed is refused, because it would promise something that the gateway does
// not do: its limits and rights are decided in its own stages.
type file struct {
	Schema           string            `yaml:"$schema"` // for editors
	ID               string            `yaml:"id"`
	Name             string            `yaml:"name"`
	OrgID            string            `yaml:"org_id"`
	Active           bool              `yaml:"active"`
	IsInactive       bool              `yaml:"is_inactive"`
	Rate             float64           `yaml:"rate"`
	Per              float64           `yaml:"per"`
	QuotaMax         int64             `yaml:"quota_max"`
	QuotaRenewalRate int64             `yaml:"quota_renewal_rate"`
	Tags             []string          `yaml:"tags"`
	AccessRights     map[string]access `yaml:"access_rights"`
	MetaData         struct {
		Fhirgate *meta `yaml:"fhirgate"`
	} `yaml:"meta_data"`
}

type access struct {
	APIID    string   `yaml:"api_id"`
	APIName  string   `yaml:"api_name"`
	Versions []string `yaml:"versions"`
}

// Read reads every plan of dir in fsys (*.json). That there is none is a problem,
// too.
func Read(fsys fs.FS, dir string) strict.Folder[*Plan] {
	folder := strict.ReadFolder(fsys, dir, ".json", "", func(file string, data []byte) (*Plan, string, strict.Problems) {
		plan, problems := Parse(file, data)
		return plan, plan.ID, problems
	})
	if len(folder.Right)+len(folder.Problems) == 0 {
		folder.Problems = strict.Problems{{File: dir, Text: "holds no plan (*.json); docs/plans.md shows how to write one"}}
	}
	return folder
}

var idPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Parse reads one plan. name is its path: the id must be its last element
// without ".json".
func Parse(name string, data []byte) (*Plan, strict.Problems) {
	var f file
	doc := strict.Decode(name, data, &f)
	f.check(doc, strings.TrimSuffix(path.Base(name), ".json"))
	plan := &Plan{
		ID:          f.ID,
		Name:        f.Name,
		Active:      f.Active && !f.IsInactive,
		Rate:        int(f.Rate),
		Per:         time.Duration(f.Per * float64(time.Second)),
		Quota:       max(f.QuotaMax, 0),
		QuotaPeriod: time.Duration(f.QuotaRenewalRate) * time.Second,
		File:        name,
		Raw:         data,
		doc:         doc,
	}
	if plan.Per == 0 {
		plan.Per = time.Second
	}
	problems := doc.Problems()
	if m := f.MetaData.Fhirgate; m != nil {
		problems = append(problems, m.fill(plan)...)
	}
	if plan.Burst == 0 {
		plan.Burst = plan.Rate
	}
	return plan, problems
}

// check finds what is wrong with a decoded plan. Of one with mistakes that
// decoding found it does not say what is missing: a misspelt key is not.
func (f *file) check(doc *strict.Document, fileID string) {
	decoded := len(doc.Problems()) == 0
	switch {
	case f.ID == "" && !decoded:
	case !idPattern.MatchString(f.ID):
		doc.Fail("id", "must be 1 to 63 of a-z, 0-9 and '-', starting and ending with a letter or digit")
	case f.ID != fileID:
		doc.Fail("id", "must equal the file name, %q", fileID)
	}
	if f.Rate < 0 || f.Rate != float64(int(f.Rate)) {
		doc.Fail("rate", "must be a whole number of cost units, 0 for no limit")
	}
	if f.Per < 0 {
		doc.Fail("per", "must be a number of seconds")
	}
	if f.QuotaMax > 0 && f.QuotaRenewalRate <= 0 {
		doc.Fail("quota_renewal_rate", "must be a number of seconds above 0 when there is a quota_max")
	}
	if decoded {
		f.checkAccess(doc)
	}
	switch m := f.MetaData.Fhirgate; {
	case m != nil:
		m.check(doc, decoded)
	case decoded:
		doc.Fail("meta_data", `must hold "fhirgate" with the hospitals, environments and scopes of the plan`)
	}
}

// checkAccess wants exactly the one access right "fhir": to Tyk an empty list
// means all rights, and a right to another API means nothing here.
func (f *file) checkAccess(doc *strict.Document) {
	right, ok := f.AccessRights["fhir"]
	if !ok || len(f.AccessRights) != 1 || right.APIID != "fhir" {
		doc.Fail("access_rights", `must hold exactly {"fhir": {"api_id": "fhir", "api_name": "fhir", "versions": ["Default"]}}`)
	}
}

// Problem returns a mistake at a place of the plan's file that only shows
// beside other files, such as a hospital that does not exist.
func (p *Plan) Problem(place, format string, args ...any) strict.Problem {
	return p.doc.Problem(place, format, args...)
}
