package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// search is the part of a query that selects resources. Criteria are joined by and, the values of one by or.
type search struct {
	typ      string
	criteria []criterion
	unknown  []string // parameters that the type does not have
	zone     *time.Location
	loose    bool // identifiers also match by type.text as their system, and without the spaces that pad their value
}

// criterion is one search parameter with its values.
type criterion struct {
	name, modifier string
	param
	values []string
	dates  []dateCriterion // of values, when they are dates
}

// badValue is the error of a search parameter whose value can't be read. It names the parameter alone.
type badValue struct{ name string }

func (e badValue) Error() string {
	return fmt.Sprintf("sandbox: invalid value of parameter %s", e.name)
}

// parseSearch reads the parameters of a search, leaving out those whose name is in control. An unreadable date is a badValue.
func parseSearch(typ string, form url.Values, control []string, zone *time.Location) (search, error) {
	s := search{typ: typ, zone: zone}
	for _, full := range sortedKeys(form) {
		name, modifier, _ := strings.Cut(full, ":")
		if slices.Contains(control, name) {
			continue
		}
		p, ok := lookupParam(typ, name)
		if !ok {
			s.unknown = append(s.unknown, full)
			continue
		}
		if p.kind == kindReference && isResourceType(modifier) { // subject:Patient=1
			p.target, modifier = modifier, ""
		}
		for _, value := range form[full] {
			c := criterion{name: name, modifier: modifier, param: p, values: strings.Split(value, ",")}
			if p.kind == kindDate && modifier != "missing" {
				for _, v := range c.values {
					d, err := parseDateCriterion(v, zone)
					if err != nil {
						return s, badValue{full}
					}
					c.dates = append(c.dates, d)
				}
			}
			s.criteria = append(s.criteria, c)
		}
	}
	return s, nil
}

// run returns the newest versions of the type's resources that meet all criteria.
func (s search) run(t *tx) []version {
	var found []version
	for _, v := range t.all(s.typ) {
		if s.matches(v) {
			found = append(found, v)
		}
	}
	return found
}

func (s search) matches(v version) bool {
	for _, c := range s.criteria {
		if !s.meets(c, v) {
			return false
		}
	}
	return true
}

func (s search) meets(c criterion, v version) bool {
	if c.name == "_id" { // most frequent, and known without reading the resource
		return slices.Contains(c.values, v.id)
	}
	elements := elementsOf(v.raw, c.paths)
	if c.modifier == "missing" {
		return (len(elements) == 0) == (c.values[0] == "true")
	}
	hit := slices.ContainsFunc(elements, func(element gjson.Result) bool { return s.hits(c, element) })
	return hit != (c.modifier == "not")
}

// hits tells whether one element of a resource has one of a criterion's values.
func (s search) hits(c criterion, element gjson.Result) bool {
	if c.kind == kindDate {
		at, ok := spanOf(element, s.zone)
		return ok && slices.ContainsFunc(c.dates, func(d dateCriterion) bool { return d.matches(at) })
	}
	return slices.ContainsFunc(c.values, func(value string) bool {
		switch c.kind {
		case kindToken:
			return s.hasToken(element, value)
		case kindReference:
			return refers(element.Get("reference").Str, value, c.target)
		default:
			return hasWords(element.Str, value, c.modifier)
		}
	})
}

// hasToken compares a code, boolean, Coding, CodeableConcept, Identifier or ContactPoint with `code`, `system|code`, `|code` or `system|`.
func (s search) hasToken(element gjson.Result, want string) bool {
	if coding := element.Get("coding"); coding.IsArray() {
		return slices.ContainsFunc(coding.Array(), func(c gjson.Result) bool { return s.hasToken(c, want) })
	}
	system, code, typeText := "", element.String(), ""
	if element.IsObject() {
		system, code = element.Get("system").Str, element.Get("code").Str
		if code == "" {
			code = element.Get("value").Str
		}
		if s.loose {
			code, typeText = strings.TrimSpace(code), element.Get("type.text").Str
		}
	}
	wantSystem, wantCode, qualified := strings.Cut(want, "|")
	if !qualified {
		return code == want
	}
	return (wantSystem == system || s.loose && wantSystem == typeText) && (wantCode == "" || wantCode == code)
}

// refers compares a literal reference with `id`, `Type/id` or an absolute one.
func refers(literal, want, target string) bool {
	typ, id := lastTwo(literal)
	wantType, wantID := lastTwo(want)
	if wantType == "" {
		wantType = target
	}
	return id == wantID && (wantType == "" || wantType == typ) && (target == "" || target == typ)
}

// lastTwo returns the last two segments of a reference, its type and id.
func lastTwo(literal string) (typ, id string) {
	segments := strings.Split(literal, "/")
	id = segments[len(segments)-1]
	if len(segments) > 1 {
		typ = segments[len(segments)-2]
	}
	return typ, id
}

func hasWords(have, want, modifier string) bool {
	switch modifier {
	case "exact":
		return have == want
	case "contains":
		return strings.Contains(strings.ToLower(have), strings.ToLower(want))
	default:
		return len(have) >= len(want) && strings.EqualFold(have[:len(want)], want)
	}
}

// elementsOf returns the elements at paths, arrays opened at any depth.
func elementsOf(raw []byte, paths []string) []gjson.Result {
	var elements []gjson.Result
	var open func(gjson.Result)
	open = func(r gjson.Result) {
		switch {
		case r.IsArray():
			r.ForEach(func(_, item gjson.Result) bool { open(item); return true })
		case r.Exists():
			elements = append(elements, r)
		}
	}
	for _, path := range paths {
		open(gjson.GetBytes(raw, path))
	}
	return elements
}

// formOf returns the parameters of a search: the query's and, for POST _search, the form's.
func formOf(r *http.Request) (url.Values, error) {
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			return nil, fmt.Errorf("sandbox: form: %w", err)
		}
		return r.Form, nil
	}
	form, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("sandbox: query: %w", err)
	}
	return form, nil
}

func isForm(header http.Header) bool {
	return strings.HasPrefix(header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

func sortedKeys(form url.Values) []string {
	keys := make([]string, 0, len(form))
	for key := range form {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
