package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

// into invites an address into a team for an hour.
func (w *world) into(t *testing.T, by store.By, teamID, email string, role store.TeamRole) (store.Invitation, string) {
	t.Helper()
	i, token, err := w.InviteToTeam(t.Context(), by, store.Invitation{
		Email: email, Role: store.RoleAdmin, TeamID: teamID, TeamRole: role, Expires: w.seconds().Add(time.Hour),
	})
	require.NoError(t, err)
	return i, token
}

// waiting are the ids of the invitations that a user can join by.
func (w *world) waiting(t *testing.T, userID string) (ids []string) {
	t.Helper()
	found, err := w.InvitationsOf(t.Context(), userID)
	require.NoError(t, err)
	for _, i := range found {
		ids = append(ids, i.ID)
	}
	return ids
}

func TestJoining(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, owner := w.user(t, "owner", store.RoleDeveloper)
		boss, byBoss := w.user(t, "boss", store.RoleAdmin)
		_, other := w.user(t, "other", store.RoleDeveloper)
		team, err := w.CreateTeam(ctx, owner, "Imaging")
		require.NoError(t, err)
		first, _ := w.into(t, owner, team.ID, "Boss@example.org", store.TeamOwner)
		require.Equal(t, store.RoleDeveloper, first.Role, "nobody becomes an administrator by it")
		again, _ := w.into(t, owner, team.ID, "boss@example.org", "")
		want := store.TeamInvitation{Invitation: again, TeamName: "Imaging", InvitedByName: "owner"}
		require.Equal(t, store.TeamMember, again.TeamRole)
		into, err := w.InvitationsInto(ctx, team.ID)
		require.NoError(t, err)
		require.Equal(t, []store.TeamInvitation{want}, into, "the later one takes the place of the earlier")
		require.Equal(t, []string{again.ID}, w.waiting(t, boss.ID))
		require.Empty(t, w.waiting(t, other.UserID))

		_, err = w.JoinTeam(ctx, byBoss, first.ID)
		require.ErrorIs(t, err, store.ErrNotFound, "it is void")
		_, err = w.JoinTeam(ctx, other, again.ID)
		require.ErrorIs(t, err, store.ErrNotFound, "it is for another address")
		require.ErrorIs(t, w.DeclineInvitation(ctx, other, again.ID), store.ErrNotFound)
		errs := atOnce(4, func(int) error {
			_, err := w.JoinTeam(ctx, byBoss, again.ID)
			return err
		})
		require.Equal(t, 1, isIn(errs, nil), errs)
		require.Equal(t, 3, isIn(errs, store.ErrNotFound), errs)
		role, err := w.RoleIn(ctx, boss.ID, team.ID)
		require.NoError(t, err)
		require.Equal(t, store.TeamMember, role)
		still, err := w.User(ctx, boss.ID)
		require.NoError(t, err)
		require.Equal(t, boss, still, "nothing but the team has changed")
		acts, err := w.Acts(ctx, store.ActFilter{}, store.Page{})
		require.NoError(t, err)
		require.Equal(t, "team.member", acts.Items[0].Name)
		require.Equal(t, map[string]string{"user": boss.ID, "role": "member", "invitation": again.ID}, acts.Items[0].Detail)

		_, _, err = w.InviteToTeam(ctx, owner, store.Invitation{Email: "BOSS@example.org", TeamID: team.ID, Expires: w.now.Add(time.Hour)})
		require.ErrorIs(t, err, store.ErrConflict, "in the team already")
		require.ErrorIs(t, w.WithdrawInvitation(ctx, owner, again.ID), store.ErrConflict, "it was accepted")
	})
}

func TestDeclining(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, owner := w.user(t, "owner", store.RoleDeveloper)
		_, dev := w.user(t, "dev", store.RoleDeveloper)
		team, err := w.CreateTeam(ctx, owner, "Imaging")
		require.NoError(t, err)
		i, token := w.into(t, owner, team.ID, "dev@example.org", store.TeamMember)
		require.NoError(t, w.DeclineInvitation(ctx, dev, i.ID))
		require.ErrorIs(t, w.DeclineInvitation(ctx, dev, i.ID), store.ErrNotFound)
		_, err = w.JoinTeam(ctx, dev, i.ID)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = w.InvitationByToken(ctx, token)
		require.ErrorIs(t, err, store.ErrNotFound)
		acts, err := w.Acts(ctx, store.ActFilter{}, store.Page{})
		require.NoError(t, err)
		require.Equal(t, "invitation.withdraw", acts.Items[0].Name)
		require.Equal(t, map[string]string{"reason": "declined"}, acts.Items[0].Detail)
	})
}

