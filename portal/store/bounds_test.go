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

func TestAnAppHasSoManyRequests(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		_, boss := w.user(t, "boss", store.RoleAdmin)
		app := w.app(t, by, "Viewer")
		ask := func() (store.AccessRequest, error) {
			return w.CreateRequest(ctx, by, store.AccessRequest{AppID: app.ID, Plan: "trial", Hospitals: []string{"north"}})
		}
		full := func(because string) {
			_, err := ask()
			require.ErrorIs(t, err, store.ErrFull, because)
		}
		ends := w.now.Add(time.Hour)
		var made []store.AccessRequest
		for range store.MaxRequests {
			request, err := ask()
			require.NoError(t, err)
			made = append(made, request)
		}
		full("they wait")
		for i, until := range []time.Time{{}, {}, ends} {
			require.NoError(t, w.Approve(ctx, boss, made[i].ID, "well", until))
		}
		full("they hold")
		w.granted(t, by, w.app(t, by, "Other"), "north")
		free := func(because string, end func() error) {
			require.NoError(t, end())
			_, err := ask()
			require.NoError(t, err, because)
			full(because)
		}
		free("it is over", func() error { w.now = ends; return nil })
		free("it was ended", func() error { return w.EndAccess(ctx, boss, made[0].ID, "over") })
		free("it was refused", func() error { return w.Refuse(ctx, boss, made[3].ID, "no") })
		former := append([]store.AccessRequest{}, made[0], made[2], made[3])
		for n := range store.MaxFormerRequests {
			w.now = w.now.Add(time.Second)
			last := made[len(made)-1-n]
			free("it was withdrawn", func() error { return w.WithdrawRequest(ctx, by, last.ID) })
			former = append(former, last)
		}

		all, err := w.RequestsOfApp(ctx, app.ID)
		require.NoError(t, err)
		require.Len(t, all, store.MaxRequests+store.MaxFormerRequests, "the current ones, and the newest of the others")
		require.Contains(t, all, mustHave(w.Request(ctx, made[1].ID)), "the oldest of those that hold")
		current, err := w.RequestsOf(ctx, by.UserID)
		require.NoError(t, err)
		require.Len(t, current, store.MaxRequests+1, "with that of the other app")
		for _, request := range former {
			require.NotContains(t, current, mustHave(w.Request(ctx, request.ID)))
		}
	})
}

func TestATeamHasSoManyInvitations(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, owner := w.user(t, "owner", store.RoleDeveloper)
		team, err := w.CreateTeam(ctx, owner, "Imaging")
		require.NoError(t, err)
		for n := range store.MaxInvitations {
			w.into(t, owner, team.ID, fmt.Sprintf("dev%d@example.org", n), store.TeamMember)
		}
		invite := func(email string) error {
			_, _, err := w.InviteToTeam(ctx, owner, store.Invitation{Email: email, TeamID: team.ID, Expires: w.now.Add(time.Hour)})
			return err
		}
		require.ErrorIs(t, invite("one-more@example.org"), store.ErrFull)
		require.NoError(t, invite("dev0@example.org"), "it takes the place of the earlier one")
		w.now = w.now.Add(time.Hour)
		require.NoError(t, invite("one-more@example.org"), "the others are over")
	})
}
