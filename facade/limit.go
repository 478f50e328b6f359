package facade

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"fhirgate/fhir"
	"fhirgate/policies"
)

// Limiter counts calls against a plan. Take is one round trip to the store and
// counts for all nodes together; a refused call does not count.
type Limiter interface {
	Take(ctx context.Context, consumer string, plan *policies.Plan, cost int) (Verdict, error)
}

// Verdict is what a limiter says of a call. Limit, Remaining and Reset
// describe the tighter of rate and quota.
type Verdict struct {
	Allowed    bool
	Quota      bool          // the quota is the tighter one, or the one that refused
	Limit      int64         // calls a window (the burst, or the quota); 0 = the plan has no limit
	Remaining  int64         // of them
	Reset      time.Duration // until all of them are there again
	RetryAfter time.Duration // of a refused call: until the same call would be allowed
}

// limit counts the call and tells the caller what is left. Without the store it
// refuses: a limit that cannot be checked is not kept.
func (f *Facade) limit(c *call) error { return f.take(c, 1) }

func (f *Facade) take(c *call, cost int) error {
	v, err := f.limiter.Take(c.r.Context(), c.consumer.KeyID, c.plan(), cost)
	if err != nil {
		return fhir.NewError(http.StatusServiceUnavailable, fhir.IssueTransient, "the rate limit could not be checked").After(time.Second).Because(err)
	}
	if v.Limit > 0 {
		h := c.w.Header()
		h.Set("RateLimit-Limit", strconv.FormatInt(v.Limit, 10))
		h.Set("RateLimit-Remaining", strconv.FormatInt(v.Remaining, 10))
		h.Set("RateLimit-Reset", strconv.FormatInt(wholeSeconds(v.Reset), 10))
	}
	switch {
	case v.Allowed:
		return nil
	case v.Quota:
		return fhir.NewError(http.StatusTooManyRequests, fhir.IssueThrottled, "the plan's quota is used up").After(v.RetryAfter)
	default:
		return fhir.NewError(http.StatusTooManyRequests, fhir.IssueThrottled, "too many calls: the plan's rate is exceeded").After(v.RetryAfter)
	}
}

func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
