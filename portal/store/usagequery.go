package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxUsageDays bounds the range of a question.
const maxUsageDays = 3660

// Usage counts the calls of a range of days of at most ten years. The question
// for all keys is answered from sums, those for some keys from their own rows.
func (s *Store) Usage(ctx context.Context, query UsageQuery) (Usage, error) {
	days, err := daysOf(query.From, query.To)
	if err != nil {
		return Usage{}, err
	}
	usage := Usage{Days: days}
	if query.Keys != nil && len(query.Keys) == 0 {
		return usage, nil
	}
	from := query.from()
	err = s.snapshot(ctx, func(q queries) error {
		if err := q.countDays(ctx, from, &usage); err != nil {
			return err
		}
		for column, to := range map[string]*[]Count{
			"hospital": &usage.Hospitals, "interaction": &usage.Interactions, "CAST(status AS TEXT)": &usage.Statuses,
		} {
			if *to, err = q.counts(ctx, column, from); err != nil {
				return err
			}
		}
		return nil
	})
	return usage, err
}

// source is what usage is counted in.
type source struct {
	table string
	where conditions
}

func (u UsageQuery) from() source {
	from := source{table: "usage_days"}
	if u.Keys != nil {
		from.table = "usage"
		args := make([]any, len(u.Keys))
		for i, key := range u.Keys {
			args[i] = key
		}
		from.where.add("key_id IN ("+marks(len(args))+")", args...)
	}
	from.where.add("day >= ? AND day <= ?", string(u.From), string(u.To))
	from.where.is("hospital", u.Hospital)
	return from
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

func (q queries) countDays(ctx context.Context, from source, usage *Usage) error {
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
	}, `SELECT day, CAST(SUM(CASE WHEN status < 400 THEN calls ELSE 0 END) AS BIGINT),
			CAST(SUM(CASE WHEN status >= 400 AND status < 500 THEN calls ELSE 0 END) AS BIGINT),
			CAST(SUM(CASE WHEN status >= 500 THEN calls ELSE 0 END) AS BIGINT)
		FROM `+from.table+from.where.String()+" GROUP BY day", from.where.args...)
}

// counts returns what was called by a column, most first.
func (q queries) counts(ctx context.Context, column string, from source) ([]Count, error) {
	scan := func(r row) (Count, error) {
		var c Count
		err := r.Scan(&c.Name, &c.Calls)
		return c, err
	}
	return all(ctx, q, scan, "SELECT "+column+", CAST(SUM(calls) AS BIGINT) AS total FROM "+from.table+from.where.String()+
		" GROUP BY "+column+" HAVING SUM(calls) > 0 ORDER BY total DESC, "+column, from.where.args...)
}
