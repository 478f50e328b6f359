package store

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlitecodes "modernc.org/sqlite/lib"
)

// dialect is where the two databases differ.
type dialect struct {
	goose   goose.Dialect
	folder  string // of its migrations
	rewrite func(query string) string
	lock    string // what keeps other writers from a table, whose name is given; "" = a transaction that writes is alone
}

var (
	sqliteDialect   = &dialect{goose: goose.DialectSQLite3, folder: "sqlite", rewrite: func(query string) string { return query }}
	postgresDialect = &dialect{
		goose: goose.DialectPostgres, folder: "postgres", rewrite: postgresQuery, lock: "SELECT pg_advisory_xact_lock(hashtext(?))",
	}
)

// postgresWords are what PostgreSQL has another word for: LIKE looks at case there.
var postgresWords = strings.NewReplacer(" LIKE ", " ILIKE ", "json_each(?)", "json_array_elements(CAST(? AS json))")

// postgresQuery turns a query as it is written here, and as SQLite takes it, into
// one for PostgreSQL, where parameters have numbers.
func postgresQuery(query string) string {
	var out strings.Builder
	out.Grow(len(query) + 16)
	number := 0
	for part := range strings.SplitSeq(postgresWords.Replace(query), "?") {
		if number > 0 {
			out.WriteByte('$')
			out.WriteString(strconv.Itoa(number))
		}
		out.WriteString(part)
		number++
	}
	return out.String()
}

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
