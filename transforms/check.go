package transforms

import (
	"regexp"
	"strconv"

	"fhirgate/internal/strict"
)

// assignment is the form of the operations that give a name a value.
type assignment struct {
	Name  string `yaml:"name"`
	Value value  `yaml:"value"`
}

// checkParam tells whether a is complete and names a parameter.
func (a *assignment) checkParam(doc *strict.Document, place string) {
	checkName(doc, place+".name", a.Name)
	a.checkValue(doc, place)
}

func (a *assignment) checkValue(doc *strict.Document, place string) {
	if a.Value == (value{}) {
		doc.Fail(place+".value", "must be a text or {var: name}, and not empty")
	}
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// checkName tells whether name can be that of a search parameter.
func checkName(doc *strict.Document, place, name string) {
	if !namePattern.MatchString(name) {
		doc.Fail(place, "must be the name of a parameter without its modifier: letters, digits, '-' and '_'")
	}
}

// checkNames tells whether names are those of search parameters.
func checkNames(doc *strict.Document, place string, names []string) {
	if len(names) == 0 {
		doc.Fail(place, "names no parameter")
	}
	for i, name := range names {
		checkName(doc, place+"."+strconv.Itoa(i), name)
	}
}
