package store_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

func TestInvitation(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, boss := w.user(t, "boss", store.RoleAdmin)
		team, err := w.CreateTeam(ctx, boss, "Imaging")
		require.NoError(t, err)
		expires := w.seconds().Add(time.Hour)
		first, token, err := w.Invite(ctx, boss, store.Invitation{Email: "New@example.org", TeamID: team.ID, Expires: expires})
		require.NoError(t, err)
		require.Equal(t, store.Invitation{
			ID: first.ID, Email: "new@example.org", Role: store.RoleDeveloper, TeamID: team.ID, TeamRole: store.TeamMember,
			InvitedBy: boss.UserID, Created: w.seconds(), Expires: expires,
		}, first)
		require.Len(t, token, 43, "256 bits")
		found, err := w.InvitationByToken(ctx, token)
		require.NoError(t, err)
		require.Equal(t, first, found)
		_, second, err := w.Invite(ctx, boss, store.Invitation{Email: "new@example.org", Role: store.RoleAdmin, Expires: expires})
		require.NoError(t, err)

		errs := atOnce(4, func(int) error {
			_, err := w.AcceptInvitation(ctx, store.By{}, token, store.User{Email: "mine@example.org", Role: store.RoleAdmin, Name: "New", PasswordHash: "argon"})
			return err
		})
		require.Equal(t, 1, isIn(errs, nil), errs)
		require.Equal(t, 3, isIn(errs, store.ErrNotFound), errs)
		user, err := w.UserByEmail(ctx, "new@example.org")
		require.NoError(t, err)
		require.Equal(t, store.RoleDeveloper, user.Role, "the invitation says who becomes what")
		role, err := w.RoleIn(ctx, user.ID, team.ID)
		require.NoError(t, err)
		require.Equal(t, store.TeamMember, role)
		_, err = w.InvitationByToken(ctx, second)
		require.ErrorIs(t, err, store.ErrNotFound, "the others of the address are void")
		_, _, err = w.Invite(ctx, boss, store.Invitation{Email: "new@example.org", Expires: expires})
		require.ErrorIs(t, err, store.ErrConflict, "the address has an account")
		_, _, err = w.Invite(ctx, boss, store.Invitation{Email: "x@example.org", TeamID: "team_none", Expires: expires})
		require.ErrorIs(t, err, store.ErrNotFound)
		require.ErrorIs(t, w.WithdrawInvitation(ctx, boss, first.ID), store.ErrConflict, "it was accepted")
		require.Equal(t, []string{"user.create", "team.create", "invitation.create", "invitation.create", "user.create"}, w.acts(t))
	})
}

func TestInvitationIsOver(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		invite := func() (store.Invitation, string) {
			i, token, err := w.Invite(ctx, store.System, store.Invitation{Email: "new@example.org", Expires: w.now.Add(time.Hour)})
			require.NoError(t, err)
			return i, token
		}
		withdrawn, first := invite()
		require.NoError(t, w.WithdrawInvitation(ctx, store.System, withdrawn.ID))
		require.ErrorIs(t, w.WithdrawInvitation(ctx, store.System, "inv_none"), store.ErrNotFound)
		_, second := invite()
		w.now = w.now.Add(time.Hour)
		for _, token := range []string{first, second, "", "no token"} {
			_, err := w.InvitationByToken(ctx, token)
			require.ErrorIs(t, err, store.ErrNotFound)
			_, err = w.AcceptInvitation(ctx, store.By{}, token, store.User{})
			require.ErrorIs(t, err, store.ErrNotFound)
		}
		all, err := w.Invitations(ctx, store.Page{})
		require.NoError(t, err)
		require.Equal(t, 2, all.Total)
		for _, i := range all.Items {
			require.False(t, i.Open(w.now))
			require.Equal(t, i.ID != withdrawn.ID, i.Open(w.now.Add(-time.Minute)))
		}
	})
}

