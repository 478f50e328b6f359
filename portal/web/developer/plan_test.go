package developer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScopesInWords(t *testing.T) {
	for scope, want := range map[string]allowance{
		"system/Patient.rs":                         {Type: "Patient", What: "read, search"},
		"system/DocumentReference.cruds":            {Type: "DocumentReference", What: "create, read, update, delete, search"},
		"system/*.read":                             {Type: "All types", What: "read, search"},
		"system/Binary.write":                       {Type: "Binary", What: "create, update, delete"},
		"system/Patient.*":                          {Type: "Patient", What: "create, read, update, delete, search"},
		"user/Observation.r?category=laboratory":    {Type: "Observation", What: "read", Only: "for a person who signed in, where category=laboratory"},
		"patient/Observation.s?category=a&status=b": {Type: "Observation", What: "search", Only: "of one patient, where category=a and status=b"},
		"offline_access":                            {Type: "offline_access"},
	} {
		want.Scope = scope
		require.Equal(t, want, allowanceOf(scope))
	}
}

func TestPeriodsInWords(t *testing.T) {
	for length, want := range map[time.Duration]string{
		time.Second: "a second", time.Minute: "a minute", time.Hour: "an hour", 24 * time.Hour: "a day", 7 * 24 * time.Hour: "a week", 2 * time.Hour: "",
	} {
		require.Equal(t, want, period(length).Word())
	}
}
