package page

import (
	"fhirgate/portal/store"
	"fhirgate/portal/web/ui"
)

// CallsChart draws how the calls of each day ended.
func CallsChart(usage store.Usage) ui.Chart {
	days := len(usage.Days)
	chart := ui.Chart{Days: make([]string, days), Series: []ui.Series{
		{Name: "Answered", Tone: "ok", Values: make([]int64, days)},
		{Name: "Refused (4xx)", Tone: "warn", Values: make([]int64, days)},
		{Name: "Failed (5xx)", Tone: "bad", Values: make([]int64, days)},
	}}
	for i, day := range usage.Days {
		chart.Days[i] = string(day.Day)
		chart.Series[0].Values[i] = day.OK
		chart.Series[1].Values[i] = day.ClientErrors
		chart.Series[2].Values[i] = day.ServerErrors
	}
	return chart
}