// TestWhoInvitesIntoATeam has the store itself refuse those who do not own the team
// any more: between the page's look and the invitation they may have been removed.
func TestWhoInvitesIntoATeam(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, owner := w.user(t, "owner", store.RoleDeveloper)
		member, byMember := w.user(t, "member", store.RoleDeveloper)
		_, outsider := w.user(t, "outsider", store.RoleDeveloper)
		_, boss := w.user(t, "boss", store.RoleAdmin)
		team, err := w.CreateTeam(t.Context(), owner, "Imaging")
		require.NoError(t, err)
		storetest.Join(t, w.Store, owner, team.ID, member.ID, store.TeamMember)
		for name, by := range map[string]store.By{"a member": byMember, "an outsider": outsider, "nobody": {}} {
			_, _, err := w.InviteToTeam(t.Context(), by, store.Invitation{Email: "x@example.org", TeamID: team.ID, Expires: w.now.Add(time.Hour)})
			require.ErrorIs(t, err, store.ErrNotFound, name)
		}
		_, _, err = w.InviteToTeam(t.Context(), owner, store.Invitation{Email: "x@example.org", Expires: w.now.Add(time.Hour)})
		require.ErrorIs(t, err, store.ErrNotFound, "no team")
		_, _, err = w.InviteToTeam(t.Context(), boss, store.Invitation{Email: "x@example.org", TeamID: "team_none", Expires: w.now.Add(time.Hour)})
		require.ErrorIs(t, err, store.ErrNotFound, "no such team")

		// Only administrators bring a team back whose owners are gone.
		require.NoError(t, w.Disable(t.Context(), boss, owner.UserID))
		_, _, err = w.InviteToTeam(t.Context(), owner, store.Invitation{Email: "x@example.org", TeamID: team.ID, Expires: w.now.Add(time.Hour)})
		require.ErrorIs(t, err, store.ErrNotFound, "a disabled owner")
		i, _, err := w.InviteToTeam(t.Context(), boss, store.Invitation{
			Email: "outsider@example.org", TeamID: team.ID, TeamRole: store.TeamOwner, Expires: w.now.Add(time.Hour),
		})
		require.NoError(t, err)
		_, err = w.JoinTeam(t.Context(), outsider, i.ID)
		require.NoError(t, err)
		role, err := w.RoleIn(t.Context(), outsider.UserID, team.ID)
		require.NoError(t, err)
		require.Equal(t, store.TeamOwner, role)
	})
}

// TestInvitationsOfAnAddressThatGetsAnAccount has an address that was invited five
// times get its account by one of the invitations, or by signing up.
func TestInvitationsOfAnAddressThatGetsAnAccount(t *testing.T) {
	for _, signUp := range []bool{false, true} {
		t.Run(map[bool]string{false: "by an invitation", true: "by signing up"}[signUp], func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				ctx := t.Context()
				_, boss := w.user(t, "boss", store.RoleAdmin)
				_, owner := w.user(t, "owner", store.RoleDeveloper)
				imaging, err := w.CreateTeam(ctx, owner, "Imaging")
				require.NoError(t, err)
				archive, err := w.CreateTeam(ctx, owner, "Archive")
				require.NoError(t, err)
				invite := func(role store.Role, teamID string) (store.Invitation, string) {
					i, token, err := w.Invite(ctx, boss, store.Invitation{
						Email: "new@example.org", Role: role, TeamID: teamID, TeamRole: store.TeamOwner, Expires: w.seconds().Add(time.Hour),
					})
					require.NoError(t, err)
					return i, token
				}
				admin, adminToken := invite(store.RoleAdmin, archive.ID)
				_, plainToken := invite(store.RoleDeveloper, "")
				taken, takenToken := invite(store.RoleDeveloper, imaging.ID)
				same, sameToken := invite(store.RoleDeveloper, imaging.ID)
				other, _ := w.into(t, owner, archive.ID, "new@example.org", store.TeamViewer)
				isOpen := func(token string) bool {
					_, err := w.InvitationByToken(ctx, token)
					return err == nil
				}

				var user store.User
				if signUp {
					user, err = w.CreateUser(ctx, store.System, store.User{Email: "new@example.org", Name: "New"})
					require.NoError(t, err)
					require.ElementsMatch(t, []string{taken.ID, same.ID, other.ID}, w.waiting(t, user.ID))
					require.True(t, isOpen(adminToken))
					for _, token := range []string{adminToken, takenToken} {
						_, err = w.AcceptInvitation(ctx, store.By{}, token, store.User{Name: "New", PasswordHash: "another"})
						require.ErrorIs(t, err, store.ErrConflict, "there is an account, and it stays as it is")
					}
				} else {
					user, err = w.AcceptInvitation(ctx, store.By{}, takenToken, store.User{Name: "New"})
					require.NoError(t, err)
					require.Equal(t, []string{other.ID}, w.waiting(t, user.ID), "that into another team waits")
					for _, token := range []string{adminToken, plainToken, sameToken} {
						require.False(t, isOpen(token))
					}
				}

				mine := store.By{UserID: user.ID, Name: "new"}
				_, err = w.JoinTeam(ctx, mine, admin.ID)
				require.ErrorIs(t, err, store.ErrNotFound, "an invitation of an administrator is no way into a team")
				joined, err := w.JoinTeam(ctx, mine, other.ID)
				require.NoError(t, err)
				require.Equal(t, "Archive", joined.TeamName)
				role, err := w.RoleIn(ctx, user.ID, archive.ID)
				require.NoError(t, err)
				require.Equal(t, store.TeamViewer, role)
				require.False(t, isOpen(adminToken), "what was to make an account is void now at the latest")
				require.Equal(t, signUp, isOpen(sameToken))
				still, err := w.User(ctx, user.ID)
				require.NoError(t, err)
				require.Equal(t, user, still)
			})
		})
	}
}

