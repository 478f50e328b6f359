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

// DayCount is how the calls of a day ended.
type DayCount struct {
	Day          Day
	OK           int64 // below 400
	ClientErrors int64 // 400 to 499
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

// usageBatch is how many rows one statement writes.
const usageBatch = 400

const (
	usageFields = 6
	usageRow    = "(CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS BIGINT))"
)

// PutUsage stores counts of whole days so far. They take the place of what is
// stored for the same key, day, hospital, interaction and status: to put the same
// rows once more changes nothing. Either all rows are stored or none.
func (s *Store) PutUsage(ctx context.Context, rows []UsageRow) error {
	rows = lastOfEach(rows)
	return s.transact(ctx, "usage", func(q queries) error {
		for batch := range slices.Chunk(rows, usageBatch) {
			if err := q.putUsage(ctx, batch); err != nil {
				return err
			}
		}
		return nil
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

func (q queries) putUsage(ctx context.Context, rows []UsageRow) error {
	args := make([]any, 0, usageFields*len(rows))
	for _, r := range rows {
		args = append(args, r.KeyID, string(r.Day), r.Hospital, r.Interaction, r.Status, r.Calls)
	}
	given := "WITH given (key_id, day, hospital, interaction, status, calls) AS (VALUES " +
		strings.TrimSuffix(strings.Repeat(usageRow+",", len(rows)), ",") + ") "
	// The sum over all keys moves by what the rows differ from those of before.
	_, err := q.exec(ctx, given+`INSERT INTO usage_days (day, hospital, interaction, status, calls)
		SELECT g.day, g.hospital, g.interaction, g.status, SUM(g.calls - COALESCE(u.calls, 0))
		FROM given g LEFT JOIN usage u ON u.key_id = g.key_id AND u.day = g.day AND u.hospital = g.hospital
			AND u.interaction = g.interaction AND u.status = g.status
		WHERE u.calls IS NULL OR u.calls <> g.calls GROUP BY g.day, g.hospital, g.interaction, g.status
		ON CONFLICT (day, hospital, interaction, status) DO UPDATE SET calls = usage_days.calls + excluded.calls`, args...)
	if err != nil {
		return err
	}
	_, err = q.exec(ctx, given+`INSERT INTO usage (key_id, day, hospital, interaction, status, calls)
		SELECT key_id, day, hospital, interaction, status, calls FROM given WHERE true
		ON CONFLICT (key_id, day, hospital, interaction, status) DO UPDATE SET calls = excluded.calls`, args...)
	return err
}

// dropBatch is of how many keys usage is dropped at once, so that other writers
// need not wait until all is done.
const dropBatch = 200

// DropUsage forgets the usage of the days before the given one. When it fails
// half-way, the next call goes on.
func (s *Store) DropUsage(ctx context.Context, before Day) error {
	for key, more := "", true; more; {
		err := s.transact(ctx, "usage", func(q queries) error {
			var err error
			key, more, err = q.dropUsage(ctx, key, before)
			return err
		})
		if err != nil {
			return err
		}
	}
	_, err := s.write(ctx, "DELETE FROM usage_days WHERE day < ?", string(before))
	return err
}

// dropUsage goes on behind a key, and returns how far it has come, and whether
// there are more. The table is sorted by key and not by day.
func (q queries) dropUsage(ctx context.Context, key string, before Day) (string, bool, error) {
	for range dropBatch {
		next, err := all(ctx, q, value[string], "SELECT key_id FROM usage WHERE key_id > ? ORDER BY key_id LIMIT 1", key)
		if err != nil || len(next) == 0 {
			return key, false, err
		}
		key = next[0]
		if _, err := q.exec(ctx, "DELETE FROM usage WHERE key_id = ? AND day < ?", key, string(before)); err != nil {
			return key, false, err
		}
	}
	return key, true, nil
}
