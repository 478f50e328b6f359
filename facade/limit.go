package facade

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fhirgate/fhir"
	"fhirgate/policies"
)

// Limiter counts calls against a plan, in units of its cost. Take is one round
// trip to the store and counts for all nodes together; a refused call does not
// count.
type Limiter interface {
	Take(ctx context.Context, consumer string, plan *policies.Plan, cost int) (Verdict, error)
}

// Verdict is what a limiter says of a call. Limit, Remaining and Reset
// describe the tighter of rate and quota.
type Verdict struct {
	Allowed    bool
	Quota      bool          // the quota is the tighter one, or the one that refused
	Limit      int64         // units a window (the burst, or the quota); 0 = the plan has no limit
	Remaining  int64         // of them
	Reset      time.Duration // until all of them are there again
	RetryAfter time.Duration // of a refused call: until the same call would be allowed
}

// limit counts the call and tells the caller what is left. Without the store it
// refuses: a limit that cannot be checked is not kept. What only a body tells is
// counted when it was read, all at once: adaptForm has take count a search by
// POST, and adaptBatch the entries of a batch. Were a part counted here, a call
// that is refused would use up what it waits for.
func (f *Facade) limit(c *call) error {
	switch {
	case c.req.FormSearch:
		return nil
	case c.sealed == nil:
		return f.take(c, c.cost(c.req, c.r.URL.RawQuery))
	case c.sealed.Interaction.AnswersBundle(): // a page of it, as large as the hospital chose, or as its address says if that is more
		_, query, _ := strings.Cut(c.sealed.URL, "?")
		search := fhir.Request{Interaction: fhir.SearchType}
		return f.take(c, max(c.cost(search, ""), c.cost(search, query)))
	default:
		return f.take(c, c.cost(c.req, ""))
	}
}

// cost returns what the plan charges for a call, or for an entry of a batch.
func (c *call) cost(req fhir.Request, query string) int { return c.plan().Cost.Of(req, query) }

// take counts cost units more for the call.
func (f *Facade) take(c *call, cost int) error {
	h := c.w.Header()
	v, err := f.limiter.Take(c.r.Context(), c.consumer.KeyID, c.plan(), cost)
	if err != nil {
		return fhir.NewError(http.StatusServiceUnavailable, fhir.IssueTransient, "the rate limit could not be checked").After(time.Second).Because(err)
	}
	if v.Limit > 0 {
		tellLimit(h, v, c.plan())
	}
	if v.Allowed {
		tellCost(h, cost)
		return nil
	}
	tellCost(h, 0)
	text := "too many calls: the plan's rate is exceeded"
	if v.Quota {
		text = "the plan's quota is used up"
	}
	return fhir.NewError(http.StatusTooManyRequests, fhir.IssueThrottled, text).After(v.RetryAfter)
}

// costHeader tells what the call has cost; each take adds to it.
const costHeader = "X-Fhirgate-Cost"

func tellCost(h http.Header, units int) {
	if sofar := h[costHeader]; len(sofar) > 0 {
		before, _ := strconv.Atoi(sofar[0]) // which tellCost wrote
		units += before
	}
	h[costHeader] = []string{strconv.Itoa(units)}
}

// tellLimit writes the three headers that clients know of old, and the two that
// replace them (draft-ietf-httpapi-ratelimit-headers-10): RateLimit-Policy has
// both limits of the plan, RateLimit the state of the tighter one. Of a refused
// call the latter ends when Retry-After does, as the draft asks. The names are in
// their canonical form, which spares the work of finding it.
func tellLimit(h http.Header, v Verdict, plan *policies.Plan) {
	h["Ratelimit-Limit"] = []string{strconv.FormatInt(v.Limit, 10)}
	h["Ratelimit-Remaining"] = []string{strconv.FormatInt(v.Remaining, 10)}
	h["Ratelimit-Reset"] = []string{strconv.FormatInt(wholeSeconds(v.Reset), 10)}
	h["Ratelimit-Policy"] = []string{limitPolicy(plan)}

	end := v.Reset
	if !v.Allowed {
		end = v.RetryAfter
	}
	state := append(make([]byte, 0, 48), `"rate";r=`...)
	if v.Quota {
		state = append(state[:0], `"quota";r=`...)
	}
	state = strconv.AppendInt(state, v.Remaining, 10)
	state = append(state, ";t="...)
	h["Ratelimit"] = []string{string(strconv.AppendInt(state, wholeSeconds(end), 10))}
}

// limitPolicy describes the limits of a plan: so many units (q) in so many
// seconds (w). Those of the rate are the burst and the time in which all of it
// comes back.
func limitPolicy(plan *policies.Plan) string {
	text := make([]byte, 0, 64)
	if plan.Rate > 0 {
		refill := time.Duration(plan.Per.Seconds() * float64(plan.Burst) / float64(plan.Rate) * float64(time.Second))
		text = appendPolicy(text, `"rate"`, int64(plan.Burst), refill)
	}
	if plan.Quota > 0 {
		if len(text) > 0 {
			text = append(text, ", "...)
		}
		text = appendPolicy(text, `"quota"`, plan.Quota, plan.QuotaPeriod)
	}
	return string(text)
}

func appendPolicy(text []byte, name string, units int64, window time.Duration) []byte {
	text = append(append(text, name...), ";q="...)
	text = append(strconv.AppendInt(text, units, 10), ";w="...)
	return strconv.AppendInt(text, wholeSeconds(window), 10)
}

func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
