package limiter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"

	"fhirgate/facade"
	"fhirgate/gateway/store"
	"fhirgate/policies"
)

// Embedded counts in the store of this process. It does what take.lua does, as
// an update of the store instead of a script, which would cost the embedded
// store a hundred times as much.
type Embedded struct{ store *store.Store }

// NewEmbedded returns a limiter on an embedded store.
func NewEmbedded(s *store.Store) *Embedded { return &Embedded{store: s} }

// Take is Redis.Take for the embedded store.
func (l *Embedded) Take(_ context.Context, consumer string, plan *policies.Plan, cost int) (facade.Verdict, error) {
	if !counts(plan, cost) {
		return facade.Verdict{Allowed: true}, nil
	}
	cost = min(cost, maxCost)
	keys := keysOf(consumer)
	var verdict facade.Verdict
	err := l.store.Update(keys, func(tx *store.Tx) (err error) {
		verdict, err = takeFrom(tx, keys[0], keys[1], plan, int64(cost))
		return err
	})
	if err != nil {
		return facade.Verdict{}, fmt.Errorf("rate limit: %w", err)
	}
	return verdict, nil
}

func takeFrom(tx *store.Tx, rateKey, quotaKey string, plan *policies.Plan, cost int64) (facade.Verdict, error) {
	now, interval, burst := tx.Now().UnixMicro(), interval(plan), int64(plan.Burst)
	arrival, rateWait := now, int64(0)
	if interval > 0 {
		stored, err := number(tx, rateKey)
		if err != nil {
			return facade.Verdict{}, err
		}
		arrival = max(stored, now)
		// A cost above the burst passes a full bucket; the rest is a debt, of a day at most.
		if rateWait = arrival + min(cost, burst)*interval - burst*interval - now; rateWait <= 0 {
			arrival += min(cost*interval, max(burst*interval, maxDebt.Microseconds()))
		}
	}
	var used int64
	left := plan.QuotaPeriod
	if plan.Quota > 0 {
		cost = min(cost, plan.Quota)
		var err error
		if used, err = number(tx, quotaKey); err != nil {
			return facade.Verdict{}, err
		}
		if ttl := tx.TTL(quotaKey); used > 0 && ttl > 0 {
			left = ttl
		}
		if used+cost > plan.Quota {
			return facade.Verdict{Quota: true, Limit: plan.Quota, Remaining: plan.Quota - used, Reset: left, RetryAfter: left}, nil
		}
	}
	spent := microseconds(arrival - now)
	rateLeft := max(burst-(arrival-now+max(interval, 1)-1)/max(interval, 1), 0)
	if rateWait > 0 {
		return facade.Verdict{Limit: burst, Remaining: rateLeft, Reset: spent, RetryAfter: microseconds(rateWait)}, nil
	}
	if interval > 0 {
		if err := tx.Set(rateKey, strconv.FormatInt(arrival, 10), spent.Truncate(time.Millisecond)+2*time.Millisecond); err != nil {
			return facade.Verdict{}, err
		}
	}
	if plan.Quota > 0 {
		if err := tx.Set(quotaKey, strconv.FormatInt(used+cost, 10), left); err != nil {
			return facade.Verdict{}, err
		}
		if quotaLeft := plan.Quota - used - cost; interval == 0 || quotaLeft < rateLeft {
			return facade.Verdict{Allowed: true, Quota: true, Limit: plan.Quota, Remaining: quotaLeft, Reset: left}, nil
		}
	}
	return facade.Verdict{Allowed: true, Limit: burst, Remaining: rateLeft, Reset: spent}, nil
}

// number returns the whole number at key, 0 when there is none.
func number(tx *store.Tx, key string) (int64, error) {
	value, err := tx.Get(key)
	if errors.Is(err, miniredis.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(value, 10, 64)
}
