package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

func TestTeams(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ada, by := w.user(t, "ada", store.RoleDeveloper)
		bob, _ := w.user(t, "bob", store.RoleDeveloper)
		team, err := w.CreateTeam(ctx, by, "Imaging")
		require.NoError(t, err)
		require.Regexp(t, `^team_[a-z2-7]{16}$`, team.ID)
		_, err = w.CreateTeam(ctx, by, "IMAGING")
		require.ErrorIs(t, err, store.ErrConflict)
		other, err := w.CreateTeam(ctx, by, "Archive")
		require.NoError(t, err)
		require.ErrorIs(t, w.RenameTeam(ctx, by, other.ID, "imaging"), store.ErrConflict)
		require.ErrorIs(t, w.RenameTeam(ctx, by, "team_none", "x"), store.ErrNotFound)
		require.NoError(t, w.RenameTeam(ctx, by, other.ID, "Zoo"))

		storetest.Join(t, w.Store, by, team.ID, bob.ID, store.TeamViewer)
		require.NoError(t, w.SetMember(ctx, by, team.ID, bob.ID, store.TeamMember))
		require.ErrorIs(t, w.SetMember(ctx, by, team.ID, "user_none", store.TeamMember), store.ErrNotFound)
		require.ErrorIs(t, w.SetMember(ctx, by, "team_none", bob.ID, store.TeamMember), store.ErrNotFound)
		members, err := w.Members(ctx, team.ID)
		require.NoError(t, err)
		require.Equal(t, []store.Member{
			{User: ada, Role: store.TeamOwner, Since: w.seconds()}, {User: bob, Role: store.TeamMember, Since: w.seconds()},
		}, members)

		app, err := w.CreateApp(ctx, by, store.App{TeamID: team.ID, Name: "Viewer"})
		require.NoError(t, err)
		gone, err := w.CreateApp(ctx, by, store.App{TeamID: team.ID, Name: "Gone"})
		require.NoError(t, err)
		require.NoError(t, w.ArchiveApp(ctx, by, gone.ID))
		teams, err := w.TeamsOf(ctx, ada.ID)
		require.NoError(t, err)
		other.Name = "Zoo"
		require.Equal(t, []store.Membership{
			{Team: team, Role: store.TeamOwner, Apps: 1}, {Team: other, Role: store.TeamOwner, Apps: 0},
		}, teams)
		apps, err := w.AppsOf(ctx, bob.ID)
		require.NoError(t, err)
		require.Len(t, apps, 2)
		require.Equal(t, app, apps[0], "archived ones are last")
		found, err := w.Teams(ctx, "ZO", store.Page{})
		require.NoError(t, err)
		require.Equal(t, []store.Team{other}, found.Items)

		require.ErrorIs(t, w.SetMember(ctx, by, team.ID, ada.ID, store.TeamViewer), store.ErrConflict, "the last owner")
		require.ErrorIs(t, w.RemoveMember(ctx, by, team.ID, ada.ID), store.ErrConflict, "the last owner")
		role, err := w.RoleIn(ctx, ada.ID, team.ID)
		require.NoError(t, err)
		require.Equal(t, store.TeamOwner, role, "what was refused was not done")
		require.NoError(t, w.SetMember(ctx, by, team.ID, bob.ID, store.TeamOwner))
		ids := []string{ada.ID, bob.ID}
		errs := atOnce(2, func(i int) error { return w.RemoveMember(ctx, by, team.ID, ids[i]) })
		require.Equal(t, 1, isIn(errs, nil), errs)
		require.Equal(t, 1, isIn(errs, store.ErrConflict), errs)
		require.ErrorIs(t, w.RemoveMember(ctx, by, team.ID, "user_none"), store.ErrNotFound)
		_, err = w.RoleIn(ctx, "user_none", team.ID)
		require.ErrorIs(t, err, store.ErrNotFound)
	})
}

// TestTheLastOwnerWhoMaySignIn stays, since an owner who is disabled invites nobody.
// From a team that has none but such everybody may leave.
func TestTheLastOwnerWhoMaySignIn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ada, byAda := w.user(t, "ada", store.RoleDeveloper)
		bob, byBob := w.user(t, "bob", store.RoleDeveloper)
		carl, byCarl := w.user(t, "carl", store.RoleDeveloper)
		team, err := w.CreateTeam(ctx, byAda, "Imaging")
		require.NoError(t, err)
		storetest.Join(t, w.Store, byAda, team.ID, bob.ID, store.TeamOwner)
		storetest.Join(t, w.Store, byAda, team.ID, carl.ID, store.TeamMember)
		require.NoError(t, w.Disable(ctx, store.System, ada.ID))
		require.ErrorIs(t, w.RemoveMember(ctx, byBob, team.ID, bob.ID), store.ErrConflict)
		require.ErrorIs(t, w.SetMember(ctx, byBob, team.ID, bob.ID, store.TeamViewer), store.ErrConflict)
		require.NoError(t, w.RemoveMember(ctx, byBob, team.ID, ada.ID), "whoever is disabled may be removed")

		require.NoError(t, w.Disable(ctx, store.System, bob.ID))
		require.NoError(t, w.RemoveMember(ctx, byCarl, team.ID, carl.ID))
	})
}

