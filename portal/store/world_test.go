package store_test

import (
	"database/sql"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

// world is an empty store with a clock that the test moves.
type world struct {
	*store.Store
	options store.Options
	now     time.Time
}

// each runs a test on an empty store in each of the databases.
func each(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			w := &world{options: storetest.Options(t, dialect), now: time.Date(2026, 11, 22, 10, 0, 0, 123_456_789, time.UTC)}
			w.options.Now = func() time.Time { return w.now }
			w.Store = storetest.OpenWith(t, w.options)
			test(t, w)
		})
	}
}

// seconds is the time, as it is stored.
func (w *world) seconds() time.Time { return w.now.Truncate(time.Second) }

// raw is the database without the store.
func (w *world) raw(t *testing.T) *sql.DB {
	driver, source := "sqlite", "file:"+w.options.SQLite+"?_pragma=busy_timeout(10000)"
	if w.options.Postgres != "" {
		driver, source = "pgx", w.options.Postgres
	}
	db, err := sql.Open(driver, source)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func (w *world) user(t *testing.T, name string, role store.Role) (store.User, store.By) {
	user, err := w.CreateUser(t.Context(), store.System, store.User{Email: name + "@example.org", Name: name, Role: role})
	require.NoError(t, err)
	return user, store.By{UserID: user.ID, Name: name}
}

// app makes an app in a new team of by.
func (w *world) app(t *testing.T, by store.By, name string) store.App {
	team, err := w.CreateTeam(t.Context(), by, "team of "+name)
	require.NoError(t, err)
	app, err := w.CreateApp(t.Context(), by, store.App{TeamID: team.ID, Name: name, Description: "shows images"})
	require.NoError(t, err)
	return app
}

// granted makes a request of an app that somebody else has approved.
func (w *world) granted(t *testing.T, by store.By, app store.App, hospitals ...string) store.AccessRequest {
	request, err := w.CreateRequest(t.Context(), by, store.AccessRequest{AppID: app.ID, Plan: "trial", Hospitals: hospitals, Purpose: "a test"})
	require.NoError(t, err)
	require.NoError(t, w.Approve(t.Context(), store.By{UserID: "user_boss", Name: "Boss"}, request.ID, "well", time.Time{}))
	return request
}

// credential makes an active credential of an app.
func (w *world) credential(t *testing.T, by store.By, app store.App, keyID string) store.Credential {
	request := w.granted(t, by, app, "north", "south")
	c, err := w.BeginCredential(t.Context(), by, store.Credential{
		AppID: app.ID, RequestID: request.ID, KeyID: keyID, Name: keyID, Kind: "key", Plan: "trial", Hospitals: []string{"north"},
	})
	require.NoError(t, err)
	done, err := w.FinishCredential(t.Context(), c.ID, time.Time{}, []store.SecretHint{{Hash: "h", Hint: "abcd"}})
	require.NoError(t, err)
	require.True(t, done)
	return c
}

// acts are the names of all acts, the oldest first.
func (w *world) acts(t *testing.T) []string {
	found, err := w.Acts(t.Context(), store.ActFilter{}, store.Page{Size: 200})
	require.NoError(t, err)
	require.Len(t, found.Items, found.Total, "the test has more than a page of acts")
	var names []string
	for _, a := range slices.Backward(found.Items) {
		names = append(names, a.Name)
	}
	return names
}

// atOnce runs do as often as said at the same time, and returns what came out.
func atOnce[T any](n int, do func(i int) T) []T {
	results := make([]T, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { results[i] = do(i) })
	}
	group.Wait()
	return results
}

// isIn counts how often an error is among others.
func isIn(errs []error, wanted error) int {
	n := 0
	for _, err := range errs {
		if err == wanted { //nolint:errorlint // nil, or the error itself
			n++
		}
	}
	return n
}

// mustHave is what was found.
func mustHave[T any](found T, err error) T {
	if err != nil {
		panic(err)
	}
	return found
}
