package transforms

import (
	"reflect"
	"strings"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// step is one item of a rule's do: exactly one of its fields. The fields are
// the vocabulary of the format; vendor.schema.json has the same.
type step struct {
	DayRange   *dayRange   `yaml:"param.dayRange"`
	RequireAny *requireAny `yaml:"param.requireAny"`
	Once       *once       `yaml:"param.once"`
	Exclusive  *exclusive  `yaml:"param.exclusive"`
	Cap        *limit      `yaml:"param.cap"`
	Default    *preset     `yaml:"param.default"`
	Set        *paramSet   `yaml:"param.set"`
	Add        *paramAdd   `yaml:"param.add"`
	Drop       *drop       `yaml:"param.drop"`
	Rename     *rename     `yaml:"param.rename"`
	HeaderSet  *headerSet  `yaml:"header.set"`
	HeaderDrop *headerDrop `yaml:"header.drop"`
	SearchPost *searchPost `yaml:"search.post"`
	SearchGet  *searchGet  `yaml:"search.get"`
	Split      *split      `yaml:"search.split"`
	Alternate  *route      `yaml:"alternate"`
}

// operation is what a step does.
type operation interface {
	// check tells what is wrong with the operation as it stands at place.
	check(doc *strict.Document, place string)

	// apply changes r or refuses it. It reports whether it changed something
	// or made a demand.
	apply(r *request) (touched bool, refusal *fhir.Error)
}

// step returns the operation of s, or nil when it has none to use.
func (c *compiler) step(s *step, place string) operation {
	var (
		found operation
		names []string
	)
	fields := reflect.ValueOf(s).Elem()
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Tag.Get("yaml")
		if !c.doc.Has(place + "." + name) {
			continue
		}
		names = append(names, name)
		if fields.Field(i).IsNil() {
			c.doc.Fail(place+"."+name, "says nothing")
			continue
		}
		found = fields.Field(i).Interface().(operation)
		found.check(c.doc, place+"."+name)
	}
	switch {
	case len(names) > 1:
		c.doc.Fail(place, "holds %s: give each operation an item of its own, because their order counts", strings.Join(names, " and "))
	case len(names) == 0 && c.decoded:
		c.doc.Fail(place, "holds no operation")
	}
	return found
}