func TestApps(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		app := w.app(t, by, "Viewer")
		require.Equal(t, store.App{
			ID: app.ID, TeamID: app.TeamID, TeamName: "team of Viewer", Name: "Viewer", Description: "shows images",
			CreatedBy: by.UserID, Created: w.seconds(),
		}, app)
		_, err := w.CreateApp(ctx, by, store.App{TeamID: app.TeamID, Name: "VIEWER"})
		require.ErrorIs(t, err, store.ErrConflict)
		_, err = w.CreateApp(ctx, by, store.App{TeamID: "team_none", Name: "x"})
		require.ErrorIs(t, err, store.ErrNotFound)
		app.Name, app.Description = "Looker", "looks"
		require.NoError(t, w.UpdateApp(ctx, by, app))
		found, err := w.App(ctx, app.ID)
		require.NoError(t, err)
		require.Equal(t, app, found)

		c := w.credential(t, by, app, "key_one")
		waiting, err := w.CreateRequest(ctx, by, store.AccessRequest{AppID: app.ID, Plan: "p", Hospitals: []string{"north"}})
		require.NoError(t, err)
		require.ErrorIs(t, w.ArchiveApp(ctx, by, app.ID), store.ErrConflict, "a credential works")
		require.NoError(t, w.BeginRevocation(ctx, by, c.ID, "over"))
		require.ErrorIs(t, w.ArchiveApp(ctx, by, app.ID), store.ErrConflict, "it may still work")
		_, err = w.FinishRevocation(ctx, c.ID)
		require.NoError(t, err)
		require.NoError(t, w.ArchiveApp(ctx, by, app.ID))
		require.ErrorIs(t, w.ArchiveApp(ctx, by, app.ID), store.ErrConflict)
		require.ErrorIs(t, w.ArchiveApp(ctx, by, "app_none"), store.ErrNotFound)
		require.ErrorIs(t, w.UpdateApp(ctx, by, app), store.ErrConflict)
		c.KeyID = "key_two"
		_, err = w.BeginCredential(ctx, by, c)
		require.ErrorIs(t, err, store.ErrConflict, "what was approved is over with the app")
		waiting, err = w.Request(ctx, waiting.ID)
		require.NoError(t, err)
		require.Equal(t, store.RequestWithdrawn, waiting.State)
		_, err = w.CreateRequest(ctx, by, store.AccessRequest{AppID: app.ID, Plan: "p", Hospitals: []string{"north"}})
		require.ErrorIs(t, err, store.ErrConflict)
		_, err = w.CreateApp(ctx, by, store.App{TeamID: app.TeamID, Name: "Looker"})
		require.NoError(t, err, "the name is free again")
	})
}

// TestWhatKeepsAnAppFromBeingArchived is whatever works, or may again. What has come
// to its end does not: nothing gives an expired key a longer life.
func TestWhatKeepsAnAppFromBeingArchived(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		for state, keeps := range map[store.CredentialState]bool{
			"creating": true, "active": true, "rotating": true, "revoking": true, "lost": true, "revoked": false, "failed": false,
		} {
			for name, end := range map[string]struct {
				expires time.Time
				over    bool
			}{
				"no end": {time.Time{}, false}, "an end to come": {w.now.Add(time.Minute), false}, "an end that came": {w.now, true},
			} {
				what := string(state) + " with " + name
				app := w.app(t, by, what)
				_, err := w.Adopt(ctx, store.Credential{AppID: app.ID, KeyID: "key of " + what, State: state, Expires: end.expires})
				require.NoError(t, err)
				err = w.ArchiveApp(ctx, by, app.ID)
				if keeps && !end.over {
					require.ErrorIs(t, err, store.ErrConflict, what)
				} else {
					require.NoError(t, err, what)
				}
			}
		}
	})
}

