package store

import (
	"context"
	"database/sql"
	"time"
)

// transact runs do in a transaction that no other one that writes to the table,
// here or in another process, overlaps.
func (s *Store) transact(ctx context.Context, table string, do func(queries) error) error {
	tx, err := s.writes.BeginTx(ctx, nil)
	if err != nil {
		return translate(err)
	}
	defer func() { _ = tx.Rollback() }() // no more than the answer to what failed before
	q := queries{tx, s.dialect}
	if s.dialect.lock != "" {
		if _, err := q.exec(ctx, s.dialect.lock, table); err != nil {
			return err
		}
	}
	if err := do(q); err != nil {
		return err
	}
	return translate(tx.Commit())
}

// write runs one statement that needs no act, and reports whether it changed
// something.
func (s *Store) write(ctx context.Context, statement string, args ...any) (bool, error) {
	n, err := queries{s.writes, s.dialect}.exec(ctx, statement, args...)
	return n > 0, err
}

// snapshot runs do on one state of the database.
func (s *Store) snapshot(ctx context.Context, do func(queries) error) error {
	tx, err := s.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return translate(err)
	}
	defer func() { _ = tx.Rollback() }() // it has written nothing
	return do(queries{tx, s.dialect})
}

// act is what a change was: its name, what it was done to, and what else is worth
// knowing. One without a name says that there was nothing to change.
type act struct {
	name, kind, subject string
	detail              map[string]string
}

// change runs do, and writes its act in the same transaction. All changes are
// made one at a time.
func (s *Store) change(ctx context.Context, by By, do func(queries) (act, error)) error {
	return s.transact(ctx, "acts", func(q queries) error {
		done, err := do(q)
		if err != nil || done.name == "" {
			return err
		}
		return s.appendAct(ctx, q, by, done)
	})
}

// update is a change by one statement. ErrNotFound when it finds no row.
func (s *Store) update(ctx context.Context, by By, done act, statement string, args ...any) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		return done, q.mustChange(ctx, ErrNotFound, statement, args...)
	})
}

// move runs a statement that moves a row on from one state, and returns
// ErrConflict when the row is in another one, ErrNotFound when there is none.
func (q queries) move(ctx context.Context, table, id, statement string, args ...any) error {
	n, err := q.exec(ctx, statement, args...)
	if err != nil || n > 0 {
		return err
	}
	if _, err := one(ctx, q, value[int], "SELECT 1 FROM "+table+" WHERE id = ?", id); err != nil {
		return err
	}
	return ErrConflict
}

// mustChange runs a statement, and returns the given error when it changed
// nothing.
func (q queries) mustChange(ctx context.Context, otherwise error, statement string, args ...any) error {
	n, err := q.exec(ctx, statement, args...)
	if err == nil && n == 0 {
		err = otherwise
	}
	return err
}

// seconds is now, as it is stored.
func (s *Store) seconds() time.Time { return s.now().UTC().Truncate(time.Second) }
