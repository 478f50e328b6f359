// Package alternate turns the answer of a vendor's own API into a FHIR
// searchset, for searches that the vendor's FHIR does not have.
package alternate

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// MaxBundle is how many bytes a Bundle may become: a long template for short
// items must not make much of little.
const MaxBundle = 32 << 20

// Answer says how the vendor's JSON is read. Paths are those of gjson
// (https://github.com/tidwall/gjson/blob/master/SYNTAX.md) without modifiers.
type Answer struct {
	Items    string   `yaml:"items"`    // list of what becomes a resource each; default: the answer itself
	Next     string   `yaml:"next"`     // URL of the next page, or a path below the host; default: there is one page
	Resource Template `yaml:"resource"` // made of each item
}

// Check tells what is wrong with the answer as it stands at place.
func (a *Answer) Check(doc *strict.Document, place string) {
	for key, path := range map[string]string{"items": a.Items, "next": a.Next} {
		if path != "" && !validPath(path) {
			doc.Fail(place+"."+key, "%s", errPath)
		}
	}
	if !fhir.IsResourceType(a.Type()) {
		doc.Fail(place+".resource", "must be a resource whose resourceType is a text of R4, such as Appointment")
	}
}

// Type returns the type of the resources, or "" when it is not told.
func (a *Answer) Type() string { return a.Resource.typ }

// Reads returns the names of the vars in the template.
func (a *Answer) Reads() []string { return a.Resource.vars }

// Map returns the searchset Bundle that an answer stands for
// (https://hl7.org/fhir/R4/bundle.html#searchset). vars are those of the
// route; zone is the hospital's. The error names the element at fault, and no
// value.
func (a *Answer) Map(answer []byte, vars map[string]string, zone *time.Location) ([]byte, error) {
	if !json.Valid(answer) {
		return nil, errors.New("the answer is not well-formed JSON")
	}
	root := gjson.ParseBytes(answer)
	items := root
	if a.Items != "" {
		items = root.Get(a.Items)
	}
	if !items.IsArray() {
		return nil, errors.New("the answer has no list of items")
	}
	out := []byte(`{"resourceType":"Bundle","type":"searchset"`)
	if next := a.next(root); next != "" {
		out = append(out, `,"link":[{"relation":"next","url":`...)
		out = append(gjson.AppendJSONString(out, next), `}]`...)
	}
	e := env{vars: vars, zone: zone}
	separator := `,"entry":[`
	index := 0
	var err error
	items.ForEach(func(_, item gjson.Result) bool {
		out = append(append(out, separator...), `{"resource":`...)
		separator = `,`
		if !item.IsObject() {
			err = errors.New("is not an object")
		} else if out, _, err = a.Resource.root.write(out, item, &e); err == nil && len(out) > MaxBundle {
			err = errors.New("makes the Bundle longer than " + strconv.Itoa(MaxBundle) + " bytes")
		}
		if err != nil {
			err = fmt.Errorf("item %d %w", index, err)
			return false
		}
		out = append(out, `,"search":{"mode":"match"}}`...)
		index++
		return true
	})
	if err != nil {
		return nil, err
	}
	if index > 0 {
		out = append(out, ']')
	}
	return append(out, '}'), nil
}

func (a *Answer) next(root gjson.Result) string {
	if a.Next == "" {
		return ""
	}
	return root.Get(a.Next).Str
}

var (
	errPath     = errors.New("must be a path of gjson without modifiers ('@…') and literals ('!…')")
	foreignPath = regexp.MustCompile(`(^|[.|\[{,])[@!]|^\.\.|[{}]`)
)

// validPath refuses what gjson would take for more than a path.
func validPath(path string) bool { return path != "" && !foreignPath.MatchString(path) }
