package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlitecodes "modernc.org/sqlite/lib"
)

// queries runs queries, in a transaction or without, that are written as SQLite
// takes them.
type queries struct {
	on interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}
	dialect *dialect
}

// row is what a result is scanned from.
type row interface{ Scan(dest ...any) error }

func (s *Store) read() queries { return queries{s.reads, s.dialect} }

// exec runs a statement and returns how many rows it changed.
func (q queries) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := q.on.ExecContext(ctx, q.dialect.rewrite(statement), cleaned(args)...)
	if err != nil {
		return 0, translate(err)
	}
	return result.RowsAffected()
}

// each calls take for every row of a result.
func (q queries) each(ctx context.Context, take func(row) error, query string, args ...any) error {
	rows, err := q.on.QueryContext(ctx, q.dialect.rewrite(query), cleaned(args)...)
	if err != nil {
		return translate(err)
	}
	defer func() { _ = rows.Close() }() // Err has what went wrong
	for rows.Next() {
		if err := take(rows); err != nil {
			return err
		}
	}
	return translate(rows.Err())
}

// all returns the rows of a result.
func all[T any](ctx context.Context, q queries, scan func(row) (T, error), query string, args ...any) ([]T, error) {
	var found []T
	err := q.each(ctx, func(r row) error {
		item, err := scan(r)
		found = append(found, item)
		return err
	}, query, args...)
	return found, err
}

// one returns the first row of a result, or ErrNotFound.
func one[T any](ctx context.Context, q queries, scan func(row) (T, error), query string, args ...any) (T, error) {
	found, err := all(ctx, q, scan, query, args...)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		var none T
		return none, err
	}
	return found[0], nil
}

// value scans a result of one column.
func value[T any](r row) (T, error) {
	var v T
	err := r.Scan(&v)
	return v, err
}

// selection is a query for one page of a list, and for its length.
type selection struct {
	columns string
	from    string
	where   conditions
	order   string
}

// list returns one page of what is selected.
func list[T any](ctx context.Context, q queries, scan func(row) (T, error), s selection, page Page) (List[T], error) {
	page = page.filled()
	result := List[T]{Page: page}
	from := " FROM " + s.from + s.where.String()
	var err error
	if result.Total, err = one(ctx, q, value[int], "SELECT COUNT(*)"+from, s.where.args...); err != nil {
		return result, err
	}
	args := append(s.where.args, page.Size, (page.Number-1)*page.Size)
	result.Items, err = all(ctx, q, scan, "SELECT "+s.columns+from+" ORDER BY "+s.order+" LIMIT ? OFFSET ?", args...)
	return result, err
}

// conditions are joined by AND.
type conditions struct {
	parts []string
	args  []any
}

func (c *conditions) add(part string, args ...any) {
	c.parts = append(c.parts, part)
	c.args = append(c.args, args...)
}

// is adds that the column has the value, unless that is empty.
func (c *conditions) is(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
	}
}

// contains adds that one of the columns contains the text, unless that is empty.
func (c *conditions) contains(text string, columns ...string) {
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	parts := make([]string, 0, len(columns))
	args := make([]any, 0, len(columns))
	for _, column := range columns {
		parts = append(parts, column+` LIKE ? ESCAPE '\'`)
		args = append(args, pattern(text))
	}
	c.add("("+strings.Join(parts, " OR ")+")", args...)
}

func (c *conditions) String() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.parts, " AND ")
}

// pattern is the LIKE pattern of what contains the text.
func pattern(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

// marks are as many parameters of a query, for an IN or a row of VALUES.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

// translate names what callers can do something about.
func translate(err error) error {
	var postgres *pgconn.PgError
	var lite *sqlite.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &postgres):
		switch postgres.Code {
		case "23505": // unique_violation
			return ErrConflict
		case "23503": // foreign_key_violation
			return ErrNotFound
		}
	case errors.As(err, &lite):
		switch lite.Code() {
		case sqlitecodes.SQLITE_CONSTRAINT_UNIQUE, sqlitecodes.SQLITE_CONSTRAINT_PRIMARYKEY:
			return ErrConflict
		case sqlitecodes.SQLITE_CONSTRAINT_FOREIGNKEY:
			return ErrNotFound
		}
	}
	return fmt.Errorf("the portal's database: %w", err)
}

// clean is text as PostgreSQL takes it.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
}

// cleaned are parameters as PostgreSQL takes them.
func cleaned(args []any) []any {
	clear := slices.Clone(args)
	for i, arg := range clear {
		if text, ok := arg.(string); ok {
			clear[i] = clean(text)
		}
	}
	return clear
}

// stamp is how times stand in the database.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// stamped reads what stamp wrote.
type stamped struct{ to *time.Time }

// Scan implements sql.Scanner.
func (s stamped) Scan(from any) error {
	seconds, ok := from.(int64)
	if !ok {
		return fmt.Errorf("a time is a %T", from)
	}
	*s.to = time.Time{}
	if seconds != 0 {
		*s.to = time.Unix(seconds, 0).UTC()
	}
	return nil
}

// asJSON is how lists stand in the database. Those given to it can be encoded.
func asJSON(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// fromJSON reads what asJSON wrote.
type fromJSON[T any] struct{ to *T }

// Scan implements sql.Scanner.
func (f fromJSON[T]) Scan(from any) error {
	text, ok := from.(string)
	if !ok {
		return fmt.Errorf("a list is a %T", from)
	}
	return json.Unmarshal([]byte(text), f.to)
}

// prefixed puts the name of a table before each of its columns.
func prefixed(prefix, columns string) string {
	return prefix + strings.ReplaceAll(columns, ", ", ", "+prefix)
}
