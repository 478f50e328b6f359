package transforms

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheShippedFilesPassTheirTests(t *testing.T) {
	results, err := RunTests(Shipped, ".")
	require.NoError(t, err)
	require.NotEmpty(t, results)
	for _, result := range results {
		require.True(t, result.OK, "%s:%d: %s\n%s", result.File, result.Line, result.Name, result.Diff)
	}
}

func TestEveryShippedRuleIsTested(t *testing.T) {
	vendors, err := Load(Shipped, ".")
	require.NoError(t, err)
	results, err := RunTests(Shipped, ".")
	require.NoError(t, err)
	for name, vendor := range vendors {
		for _, rule := range vendor.Rules() {
			require.True(t, slices.ContainsFunc(results, func(r Result) bool {
				return r.File == name+testSuffix && slices.Contains(r.Rules, rule)
			}), "no test of %s reaches the rule %q", name, rule)
		}
	}
}
