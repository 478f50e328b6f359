package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

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
