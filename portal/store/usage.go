package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// Day is a day in UTC, such as 2026-11-22.
type Day string

// UsageRow is how often a consumer called on a day, by hospital, interaction and
// HTTP status.
type UsageRow struct {
	KeyID       string
	Day         Day
	Hospital    string
	Interaction string
	Status      int
	Calls       int64 // of the whole day, not since the last row
}

// UsageQuery chooses usage.
type UsageQuery struct {
	Keys     []string // nil = of all; empty = of none
	Owners   []string // ids of apps or teams, in place of Keys: of all keys that they have or had; no two may share a key
	From, To Day      // both included
	Hospital string   // "" = all
}

// Usage is what was called in a range of days.
type Usage struct {
	Days         []DayCount // every day of the range
	Hospitals    []Count    // most first, as all counts
	Interactions []Count
	Statuses     []Count
	Total        int64
}

// Sum adds the days up; its Day is empty.
func (u Usage) Sum() (sum DayCount) {
	for _, day := range u.Days {
		sum.OK += day.OK
		sum.ClientErrors += day.ClientErrors
		sum.ServerErrors += day.ServerErrors
	}
	return sum
}

// DayCount is how the calls of a day ended.
type DayCount struct {
	Day          Day
	OK           int64 // below 400
	ClientErrors int64 // 400 to 499, and 0: the caller left before an answer
	ServerErrors int64 // from 500 on
}

// Count is a number of calls.
type Count struct {
	Name  string
	Calls int64
}

// DayOf returns the day of a time.
func DayOf(t time.Time) Day { return Day(t.UTC().Format(time.DateOnly)) }

// Start returns when a day begins, or an error when it is no day.
func (d Day) Start() (time.Time, error) { return time.Parse(time.DateOnly, string(d)) }

// usageBatch is how many rows one statement reads or writes.
const usageBatch = 1000

// PutUsage stores counts of whole days so far. They take the place of what is
// stored for the same key, day, hospital, interaction and status: to put the same
// rows once more changes nothing. Either all rows are stored or none.
func (s *Store) PutUsage(ctx context.Context, rows []UsageRow) error {
	rows = lastOfEach(rows)
	return s.transact(ctx, "usage", func(q queries) error {
		sums, err := q.newSums(ctx, rows)
		if err != nil {
			return err
		}
		for batch := range slices.Chunk(rows, usageBatch) {
			changed, err := q.changedUsage(ctx, batch, sums)
			if err != nil {
				return err
			}
			if err := q.putUsage(ctx, changed); err != nil {
				return err
			}
		}
		return q.addSums(ctx, sums)
	})
}

// lastOfEach sorts rows as the table does, and keeps the last of those for the
// same thing.
func lastOfEach(rows []UsageRow) []UsageRow {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, compareUsage)
	kept := rows[:0]
	for i, r := range rows {
		if i+1 == len(rows) || compareUsage(r, rows[i+1]) != 0 {
			kept = append(kept, r)
		}
	}
	return kept
}

func compareUsage(a, b UsageRow) int {
	return cmp.Or(
		strings.Compare(a.KeyID, b.KeyID), strings.Compare(string(a.Day), string(b.Day)),
		strings.Compare(a.Hospital, b.Hospital), strings.Compare(a.Interaction, b.Interaction), cmp.Compare(a.Status, b.Status),
	)
}

// givenUsage are the rows that stand in a JSON parameter as arrays.
const givenUsage = `(SELECT CAST(value->>0 AS BIGINT) AS i, value->>1 AS key_id, value->>2 AS day, value->>3 AS hospital,
	value->>4 AS interaction, CAST(value->>5 AS BIGINT) AS status, CAST(value->>6 AS BIGINT) AS calls FROM json_each(?)) AS given`

func usageParameter(rows []UsageRow) string {
	given := make([][]any, len(rows))
	for i, r := range rows {
		given[i] = []any{i, clean(r.KeyID), r.Day, clean(r.Hospital), clean(r.Interaction), r.Status, r.Calls}
	}
	return asJSON(given)
}

// changedUsage returns the rows that differ from what is stored, and adds the
// differences to the sums.
func (q queries) changedUsage(ctx context.Context, rows []UsageRow, sums sums) ([]UsageRow, error) {
	stored := make([]int64, len(rows))
	err := q.each(ctx, func(r row) error {
		var i, calls int64
		err := r.Scan(&i, &calls)
		stored[i] = calls
		return err
	}, "SELECT given.i, u.calls FROM "+givenUsage+` JOIN usage u ON u.key_id = given.key_id AND u.day = given.day
		AND u.hospital = given.hospital AND u.interaction = given.interaction AND u.status = given.status`, usageParameter(rows))
	var changed []UsageRow
	for i, r := range rows {
		if r.Calls != stored[i] {
			changed = append(changed, r)
			sums.add(r, r.Calls-stored[i])
		}
	}
	return changed, err
}

func (q queries) putUsage(ctx context.Context, rows []UsageRow) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := q.exec(ctx, `INSERT INTO usage (key_id, day, hospital, interaction, status, calls)
		SELECT key_id, day, hospital, interaction, status, calls FROM `+givenUsage+` WHERE true
		ON CONFLICT (key_id, day, hospital, interaction, status) DO UPDATE SET calls = excluded.calls`, usageParameter(rows))
	return err
}

// dropBatch is of how many keys, apps or teams usage is dropped at once, so that
// other writers need not wait until all is done.
const dropBatch = 200

// DropUsage forgets the usage of the days before the given one. When it fails
// half-way, the next call goes on.
func (s *Store) DropUsage(ctx context.Context, before Day) error {
	for _, table := range []struct{ name, sortedBy string }{
		{"usage", "key_id"}, {"usage_statuses", "whose"}, {"usage_interactions", "whose"},
	} {
		for last, more := "", true; more; {
			err := s.transact(ctx, "usage", func(q queries) error {
				var err error
				last, more, err = q.dropUsage(ctx, table.name, table.sortedBy, last, before)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// dropUsage goes on behind a key or owner, and returns how far it has come, and
// whether there are more. The tables are not sorted by day.
func (q queries) dropUsage(ctx context.Context, table, sortedBy, last string, before Day) (string, bool, error) {
	for range dropBatch {
		next, err := all(ctx, q, value[string],
			"SELECT "+sortedBy+" FROM "+table+" WHERE "+sortedBy+" > ? ORDER BY "+sortedBy+" LIMIT 1", last)
		if err != nil || len(next) == 0 {
			return last, false, err
		}
		last = next[0]
		if _, err := q.exec(ctx, "DELETE FROM "+table+" WHERE "+sortedBy+" = ? AND day < ?", last, string(before)); err != nil {
			return last, false, err
		}
	}
	return last, true, nil
}
