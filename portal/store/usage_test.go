package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

func row(key string, day store.Day, hospital, interaction string, status int, calls int64) store.UsageRow {
	return store.UsageRow{KeyID: key, Day: day, Hospital: hospital, Interaction: interaction, Status: status, Calls: calls}
}

func TestUsage(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ask := func(query store.UsageQuery) store.Usage {
			usage, err := w.Usage(ctx, query)
			require.NoError(t, err)
			return usage
		}
		require.NoError(t, w.PutUsage(ctx, nil))
		require.NoError(t, w.PutUsage(ctx, []store.UsageRow{
			row("key_a", "2026-02-27", "north", "read", 200, 100),
			row("key_a", "2026-02-28", "north", "read", 200, 5),
			row("key_a", "2026-02-28", "north", "search-type", 304, 1),
			row("key_a", "2026-02-28", "south", "read", 404, 2),
			row("key_b", "2026-02-28", "north", "read", 200, 7),
			row("key_b", "2026-03-02", "south", "read", 399, 3),
			row("key_b", "2026-03-02", "south", "create", 500, 4),
			row("key_b", "2026-03-02", "south", "create", 499, 6),
			row("key_b", "2026-03-03", "south", "create", 0, 2),
		}))
		left := ask(store.UsageQuery{From: "2026-03-03", To: "2026-03-03"})
		require.Equal(t, []store.DayCount{{Day: "2026-03-03", ClientErrors: 2}}, left.Days, "callers who left were not answered")
		want := store.Usage{
			Days: []store.DayCount{
				{Day: "2026-02-28", OK: 13, ClientErrors: 2}, {Day: "2026-03-01"}, {Day: "2026-03-02", OK: 3, ClientErrors: 6, ServerErrors: 4},
			},
			Hospitals:    []store.Count{{Name: "south", Calls: 15}, {Name: "north", Calls: 13}},
			Interactions: []store.Count{{Name: "read", Calls: 17}, {Name: "create", Calls: 10}, {Name: "search-type", Calls: 1}},
			Statuses: []store.Count{
				{Name: "200", Calls: 12}, {Name: "499", Calls: 6}, {Name: "500", Calls: 4}, {Name: "399", Calls: 3}, {Name: "404", Calls: 2}, {Name: "304", Calls: 1},
			},
			Total: 28,
		}
		spring := store.UsageQuery{From: "2026-02-28", To: "2026-03-02"}
		require.Equal(t, want, ask(spring))
		spring.Keys = []string{"key_b", "key_a", "key_c"}
		require.Equal(t, want, ask(spring), "the sums are those of the rows")
		spring.Keys = []string{"key_a"}
		require.EqualValues(t, 8, ask(spring).Total)
		spring.Hospital = "north"
		require.EqualValues(t, 6, ask(spring).Total)
		spring.Keys = nil
		require.EqualValues(t, 13, ask(spring).Total)
		spring.Keys = []string{}
		none := ask(spring)
		require.Zero(t, none.Total)
		require.Len(t, none.Days, 3)
		for _, query := range []store.UsageQuery{
			{}, {From: "2026-02-30", To: "2026-03-01"}, {From: "2026-03-02", To: "2026-03-01"}, {From: "0001-01-01", To: "2026-03-01"},
		} {
			_, err := w.Usage(ctx, query)
			require.Error(t, err, query)
		}
	})
}

// sameByOwners sees that the sums of apps and teams are those of their keys.
func (w *world) sameByOwners(t *testing.T, query store.UsageQuery, owners map[string][]string) {
	t.Helper()
	for id, keys := range owners {
		query.Keys, query.Owners = keys, nil
		byKey, err := w.Usage(t.Context(), query)
		require.NoError(t, err)
		require.NotZero(t, byKey.Total)
		query.Keys, query.Owners = nil, []string{id}
		sums, err := w.Usage(t.Context(), query)
		require.NoError(t, err)
		require.Equal(t, byKey, sums, id)
	}
	query.Owners = []string{}
	none, err := w.Usage(t.Context(), query)
	require.NoError(t, err)
	require.Zero(t, none.Total)
}

