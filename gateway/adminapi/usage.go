package adminapi

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Usage is how often a consumer called since the start of a day (UTC), on all
// nodes: a count so far, not an increase, so that reading it twice does no harm.
type Usage struct {
	Consumer    string `json:"consumer"` // key id
	Day         string `json:"day"`      // "2006-01-02"
	Hospital    string `json:"hospital"` // "" = none that is configured
	Interaction string `json:"interaction"`
	Status      int    `json:"status"`
	Calls       int64  `json:"calls"`
}

// Used answers a question for usage.
type Used struct {
	Rows []Usage `json:"rows"` // all counts of every consumer and day that changed since
	Next string  `json:"next"` // ask with it the next time
	More bool    `json:"more"` // there is more to ask for now
}

// Usage returns the counts that changed since an earlier answer's Next; "" = all
// that the gateway still keeps.
func (c *Client) Usage(ctx context.Context, since string) (*Used, error) {
	return ask[Used](ctx, c, http.MethodGet, "/admin/usage?since="+url.QueryEscape(since), nil)
}

// KeyErrors returns the last calls of a consumer that failed, the newest first.
func (c *Client) KeyErrors(ctx context.Context, id string) ([]CallError, error) {
	return asked[[]CallError](ctx, c, http.MethodGet, "/admin/keys/"+url.PathEscape(id)+"/errors")
}

// Limits is what is left of a consumer's plan, in units. Nothing is counted by
// asking for it.
type Limits struct {
	Plan        string    `json:"plan"`
	Burst       int       `json:"burst"` // 0 = the plan has no rate
	BurstLeft   int       `json:"burst_left"`
	Quota       int64     `json:"quota"` // 0 = the plan has none
	QuotaLeft   int64     `json:"quota_left"`
	QuotaResets time.Time `json:"quota_resets,omitzero"` // zero = the window begins with the next call
}

// KeyLimits returns what is left of a consumer's plan.
func (c *Client) KeyLimits(ctx context.Context, id string) (*Limits, error) {
	return ask[Limits](ctx, c, http.MethodGet, "/admin/keys/"+url.PathEscape(id)+"/limits", nil)
}
