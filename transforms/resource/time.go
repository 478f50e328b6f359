package resource

import (
	"time"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// timeEnsure gives a date the time at which its day begins or ends in the
// hospital's zone, to the second. A year or a month is refused in a body, for
// nobody knows the day, and stays in an answer.
type timeEnsure struct {
	lossy

	Path path   `yaml:"path"`
	At   string `yaml:"at"` // start or end of the day
}

// Check implements Operation.
func (o *timeEnsure) Check(doc *strict.Document, place string) {
	o.Path.check(doc, place+".path")
	if o.At != "start" && o.At != "end" {
		doc.Fail(place+".at", "must be start or end")
	}
}

// Paths implements Operation.
func (o *timeEnsure) Paths() []tree.Path { return []tree.Path{o.Path.Path} }

// Apply implements Operation.
func (o *timeEnsure) Apply(r *Resource) (changed bool, err *fhir.Error) {
	o.Path.Each(r.Doc, r.Node, func(n tree.Node) bool {
		begin, end, precision := period(r.Doc.Text(n), r.Call.Zone)
		switch precision {
		case ofDay:
			at := begin
			if o.At == "end" {
				at = end.Add(-time.Second)
			}
			r.Doc.SetString(n, at.Format(time.RFC3339))
			changed = true
		case ofMore:
			if !r.Call.Answer {
				err = r.refuse(n, fhir.IssueValue, "must have a day: the hospital takes dates with a time only")
			}
		}
		return err == nil
	})
	return changed, err
}

// precision is how exact a dateTime is.
type precision uint8

const (
	ofNone precision = iota // no dateTime
	ofTime
	ofDay
	ofMore // a month or a year
)

// period returns the instants at which a dateTime begins and ends
// (https://hl7.org/fhir/R4/datatypes.html#dateTime). Dates are those of zone.
func period(text string, zone *time.Location) (begin, end time.Time, _ precision) {
	var (
		layout        string
		years, months int
		days          int
		of            = ofMore
	)
	switch len(text) {
	case len("2006"):
		layout, years = "2006", 1
	case len("2006-01"):
		layout, months = "2006-01", 1
	case len(time.DateOnly):
		layout, days, of = time.DateOnly, 1, ofDay
	default:
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return at, at, ofNone
		}
		return at, at, ofTime
	}
	first, err := time.Parse(layout, text)
	if err != nil {
		return first, first, ofNone
	}
	return Midnight(first, zone), Midnight(first.AddDate(years, months, days), zone), of
}

// Midnight returns the instant at which a day begins in zone; day is its
// midnight in UTC. Where clocks are put forward at midnight the day begins
// with the next hour, and where they are put back over it, the first time.
func Midnight(day time.Time, zone *time.Location) time.Time {
	const most = 26 * time.Hour // no zone is further from UTC, a change of its clocks included
	var (
		begin time.Time
		found bool
	)
	for _, near := range []time.Time{day.Add(-most), day.Add(most)} {
		_, offset := near.In(zone).Zone()
		at := day.Add(-time.Duration(offset) * time.Second).In(zone)
		if _, there := at.Zone(); there == offset && (!found || at.Before(begin)) {
			begin, found = at, true
		}
	}
	if !found { // no clock shows it
		_, begin = day.Add(-most).In(zone).ZoneBounds()
	}
	return begin
}
