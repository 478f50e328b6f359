// Package limiter counts what calls cost against a plan in Redis: the rate by
// the generic cell rate algorithm, the quota in windows that begin with their
// first call. Both are one round trip, on Redis' own clock, for all nodes
// together.
package limiter

import (
	"context"
	_ "embed"
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
type Redis struct {
	client redis.UniversalClient
	shared *flights // nil = each call makes a round trip of its own
}

// NewRedis returns a limiter on client. Calls that come at the same time share
// a round trip, unless client is a cluster's: there a slow node would delay the
// consumers of all others.
func NewRedis(client redis.UniversalClient) *Redis {
	l := &Redis{client: client}
	if _, cluster := client.(*redis.ClusterClient); !cluster {
		l.shared = &flights{client: client}
	}
	return l
}

// Take counts a call of consumer against plan with its cost in units, or not at
// all when it would exceed the plan. A cost above the plan's burst passes when all
// of that is there, and what follows waits for the rest, up to a day; one above
// the quota counts as all of it. An error means that nothing is known of the
// limit.
func (l *Redis) Take(ctx context.Context, consumer string, plan *policies.Plan, cost int) (facade.Verdict, error) {
	if !counts(plan, cost) {
		return facade.Verdict{Allowed: true}, nil
	}
	cost = min(cost, maxCost)
	keys := keysOf(consumer)
	args := []any{cost, interval(plan), plan.Burst, plan.Quota, plan.QuotaPeriod.Milliseconds()}
	if l.shared != nil {
		return l.shared.take(ctx, keys, args...)
	}
	return verdictOf(takeScript.Run(ctx, l.client, keys, args...))
}

// Bounds of what one call can use up, in units and in time.
const (
	maxCost = 10_000_000
	maxDebt = 24 * time.Hour
)

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

// interval returns the microseconds in which the plan's rate gives one unit, or 0
// when it has none. That they are whole lets through 1 % more at most where the
// rate is below 10000 units a second.
func interval(plan *policies.Plan) int64 {
	if plan.Rate <= 0 {
		return 0
	}
	return max(plan.Per.Microseconds()/int64(plan.Rate), 1)
}

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
