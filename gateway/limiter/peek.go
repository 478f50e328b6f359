package limiter

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"fhirgate/gateway/store"
	"fhirgate/policies"
)

// Left is what a consumer has left of a plan, in units. A limit that the plan
// does not have is 0.
type Left struct {
	Burst  int64         // may come at once now
	Quota  int64         // of the window
	Resets time.Duration // until the window ends; 0 = it begins with the next call
}

//go:embed peek.lua
var peekSource string

var peekScript = redis.NewScript(peekSource)

// Peek returns what consumer has left of plan and counts nothing.
func (l *Redis) Peek(ctx context.Context, consumer string, plan *policies.Plan) (Left, error) {
	if !counts(plan, 1) {
		return Left{}, nil
	}
	values, err := peekScript.Run(ctx, l.client, keysOf(consumer)).Int64Slice()
	if err != nil {
		return Left{}, fmt.Errorf("rate limit: %w", err)
	}
	if len(values) != 4 {
		return Left{}, fmt.Errorf("rate limit: %d values instead of 4", len(values))
	}
	return leftOf(plan, values[0], values[1], values[2], time.Duration(values[3])*time.Millisecond), nil
}

// Peek is Redis.Peek for the embedded store.
func (l *Embedded) Peek(_ context.Context, consumer string, plan *policies.Plan) (left Left, err error) {
	if !counts(plan, 1) {
		return Left{}, nil
	}
	keys := keysOf(consumer)
	err = l.store.Update(keys, func(tx *store.Tx) error {
		arrival, err := number(tx, keys[0])
		if err != nil {
			return err
		}
		used, err := number(tx, keys[1])
		left = leftOf(plan, tx.Now().UnixMicro(), arrival, used, tx.TTL(keys[1]))
		return err
	})
	if err != nil {
		return Left{}, fmt.Errorf("rate limit: %w", err)
	}
	return left, nil
}

// leftOf reads the counters as take.lua does: the rate's theoretical arrival time
// (microseconds, as now is), and the quota's count and how long it lives.
func leftOf(plan *policies.Plan, now, arrival, used int64, ttl time.Duration) Left {
	var left Left
	if interval := interval(plan); interval > 0 {
		spent := max(arrival-now, 0)
		left.Burst = max(int64(plan.Burst)-(spent+interval-1)/interval, 0)
	}
	if plan.Quota > 0 {
		left.Quota = max(plan.Quota-used, 0)
		if used > 0 {
			left.Resets = max(ttl, 0)
		}
	}
	return left
}
