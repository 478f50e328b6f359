package store_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

func TestUsers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ada, err := w.CreateUser(ctx, store.System, store.User{
			ID: "user_mine", Email: " Ada@Example.org ", Name: "Ada", PasswordHash: "argon", OIDCSubject: "sub", Edition: 7, Disabled: w.now,
		})
		require.NoError(t, err)
		require.Regexp(t, `^user_[a-z2-7]{16}$`, ada.ID)
		require.Equal(t, store.User{
			ID: ada.ID, Email: "ada@example.org", Name: "Ada", Role: store.RoleDeveloper, PasswordHash: "argon", OIDCSubject: "sub",
			Created: w.seconds(), Edition: 1,
		}, ada)
		for name, find := range map[string]func() (store.User, error){
			"id":      func() (store.User, error) { return w.User(ctx, ada.ID) },
			"email":   func() (store.User, error) { return w.UserByEmail(ctx, "ADA@example.org") },
			"subject": func() (store.User, error) { return w.UserBySubject(ctx, "sub") },
		} {
			found, err := find()
			require.NoError(t, err, name)
			require.Equal(t, ada, found, name)
		}
		_, err = w.CreateUser(ctx, store.System, store.User{Email: "ada@example.ORG", Name: "another"})
		require.ErrorIs(t, err, store.ErrConflict, "the address is taken")
		_, err = w.CreateUser(ctx, store.System, store.User{Email: "b@example.org", OIDCSubject: "sub"})
		require.ErrorIs(t, err, store.ErrConflict, "the subject is taken")
		for range 2 { // no subject is not taken
			_, err = w.CreateUser(ctx, store.System, store.User{Email: strconv.Itoa(len(w.acts(t))) + "@example.org"})
			require.NoError(t, err)
		}
		_, err = w.UserBySubject(ctx, "")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = w.User(ctx, "user_none")
		require.ErrorIs(t, err, store.ErrNotFound)
		count, err := w.CountUsers(ctx)
		require.NoError(t, err)
		require.Equal(t, 3, count)
	})
}

func TestUserChanges(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, boss := w.user(t, "boss", store.RoleAdmin)
		ada, by := w.user(t, "ada", store.RoleDeveloper)
		w.now = w.now.Add(time.Hour)
		for _, step := range []struct {
			act    string // "" = none
			change error
			want   func(*store.User)
		}{
			{"user.rename", w.SetName(ctx, by, ada.ID, "Ada\x00 L\xffvelace"), func(u *store.User) { u.Name = "Ada L\uFFFDvelace" }},
			{"user.password", w.SetPassword(ctx, by, ada.ID, "argon2"), func(u *store.User) { u.PasswordHash = "argon2"; u.Edition++ }},
			{"user.sessions", w.EndSessions(ctx, by, ada.ID), func(u *store.User) { u.Edition++ }},
			{"user.oidc", w.SetSubject(ctx, by, ada.ID, "sub"), func(u *store.User) { u.OIDCSubject, u.PasswordHash = "sub", ""; u.Edition++ }},
			{"user.role", w.SetRole(ctx, boss, ada.ID, store.RoleAdmin), func(u *store.User) { u.Role = store.RoleAdmin; u.Edition++ }},
			{"", w.SetRole(ctx, boss, ada.ID, store.RoleAdmin), func(*store.User) {}},
			{"user.disable", w.Disable(ctx, boss, ada.ID), func(u *store.User) { u.Disabled = w.seconds(); u.Edition++ }},
			{"", w.Disable(ctx, boss, ada.ID), func(*store.User) {}},
			{"user.enable", w.Enable(ctx, boss, ada.ID), func(u *store.User) { u.Disabled = time.Time{}; u.Edition++ }},
			{"user.login", w.SignedIn(ctx, by, ada.ID), func(u *store.User) { u.LastLogin = w.seconds() }},
			{"user.login-refused", w.SignInRefused(ctx, store.By{}, "password", ada.ID), func(*store.User) {}},
		} {
			require.NoError(t, step.change, step.act)
			step.want(&ada)
		}
		found, err := w.User(ctx, ada.ID)
		require.NoError(t, err)
		require.Equal(t, ada, found)
		require.Equal(t, []string{
			"user.create", "user.create", "user.rename", "user.password", "user.sessions", "user.oidc", "user.role", "user.disable", "user.enable",
			"user.login", "user.login-refused",
		}, w.acts(t))
		for name, err := range map[string]error{
			"rename": w.SetName(ctx, by, "user_none", "x"), "disable": w.Disable(ctx, by, "user_none"), "login": w.SignedIn(ctx, by, "user_none"),
		} {
			require.ErrorIs(t, err, store.ErrNotFound, name)
		}
		require.Error(t, w.SetRole(ctx, boss, ada.ID, "emperor"))
		require.Len(t, w.acts(t), 11, "what fails is no act")
	})
}

