package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"golang.org/x/sys/unix"
)

//go:embed migrations
var migrations embed.FS

// prepare brings the tables up to date, and the head of the acts into its place,
// in one process at a time.
func (s *Store) prepare(ctx context.Context, options Options) (err error) {
	turn := s.turnSQLite
	if s.dialect == postgresDialect {
		turn = s.turnPostgres
	}
	end, err := turn(ctx, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	folder, err := fs.Sub(migrations, "migrations/"+s.dialect.folder)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(s.dialect.goose, s.writes, folder, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("the tables of the portal cannot be brought up to date: %w", err)
	}
	if err := s.foundActs(ctx); err != nil {
		return err
	}
	return s.checkKey(ctx)
}

// turnPostgres waits until no other process prepares the database, by a lock that
// ends with its connection.
func (s *Store) turnPostgres(ctx context.Context, _ Options) (end func() error, err error) {
	conn, err := s.writes.Conn(ctx)
	if err != nil {
		return nil, err
	}
	const name = "hashtext('fhirgate portal')"
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock("+name+")"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return func() error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock("+name+")")
		return errors.Join(err, conn.Close())
	}, nil
}

// turnSQLite waits until no other process prepares a database in the folder. The
// file itself cannot be locked: its locks are SQLite's.
func (s *Store) turnSQLite(_ context.Context, options Options) (end func() error, err error) {
	folder, err := os.Open(filepath.Dir(options.SQLite))
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return folder.Close, nil
}