// TestInvitationsThatNobodyJoinsBy ends an invitation in every other way.
func TestInvitationsThatNobodyJoinsBy(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, w *world, boss, owner, dev store.By, i store.Invitation){
		"withdrawn": func(t *testing.T, w *world, _, owner, _ store.By, i store.Invitation) {
			require.NoError(t, w.WithdrawInvitation(t.Context(), owner, i.ID))
		},
		"its time is over": func(_ *testing.T, w *world, _, _, _ store.By, _ store.Invitation) { w.now = w.now.Add(time.Hour) },
		"whoever invited owns the team no more": func(t *testing.T, w *world, boss, owner, _ store.By, i store.Invitation) {
			storetest.Join(t, w.Store, owner, i.TeamID, boss.UserID, store.TeamOwner)
			require.NoError(t, w.SetMember(t.Context(), boss, i.TeamID, owner.UserID, store.TeamMember))
		},
		"whoever invited was removed": func(t *testing.T, w *world, boss, owner, _ store.By, i store.Invitation) {
			storetest.Join(t, w.Store, owner, i.TeamID, boss.UserID, store.TeamOwner)
			require.NoError(t, w.RemoveMember(t.Context(), boss, i.TeamID, owner.UserID))
		},
		"whoever invited is disabled": func(t *testing.T, w *world, boss, owner, _ store.By, _ store.Invitation) {
			require.NoError(t, w.Disable(t.Context(), boss, owner.UserID))
		},
		"whoever is invited is disabled": func(t *testing.T, w *world, boss, _, dev store.By, _ store.Invitation) {
			require.NoError(t, w.Disable(t.Context(), boss, dev.UserID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				_, boss := w.user(t, "boss", store.RoleAdmin)
				_, owner := w.user(t, "owner", store.RoleDeveloper)
				_, dev := w.user(t, "dev", store.RoleDeveloper)
				team, err := w.CreateTeam(t.Context(), owner, "Imaging")
				require.NoError(t, err)
				i, _ := w.into(t, owner, team.ID, "dev@example.org", store.TeamMember)
				require.Equal(t, []string{i.ID}, w.waiting(t, dev.UserID))
				end(t, w, boss, owner, dev, i)
				require.Empty(t, w.waiting(t, dev.UserID))
				_, err = w.JoinTeam(t.Context(), dev, i.ID)
				require.ErrorIs(t, err, store.ErrNotFound)
				_, err = w.RoleIn(t.Context(), dev.UserID, team.ID)
				require.ErrorIs(t, err, store.ErrNotFound)
			})
		})
	}
}

// TestNobodyIsPutIntoATeam has an owner change the role of somebody who has not come
// in, and of one who leaves at the same moment.
func TestNobodyIsPutIntoATeam(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, owner := w.user(t, "owner", store.RoleDeveloper)
		dev, byDev := w.user(t, "dev", store.RoleDeveloper)
		team, err := w.CreateTeam(ctx, owner, "Imaging")
		require.NoError(t, err)
		w.into(t, owner, team.ID, "dev@example.org", store.TeamMember)
		acts := len(w.acts(t))
		require.ErrorIs(t, w.SetMember(ctx, owner, team.ID, dev.ID, store.TeamViewer), store.ErrNotFound)
		require.Len(t, w.acts(t), acts)

		for range 10 {
			storetest.Join(t, w.Store, owner, team.ID, dev.ID, store.TeamViewer)
			atOnce(2, func(i int) error {
				if i == 0 {
					return w.RemoveMember(ctx, byDev, team.ID, dev.ID)
				}
				return w.SetMember(ctx, owner, team.ID, dev.ID, store.TeamMember)
			})
			_, err = w.RoleIn(ctx, dev.ID, team.ID)
			require.ErrorIs(t, err, store.ErrNotFound, "who has left is not there")
		}
	})
}
