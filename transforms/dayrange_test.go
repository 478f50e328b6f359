package transforms

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/transforms/resource"
)

func TestDaysBeginWhereTheHospitalIs(t *testing.T) {
	for name, tc := range map[string]struct{ zone, date, begin, end string }{
		"a plain day":                     {"America/Chicago", "2026-11-22", "2026-11-22T06:00:00Z", "2026-11-23T06:00:00Z"},
		"23 hours":                        {"America/Chicago", "2026-03-08", "2026-03-08T06:00:00Z", "2026-03-09T05:00:00Z"},
		"25 hours":                        {"America/Chicago", "2026-11-01", "2026-11-01T05:00:00Z", "2026-11-02T06:00:00Z"},
		"a month with a change":           {"America/Chicago", "2026-03", "2026-03-01T06:00:00Z", "2026-04-01T05:00:00Z"},
		"a year":                          {"America/Chicago", "2026", "2026-01-01T06:00:00Z", "2027-01-01T06:00:00Z"},
		"east of Greenwich":               {"Pacific/Auckland", "2026-11-22", "2026-11-21T11:00:00Z", "2026-11-22T11:00:00Z"},
		"half an hour":                    {"Asia/Kolkata", "2026-11-22", "2026-11-21T18:30:00Z", "2026-11-22T18:30:00Z"},
		"forward at midnight":             {"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		"the day before":                  {"America/Sao_Paulo", "2018-11-03", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
		"back from midnight":              {"America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00Z", "2018-02-19T03:00:00Z"},
		"the 25 hours before":             {"America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"},
		"back over midnight":              {"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		"a day that no clock ever showed": {"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},
		"the first instant":               {"UTC", "0001-01-01", "0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			zone, err := time.LoadLocation(tc.zone)
			require.NoError(t, err)
			begin, end, ok := period(tc.date, zone)
			require.True(t, ok)
			require.Equal(t, tc.begin, begin)
			require.Equal(t, tc.end, end)
		})
	}
}

// TestEveryDayEndsWhereTheNextBegins walks through the days of zones with
// unusual changes of their clocks.
func TestEveryDayEndsWhereTheNextBegins(t *testing.T) {
	for _, name := range []string{"America/Chicago", "America/Sao_Paulo", "America/Havana", "Africa/Cairo", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia"} {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		for day := time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2027; day = day.AddDate(0, 0, 1) {
			begin := resource.Midnight(day, zone)
			onDay := begin.In(zone).Format(time.DateOnly)
			before := begin.Add(-time.Second).In(zone).Format(time.DateOnly)
			require.GreaterOrEqual(t, onDay, day.Format(time.DateOnly), name)
			require.Less(t, before, day.Format(time.DateOnly), name)
		}
	}
}
