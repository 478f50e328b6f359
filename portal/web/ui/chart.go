package ui

import (
	"fmt"
	"reflect"
)

// Chart is a picture of numbers by day: stacked bars, one colour a series. The
// page holds it as a table, which app.js draws with uPlot.
type Chart struct {
	// Days are in ISO form, oldest first, without gaps.
	Days []string
	// Series are drawn from the bottom up.
	Series []Series
}

// Series is one colour of a chart.
type Series struct {
	Name string
	// Tone is the colour: ok, warn, bad, info or quiet.
	Tone string
	// Values has one number for each day.
	Values []int64
}

// chart is what the component shows.
type chart struct {
	ID, Title string
	Chart     Chart
	Total     int64
}

// newChart makes the component; a series without a value for each day is an
// error.
func newChart(id, title string, data Chart) (chart, error) {
	made := chart{ID: "chart-" + id, Title: title, Chart: data}
	for _, series := range data.Series {
		if len(series.Values) != len(data.Days) {
			return chart{}, fmt.Errorf("chart %s: %d values for %d days", id, len(series.Values), len(data.Days))
		}
		if err := checkTone(series.Tone); err != nil {
			return chart{}, fmt.Errorf("chart %s: %w", id, err)
		}
		for _, value := range series.Values {
			made.Total += value
		}
	}
	return made, nil
}

// bars are amounts side by side.
type bars struct {
	Title string
	Items []bar
}

type bar struct {
	Name    string
	Calls   int64
	Percent int
}

// newBars takes a slice of structs with Name and Calls.
func newBars(title string, counts any) (bars, error) {
	made := bars{Title: title}
	items := reflect.ValueOf(counts)
	if !items.IsValid() {
		return made, nil
	}
	if items.Kind() != reflect.Slice {
		return bars{}, fmt.Errorf("bars: %T is no slice", counts)
	}
	var most int64
	for i := range items.Len() {
		name, calls := items.Index(i).FieldByName("Name"), items.Index(i).FieldByName("Calls")
		if !name.IsValid() || !calls.IsValid() || !calls.CanInt() {
			return bars{}, fmt.Errorf("bars: %s has no Name and Calls", items.Index(i).Type())
		}
		made.Items = append(made.Items, bar{Name: fmt.Sprint(name.Interface()), Calls: calls.Int()})
		most = max(most, calls.Int())
	}
	for i := range made.Items {
		share, err := percent(made.Items[i].Calls, most)
		if err != nil {
			return bars{}, err
		}
		made.Items[i].Percent = share
	}
	return made, nil
}

// level is how much of a limit is used.
type level struct {
	Label       string
	Used, Limit any
	Percent     int
	Tone        string
}

// newLevel shows used of limit; a limit of nothing is no limit.
func newLevel(label string, used, limit any) (level, error) {
	share, err := percent(used, limit)
	if err != nil {
		return level{}, fmt.Errorf("level: %w", err)
	}
	made := level{Label: label, Used: used, Limit: limit, Percent: share, Tone: "ok"}
	switch {
	case share >= 100:
		made.Tone = "bad"
	case share >= 80:
		made.Tone = "warn"
	}
	return made, nil
}
