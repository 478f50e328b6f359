package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckPlans(t *testing.T) {
	c := Config{AutoApprove: []string{"trial", "none", "day"}, TryPlan: "none"}
	missing := func(plan string) string { return map[string]string{"none": "is not there"}[plan] }
	sandbox := func(plan string) bool { return plan == "trial" }
	const real = "the plan reaches real hospitals: an administrator must decide about it"
	require.Equal(t, []Mistake{{"auto_approve.1", "is not there"}, {"auto_approve.2", real}, {"try_plan", "is not there"}}, c.CheckPlans(missing, sandbox))
	c = Config{TryPlan: TryPlan}
	require.Empty(t, c.CheckPlans(func(string) string { return "is not there" }, sandbox), "an installation need not have the default")
}
