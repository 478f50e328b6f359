package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

func TestCredentialsList(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		app := w.app(t, by, "Viewer")
		w.credential(t, by, app, "key_one")
		w.now = w.now.Add(time.Minute)
		_, err := w.Adopt(ctx, store.Credential{KeyID: "key_two", Name: "by hand", Kind: "external", Plan: "gold", Hospitals: []string{"northwest", "south"}})
		require.NoError(t, err)
		for _, test := range []struct {
			filter store.CredentialFilter
			want   []string
		}{
			{store.CredentialFilter{}, []string{"key_two", "key_one"}},
			{store.CredentialFilter{Search: "TEAM OF"}, []string{"key_one"}},
			{store.CredentialFilter{Search: "y_two"}, []string{"key_two"}},
			{store.CredentialFilter{Hospital: "north"}, []string{"key_one"}},
			{store.CredentialFilter{Hospital: "south", Kind: "external"}, []string{"key_two"}},
			{store.CredentialFilter{State: store.CredentialActive, Plan: "trial"}, []string{"key_one"}},
			{store.CredentialFilter{State: store.CredentialRevoked}, nil},
		} {
			found, err := w.Credentials(ctx, test.filter, store.Page{})
			require.NoError(t, err)
			var keys []string
			for _, c := range found.Items {
				keys = append(keys, c.KeyID)
			}
			require.Equal(t, test.want, keys, test.filter)
			require.Equal(t, len(keys), found.Total)
		}
		use, err := w.PlanUse(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]store.PlanCount{"trial": {Credentials: 1, Apps: 1}, "gold": {Credentials: 1, Apps: 0}}, use)
	})
}

func TestExpiring(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		app := w.app(t, by, "Viewer")
		today := w.now
		day := func(n int) time.Time { return w.seconds().AddDate(0, 0, n) }
		for key, end := range map[string]struct {
			expires time.Time
			hints   []store.SecretHint
		}{
			"key_3_soon":               {day(3), []store.SecretHint{{Hint: "a"}}},
			"key_late":                 {day(30), []store.SecretHint{{Hint: "a"}}},
			"key_never":                {time.Time{}, []store.SecretHint{{Hint: "a"}}},
			"key_over":                 {day(-1), nil},
			"key_2_grace":              {day(30), []store.SecretHint{{Hint: "a", Until: day(1)}, {Hint: "b", Until: day(2)}}},
			"key_1_grace_without_end":  {time.Time{}, []store.SecretHint{{Hint: "a", Until: day(1)}}},
			"key_grace_with_a_new_one": {time.Time{}, []store.SecretHint{{Hint: "a", Until: day(1)}, {Hint: "b"}}},
			"key_15_before_its_grace":  {day(1).Add(12 * time.Hour), []store.SecretHint{{Hint: "a", Until: day(6)}}},
		} {
			w.now = today.AddDate(0, 0, -90)
			c := w.credential(t, by, app, key)
			w.now = today
			require.NoError(t, w.BeginRotation(ctx, by, c.ID))
			_, err := w.FinishRotation(ctx, c.ID, end.hints, end.expires)
			require.NoError(t, err)
		}
		expiring := func(userID string) (keys []string) {
			found, err := w.Expiring(ctx, userID, 7*24*time.Hour)
			require.NoError(t, err)
			for _, c := range found {
				keys = append(keys, c.KeyID)
			}
			return keys
		}
		require.Equal(t, []string{"key_1_grace_without_end", "key_15_before_its_grace", "key_2_grace", "key_3_soon"}, expiring(by.UserID))
		require.Empty(t, expiring("user_other"))
		require.Len(t, expiring(""), 4, "of everybody")
	})
}

// A key of a short life is not reminded of from its first day on: only when two
// thirds of its life are over. One whose secrets are all in a rotation's grace is,
// however short the grace.
func TestAShortLifeIsRemindedOfInItsLastThird(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		app := w.app(t, by, "Viewer")
		start := w.seconds()
		for key, hours := range map[string]int{"key_90_days": 90 * 24, "key_30_days": 30 * 24, "key_an_hour": 1} {
			c := w.credential(t, by, app, key)
			require.NoError(t, w.BeginRotation(ctx, by, c.ID))
			_, err := w.FinishRotation(ctx, c.ID, []store.SecretHint{{Hint: "a"}}, start.Add(time.Duration(hours)*time.Hour))
			require.NoError(t, err)
		}
		for _, test := range []struct {
			after time.Duration
			want  []string
		}{
			{0, nil},
			{39 * time.Minute, nil},
			{40 * time.Minute, []string{"key_an_hour"}},
			{20*24*time.Hour - time.Second, nil},
			{20 * 24 * time.Hour, []string{"key_30_days"}},
			{60*24*time.Hour - time.Second, nil},
			{60 * 24 * time.Hour, []string{"key_90_days"}},
		} {
			w.now = start.Add(test.after)
			found, err := w.Expiring(ctx, by.UserID, 30*24*time.Hour)
			require.NoError(t, err)
			var keys []string
			for _, c := range found {
				keys = append(keys, c.KeyID)
			}
			require.Equal(t, test.want, keys, test.after)
		}
		c := w.credential(t, by, app, "key_in_grace")
		require.NoError(t, w.BeginRotation(ctx, by, c.ID))
		_, err := w.FinishRotation(ctx, c.ID, []store.SecretHint{{Hint: "a", Until: w.seconds().AddDate(0, 0, 29)}}, time.Time{})
		require.NoError(t, err)
		found, err := w.Expiring(ctx, by.UserID, 30*24*time.Hour)
		require.NoError(t, err)
		require.Len(t, found, 2)
	})
}

func TestMirror(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		c := w.credential(t, by, w.app(t, by, "Viewer"), "key_one")
		before := w.acts(t)
		said := store.Mirror{
			KeyID: "key_one", Name: "One", Plan: "gold", Hospitals: []string{"west"}, Expires: w.seconds().Add(time.Hour), LastUsed: w.seconds(),
			Hints: []store.SecretHint{{Hash: "h2", Hint: "wxyz", Created: w.seconds()}},
		}
		require.NoError(t, w.Mirror(ctx, []store.Mirror{{KeyID: "key_unknown"}, said}))
		found, err := w.Credential(ctx, c.ID)
		require.NoError(t, err)
		require.Equal(t, said, store.Mirror{
			KeyID: found.KeyID, Name: found.Name, Plan: found.Plan, Hospitals: found.Hospitals, Expires: found.Expires, LastUsed: found.LastUsed, Hints: found.Hints,
		})
		require.Equal(t, store.CredentialActive, found.State)
		w.now = w.now.Add(45 * time.Minute)
		soon, err := w.Expiring(ctx, by.UserID, 2*time.Hour)
		require.NoError(t, err)
		require.Len(t, soon, 1, "its end is known")
		said.LastUsed = time.Time{}
		require.NoError(t, w.Mirror(ctx, []store.Mirror{said}))
		again, err := w.Credential(ctx, c.ID)
		require.NoError(t, err)
		require.Equal(t, found, again, "what was used stays used")
		require.True(t, slices.Equal(before, w.acts(t)), "it is no act")
	})
}
