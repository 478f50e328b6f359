package transforms

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// limit lowers a whole number that is greater than Max.
type limit struct {
	Name string `yaml:"name"`
	Max  uint64 `yaml:"max"` // at least 1
}

func (o *limit) check(doc *strict.Document, place string) {
	checkName(doc, place+".name", o.Name)
	if o.Max < 1 {
		doc.Fail(place+".max", "must be a whole number of 1 or more")
	}
}

func (o *limit) apply(r *request) (touched bool, _ *fhir.Error) {
	for i, p := range r.params {
		if p.name != o.Name {
			continue
		}
		number, err := strconv.ParseUint(p.value(), 10, 64)
		if errors.Is(err, strconv.ErrRange) || (err == nil && number > o.Max) {
			r.params[i] = newParam(o.Name, strconv.FormatUint(o.Max, 10))
			r.changed, touched = true, true
		}
	}
	return touched, nil
}

// preset gives a parameter that has no value one.
type preset assignment

func (o *preset) check(doc *strict.Document, place string) { (*assignment)(o).checkParam(doc, place) }

func (o *preset) reads() []string { return o.Value.reads() }

func (o *preset) apply(r *request) (bool, *fhir.Error) {
	if r.params.has(o.Name) {
		return false, nil
	}
	return r.assign(o.Name, o.Value, params.set)
}

// paramSet leaves one parameter of the name, with the value.
type paramSet assignment

func (o *paramSet) check(doc *strict.Document, place string) {
	(*assignment)(o).checkParam(doc, place)
}

func (o *paramSet) reads() []string { return o.Value.reads() }

func (o *paramSet) apply(r *request) (bool, *fhir.Error) {
	return r.assign(o.Name, o.Value, params.set)
}

// paramAdd adds a parameter, also when there is one of the name.
type paramAdd assignment

func (o *paramAdd) check(doc *strict.Document, place string) {
	(*assignment)(o).checkParam(doc, place)
}

func (o *paramAdd) reads() []string { return o.Value.reads() }

func (o *paramAdd) apply(r *request) (bool, *fhir.Error) {
	return r.assign(o.Name, o.Value, func(ps params, name, value string) params {
		return append(ps, newParam(name, value))
	})
}

// assign gives a parameter a value in the manner of how.
func (r *request) assign(name string, v value, how func(ps params, name, value string) params) (bool, *fhir.Error) {
	text, fault := v.of(r.call.Vars)
	if fault != nil {
		return false, fault
	}
	r.params = how(r.params, name, text)
	r.changed = true
	return true, nil
}

// drop removes the listed parameters.
type drop []string

func (o *drop) check(doc *strict.Document, place string) { checkNames(doc, place, *o) }

func (o *drop) apply(r *request) (bool, *fhir.Error) {
	before := len(r.params)
	r.params = slices.DeleteFunc(r.params, func(p param) bool { return slices.ContainsFunc(*o, p.is) })
	touched := len(r.params) < before
	r.changed = r.changed || touched
	return touched, nil
}

// rename gives a parameter another name and keeps its modifier and the bytes
// of its value.
type rename struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

func (o *rename) check(doc *strict.Document, place string) {
	checkName(doc, place+".from", o.From)
	checkName(doc, place+".to", o.To)
	if o.From == o.To && o.From != "" {
		doc.Fail(place+".to", "is the same as from")
	}
}

func (o *rename) apply(r *request) (touched bool, _ *fhir.Error) {
	for i, p := range r.params {
		if !p.is(o.From) {
			continue
		}
		name := o.To + strings.TrimPrefix(p.name, o.From)
		raw := escape(name)
		if at := strings.IndexByte(p.raw, '='); at >= 0 {
			raw += p.raw[at:]
		}
		r.params[i] = param{raw: raw, name: name}
		r.changed, touched = true, true
	}
	return touched, nil
}