func TestUsersList(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, name := range []string{"carol", "Bob", "a_b", "dave", "axb"} {
			w.user(t, name, store.RoleDeveloper)
		}
		for _, test := range []struct {
			search string
			page   store.Page
			total  int
			names  []string
		}{
			{"", store.Page{}, 5, []string{"a_b", "axb", "Bob", "carol", "dave"}},
			{"", store.Page{Number: 2, Size: 2}, 5, []string{"Bob", "carol"}},
			{"", store.Page{Number: 9, Size: 2}, 5, nil},
			{"", store.Page{Number: math.MaxInt}, 5, nil},
			{"BOB", store.Page{}, 1, []string{"Bob"}},
			{" CAROL@exam", store.Page{}, 1, []string{"carol"}},
			{"a_b", store.Page{}, 1, []string{"a_b"}},
			{"%", store.Page{}, 0, nil},
			{`\`, store.Page{}, 0, nil},
			{"a\x00_b", store.Page{}, 1, []string{"a_b"}},
		} {
			found, err := w.Users(t.Context(), test.search, test.page)
			require.NoError(t, err)
			var names []string
			for _, user := range found.Items {
				names = append(names, user.Name)
			}
			require.Equal(t, test.names, names, test.search)
			require.Equal(t, test.total, found.Total, test.search)
		}
		found, err := w.Users(t.Context(), "", store.Page{Number: -1, Size: 1000})
		require.NoError(t, err)
		require.Equal(t, store.Page{Number: 1, Size: 200}, found.Page)
	})
}

func TestTheLastAdministratorStays(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, someone := w.user(t, "dev", store.RoleDeveloper)
		require.NoError(t, w.Disable(ctx, store.System, someone.UserID), "there was no administrator anyway")
		_, boss := w.user(t, "boss", store.RoleAdmin)
		require.ErrorIs(t, w.Disable(ctx, boss, boss.UserID), store.ErrConflict)
		require.ErrorIs(t, w.SetRole(ctx, boss, boss.UserID, store.RoleDeveloper), store.ErrConflict)
		for range 5 { // each of two at once
			_, other := w.user(t, "other"+strconv.Itoa(len(w.acts(t))), store.RoleAdmin)
			ids := []string{boss.UserID, other.UserID}
			errs := atOnce(2, func(i int) error { return w.Disable(ctx, store.System, ids[i]) })
			require.Equal(t, 1, isIn(errs, nil), errs)
			require.Equal(t, 1, isIn(errs, store.ErrConflict), errs)
			require.NoError(t, w.Enable(ctx, store.System, boss.UserID))
			require.NoError(t, w.Disable(ctx, store.System, other.UserID))
		}
	})
}

func TestSecondFactor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ada, by := w.user(t, "ada", store.RoleAdmin)
		require.ErrorIs(t, w.ConfirmTOTP(ctx, by, ada.ID, nil), store.ErrConflict, "there is none")
		require.ErrorIs(t, w.SetRecoveryCodes(ctx, by, ada.ID, nil), store.ErrConflict, "there is none")
		require.ErrorIs(t, w.SetTOTP(ctx, by, "user_none", []byte("x")), store.ErrNotFound)
		require.NoError(t, w.SetTOTP(ctx, by, ada.ID, []byte("one")))
		require.NoError(t, w.SetTOTP(ctx, by, ada.ID, []byte("two")))
		ada, err := w.User(ctx, ada.ID)
		require.NoError(t, err)
		require.False(t, ada.HasSecondFactor())

		require.NoError(t, w.ConfirmTOTP(ctx, by, ada.ID, []string{"r1", "r2"}))
		ada, err = w.User(ctx, ada.ID)
		require.NoError(t, err)
		require.True(t, ada.HasSecondFactor())
		require.Equal(t, []byte("two"), ada.TOTP)
		require.Equal(t, 2, ada.Edition)
		require.ErrorIs(t, w.SetTOTP(ctx, by, ada.ID, []byte("three")), store.ErrConflict)
		require.ErrorIs(t, w.ConfirmTOTP(ctx, by, ada.ID, nil), store.ErrConflict)

		steps := []int64{100, 100, 99, 101, 101}
		var taken []bool
		for _, step := range steps {
			ok, err := w.TakeTOTPStep(ctx, ada.ID, step)
			require.NoError(t, err)
			taken = append(taken, ok)
		}
		require.Equal(t, []bool{true, false, false, true, false}, taken)

		left := func() int {
			n, err := w.RecoveryCodesLeft(ctx, ada.ID)
			require.NoError(t, err)
			return n
		}
		used := atOnce(4, func(int) bool {
			ok, err := w.TakeRecoveryCode(ctx, by, ada.ID, "r1")
			return ok && err == nil
		})
		require.Len(t, filter(used), 1, "a code is used once")
		require.Equal(t, 1, left())
		require.NoError(t, w.SetRecoveryCodes(ctx, by, ada.ID, []string{"r3", "r4", "r5"}))
		require.Equal(t, 3, left())
		require.NoError(t, w.RemoveTOTP(ctx, by, ada.ID))
		require.Zero(t, left())
		ada, err = w.User(ctx, ada.ID)
		require.NoError(t, err)
		require.Nil(t, ada.TOTP)
		require.Equal(t, 3, ada.Edition)
		require.False(t, ada.HasSecondFactor())
		require.Equal(t, []string{
			"user.create", "user.totp", "user.recovery-code", "user.recovery-codes", "user.totp-removed",
		}, w.acts(t))
	})
}

// filter keeps what is true.
func filter(all []bool) []bool {
	var kept []bool
	for _, ok := range all {
		if ok {
			kept = append(kept, ok)
		}
	}
	return kept
}

func TestSearchForMoreThanADatabaseTakes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.user(t, "ada", store.RoleDeveloper)
		for _, text := range []string{strings.Repeat("ä", 60_000), strings.Repeat("%", 60_000)} {
			found, err := w.Users(t.Context(), text, store.Page{})
			require.NoError(t, err)
			require.Zero(t, found.Total)
		}
	})
}
