package console

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
)

func TestScopesInWords(t *testing.T) {
	for scope, want := range map[string]string{
		"system/Patient.rs":                       "Patient: read and search",
		"system/DocumentReference.crus":           "DocumentReference: create, read, update and search",
		"system/*.cruds":                          "Whatever a hospital's file lists: create, read, update, delete and search",
		"system/Binary.read":                      "Binary: read and search",
		"system/Binary.write":                     "Binary: create, update and delete",
		"patient/Observation.rs?category=imaging": "Observation: read and search, where category=imaging",
		"system/Patient.":                         "system/Patient.",
		"system/Patient.rx":                       "system/Patient.rx",
		"openid":                                  "openid",
		"fhirgate/raw":                            "Answers as the hospital gives them, without the vendor's rules",
	} {
		require.Equal(t, want, scopeWords(scope), scope)
	}
}

func TestPlansInWords(t *testing.T) {
	none := wordsOf(adminapi.Plan{})
	require.Equal(t, "No limit of rate.", none.Rate)
	require.Equal(t, "No quota.", none.Quota)
	require.Equal(t, "No hospital of no environment", none.Where)
	all := wordsOf(adminapi.Plan{
		Rate: 1200, Per: adminapi.Duration(10 * time.Second), Quota: 1234567, QuotaPeriod: adminapi.Duration(24 * time.Hour),
		Hospitals: []string{"a"}, Environments: []string{"production", "sandbox"}, OnBehalfOf: true, Purpose: true,
	})
	require.Equal(t, "1,200 units per 10 seconds.", all.Rate)
	require.Equal(t, "1,234,567 units in all, counted anew every day.", all.Quota)
	require.Equal(t, "1 hospital of production and sandbox", all.Where)
	require.Equal(t, []string{"the person for whom it is made", "its purpose"}, all.Wants)
	require.Equal(t, "1.5s", period(adminapi.Duration(1500*time.Millisecond)))
	require.Equal(t, "90 minutes", period(adminapi.Duration(90*time.Minute)))
}

func TestEndsAreWarnedOf(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		end  time.Time
		want string
	}{
		{time.Time{}, "quiet"},
		{now.Add(-time.Second), "bad"},
		{now.Add(7 * 24 * time.Hour), "bad"},
		{now.Add(7*24*time.Hour + time.Second), "warn"},
		{now.Add(30 * 24 * time.Hour), "warn"},
		{now.Add(30*24*time.Hour + time.Second), "ok"},
	} {
		require.Equal(t, test.want, endTone(test.end, now), test.end)
	}
	s := stateOf(adminapi.Hospital{
		Breaker: "half-open", LastAnswer: now, LastFailure: now.Add(time.Second), KeyRing: &adminapi.RingState{Expires: now.Add(-time.Hour)},
	}, now)
	require.Equal(t, "bad", s.Tone())
	var texts []string
	for _, w := range s.Warnings {
		texts = append(texts, w.Tone+" "+w.Text)
	}
	require.Equal(t, []string{
		"bad The last call to it failed.", "bad The signing key of its ring has ended.",
		"warn The breaker is half open: single calls try whether the hospital is back.",
	}, texts)
	require.Equal(t, "ok", stateOf(adminapi.Hospital{Breaker: "closed", LastAnswer: now, LastFailure: now.Add(-time.Hour)}, now).Tone())
}

func TestProblemsAreSplitFromTheirPlaces(t *testing.T) {
	require.Equal(t, []problem{
		{"routes/st-mary.yaml:12:7", "unknown key: vendr"}, {"policies/a.json:3", "no scopes"}, {"", "no plan: none is left"},
	}, problemsOf([]string{"routes/st-mary.yaml:12:7: unknown key: vendr", "policies/a.json:3: no scopes", "no plan: none is left"}))
}

func TestEndsAreCountedAsFarAsTheyAreKnown(t *testing.T) {
	require.Equal(t, []string{"", "1", "49", "50 or more"}, []string{endingCount(0), endingCount(1), endingCount(49), endingCount(50)})
}