func TestTokens(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		token, err := w.NewToken(ctx, "reset-password", "Ada@example.org", time.Hour)
		require.NoError(t, err)
		email, err := w.PeekToken(ctx, "reset-password", token)
		require.NoError(t, err)
		require.Equal(t, "ada@example.org", email)
		_, err = w.TakeToken(ctx, "verify-email", token)
		require.ErrorIs(t, err, store.ErrNotFound, "it is of another kind")
		errs := atOnce(4, func(int) error {
			_, err := w.TakeToken(ctx, "reset-password", token)
			return err
		})
		require.Equal(t, 1, isIn(errs, nil), errs)
		require.Equal(t, 3, isIn(errs, store.ErrNotFound), errs)

		first, err := w.NewToken(ctx, "verify-email", "ada@example.org", time.Hour)
		require.NoError(t, err)
		second, err := w.NewToken(ctx, "verify-email", "ADA@example.org", time.Hour)
		require.NoError(t, err)
		_, err = w.PeekToken(ctx, "verify-email", first)
		require.ErrorIs(t, err, store.ErrNotFound, "a later one takes its place")
		w.now = w.now.Add(time.Hour)
		_, err = w.TakeToken(ctx, "verify-email", second)
		require.ErrorIs(t, err, store.ErrNotFound, "its life is over")
	})
}

func TestThrottle(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		count := func(name string) (int, time.Time) {
			n, last, err := w.Failures(ctx, name)
			require.NoError(t, err)
			return n, last
		}
		n, last := count("a")
		require.Zero(t, n)
		require.Zero(t, last)
		for _, err := range atOnce(8, func(int) error { return w.AddFailure(ctx, "a") }) {
			require.NoError(t, err)
		}
		require.NoError(t, w.AddFailure(ctx, "b"))
		n, last = count("a")
		require.Equal(t, 8, n)
		require.Equal(t, w.seconds(), last)
		require.NoError(t, w.ClearFailures(ctx, "a"))
		n, _ = count("a")
		require.Zero(t, n)
		w.now = w.now.Add(24 * time.Hour)
		n, _ = count("b")
		require.Zero(t, n, "a day later it is forgotten")
		require.NoError(t, w.AddFailure(ctx, "b"))
		n, _ = count("b")
		require.Equal(t, 1, n)
	})
}

func TestSessions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		sessions := w.Sessions()
		find := func(token string) []byte {
			data, found, err := sessions.Find(token)
			require.NoError(t, err)
			require.Equal(t, data != nil, found)
			return data
		}
		require.Nil(t, find("token-one"))
		require.NoError(t, sessions.Commit("token-one", []byte("a"), w.now.Add(time.Hour)))
		require.NoError(t, sessions.Commit("token-one", []byte("b"), w.now.Add(time.Hour)))
		require.NoError(t, sessions.Commit("token-two", []byte("c"), w.now.Add(100*time.Hour)))
		require.Equal(t, []byte("b"), find("token-one"))
		rows := func() (n int) {
			require.NoError(t, w.raw(t).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sessions").Scan(&n))
			return n
		}
		require.Equal(t, 2, rows())
		w.now = w.now.Add(time.Hour)
		require.Nil(t, find("token-one"), "it is over")
		require.NoError(t, sessions.Commit("token-two", []byte("d"), w.now.Add(time.Hour)))
		require.Equal(t, 1, rows(), "what is over is deleted")
		require.NoError(t, sessions.Delete("token-two"))
		require.NoError(t, sessions.Delete("token-two"))
		require.Nil(t, find("token-two"))
	})
}

func TestTokensAreNotInTheFile(t *testing.T) {
	options := storetest.Options(t, storetest.SQLite)
	s, later := storetest.OpenWith(t, options), time.Now().Add(time.Hour)
	_, invitation, err := s.Invite(t.Context(), store.System, store.Invitation{Email: "a@example.org", Expires: later})
	require.NoError(t, err)
	reset, err := s.NewToken(t.Context(), "reset-password", "a@example.org", time.Hour)
	require.NoError(t, err)
	require.NoError(t, s.Sessions().Commit("the-token-of-a-session", []byte("data"), later))
	for _, path := range []string{options.SQLite, options.SQLite + "-wal"} {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, token := range []string{invitation, reset, "the-token-of-a-session"} {
			require.False(t, bytes.Contains(content, []byte(token)), path)
		}
	}
}

