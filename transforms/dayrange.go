package transforms

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/resource"
)

// dayRange writes a day, month or year of a date parameter as instants in UTC,
// from its begin to its end in the hospital's time zone. Values with a time
// pass unchanged, as do the prefixes that no pair of instants can stand for
// (ne, sa, eb, ap).
type dayRange struct {
	Name string `yaml:"name"`
}

func (o *dayRange) check(doc *strict.Document, place string) {
	checkName(doc, place+".name", o.Name)
}

func (o *dayRange) apply(r *request) (touched bool, _ *fhir.Error) {
	out := make(params, 0, len(r.params)+1)
	for _, p := range r.params {
		if p.name != o.Name {
			out = append(out, p)
			continue
		}
		limits, refusal := o.limits(p.value(), r.call.Zone)
		if refusal != nil {
			return true, refusal
		}
		if limits == nil {
			out = append(out, p)
			continue
		}
		touched = true
		for _, limit := range limits {
			out = append(out, newParam(o.Name, limit))
		}
	}
	r.params = out
	r.changed = r.changed || touched
	return touched, nil
}

// limits returns the values that stand for one, or nil when it passes
// unchanged. For the prefixes see https://hl7.org/fhir/R4/search.html#prefix.
func (o *dayRange) limits(value string, zone *time.Location) ([]string, *fhir.Error) {
	items := strings.Split(value, ",")
	if !slices.ContainsFunc(items, func(item string) bool { return item != "" && !strings.Contains(item, "T") }) {
		return nil, nil
	}
	if len(items) > 1 {
		return nil, fhir.NewError(http.StatusBadRequest, fhir.IssueNotSupported,
			"the hospital takes no list of days in the parameter "+o.Name+": ask for one day, or from one to another with ge and lt")
	}
	prefix, day := cutPrefix(value)
	begin, end, ok := period(day, zone)
	if !ok {
		return nil, fhir.NewError(http.StatusBadRequest, fhir.IssueValue,
			"the parameter "+o.Name+" is not a date such as 2026-11-22, with or without a prefix and a time")
	}
	switch prefix {
	case "", "eq":
		return []string{"ge" + begin, "lt" + end}, nil
	case "ge", "lt":
		return []string{prefix + begin}, nil
	case "gt":
		return []string{"ge" + end}, nil
	case "le":
		return []string{"lt" + end}, nil
	default:
		return nil, nil
	}
}

var datePrefixes = []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

func cutPrefix(value string) (prefix, rest string) {
	if len(value) > 2 && slices.Contains(datePrefixes, value[:2]) {
		return value[:2], value[2:]
	}
	return "", value
}

// dateForms are a day, a month and a year, with their lengths
// (https://hl7.org/fhir/R4/datatypes.html#date).
var dateForms = []struct {
	layout              string
	years, months, days int
}{
	{"2006-01-02", 0, 0, 1},
	{"2006-01", 0, 1, 0},
	{"2006", 1, 0, 0},
}

// period returns the instants at which a day, a month or a year of zone begins
// and ends.
func period(date string, zone *time.Location) (begin, end string, ok bool) {
	for _, form := range dateForms {
		first, err := time.Parse(form.layout, date)
		if err != nil {
			continue
		}
		from := resource.Midnight(first, zone).UTC()
		to := resource.Midnight(first.AddDate(form.years, form.months, form.days), zone).UTC()
		if from.Year() < 1 || to.Year() > 9999 {
			return "", "", false // FHIR has no such instants
		}
		return from.Format(time.RFC3339), to.Format(time.RFC3339), true
	}
	return "", "", false
}
