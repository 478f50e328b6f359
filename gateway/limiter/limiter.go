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

	"fhirgate/facade"
	"fhirgate/policies"
)

// KeyPrefix begins the name of every key the limiter writes. These keys may be
// lost without harm beyond a limit that starts anew.
const KeyPrefix = "limit:"

//go:embed take.lua
var takeSource string

// takeScript is sent once and called by its hash from then on.
var takeScript = redis.NewScript(takeSource)

// Redis counts in a real Redis, by a script.
type Redis struct{ client redis.UniversalClient }

// NewRedis returns a limiter on client.
func NewRedis(client redis.UniversalClient) *Redis { return &Redis{client: client} }

// Take counts cost calls of consumer against plan, or none when they would
// exceed it. A cost above the plan's burst or quota counts as all of it, so
// that it can pass at all. An error means that nothing is known of the limit.
func (l *Redis) Take(ctx context.Context, consumer string, plan *policies.Plan, cost int) (facade.Verdict, error) {
	if !counts(plan, cost) {
		return facade.Verdict{Allowed: true}, nil
	}
	answer, err := takeScript.Run(ctx, l.client, keysOf(consumer),
		cost, interval(plan), plan.Burst, plan.Quota, plan.QuotaPeriod.Milliseconds()).Int64Slice()
	if err != nil {
		return facade.Verdict{}, fmt.Errorf("rate limit: %w", err)
	}
	if len(answer) != 6 {
		return facade.Verdict{}, fmt.Errorf("rate limit: %d values instead of 6", len(answer))
	}
	return facade.Verdict{
		Allowed:    answer[0] == 1,
		Quota:      answer[1] == 1,
		Limit:      answer[2],
		Remaining:  answer[3],
		Reset:      microseconds(answer[4]),
		RetryAfter: microseconds(answer[5]),
	}, nil
}

// counts reports whether there is anything to count.
func counts(plan *policies.Plan, cost int) bool {
	return cost > 0 && (plan.Rate > 0 || plan.Quota > 0)
}

// keysOf returns the names of a consumer's counters. The braces keep both in
// one slot of a cluster.
func keysOf(consumer string) []string {
	base := KeyPrefix + "{" + consumer + "}:"
	return []string{base + "rate", base + "quota"}
}

// interval returns the microseconds between two calls at the plan's rate, or 0
// when it has none.
func interval(plan *policies.Plan) int64 {
	if plan.Rate <= 0 {
		return 0
	}
	return max(plan.Per.Microseconds()/int64(plan.Rate), 1)
}

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
