package portal

import (
	"context"
	"slices"
	"time"

	"fhirgate/internal/strict"
)

// askAgain is how long a gateway that does not answer is left alone.
const askAgain = 10 * time.Second

// checkPlans warns of plans that the settings name and that are wrong, once the
// gateway has told its plans. A gateway with the same settings does not start with
// such plans; one that the portal is apart from knows nothing of them.
func (p *Portal) checkPlans(ctx context.Context) {
	plans, err := p.gateway.Plans(ctx)
	for err != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(askAgain):
			plans, err = p.gateway.Plans(ctx)
		}
	}
	simulated := make(map[string]bool, len(plans))
	ids := make([]string, len(plans))
	for i, plan := range plans {
		ids[i], simulated[plan.ID] = plan.ID, plan.Simulated()
	}
	missing := func(plan string) string {
		if slices.Contains(ids, plan) {
			return ""
		}
		return strict.Unknown("plan", plan, ids)
	}
	for _, m := range p.config.CheckPlans(missing, func(plan string) bool { return simulated[plan] }) {
		p.log.Warn("a setting does not fit the gateway's plans", "setting", "fhirgate.portal."+m.Place, "problem", m.Text)
	}
}
