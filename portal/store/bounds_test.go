package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

func TestAUserOwnsSoManyTeams(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		bob, _ := w.user(t, "bob", store.RoleDeveloper)
		var last store.Team
		for n := range store.MaxTeams {
			var err error
			last, err = w.CreateTeam(ctx, by, fmt.Sprint("team ", n))
			require.NoError(t, err)
		}
		acts := len(w.acts(t))
		_, err := w.CreateTeam(ctx, by, "one more")
		require.ErrorIs(t, err, store.ErrFull)
		require.Len(t, w.acts(t), acts, "nothing was done")
		storetest.Join(t, w.Store, by, last.ID, bob.ID, store.TeamOwner)
		require.NoError(t, w.SetMember(ctx, by, last.ID, by.UserID, store.TeamMember))
		_, err = w.CreateTeam(ctx, by, "one more")
		require.NoError(t, err, "a team of another owner does not count")
	})
}

func TestATeamHasSoManyApps(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		first := w.app(t, by, "Viewer")
		for n := 1; n < store.MaxApps; n++ {
			_, err := w.CreateApp(ctx, by, store.App{TeamID: first.TeamID, Name: fmt.Sprint("app ", n)})
			require.NoError(t, err)
		}
		_, err := w.CreateApp(ctx, by, store.App{TeamID: first.TeamID, Name: "one more"})
		require.ErrorIs(t, err, store.ErrFull)
		w.app(t, by, "of another team")
		require.NoError(t, w.ArchiveApp(ctx, by, first.ID))
		errs := atOnce(3, func(i int) error {
			_, err := w.CreateApp(ctx, by, store.App{TeamID: first.TeamID, Name: fmt.Sprint("one more ", i)})
			return err
		})
		require.Equal(t, 1, isIn(errs, nil), errs)
		require.Equal(t, 2, isIn(errs, store.ErrFull), errs)
	})
}

func TestAnAppHasSoManyCredentials(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		app := w.app(t, by, "Viewer")
		request := w.granted(t, by, app, "north")
		begin := func(key string) (store.Credential, error) {
			return w.BeginCredential(ctx, by, store.Credential{
				AppID: app.ID, RequestID: request.ID, KeyID: key, Kind: "key", Plan: "trial", Hospitals: []string{"north"},
			})
		}
		var made []store.Credential
		for n := range store.MaxCredentials {
			c, err := begin(fmt.Sprint("key_", n))
			require.NoError(t, err)
			_, err = w.FinishCredential(ctx, c.ID, time.Time{}, nil)
			require.NoError(t, err)
			made = append(made, c)
		}
		full := func(because string) {
			_, err := begin("key_more")
			require.ErrorIs(t, err, store.ErrFull, because)
		}
		full("there are as many as may be")
		w.credential(t, by, w.app(t, by, "Other"), "key_other")

		require.NoError(t, w.BeginRevocation(ctx, by, made[0].ID, "over"))
		full("it may still work")
		_, err := w.FinishRevocation(ctx, made[0].ID)
		require.NoError(t, err)
		failed, err := begin("key_failed")
		require.NoError(t, err, "a revoked one does not count")
		full("it is about to work")
		_, err = w.FailCredential(ctx, by, failed.ID, "it could not be made")
		require.NoError(t, err)
		short, err := begin("key_short")
		require.NoError(t, err, "nor one that never was")
		_, err = w.FinishCredential(ctx, short.ID, w.now.Add(time.Hour), nil)
		require.NoError(t, err)
		full("it works for an hour")
		w.now = w.now.Add(time.Hour)
		_, err = begin("key_more")
		require.NoError(t, err, "nor one that has come to its end")
	})
}
