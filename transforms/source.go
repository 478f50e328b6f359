package transforms

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"fhirgate/fhir"
	"fhirgate/transforms/alternate"
	"fhirgate/transforms/resource"
)

// source is where a parameter of an alternate route comes from: a text or a
// var, or a parameter of the search.
type source struct {
	value  value
	param  string
	layout string // of Go; empty = the parameter's value as it is
	repeat bool   // the var is a list joined by commas, of which each item is a parameter of its own
	last   bool   // the last of the days that the search asks for, else the first
}

// UnmarshalYAML reads a text, {var: name}, {var: name, repeat: true},
// {param: name} or {param: name, layout: MM/DD/YYYY, bound: from or to}.
func (s *source) UnmarshalYAML(node *yaml.Node) error {
	form := errors.New("must be a text, {var: name}, {var: name, repeat: true}, {param: name} or {param: name, layout: MM/DD/YYYY, bound: from or to}")
	if node.Kind == yaml.MappingNode && len(node.Content) == 4 && node.Content[0].Value == "var" {
		if node.Content[1].Value == "" || node.Content[2].Value != "repeat" || node.Content[3].Value != "true" {
			return form
		}
		s.value, s.repeat = value{name: node.Content[1].Value}, true
		return nil
	}
	if node.Kind != yaml.MappingNode || len(node.Content) > 0 && node.Content[0].Value == "var" {
		if s.value.UnmarshalYAML(node) != nil || s.value == (value{}) {
			return form
		}
		return nil
	}
	var given map[string]string
	if node.Decode(&given) != nil || given["param"] == "" {
		return form
	}
	s.param = given["param"]
	if len(given) == 1 {
		return nil
	}
	if len(given) != 3 || given["bound"] != "from" && given["bound"] != "to" {
		return form
	}
	s.last = given["bound"] == "to"
	var err error
	s.layout, err = alternate.Layout(given["layout"])
	if err == nil && strings.Contains(s.layout, "15") {
		err = errors.New("the layout must be that of a day")
	}
	return err
}

// bare reports whether the caller's own text goes into the URL.
func (s source) bare() bool { return s.param != "" && s.layout == "" }

// of returns the value for a search; empty = none.
func (s source) of(r *request) (string, *fhir.Error) {
	switch {
	case s.param == "":
		return s.value.of(r.call.Vars)
	case s.layout == "":
		for _, p := range r.params {
			if p.name == s.param {
				return p.value(), nil
			}
		}
		return "", nil
	}
	days, ok := r.params.days(s.param, r.call.Zone)
	day := days.first
	if s.last {
		day = days.last
	}
	if !ok || day.IsZero() {
		return "", fhir.NewError(http.StatusBadRequest, fhir.IssueRequired,
			"the hospital wants a day in the parameter "+s.param+", such as 2026-11-22, or whole days from one to another with ge and lt")
	}
	return day.Format(s.layout), nil
}

// days are the first and the last of the days that a search asks for, each at
// midnight in UTC; zero = open.
type days struct{ first, last time.Time }

// days returns the whole days that the values of a date parameter ask for
// together. It is not ok when they ask for anything else.
func (ps params) days(name string, zone *time.Location) (out days, ok bool) {
	for _, p := range ps {
		if p.name != name {
			continue
		}
		prefix, date := cutPrefix(p.value())
		first, last, ok := wholeDays(date, zone)
		if !ok {
			return days{}, false
		}
		instant := last.Before(first)
		switch {
		case prefix == "ge":
			last = time.Time{}
		case prefix == "lt":
			first, last = time.Time{}, first.AddDate(0, 0, -1)
		case instant: // of which the other prefixes are no whole days
			return days{}, false
		case prefix == "gt":
			first, last = last.AddDate(0, 0, 1), time.Time{}
		case prefix == "le":
			first = time.Time{}
		case prefix != "" && prefix != "eq":
			return days{}, false
		}
		if first.After(out.first) {
			out.first = first
		}
		if !last.IsZero() && (out.last.IsZero() || last.Before(out.last)) {
			out.last = last
		}
	}
	return out, true
}

// wholeDays returns the first and the last day of a day, a month or a year. For
// an instant at which a day of zone begins the last day is the one before.
func wholeDays(date string, zone *time.Location) (first, last time.Time, ok bool) {
	for _, form := range dateForms {
		if first, err := time.Parse(form.layout, date); err == nil && first.Year() > 0 {
			return first, first.AddDate(form.years, form.months, form.days-1), true
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		at, err := time.Parse(layout, date)
		if err != nil {
			continue
		}
		local := at.In(zone)
		day := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
		return day, day.AddDate(0, 0, -1), at.Equal(resource.Midnight(day, zone))
	}
	return first, last, false
}
