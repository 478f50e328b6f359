package store

import (
	"context"
	"database/sql"
	"strings"
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

// selection is a query for one page of a list, and for its length. What is joined
// is joined to the rows of the page only; conditions and order know the table
// alone, by its alias.
type selection struct {
	columns string
	table   string
	alias   string
	joins   string
	where   conditions
	order   string
}

// list returns one page of what is selected.
func list[T any](ctx context.Context, q queries, scan func(row) (T, error), s selection, page Page) (List[T], error) {
	page = page.filled()
	result := List[T]{Page: page}
	from := " FROM " + s.table + " " + s.alias + s.where.String()
	var err error
	if result.Total, err = one(ctx, q, value[int], "SELECT COUNT(*)"+from, s.where.args...); err != nil {
		return result, err
	}
	args := append(s.where.args, page.Size, (page.Number-1)*page.Size)
	result.Items, err = all(ctx, q, scan, "SELECT "+s.columns+" FROM (SELECT *"+from+" ORDER BY "+s.order+" LIMIT ? OFFSET ?) "+
		s.alias+" "+s.joins+" ORDER BY "+s.order, args...)
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

// oneOf adds that the column has one of the values.
func (c *conditions) oneOf(column string, values []string) {
	c.parts = append(c.parts, column+" IN ("+marks(len(values))+")")
	for _, value := range values {
		c.args = append(c.args, value)
	}
}

// like is the condition that the column before it contains a text, which is given
// as its pattern.
const like = ` LIKE ? ESCAPE '\'`

// contains adds that one of the columns contains the text, unless that is empty.
func (c *conditions) contains(text string, columns ...string) {
	c.matches(text, strings.Join(columns, like+" OR ")+like)
}

// maxSearch is how much of a text is searched for, in bytes: SQLite refuses longer
// patterns, and texts that people write are no longer.
const maxSearch = 4000

// matches adds a condition made with like, unless the text is empty.
func (c *conditions) matches(text, part string) {
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	text = strings.ToValidUTF8(text[:min(len(text), maxSearch)], "")
	args := make([]any, strings.Count(part, "?"))
	for i := range args {
		args[i] = pattern(text)
	}
	c.add("("+part+")", args...)
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
