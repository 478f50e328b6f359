package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

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
	if err := s.prepare(ctx, options); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) connectPostgres(options Options) error {
	config, err := pgx.ParseConfig(options.Postgres)
	if err != nil {
		return err
	}
	// Plans are made for each query anew: one that was made while a table was
	// empty would stay when it has millions of rows.
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(postgresClients)
	s.reads, s.writes, s.dialect = db, db, postgresDialect
	return nil
}

func (s *Store) connectSQLite(options Options) error {
	path, err := filepath.Abs(options.SQLite)
	if err != nil {
		return err
	}
	if err := ownFile(path); err != nil {
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

// ownFile makes a file that only its owner may read; SQLite gives those beside it
// the same mode. One that exists is not opened: to close it would take the locks
// of SQLite from it, if this process has it open already.
func ownFile(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.Chmod(path, 0o600)
	}
	if err != nil {
		return err
	}
	return file.Close()
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
