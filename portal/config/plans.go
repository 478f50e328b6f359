package config

import "strconv"

// CheckPlans returns what is wrong with the plans that the settings name. missing
// returns what to say of a plan that there is not, "" of one that there is; sandbox
// reports whether a plan reaches simulated hospitals only.
func (c *Config) CheckPlans(missing func(plan string) string, sandbox func(plan string) bool) []Mistake {
	var found []Mistake
	exists := func(place, plan string) bool {
		text := missing(plan)
		if text != "" {
			found = append(found, Mistake{place, text})
		}
		return text == ""
	}
	for i, plan := range c.AutoApprove {
		place := "auto_approve." + strconv.Itoa(i)
		if exists(place, plan) && !sandbox(plan) {
			found = append(found, Mistake{place, "the plan reaches real hospitals: an administrator must decide about it"})
		}
	}
	if c.TryPlan != TryPlan {
		exists("try_plan", c.TryPlan)
	}
	return found
}
