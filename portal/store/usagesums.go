package store

import "context"

// sums are what the sums of usage over all keys have to be changed by.
type sums struct {
	statuses     map[statusSum]int64
	interactions map[interactionSum]int64
}

type statusSum struct {
	day      Day
	hospital string
	status   int
}

type interactionSum struct {
	interaction, hospital string
	day                   Day
}

func newSums() sums {
	return sums{make(map[statusSum]int64), make(map[interactionSum]int64)}
}

func (s sums) add(r UsageRow, calls int64) {
	s.statuses[statusSum{r.Day, clean(r.Hospital), r.Status}] += calls
	s.interactions[interactionSum{clean(r.Interaction), clean(r.Hospital), r.Day}] += calls
}

// addSums changes the sums that are stored.
func (q queries) addSums(ctx context.Context, s sums) error {
	given := [][]any{}
	for of, calls := range s.statuses {
		given = append(given, []any{of.day, of.hospital, of.status, calls})
	}
	_, err := q.exec(ctx, `INSERT INTO usage_statuses (day, hospital, status, calls)
		SELECT value->>0, value->>1, CAST(value->>2 AS BIGINT), CAST(value->>3 AS BIGINT) FROM json_each(?) WHERE true
		ON CONFLICT (day, hospital, status) DO UPDATE SET calls = usage_statuses.calls + excluded.calls`, asJSON(given))
	if err != nil {
		return err
	}
	given = given[:0]
	for of, calls := range s.interactions {
		given = append(given, []any{of.interaction, of.hospital, of.day, calls})
	}
	_, err = q.exec(ctx, `INSERT INTO usage_interactions (interaction, hospital, day, calls)
		SELECT value->>0, value->>1, value->>2, CAST(value->>3 AS BIGINT) FROM json_each(?) WHERE true
		ON CONFLICT (interaction, hospital, day) DO UPDATE SET calls = usage_interactions.calls + excluded.calls`, asJSON(given))
	return err
}
