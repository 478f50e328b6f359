package sandbox

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

func TestDateCriteria(t *testing.T) {
	zone := chicago(t)
	const morning = `"2026-11-22T09:00:00-06:00"`
	cases := []struct {
		criterion, element string
		want               bool
	}{
		{"2026-11-22", morning, true},
		{"2026-11", morning, true},
		{"2026", morning, true},
		{"2026-11-21", morning, false},
		{"eq2026-11-22T15:00:00Z", morning, true},
		{"2026-11-22T15:00Z", morning, true},
		{"2026-11-22T09:00", morning, true},
		{"ge2026-11-22T15:00:00Z", morning, true},
		{"ge2026-11-22T15:00:01Z", morning, false},
		{"gt2026-11-22", morning, false},
		{"gt2026-11-21", morning, true},
		{"lt2026-11-22T15:00:00Z", morning, false},
		{"lt2026-11-22T15:00:01Z", morning, true},
		{"le2026-11-22", morning, true},
		{"le2026-11-21", morning, false},
		{"ne2026-11-22", morning, false},
		{"ne2026-11-21", morning, true},
		{"sa2026-11-21", morning, true},
		{"eb2026-11-23", morning, true},
		{"ap2026-11-22", morning, true},
		{"2026-11-22", `"2026-11-23T05:59:59Z"`, true},  // still the 22nd in Chicago
		{"2026-11-22", `"2026-11-23T06:00:00Z"`, false}, // already the 23rd
		{"2026-11-22", `{"start":"2026-11-22T09:00:00-06:00"}`, false},
		{"ge2026-11-22", `{"start":"2026-11-22T09:00:00-06:00"}`, true},
		{"lt2026-11-23", `{"start":"2026-11-22T09:00:00-06:00"}`, true},
		{"2026-11-22", `{"start":"2026-11-22","end":"2026-11-22"}`, true},
		{"lt2026-11-22", `{"end":"2026-11-21"}`, true},
		{"2026-11-22", `{}`, false},
	}
	for _, test := range cases {
		t.Run(test.criterion+" "+test.element, func(t *testing.T) {
			criterion, err := parseDateCriterion(test.criterion, zone)
			require.NoError(t, err)
			at, ok := spanOf(gjson.Parse(test.element), zone)
			require.Equal(t, test.want, ok && criterion.matches(at))
		})
	}
}

func FuzzParseSpan(f *testing.F) {
	for _, value := range []string{"2026", "2026-11", "2026-11-22", "2026-11-22T09:00:00-06:00", "2026-11-22T09:00:00.123Z", "x", ""} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		s, err := parseSpan(value, time.UTC)
		if err == nil && !s.low.Before(s.high) {
			t.Errorf("%q covers no time", value)
		}
	})
}
