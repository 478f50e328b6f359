package policies

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheShippedPlansAreGood(t *testing.T) {
	plans, err := Load(os.DirFS("."), ".")
	require.NoError(t, err)
	require.Len(t, plans, 2)
	day := plans[0]
	require.Equal(t, "screening-day", day.ID)
	require.Equal(t, 100, day.Rate)
	require.Equal(t, time.Second, day.Per)
	require.Equal(t, 200, day.Burst)
	require.Equal(t, 24*time.Hour, day.QuotaPeriod)
}

func TestReaches(t *testing.T) {
	plan := Plan{Active: true, Hospitals: []string{"st-mary"}, Environments: []string{"production"}}
	require.True(t, plan.Reaches("st-mary", "production"))
	require.False(t, plan.Reaches("st-john", "production"))
	require.False(t, plan.Reaches("st-mary", "sandbox"))
	plan.Hospitals = []string{AllHospitals}
	require.True(t, plan.Reaches("st-john", "production"))
	require.False(t, plan.Reaches("st-john", "sandbox"))
	plan.Active = false
	require.False(t, plan.Reaches("st-john", "production"))
}

func TestEachMistakeIsNamedWithItsPlace(t *testing.T) {
	good, err := os.ReadFile("trial.json")
	require.NoError(t, err)
	for name, tc := range map[string]struct{ old, new, want string }{
		"unknown key":    {`"rate"`, `"rates"`, `trial.json:5:3: unknown key "rates"; did you mean "rate"?`},
		"tyk's own":      {`"rate"`, `"throttle_interval"`, `5:3: unknown key "throttle_interval"`},
		"id":             {`"trial"`, `"other"`, `2:9: id: must equal the file name, "trial"`},
		"rate":           {`"rate": 20`, `"rate": 1.5`, `5:11: rate: must be a whole number of calls`},
		"quota":          {`86400`, `0`, `8:25: quota_renewal_rate: must be a number of seconds above 0`},
		"all rights":     {`"fhir": {"api_id": "fhir", "api_name": "fhir", "versions": ["Default"]}`, ``, `9:20: access_rights: must hold exactly`},
		"no hospitals":   {`["*"]`, `[]`, `14:20: meta_data.fhirgate.hospitals: must name at least one hospital`},
		"environment":    {`["sandbox"]`, `["test"]`, `15:24: meta_data.fhirgate.environments.0: must be production or sandbox`},
		"no meta":        {`"fhirgate"`, `"other"`, `unknown key "other"`},
		"negative burst": {`"burst": 40`, `"burst": -1`, `16:16: meta_data.fhirgate.burst: must be a number of calls`},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(string(good), tc.old, tc.new, 1)
			require.NotEqual(t, string(good), changed)
			_, problems := Parse("trial.json", []byte(changed))
			require.NotEmpty(t, problems)
			require.Contains(t, problems.Error(), tc.want)
		})
	}
}

func TestLoadWithoutPlans(t *testing.T) {
	_, err := Load(fstest.MapFS{}, "policies")
	require.ErrorContains(t, err, "holds no plan")
}
