package store

import (
	"context"
	"time"
)

// failuresLast is how long failures are remembered after the last one.
const failuresLast = 24 * time.Hour

// Failures returns how often signing in has failed under a name since it last
// went well, and when it did so last. Callers hash the name.
func (s *Store) Failures(ctx context.Context, name string) (int, time.Time, error) {
	var count int
	var last time.Time
	err := s.read().each(ctx, func(r row) error { return r.Scan(&count, stamped{&last}) },
		"SELECT count, last FROM login_failures WHERE name = ? AND last > ?", name, stamp(s.now().Add(-failuresLast)))
	return count, last, err
}

// AddFailure counts one more failure. What is older than a day is forgotten.
func (s *Store) AddFailure(ctx context.Context, name string) error {
	now := s.now()
	return s.transact(ctx, "login_failures", func(q queries) error {
		if _, err := q.exec(ctx, "DELETE FROM login_failures WHERE last <= ?", stamp(now.Add(-failuresLast))); err != nil {
			return err
		}
		_, err := q.exec(ctx, `INSERT INTO login_failures (name, count, last) VALUES (?, 1, ?)
			ON CONFLICT (name) DO UPDATE SET count = login_failures.count + 1, last = excluded.last`, name, stamp(now))
		return err
	})
}

// ClearFailures forgets the failures of a name.
func (s *Store) ClearFailures(ctx context.Context, name string) error {
	_, err := s.write(ctx, "DELETE FROM login_failures WHERE name = ?", name)
	return err
}
