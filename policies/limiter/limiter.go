// Package limiter counts calls against a plan in Redis: the rate by the generic
// cell rate algorithm, the quota in windows that begin with their first call.
// Both are one round trip, on Redis' own clock, for all nodes together.
package limiter

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"fhirgate/policies"
)

// KeyPrefix begins the name of every key the limiter writes. These keys may be
// lost without harm beyond a limit that starts anew.
const KeyPrefix = "limit:"

//go:embed take.lua
var takeSource string

// takeScript is sent once and called by its hash from then on.
var takeScript = redis.NewScript(takeSource)

// Verdict is what the limiter says of a call. Limit, Remaining and Reset
// describe the tighter of rate and quota.
type Verdict struct {
	Allowed    bool
	Quota      bool          // the quota is the tighter one, or the one that refused
	Limit      int64         // calls a window (the burst, or the quota); 0 = the plan has no limit
	Remaining  int64         // of them
	Reset      time.Duration // until all of them are there again
	RetryAfter time.Duration // of a refused call: until the same call would be allowed
}

// Limiter keeps its counters in the given Redis.
type Limiter struct{ client redis.UniversalClient }

// New returns a Limiter on client.
func New(client redis.UniversalClient) *Limiter { return &Limiter{client: client} }

// Take counts cost calls of consumer against plan, or none when they would
// exceed it. A cost above the plan's burst or quota counts as all of it, so
// that it can pass at all. An error means that nothing is known of the limit.
func (l *Limiter) Take(ctx context.Context, consumer string, plan *policies.Plan, cost int) (Verdict, error) {
	if cost <= 0 || plan.Rate == 0 && plan.Quota == 0 {
		return Verdict{Allowed: true}, nil
	}
	var interval int64
	if plan.Rate > 0 {
		interval = max(plan.Per.Microseconds()/int64(plan.Rate), 1)
	}
	// The braces keep both keys in one slot of a cluster.
	base := KeyPrefix + "{" + consumer + "}:"
	answer, err := takeScript.Run(ctx, l.client, []string{base + "rate", base + "quota"},
		cost, interval, plan.Burst, plan.Quota, plan.QuotaPeriod.Milliseconds()).Int64Slice()
	if err != nil {
		return Verdict{}, fmt.Errorf("rate limit: %w", err)
	}
	if len(answer) != 6 {
		return Verdict{}, fmt.Errorf("rate limit: %d values instead of 6", len(answer))
	}
	return Verdict{
		Allowed:    answer[0] == 1,
		Quota:      answer[1] == 1,
		Limit:      answer[2],
		Remaining:  answer[3],
		Reset:      time.Duration(answer[4]) * time.Microsecond,
		RetryAfter: time.Duration(answer[5]) * time.Microsecond,
	}, nil
}
