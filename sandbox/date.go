package sandbox

import (
	"fmt"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// span is the time that a FHIR date, dateTime, instant or Period covers: from low up to, not including, high.
type span struct{ low, high time.Time }

var (
	distantPast   = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	distantFuture = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

// parseSpan reads a date of any precision (https://hl7.org/fhir/R4/datatypes.html#dateTime); one without a zone is in zone.
func parseSpan(value string, zone *time.Location) (span, error) {
	for _, form := range []struct {
		layout string
		end    func(time.Time) time.Time
	}{
		{time.RFC3339, instantEnd(value)},
		{"2006-01-02T15:04Z07:00", func(t time.Time) time.Time { return t.Add(time.Minute) }},
		{"2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }},
		{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
		{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
		{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
		{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
	} {
		if t, err := time.ParseInLocation(form.layout, value, zone); err == nil {
			return span{t, form.end(t)}, nil
		}
	}
	return span{}, fmt.Errorf("sandbox: invalid date")
}

// instantEnd gives an instant with fractions of a second the length of a millisecond, one without the length of a second.
func instantEnd(value string) func(time.Time) time.Time {
	length := time.Second
	if strings.Contains(value, ".") {
		length = time.Millisecond
	}
	return func(t time.Time) time.Time { return t.Add(length) }
}

// dateCriterion is a date parameter's value: a prefix and a span (https://hl7.org/fhir/R4/search.html#date).
type dateCriterion struct {
	prefix string
	span
}

var datePrefixes = []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

// cutPrefix splits a date parameter's value into its prefix, empty when it has none, and its date.
func cutPrefix(value string) (prefix, date string) {
	for _, prefix := range datePrefixes {
		if date, ok := strings.CutPrefix(value, prefix); ok {
			return prefix, date
		}
	}
	return "", value
}

func parseDateCriterion(value string, zone *time.Location) (dateCriterion, error) {
	prefix, date := cutPrefix(value)
	s, err := parseSpan(date, zone)
	return dateCriterion{prefix, s}, err
}

// matches tells whether a resource's span meets the criterion.
func (c dateCriterion) matches(s span) bool {
	within := !s.low.Before(c.low) && !s.high.After(c.high)
	switch c.prefix {
	case "ne":
		return !within
	case "gt":
		return s.high.After(c.high)
	case "lt":
		return s.low.Before(c.low)
	case "ge":
		return s.high.After(c.low)
	case "le":
		return s.low.Before(c.high)
	case "sa":
		return !s.low.Before(c.high)
	case "eb":
		return !s.high.After(c.low)
	case "ap":
		return s.low.Before(c.high) && s.high.After(c.low)
	default:
		return within
	}
}

// spanOf reads a date element or a Period of a resource; false when it holds neither.
func spanOf(element gjson.Result, zone *time.Location) (span, bool) {
	if element.Type == gjson.String {
		s, err := parseSpan(element.Str, zone)
		return s, err == nil
	}
	start, errStart := parseSpan(element.Get("start").Str, zone)
	end, errEnd := parseSpan(element.Get("end").Str, zone)
	if errStart != nil && errEnd != nil {
		return span{}, false
	}
	period := span{distantPast, distantFuture}
	if errStart == nil {
		period.low = start.low
	}
	if errEnd == nil {
		period.high = end.high
	}
	return period, true
}
