package transforms

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheBaseOfAHospital(t *testing.T) {
	const base = "https://ehr.example/fhir"
	for name, tc := range map[string]struct {
		url  string
		vars map[string]string
		want string
		err  string
	}{
		"one var":        {"{base_url}/r4/{tenant}", map[string]string{"tenant": "9f2c"}, base + "/r4/9f2c", ""},
		"two in one":     {"{base_url}/{a}-{b}/x", map[string]string{"a": "1", "b": "2"}, base + "/1-2/x", ""},
		"text alone":     {"{base_url}/r4", nil, base + "/r4", ""},
		"escaped":        {"{base_url}/{a}", map[string]string{"a": "x/y?z#%2e é"}, base + "/x%2Fy%3Fz%23%252e%20%C3%A9", ""},
		"missing":        {"{base_url}/{a}", map[string]string{"a": ""}, "", "the route has no var a"},
		"dots":           {"{base_url}/{a}", map[string]string{"a": ".."}, "", "the path has a dot segment with the vars a"},
		"dots of two":    {"{base_url}/{a}{b}", map[string]string{"a": ".", "b": "."}, "", "the path has a dot segment with the vars a, b"},
		"dots of a half": {"{base_url}/.{a}", map[string]string{"a": "."}, "", "the path has a dot segment with the vars a"},
		"dots inside":    {"{base_url}/{a}", map[string]string{"a": "a..b"}, base + "/a..b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			vendor, problems := Parse("acme.yaml", []byte("version: 1\nvendor: acme\nurl: \""+tc.url+"\"\n"))
			require.Empty(t, problems)
			require.NoError(t, valid(t, schema(t), []byte("version: 1\nvendor: acme\nurl: \""+tc.url+"\"\n")))
			got, err := vendor.BaseURL(base, tc.vars)
			if tc.err != "" {
				require.EqualError(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
	for _, vendor := range []*Vendor{nil, vendorOf(t, "param.drop: [a]")} {
		got, err := vendor.BaseURL(base, nil)
		require.NoError(t, err)
		require.Equal(t, base, got)
	}
}

func TestMistakesOfTheURL(t *testing.T) {
	for url, want := range map[string]string{
		"https://x/{tenant}":              "3:6: url: must be {base_url} and a path, such as {base_url}/r4/{tenant}: the host is the route's",
		"{base_url}":                      "3:6: url: what follows {base_url} must be a path that starts with a slash",
		"{base_url}/":                     "3:6: url: what follows {base_url} must be a path that starts with a slash, without a slash at its end",
		"{base_url}x/{tenant}":            "3:6: url: what follows {base_url} must be a path that starts with a slash",
		"{base_url}/{base_url}":           "3:6: url: must be {base_url} and a path",
		"{base_url}//{tenant}":            "3:6: url: what follows {base_url} must be a path that starts with a slash, without a slash at its end or two in a row",
		"{base_url}/../{tenant}":          "3:6: url: what follows {base_url} must hold no dot segment",
		"{base_url}/{tenant}?a=b":         "3:6: url: what follows {base_url} may hold letters",
		"{base_url}/{tenant":              "3:6: url: what follows {base_url} may hold letters",
		"{base_url}/%2e%2e/{tenant}":      "3:6: url: what follows {base_url} may hold letters",
		"{base_url}/{vars.tenant}/{a b}/": "3:6: url: what follows {base_url} must be a path that starts",
	} {
		t.Run(url, func(t *testing.T) {
			text := []byte("version: 1\nvendor: acme\nurl: \"" + url + "\"\n")
			_, problems := Parse("acme.yaml", text)
			require.ErrorContains(t, problems.Err(), "acme.yaml:"+want)
			if url != "{base_url}/../{tenant}" && url != "{base_url}/{base_url}" { // a pattern cannot say it
				require.Error(t, valid(t, schema(t), text))
			}
		})
	}
}
