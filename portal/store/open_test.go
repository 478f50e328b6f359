package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

func TestAnotherActsKey(t *testing.T) {
	for _, dialect := range []string{storetest.SQLite, storetest.PostgreSQL} {
		t.Run(dialect, func(t *testing.T) {
			options := storetest.Options(t, dialect)
			first := storetest.OpenWith(t, options)
			_, err := first.CreateUser(t.Context(), store.System, store.User{Email: "ann@pacs.example", Name: "Ann", Role: store.RoleAdmin})
			require.NoError(t, err)
			require.NoError(t, first.Close())
			right := options.ActsKey
			options.ActsKey = []byte(strings.Repeat("another key ", 4))
			_, err = store.Open(t.Context(), options)
			require.ErrorIs(t, err, store.ErrActsKey)
			options.ActsKey = right
			again := storetest.OpenWith(t, options)
			verdict, err := again.VerifyActs(t.Context())
			require.NoError(t, err)
			require.Zero(t, verdict.Broken, "nothing was written with the other key")
		})
	}
}

func TestOpenAgain(t *testing.T) {
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			options := storetest.Options(t, dialect)
			first := storetest.OpenWith(t, options)
			user, err := first.CreateUser(t.Context(), store.System, store.User{Email: " Ada@Example.org", Name: "Ada"})
			require.NoError(t, err)
			second := storetest.OpenWith(t, options)
			require.NoError(t, second.Ping(t.Context()))
			found, err := second.UserByEmail(t.Context(), "ada@example.ORG ")
			require.NoError(t, err)
			require.Equal(t, user, found)
			verdict, err := second.VerifyActs(t.Context())
			require.NoError(t, err)
			require.Empty(t, verdict.Problem)
			require.EqualValues(t, 1, verdict.Count)
		})
	}
}

func TestOpenAtOnce(t *testing.T) {
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			for range map[string]int{storetest.SQLite: 20, storetest.PostgreSQL: 2}[dialect] {
				options := storetest.Options(t, dialect)
				errs := atOnce(12, func(int) error {
					s, err := store.Open(t.Context(), options)
					if err != nil {
						return err
					}
					return errors.Join(s.Record(t.Context(), store.System, "test", "test", "", nil), s.Close())
				})
				require.Equal(t, 12, isIn(errs, nil), errs)
			}
		})
	}
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a file?with=odd name%.db")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	s := storetest.OpenWith(t, store.Options{SQLite: path, ActsKey: []byte(storetest.ActsKey)})
	_, err := s.CountUsers(t.Context())
	require.NoError(t, err)
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, files, 3, "the database, its log and its shared memory")
	for _, file := range files {
		info, err := file.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode(), file.Name())
		require.True(t, strings.HasPrefix(file.Name(), filepath.Base(path)), file.Name())
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, options := range map[string]store.Options{
		"a short key":       {SQLite: filepath.Join(t.TempDir(), "portal.db"), ActsKey: []byte("too short")},
		"a missing folder":  {SQLite: filepath.Join(t.TempDir(), "none", "portal.db"), ActsKey: []byte(storetest.ActsKey)},
		"no such server":    {Postgres: "postgres:///none?host=" + t.TempDir(), ActsKey: []byte(storetest.ActsKey)},
		"a URL that is not": {Postgres: "postgres://%zz", ActsKey: []byte(storetest.ActsKey)},
	} {
		_, err := store.Open(t.Context(), options)
		require.Error(t, err, name)
	}
}
