package transforms

import (
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/resource"
)

// file is the form of a vendor file.
type file struct {
	Version int        `yaml:"version"` // of the format; 1
	Vendor  string     `yaml:"vendor"`  // equals the file name
	URL     string     `yaml:"url"`     // FHIR base made of the route's base_url and vars; default: base_url
	Request []fileRule `yaml:"request"` // rules for requests, applied in this order

	Response []fileAnswer `yaml:"response"` // rules for answers, applied in this order
	Limits   Limits       `yaml:"limits"`   // how its systems say that a limit is reached
	Sources  []string     `yaml:"sources"`  // where the facts behind the rules come from, for people
	Unknown  []string     `yaml:"unknown"`  // what the rules do not cover, for people
}

// Limits are a vendor's ways to say that a limit is reached, for hospital files
// that do not say so themselves.
type Limits struct {
	Bare429   string `yaml:"bare_429"`   // as upstream.budget.bare_429 of a hospital file
	QuotaText string `yaml:"quota_text"` // as upstream.budget.quota_text
}

// fileRule is the form of a rule.
type fileRule struct {
	Name   string    `yaml:"name"`   // for people: errors and `fhirgate route` show it
	When   fileWhen  `yaml:"when"`   // default: every call
	Unless *fileWhen `yaml:"unless"` // calls that the rule leaves alone, all of it holding; default: none
	Do     []step    `yaml:"do"`     // operations, applied in this order
}

const testSuffix = "_test.yaml"

var vendorPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Load reads every vendor file of dir in fsys: *.yaml, but not *_test.yaml.
// The map's keys are the vendors' names; it is empty when there is no file.
// When anything is wrong the error is a strict.Problems that lists all
// mistakes of all files.
func Load(fsys fs.FS, dir string) (map[string]*Vendor, error) {
	folder := Read(fsys, dir)
	if err := folder.Problems.Err(); err != nil {
		return nil, err
	}
	return folder.Right, nil
}

// Read is Load for who has a use for the files that are right when others are
// wrong.
func Read(fsys fs.FS, dir string) strict.Folder[*Vendor] {
	return strict.ReadFolder(fsys, dir, ".yaml", testSuffix, func(file string, data []byte) (*Vendor, string, strict.Problems) {
		vendor, problems := Parse(file, data)
		return vendor, vendor.Name, problems
	})
}

// Parse reads one vendor file. name is its path: the vendor must be its last
// element without ".yaml".
func Parse(name string, data []byte) (*Vendor, strict.Problems) {
	var f file
	doc := strict.Decode(name, data, &f)
	vendor := &Vendor{Name: f.Vendor, File: name}
	if len(doc.Problems()) > 0 && f.Version == 0 && f.Vendor == "" {
		return vendor, doc.Problems() // not readable at all: more would be noise
	}
	c := compiler{doc: doc, vendor: vendor, decoded: len(doc.Problems()) == 0}
	c.file(&f, strings.TrimSuffix(path.Base(name), ".yaml"))
	return vendor, doc.Problems()
}

// compiler checks a decoded file and makes its rules.
type compiler struct {
	doc     *strict.Document
	vendor  *Vendor
	decoded bool // decoding found no mistake
}

func (c *compiler) file(f *file, fileName string) {
	if f.Version != 1 {
		c.doc.Fail("version", "must be 1")
	}
	switch {
	case !vendorPattern.MatchString(f.Vendor):
		c.doc.Fail("vendor", "must be 1 to 63 of a-z, 0-9 and '-', starting and ending with a letter or digit")
	case f.Vendor != fileName:
		c.doc.Fail("vendor", "must equal the file name, %q", fileName)
	}
	c.url(f.URL)
	if c.decoded && len(f.Request)+len(f.Response) == 0 && f.URL == "" && f.Limits == (Limits{}) {
		c.doc.Fail("request", "holds no rule")
	}
	if f.Limits.Bare429 != "" && f.Limits.Bare429 != "until-minute" {
		c.doc.Fail("limits.bare_429", "must be until-minute")
	}
	c.vendor.Limits, c.vendor.Sources, c.vendor.Unknown = f.Limits, f.Sources, f.Unknown
	c.rules(f.Request, f.Response)
}

// rules checks the rules of the document and adds them.
func (c *compiler) rules(request []fileRule, response []fileAnswer) {
	for i := range request {
		c.rule(&request[i], "request."+strconv.Itoa(i))
	}
	for i := range response {
		c.answerRule(&response[i], "response."+strconv.Itoa(i))
	}
	for _, r := range c.vendor.answers {
		c.vendor.answersMayFail = c.vendor.answersMayFail || len(r.success) > 0
		c.vendor.answersAskParams = c.vendor.answersAskParams || len(r.when.params) > 0 || r.unless != nil && len(r.unless.params) > 0
	}
}

// ruleName checks the name of the rule at place.
func (c *compiler) ruleName(name, place string) {
	switch {
	case name == "":
		c.doc.Fail(place+".name", "is missing: it is what an error shows to the caller")
	case len(name) > 120 || strings.ContainsAny(name, "\r\n\t"):
		c.doc.Fail(place+".name", "must be one line of at most 120 bytes")
	case slices.Contains(c.vendor.Rules(), name):
		c.doc.Fail(place+".name", "another rule has this name")
	}
}

func (c *compiler) rule(f *fileRule, place string) {
	c.ruleName(f.Name, place)
	r := rule{name: f.Name, when: c.condition(place+".when", &f.When), unless: c.unless(place+".unless", f.Unless)}
	if c.decoded && len(f.Do) == 0 {
		c.doc.Fail(place+".do", "holds no operation")
	}
	for i := range f.Do {
		found, at := c.only(reflect.ValueOf(&f.Do[i]).Elem(), place+".do."+strconv.Itoa(i))
		switch o := found.(type) {
		case resource.Operation:
			r.body = append(r.body, o)
			if reader, ok := o.(resource.Reader); ok {
				c.reads(reader.Reads(), r.when)
			}
		case operation:
			r.operations = append(r.operations, o)
			if reader, ok := o.(interface{ reads() []string }); ok {
				c.reads(reader.reads(), r.when)
			}
			if route, ok := o.(*route); ok {
				c.route(route, f, at)
			}
		}
	}
	if len(r.when.where) > 0 && len(r.operations) > 0 {
		c.doc.Fail(place+".when.where", "looks at the body: it goes with operations on the body alone")
	}
	c.vendor.rules = append(c.vendor.rules, r)
}

// interactions are the words that a rule may name.
var interactions = func() []string {
	var words []string
	for _, interaction := range slices.Concat(fhir.TypeInteractions, fhir.SystemInteractions, []fhir.Interaction{fhir.Capabilities, fhir.Operation}) {
		words = append(words, string(interaction))
	}
	return words
}()
