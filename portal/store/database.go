package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed migrations
var migrations embed.FS

// minActsKey is the least length of the acts' key in bytes.
const minActsKey = 32

// Connections at once. SQLite lets one write at a time, so that writers wait in
// the pool, in order, and not by asking again and again.
const (
	sqliteReaders   = 8
	postgresClients = 16
)

// Store is an open database.
type Store struct {
	reads, writes *sql.DB // the same for PostgreSQL
	dialect       *dialect
	chain         chain
	now           func() time.Time
	swept         sweep
}

// dialect is where the two databases differ.
type dialect struct {
	name    goose.Dialect // also of the folder with its migrations
	rewrite func(query string) string
	lock    string // what keeps other writers from a table; "" = a transaction that writes is alone
}

var (
	sqliteDialect   = &dialect{name: "sqlite", rewrite: func(query string) string { return query }}
	postgresDialect = &dialect{name: "postgres", rewrite: postgresQuery, lock: "LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE"}
)

// Open opens the database, makes it when it is a file that does not exist, and
// brings its tables up to date.
func Open(ctx context.Context, options Options) (*Store, error) {
	if len(options.ActsKey) < minActsKey {
		return nil, fmt.Errorf("the key of the acts has %d bytes, and needs %d", len(options.ActsKey), minActsKey)
	}
	s := &Store{chain: chain{key: options.ActsKey}, now: options.Now}
	if s.now == nil {
		s.now = time.Now
	}
	connect := s.connectSQLite
	if options.Postgres != "" {
		connect = s.connectPostgres
	}
	if err := connect(options); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) connectPostgres(options Options) error {
	db, err := sql.Open("pgx", options.Postgres)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(postgresClients)
	s.reads, s.writes, s.dialect = db, db, postgresDialect
	return nil
}

func (s *Store) connectSQLite(options Options) error {
	path, err := filepath.Abs(options.SQLite)
	if err != nil {
		return err
	}
	// SQLite gives the files beside it the same mode.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Chmod(0o600), file.Close()); err != nil {
		return err
	}
	if s.reads, err = openSQLite(path, "query_only(1)"); err != nil {
		return err
	}
	if s.writes, err = openSQLite(path); err != nil {
		return err
	}
	s.reads.SetMaxOpenConns(sqliteReaders)
	s.reads.SetMaxIdleConns(sqliteReaders)
	s.writes.SetMaxOpenConns(1)
	s.dialect = sqliteDialect
	return nil
}

func openSQLite(path string, pragmas ...string) (*sql.DB, error) {
	query := url.Values{
		// What writes takes the lock at once: it could not get it later when
		// another process has written in between.
		"_txlock": {"immediate"},
		"_pragma": append([]string{
			"busy_timeout(10000)", // milliseconds, for other processes
			"journal_mode(WAL)",
			"synchronous(FULL)", // what was acknowledged outlives a power cut
			"foreign_keys(1)",
			"cache_size(-16000)", // KiB
		}, pragmas...),
	}
	source := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	return sql.Open("sqlite", source.String())
}

// prepare brings the tables up to date, and the head of the acts into its place.
func (s *Store) prepare(ctx context.Context) error {
	folder, err := fs.Sub(migrations, "migrations/"+string(s.dialect.name))
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	name := goose.DialectSQLite3
	if s.dialect == postgresDialect {
		name = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(name, s.writes, folder, options...)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("the tables of the portal cannot be brought up to date: %w", err)
	}
	return s.foundActs(ctx)
}

// postgresQuery turns a query as it is written here, and as SQLite takes it, into
// one for PostgreSQL: parameters have numbers there, and LIKE looks at case.
func postgresQuery(query string) string {
	var out strings.Builder
	out.Grow(len(query) + 16)
	number := 0
	for part := range strings.SplitSeq(query, "?") {
		if number > 0 {
			out.WriteByte('$')
			out.WriteString(strconv.Itoa(number))
		}
		out.WriteString(part)
		number++
	}
	return strings.ReplaceAll(out.String(), " LIKE ", " ILIKE ")
}