func TestRequests(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		_, boss := w.user(t, "boss", store.RoleAdmin)
		app := w.app(t, by, "Viewer")
		_, err := w.CreateRequest(ctx, by, store.AccessRequest{AppID: app.ID, Plan: "trial"})
		require.Error(t, err, "no hospital")
		_, err = w.CreateRequest(ctx, by, store.AccessRequest{AppID: "app_none", Plan: "trial", Hospitals: []string{"north"}})
		require.ErrorIs(t, err, store.ErrNotFound)
		create := func(purpose string) store.AccessRequest {
			request, err := w.CreateRequest(ctx, by, store.AccessRequest{
				AppID: app.ID, Plan: "trial", Hospitals: []string{"north", "south"}, Purpose: purpose, State: store.RequestApproved,
			})
			require.NoError(t, err)
			w.now = w.now.Add(time.Minute)
			return request
		}
		at := w.seconds()
		first := create("reading images")
		require.Equal(t, store.AccessRequest{
			ID: first.ID, AppID: app.ID, AppName: "Viewer", TeamID: app.TeamID, TeamName: app.TeamName, Plan: "trial",
			Hospitals: []string{"north", "south"}, Purpose: "reading images", RequestedBy: by.UserID, RequestedByName: "ada",
			Created: at, State: store.RequestPending,
		}, first)
		require.ErrorIs(t, w.Approve(ctx, by, first.ID, "", time.Time{}), store.ErrOwnRequest)
		require.ErrorIs(t, w.Refuse(ctx, by, first.ID, ""), store.ErrOwnRequest)
		require.ErrorIs(t, w.Approve(ctx, boss, "req_none", "", time.Time{}), store.ErrNotFound)
		for role, own := range map[store.TeamRole]bool{store.TeamOwner: true, store.TeamMember: true, store.TeamViewer: false} {
			colleague, hers := w.user(t, "colleague as "+string(role), store.RoleAdmin)
			storetest.Join(t, w.Store, by, app.TeamID, colleague.ID, role)
			found, err := w.IsOwn(ctx, colleague.ID, first.ID)
			require.NoError(t, err)
			require.Equal(t, own, found, role)
			if own {
				require.ErrorIs(t, w.Approve(ctx, hers, first.ID, "", time.Time{}), store.ErrOwnRequest, "the keys would be hers, too")
			}
		}
		require.ErrorIs(t, w.EndAccess(ctx, boss, first.ID, ""), store.ErrConflict)

		ends := w.seconds().AddDate(1, 0, 0)
		require.NoError(t, w.Approve(ctx, boss, first.ID, "a good purpose", ends))
		first.State, first.DecidedBy, first.DecidedByName, first.Reason = store.RequestApproved, boss.UserID, "boss", "a good purpose"
		first.Decided, first.Ends = w.seconds(), ends
		found, err := w.Request(ctx, first.ID)
		require.NoError(t, err)
		require.Equal(t, first, found)
		for name, err := range map[string]error{
			"approve": w.Approve(ctx, boss, first.ID, "", ends), "refuse": w.Refuse(ctx, boss, first.ID, ""), "withdraw": w.WithdrawRequest(ctx, by, first.ID),
		} {
			require.ErrorIs(t, err, store.ErrConflict, name)
		}
		w.now = w.now.Add(time.Hour)
		require.NoError(t, w.EndAccess(ctx, boss, first.ID, "the project is over"))
		found, err = w.Request(ctx, first.ID)
		require.NoError(t, err)
		require.Equal(t, store.RequestEnded, found.State)
		require.Equal(t, w.seconds(), found.Ends)

		second, third, fourth := create("two"), create("three"), create("four")
		require.NoError(t, w.Refuse(ctx, boss, second.ID, "no"))
		require.NoError(t, w.WithdrawRequest(ctx, by, third.ID))
		waiting, err := w.CountPending(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, waiting)
		for _, test := range []struct {
			filter store.RequestFilter
			want   []string
		}{
			{store.RequestFilter{}, []string{fourth.ID, third.ID, second.ID, first.ID}},
			{store.RequestFilter{State: store.RequestPending}, []string{fourth.ID}},
			{store.RequestFilter{Search: "IMAGES"}, []string{first.ID}},
			{store.RequestFilter{Search: "ada", State: store.RequestRefused}, []string{second.ID}},
			{store.RequestFilter{Search: "nothing"}, nil},
		} {
			found, err := w.Requests(ctx, test.filter, store.Page{})
			require.NoError(t, err)
			var ids []string
			for _, request := range found.Items {
				ids = append(ids, request.ID)
			}
			require.Equal(t, test.want, ids, test.filter)
		}
		ofApp, err := w.RequestsOfApp(ctx, app.ID)
		require.NoError(t, err)
		require.Len(t, ofApp, 4)
		require.Equal(t, fourth.ID, ofApp[0].ID)
		ofTeams, err := w.RequestsOf(ctx, by.UserID)
		require.NoError(t, err)
		require.Equal(t, []store.AccessRequest{fourth}, ofTeams, "those that wait or hold")
		ofTeams, err = w.RequestsOf(ctx, boss.UserID)
		require.NoError(t, err)
		require.Empty(t, ofTeams)
	})
}

func TestARequestIsDecidedOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		_, boss := w.user(t, "boss", store.RoleAdmin)
		app := w.app(t, by, "Viewer")
		for range 5 {
			request, err := w.CreateRequest(ctx, by, store.AccessRequest{AppID: app.ID, Plan: "trial", Hospitals: []string{"north"}})
			require.NoError(t, err)
			before := len(w.acts(t))
			errs := atOnce(6, func(i int) error {
				switch i % 3 {
				case 0:
					return w.Approve(ctx, boss, request.ID, "", time.Time{})
				case 1:
					return w.Refuse(ctx, boss, request.ID, "")
				default:
					return w.WithdrawRequest(ctx, by, request.ID)
				}
			})
			require.Equal(t, 1, isIn(errs, nil), errs)
			require.Equal(t, 5, isIn(errs, store.ErrConflict), errs)
			require.Len(t, w.acts(t), before+1, "there is one act of it")
		}
	})
}
