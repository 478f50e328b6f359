package adminapi

import (
	"context"
	"net/http"
	"slices"
)

// Plan is a plan in force.
type Plan struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Active       bool     `json:"active"`
	Environments []string `json:"environments"`
	Hospitals    []string `json:"hospitals"` // ids that it reaches now, sorted
	Scopes       []string `json:"scopes"`
	Rate         int      `json:"rate"` // units per Per; 0 = no limit
	Per          Duration `json:"per"`
	Burst        int      `json:"burst"`
	Quota        int64    `json:"quota"` // units per QuotaPeriod; 0 = no limit
	QuotaPeriod  Duration `json:"quota_period"`
	OnBehalfOf   bool     `json:"on_behalf_of"` // every call must name the person for whom it is made
	Purpose      bool     `json:"purpose"`      // every call must name its purpose
}

// Simulated reports whether the plan reaches simulated hospitals only.
func (p Plan) Simulated() bool { return slices.Equal(p.Environments, []string{"sandbox"}) }

// Plans returns all plans, by id.
func (c *Client) Plans(ctx context.Context) ([]Plan, error) {
	return asked[[]Plan](ctx, c, http.MethodGet, "/admin/plans")
}

// About tells what gateway this is.
type About struct {
	Version   string `json:"version"`
	PublicURL string `json:"public_url"` // without a slash at the end
}

// About returns what gateway this is.
func (c *Client) About(ctx context.Context) (*About, error) {
	return ask[About](ctx, c, http.MethodGet, "/admin/about", nil)
}
