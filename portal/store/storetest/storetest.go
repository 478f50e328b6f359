// Package storetest opens stores for tests: in SQLite, and in a real PostgreSQL
// that it starts.
package storetest

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

// The databases.
const (
	SQLite     = "sqlite"
	PostgreSQL = "postgres"
)

// ActsKey is the key of the acts of every store that is opened here.
const ActsKey = "a key of the tests, 32 bytes long"

// Dialects are all databases.
func Dialects() []string { return []string{SQLite, PostgreSQL} }

// Options are those of an empty database of its own, which can be opened more
// than once.
func Options(t testing.TB, dialect string) store.Options {
	t.Helper()
	options := store.Options{ActsKey: []byte(ActsKey)}
	if dialect == PostgreSQL {
		options.Postgres = Postgres(t)
	} else {
		options.SQLite = filepath.Join(t.TempDir(), "portal.db")
	}
	return options
}

// Open opens an empty store, until the test ends.
func Open(t testing.TB, dialect string) *store.Store {
	t.Helper()
	return OpenWith(t, Options(t, dialect))
}

// OpenWith opens a store, until the test ends.
func OpenWith(t testing.TB, options store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// Each runs a test on an empty store in each of the databases.
func Each(t *testing.T, test func(*testing.T, *store.Store)) {
	t.Helper()
	for _, dialect := range Dialects() {
		t.Run(dialect, func(t *testing.T) { test(t, Open(t, dialect)) })
	}
}

// Join lets a user into a team, whom an owner of it invites.
func Join(t testing.TB, s *store.Store, owner store.By, teamID, userID string, role store.TeamRole) {
	t.Helper()
	user, err := s.User(t.Context(), userID)
	require.NoError(t, err)
	invited, _, err := s.InviteToTeam(t.Context(), owner, store.Invitation{
		Email: user.Email, TeamID: teamID, TeamRole: role, Expires: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), // whatever the store takes for now
	})
	require.NoError(t, err)
	_, err = s.JoinTeam(t.Context(), store.By{UserID: user.ID, Name: user.Email}, invited.ID)
	require.NoError(t, err)
}
