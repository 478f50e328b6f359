package transforms

import (
	"reflect"
	"strings"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/resource"
)

// step is one item of a rule's do: exactly one of its fields. The fields are
// the vocabulary of the format; vendor.schema.json has the same.
type step struct {
	resource.Step // on the body

	ParamDayRange   *dayRange   `yaml:"param.dayRange"`
	ParamRequireAny *requireAny `yaml:"param.requireAny"`
	ParamOnce       *once       `yaml:"param.once"`
	ParamExclusive  *exclusive  `yaml:"param.exclusive"`
	ParamCap        *limit      `yaml:"param.cap"`
	ParamDefault    *preset     `yaml:"param.default"`
	ParamSet        *paramSet   `yaml:"param.set"`
	ParamAdd        *paramAdd   `yaml:"param.add"`
	ParamDrop       *drop       `yaml:"param.drop"`
	ParamRename     *rename     `yaml:"param.rename"`
	HeaderSet       *headerSet  `yaml:"header.set"`
	HeaderDrop      *headerDrop `yaml:"header.drop"`
	SearchPost      *searchPost `yaml:"search.post"`
	SearchGet       *searchGet  `yaml:"search.get"`
	Split           *split      `yaml:"search.split"`
	Alternate       *route      `yaml:"alternate"`
}

// checked is what every operation has, beside those on resources.
type checked interface {
	// check tells what is wrong with the operation as it stands at place.
	check(doc *strict.Document, place string)
}

// operation is what a step does to a request beside its body.
type operation interface {
	checked

	// apply changes r or refuses it. It reports whether it changed something
	// or made a demand.
	apply(r *request) (touched bool, refusal *fhir.Error)
}

// only returns the one operation that item, a struct of pointers to operations,
// holds, checked, and its place; nil when it has none to use.
func (c *compiler) only(item reflect.Value, place string) (found any, at string) {
	var names []string
	for _, field := range reflect.VisibleFields(item.Type()) {
		name := field.Tag.Get("yaml")
		if name == "" || !c.doc.Has(place+"."+name) {
			continue
		}
		names = append(names, name)
		value := item.FieldByIndex(field.Index)
		if value.IsNil() {
			c.doc.Fail(place+"."+name, "says nothing")
			continue
		}
		found, at = value.Interface(), place+"."+name
		switch o := found.(type) {
		case resource.Operation:
			o.Check(c.doc, at)
		case checked:
			o.check(c.doc, at)
		}
	}
	switch {
	case len(names) > 1:
		c.doc.Fail(place, "holds %s: give each operation an item of its own, because their order counts", strings.Join(names, " and "))
	case len(names) == 0 && c.decoded:
		c.doc.Fail(place, "holds no operation")
	}
	return found, at
}
