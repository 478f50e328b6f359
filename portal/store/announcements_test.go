package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

func TestAnnouncements(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		by := store.By{UserID: "user_boss"}
		announce := func(a store.Announcement) store.Announcement {
			a, err := w.Announce(ctx, by, a)
			require.NoError(t, err)
			w.now = w.now.Add(time.Minute)
			return a
		}
		at := w.seconds()
		open := announce(store.Announcement{Title: "Welcome", Text: "to all"})
		require.Equal(t, store.Announcement{ID: open.ID, Title: "Welcome", Text: "to all", Level: store.LevelInfo, CreatedBy: by.UserID, Created: at}, open)
		timed := announce(store.Announcement{Title: "Maintenance", Level: store.LevelWarn, Ends: w.seconds().Add(time.Hour)})
		_, err := w.Announce(ctx, by, store.Announcement{Title: "x", Level: "panic"})
		require.Error(t, err)
		current, err := w.CurrentAnnouncements(ctx)
		require.NoError(t, err)
		require.Equal(t, []store.Announcement{timed, open}, current)
		require.NoError(t, w.EndAnnouncement(ctx, by, open.ID))
		require.ErrorIs(t, w.EndAnnouncement(ctx, by, open.ID), store.ErrConflict)
		require.ErrorIs(t, w.EndAnnouncement(ctx, by, "ann_none"), store.ErrNotFound)
		w.now = w.now.Add(time.Hour)
		current, err = w.CurrentAnnouncements(ctx)
		require.NoError(t, err)
		require.Empty(t, current)
		all, err := w.Announcements(ctx, store.Page{})
		require.NoError(t, err)
		require.Equal(t, 2, all.Total)
		require.Equal(t, []string{"announcement.create", "announcement.create", "announcement.end"}, w.acts(t))
	})
}