// TestASessionThatEndedStaysSo commits a session that a slow request has loaded
// before it was ended.
func TestASessionThatEndedStaysSo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, sessions := t.Context(), w.Sessions()
		commit := func() { require.NoError(t, sessions.CommitCtx(ctx, "token", []byte("data"), w.now.Add(time.Hour))) }
		isOver := func() {
			_, found, err := sessions.FindCtx(ctx, "token")
			require.NoError(t, err)
			require.False(t, found)
		}
		commit()
		require.NoError(t, sessions.DeleteCtx(ctx, "token"))
		isOver()
		commit()
		isOver()
		w.now = w.now.Add(5 * time.Minute) // longer than a request may take
		require.NoError(t, sessions.CommitCtx(ctx, "another", []byte("data"), w.now.Add(time.Hour)))
		commit()
		isOver()
	})
}

// TestWhoMayNotInviteAnyMoreHasNoOpenInvitations has people invite themselves once
// more just before they lose what they may do.
func TestWhoMayNotInviteAnyMoreHasNoOpenInvitations(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, boss := w.user(t, "boss", store.RoleAdmin)
		left, owner := w.user(t, "owner", store.RoleDeveloper)
		team, err := w.CreateTeam(ctx, owner, "Imaging")
		require.NoError(t, err)
		storetest.Join(t, w.Store, owner, team.ID, boss.UserID, store.TeamOwner)
		n := 0
		invite := func(by store.By, role store.Role, teamID string) string {
			n++
			_, token, err := w.Invite(ctx, by, store.Invitation{
				Email: fmt.Sprintf("alias%d@example.org", n), Role: role, TeamID: teamID, TeamRole: store.TeamOwner, Expires: w.now.Add(time.Hour),
			})
			require.NoError(t, err)
			return token
		}
		isOpen := func(token string) bool {
			_, err := w.InvitationByToken(ctx, token)
			if err != nil {
				require.ErrorIs(t, err, store.ErrNotFound)
			}
			return err == nil
		}
		kept := invite(boss, store.RoleAdmin, team.ID)
		for name, lose := range map[string]func(user store.User, by store.By) error{
			"demoted":  func(user store.User, _ store.By) error { return w.SetRole(ctx, boss, user.ID, store.RoleDeveloper) },
			"disabled": func(user store.User, _ store.By) error { return w.Disable(ctx, boss, user.ID) },
		} {
			user, by := w.user(t, name, store.RoleAdmin)
			token := invite(by, store.RoleAdmin, "")
			require.NoError(t, lose(user, by))
			require.False(t, isOpen(token), name)
		}
		token := invite(owner, store.RoleDeveloper, team.ID)
		require.NoError(t, w.SetMember(ctx, owner, team.ID, left.ID, store.TeamOwner))
		require.True(t, isOpen(token), "an owner may invite")
		require.NoError(t, w.SetMember(ctx, boss, team.ID, left.ID, store.TeamMember))
		require.False(t, isOpen(token), "no owner any more")
		require.NoError(t, w.SetMember(ctx, boss, team.ID, left.ID, store.TeamOwner))
		token = invite(owner, store.RoleDeveloper, team.ID)
		require.NoError(t, w.RemoveMember(ctx, boss, team.ID, left.ID))
		require.False(t, isOpen(token), "in the team no more")
		require.Contains(t, w.acts(t), "invitation.withdraw")

		storetest.Join(t, w.Store, boss, team.ID, left.ID, store.TeamOwner)
		require.NoError(t, w.RemoveMember(ctx, owner, team.ID, boss.UserID))
		require.True(t, isOpen(kept), "an administrator may invite into every team")
	})
}
