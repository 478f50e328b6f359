package smart

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestParseScope holds the forms of a scope: "" in want is refused.
func TestParseScope(t *testing.T) {
	const category = "system/Observation.rs?category="
	for text, want := range map[string]string{
		"system/Patient.read":   "system/Patient.rs",
		"system/Patient.write":  "system/Patient.cud",
		"system/Patient.*":      "system/Patient.cruds",
		"user/*.read":           "user/*.rs",
		"patient/*.*":           "patient/*.cruds",
		"patient/Patient.r":     "patient/Patient.r",
		"system/*.cruds":        "system/*.cruds",
		"system/Observation.cd": "system/Observation.cd",

		category + "laboratory":            category + "laboratory",
		category + "a,b":                   category + "a,b",
		category + "a&category=b":          category + "a&category=b",
		category + "http://x.org/s|a":      category + "http://x.org/s|a",
		category + "http%3A%2F%2Fx|a":      category + "http://x|a",
		category + "%7Ca":                  category + "|a",
		category + "http://x|":             category + "http://x|",
		category + "a+b":                   category + "a+b",
		category + "a%26b":                 category + "a%26b",
		"system/*.rs?_tag=a":               "system/*.rs?_tag=a",
		"system/Patient.r?_security=x|N":   "system/Patient.r?_security=x|N",
		"system/Task.rs?owner=Location/1":  "system/Task.rs?owner=Location/1",
		"system/Encounter.r?class=AMB":     "system/Encounter.r?class=AMB",
		"system/Task.rs?status=draft,done": "system/Task.rs?status=draft,done",

		"":                                   "",
		"launch/patient":                     "",
		"openid":                             "",
		"system":                             "",
		"system/Patient":                     "",
		"system/Patient.":                    "",
		"system/patient.r":                   "",
		"system/Resource.r":                  "",
		"System/Patient.r":                   "",
		"practitioner/Patient.r":             "",
		"system/Patient.sr":                  "",
		"system/Patient.dus":                 "",
		"system/Patient.rr":                  "",
		"system/Patient.x":                   "",
		"system/Patient.Read":                "",
		"system/Patient.r ":                  "",
		" system/Patient.r":                  "",
		"system/Patient.read?_tag=x":         "",
		"system/Patient.r?":                  "",
		"system/Patient.r?_tag":              "",
		"system/Patient.r?_tag=":             "",
		"system/Patient.r?=x":                "",
		"system/Patient.r?name=x":            "",
		"system/Patient.r?_id=x":             "",
		"system/*.r?category=x":              "",
		category + "a,,b":                    "",
		category + "%zz":                     "",
		category + "|":                       "",
		category + "a|b|c":                   "",
		category + `a\,b`:                    "",
		"system/Observation.r?code:in=x":     "",
		"system/Observation.r?patient.x=y":   "",
		"system/Task.r?status=s|draft":       "",
		"system/Task.r?owner=1":              "",
		"system/Task.r?owner=http://x/T/1":   "",
		"system/Task.r?_filter=x":            "",
		"system/Patient.r/x":                 "",
		"system/Patient.r?_tag=a;b=c&_tag=":  "",
		category + strings.Repeat("x", 2048): "",
	} {
		t.Run(text, func(t *testing.T) {
			s, err := ParseScope(text)
			if want == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, want, s.String())
		})
	}
}

func TestErrorsOfScopesHoldNoValue(t *testing.T) {
	for _, text := range []string{"system/Canary.r", "canary/Patient.r", "system/Patient.canary", "system/Patient.r?canary=1", "system/Task.r?status=|canary", "system/Task.r?owner=canary"} {
		_, err := ParseScope(text)
		require.Error(t, err)
		require.NotContains(t, strings.ToLower(err.Error()), "canary", text)
	}
	_, err := Parse([]string{"system/Patient.r", "canary"})
	require.ErrorContains(t, err, "scope 2")
	require.NotContains(t, err.Error(), "canary")
}

func TestErrorsOfScopesSayWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"Patient.r":                            "context/Type.actions",
		"client/Patient.r":                     "context",
		"system/patient.r":                     "case-sensitive",
		"system/Patient.sr":                    "in this order",
		"system/Patient.read?_tag=x":           "version 1",
		"system/Patient.r?gender:not=male":     "modifier",
		"system/Patient.r system/Task.r":       "holds no space",
		"system/Patient.r?birthdate=2000":      "can be used on Patient: those are gender, organization, general-practitioner, _security,",
		"system/*.r?gender=male":               "can be used on every type",
		"system/Patient.r?gender=x|male":       "plain code",
		"system/Patient.r?organization=Acme":   "Type/id",
		"system/Observation.r?category=a,":     "empty",
		`system/Observation.r?category=a\,b`:   "backslash",
		"system/Observation.r?category=%":      "well formed",
		"system/Observation.r?category=a|b|c":  "system|code",
		"system/Observation.r?" + longer("x="): "at most",
	} {
		_, err := ParseScope(text)
		require.ErrorContains(t, err, want, text)
	}
}

