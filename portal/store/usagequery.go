package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxUsageDays bounds the range of a question.
const maxUsageDays = 3660

// Usage counts the calls of a range of days of at most ten years. Questions for
// all keys, and for those of apps and teams, are answered from sums, those for some
// keys from their own rows.
func (s *Store) Usage(ctx context.Context, query UsageQuery) (Usage, error) {
	days, err := daysOf(query.From, query.To)
	if err != nil {
		return Usage{}, err
	}
	usage := Usage{Days: days}
	if query.Keys != nil && len(query.Keys) == 0 || query.Owners != nil && len(query.Owners) == 0 {
		return usage, nil
	}
	err = s.snapshot(ctx, func(q queries) error {
		if err := q.countDays(ctx, query, &usage); err != nil {
			return err
		}
		if err := q.countHospitals(ctx, query, &usage); err != nil {
			return err
		}
		return q.countInteractions(ctx, query, &usage)
	})
	return usage, err
}

// from is where usage is counted: in the sums, or in the rows of the keys.
func (u UsageQuery) from(sums string) (string, []any) {
	var where conditions
	table, column, chosen := sums, "whose", []string{everybody}
	switch {
	case u.Keys != nil:
		table, column, chosen = "usage", "key_id", u.Keys
	case u.Owners != nil:
		chosen = u.Owners
	}
	where.oneOf(column, chosen)
	where.add("day >= ? AND day <= ?", string(u.From), string(u.To))
	where.is("hospital", u.Hospital)
	return " FROM " + table + where.String(), where.args
}

// daysOf returns every day of a range, with nothing counted yet.
func daysOf(from, to Day) ([]DayCount, error) {
	first, err := from.Start()
	last, err2 := to.Start()
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("a day of the range is none: %w", err)
	}
	if last.Before(first) || last.Sub(first) > maxUsageDays*24*time.Hour {
		return nil, errors.New("the range of days ends before it begins, or is too long")
	}
	var days []DayCount
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		days = append(days, DayCount{Day: DayOf(day)})
	}
	return days, nil
}

func (q queries) countDays(ctx context.Context, query UsageQuery, usage *Usage) error {
	from, args := query.from("usage_statuses")
	return q.each(ctx, func(r row) error {
		var day DayCount
		if err := r.Scan(&day.Day, &day.OK, &day.ClientErrors, &day.ServerErrors); err != nil {
			return err
		}
		at, found := slices.BinarySearchFunc(usage.Days, day.Day, func(d DayCount, wanted Day) int {
			return strings.Compare(string(d.Day), string(wanted))
		})
		if found {
			usage.Days[at] = day
			usage.Total += day.OK + day.ClientErrors + day.ServerErrors
		}
		return nil
	}, `SELECT day, CAST(SUM(CASE WHEN status > 0 AND status < 400 THEN calls ELSE 0 END) AS BIGINT),
			CAST(SUM(CASE WHEN status = 0 OR status >= 400 AND status < 500 THEN calls ELSE 0 END) AS BIGINT),
			CAST(SUM(CASE WHEN status >= 500 THEN calls ELSE 0 END) AS BIGINT)`+from+" GROUP BY day", args...)
}

// countHospitals counts by hospital and by status in one pass.
func (q queries) countHospitals(ctx context.Context, query UsageQuery, usage *Usage) error {
	hospitals, statuses := make(map[string]int64), make(map[string]int64)
	from, args := query.from("usage_statuses")
	err := q.each(ctx, func(r row) error {
		var hospital, status string
		var calls int64
		err := r.Scan(&hospital, &status, &calls)
		hospitals[hospital] += calls
		statuses[status] += calls
		return err
	}, "SELECT hospital, CAST(status AS TEXT), CAST(SUM(calls) AS BIGINT)"+from+" GROUP BY hospital, status", args...)
	usage.Hospitals, usage.Statuses = mostFirst(hospitals), mostFirst(statuses)
	return err
}

func (q queries) countInteractions(ctx context.Context, query UsageQuery, usage *Usage) error {
	interactions := make(map[string]int64)
	from, args := query.from("usage_interactions")
	err := q.each(ctx, func(r row) error {
		var interaction string
		var calls int64
		err := r.Scan(&interaction, &calls)
		interactions[interaction] = calls
		return err
	}, "SELECT interaction, CAST(SUM(calls) AS BIGINT)"+from+" GROUP BY interaction", args...)
	usage.Interactions = mostFirst(interactions)
	return err
}

// mostFirst sorts counts, and leaves out those of nothing.
func mostFirst(calls map[string]int64) []Count {
	var counts []Count
	for name, n := range calls {
		if n > 0 {
			counts = append(counts, Count{Name: name, Calls: n})
		}
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), strings.Compare(a.Name, b.Name))
	})
	return counts
}