// TestUsageIsAbsolute puts random counts again and again, and compares with a map.
func TestUsageIsAbsolute(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		random := rand.New(rand.NewPCG(1, 2))
		held := make(map[store.UsageRow]int64)
		all := store.UsageQuery{From: "2026-01-01", To: "2026-01-09"}
		var keys []string
		for n := range 5 {
			keys = append(keys, fmt.Sprintf("key_%d", n))
		}
		_, dev := w.user(t, "dev", store.RoleDeveloper)
		near, far := w.app(t, dev, "near"), w.app(t, dev, "far")
		also, err := w.CreateApp(ctx, dev, store.App{TeamID: near.TeamID, Name: "also near"})
		require.NoError(t, err)
		for n, app := range []store.App{near, also, far} { // the other keys are of no app
			w.credential(t, dev, app, keys[n])
		}
		owners := map[string][]string{near.ID: keys[:1], also.ID: keys[1:2], near.TeamID: keys[:2], far.TeamID: keys[2:3]}
		for range 12 {
			rows := make([]store.UsageRow, 900) // some of them for the same thing, and more than one batch
			for i := range rows {
				rows[i] = row(keys[random.IntN(5)], store.Day(fmt.Sprintf("2026-01-%02d", 1+random.IntN(9))),
					fmt.Sprintf("h%d", random.IntN(4)), fmt.Sprintf("i%d", random.IntN(3)), 200+100*random.IntN(4), 0)
				what := rows[i]
				rows[i].Calls = int64(random.IntN(1000))
				held[what] = rows[i].Calls
			}
			for range 2 {
				require.NoError(t, w.PutUsage(ctx, rows))
			}
			var total int64
			for _, calls := range held {
				total += calls
			}
			all.Keys = keys
			byKey, err := w.Usage(ctx, all)
			require.NoError(t, err)
			require.Equal(t, total, byKey.Total)
			all.Keys = nil
			sums, err := w.Usage(ctx, all)
			require.NoError(t, err)
			require.Equal(t, byKey, sums)
			w.sameByOwners(t, all, owners)
		}
		require.NoError(t, w.DropUsage(ctx, "2026-01-05"))
		sums, err := w.Usage(ctx, all)
		require.NoError(t, err)
		all.Keys = keys
		byKey, err := w.Usage(ctx, all)
		require.NoError(t, err)
		require.Equal(t, byKey, sums)
		w.sameByOwners(t, all, owners)
		require.Zero(t, sums.Days[3].OK)
		require.NotZero(t, sums.Days[4].OK)
	})
}

func TestUsageFromTwoSides(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		errs := atOnce(8, func(i int) error {
			return w.PutUsage(t.Context(), []store.UsageRow{row("key_a", "2026-01-01", "h", "read", 200, 10), row(fmt.Sprint("key_", i), "2026-01-01", "h", "read", 200, 1)})
		})
		require.Equal(t, 8, isIn(errs, nil), errs)
		usage, err := w.Usage(t.Context(), store.UsageQuery{From: "2026-01-01", To: "2026-01-01"})
		require.NoError(t, err)
		require.EqualValues(t, 18, usage.Total)
	})
}

func TestDropUsageOfManyKeys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var rows []store.UsageRow
		for i := range 450 { // more than one batch
			key := fmt.Sprintf("key_%03d", i)
			rows = append(rows, row(key, "2026-01-01", "h", "read", 200, 1), row(key, "2026-01-02", "h", "read", 200, 1))
		}
		require.NoError(t, w.PutUsage(t.Context(), rows))
		require.NoError(t, w.DropUsage(t.Context(), "2026-01-02"))
		var left int
		require.NoError(t, w.raw(t).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM usage").Scan(&left))
		require.Equal(t, 450, left)
		// What is put for a day that was dropped counts from the start.
		require.NoError(t, w.PutUsage(t.Context(), rows[:1]))
		usage, err := w.Usage(t.Context(), store.UsageQuery{From: "2026-01-01", To: "2026-01-02"})
		require.NoError(t, err)
		require.EqualValues(t, 451, usage.Total)
	})
}

func TestCursor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, want := range []string{"", "17-0", "18-0"} {
			if want != "" {
				require.NoError(t, w.SetCursor(t.Context(), "usage", want))
			}
			cursor, err := w.Cursor(t.Context(), "usage")
			require.NoError(t, err)
			require.Equal(t, want, cursor)
		}
	})
}