func longer(text string) string { return text + strings.Repeat("x", maxScope) }

func TestBoundsOfConstraints(t *testing.T) {
	_, err := ParseScope("system/Task.r?" + strings.TrimSuffix(strings.Repeat("code=x&", maxConstraints+1), "&"))
	require.Error(t, err)
	_, err = ParseScope("system/Task.r?code=" + strings.TrimSuffix(strings.Repeat("x,", maxValues+1), ","))
	require.Error(t, err)
}

func TestScopesOfOneKindBecomeOne(t *testing.T) {
	s := mustParse(t, "system/Patient.r", "system/Observation.r?category=a", "system/Patient.s", "system/Observation.s?category=a", "user/Patient.d")
	require.Equal(t, []string{"system/Patient.rs", "system/Observation.rs?category=a", "user/Patient.d"}, s.Strings())
	require.Nil(t, (*Scopes)(nil).Strings())
}

// TestNarrow holds what a client that asks for more than it is allowed gets.
func TestNarrow(t *testing.T) {
	for name, tc := range map[string]struct{ requested, allowed, want string }{
		"the same":             {"system/Patient.rs", "system/Patient.rs", "system/Patient.rs"},
		"fewer actions":        {"system/Patient.cruds", "system/Patient.rs", "system/Patient.rs"},
		"no action":            {"system/Patient.cud", "system/Patient.rs", ""},
		"another type":         {"system/Observation.rs", "system/Patient.rs", ""},
		"another context":      {"user/Patient.rs patient/Patient.rs", "system/Patient.rs", ""},
		"a type of all":        {"system/Patient.rs", "system/*.read", "system/Patient.rs"},
		"all of some":          {"system/*.rs", "system/Patient.r system/Observation.cs", "system/Patient.r system/Observation.s"},
		"two for one":          {"system/*.rs", "system/Patient.r system/Patient.s", "system/Patient.rs"},
		"a constraint allowed": {"system/Observation.rs", "system/Observation.rs?category=a", "system/Observation.rs?category=a"},
		"a constraint asked":   {"system/Observation.rs?category=a", "system/*.r", "system/Observation.r?category=a"},
		"both constraints":     {"system/Observation.rs?category=a", "system/Observation.rs?category=b", "system/Observation.rs?category=a&category=b"},
		"the same constraint":  {"system/Observation.rs?category=a", "system/Observation.rs?category=a", "system/Observation.rs?category=a"},
		"a common constraint":  {"system/*.rs?_tag=a", "system/Patient.r", "system/Patient.r?_tag=a"},
		"nothing":              {"", "system/*.cruds", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := Narrow(mustParse(t, strings.Fields(tc.requested)...), mustParse(t, strings.Fields(tc.allowed)...))
			require.Equal(t, tc.want, strings.Join(got.Strings(), " "))
		})
	}
	require.Empty(t, Narrow(nil, mustParse(t, "system/*.cruds")).Strings())
	require.Empty(t, Narrow(mustParse(t, "system/*.cruds"), nil).Strings())
}

func TestAConstraintThatParseScopeRefusesPermitsNothing(t *testing.T) {
	s := Compile([]Scope{{Context: System, Type: "Patient", Actions: Read, Constraints: []Constraint{{Param: "name", Values: []string{"x"}}}}})
	access := NewAccess(Holder{}, nil, s)
	require.Equal(t, nothing, access.level("Patient", Read))
}

func FuzzParseScope(f *testing.F) {
	for _, seed := range []string{"system/Patient.read", "user/*.cruds", "system/Observation.rs?category=a%2Cb|c,d&code=x|", "patient/Encounter.s?class=AMB", "system/Task.r?owner=Patient/1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseScope(text)
		if err != nil {
			return
		}
		again, err := ParseScope(s.String())
		if err != nil && len(s.String()) <= maxScope { // escapes make it longer
			t.Fatalf("%q became %q: %v", text, s, err)
		}
		if err == nil && again.String() != s.String() {
			t.Fatalf("%q became %q and then %q", text, s, again)
		}
		if both := Narrow(Compile([]Scope{s}), Compile([]Scope{s})).Strings(); len(both) != 1 {
			t.Fatalf("%q within itself is %q", text, both)
		}
	})
}
