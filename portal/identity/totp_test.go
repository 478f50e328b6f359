package identity

import (
	"bytes"
	"encoding/base64"
	"errors"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

func TestEnrolment(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann)
	waits, err := w.AwaitsCode(u)
	require.NoError(t, err)
	require.False(t, waits)

	enrolment, err := w.BeginTOTP(w.ctx, by, u, Proof{Password: password})
	require.NoError(t, err)
	u = w.again(u)
	require.False(t, u.HasSecondFactor())
	secret := strings.ReplaceAll(enrolment.Secret, " ", "")
	require.Len(t, secret, 32)
	require.NotContains(t, string(u.TOTP), secret, "sealed at rest")
	encoded, found := strings.CutPrefix(string(enrolment.QR), "data:image/png;base64,")
	require.True(t, found)
	picture, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	_, err = png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)

	waits, err = w.AwaitsCode(u)
	require.NoError(t, err)
	require.True(t, waits)

	_, _, err = w.ConfirmTOTP(w.ctx, by, u, "000000000")
	require.Same(t, ErrCode, err)
	require.False(t, w.again(u).HasSecondFactor())
	codes, confirmed, err := w.ConfirmTOTP(w.ctx, by, u, w.code(secret))
	require.NoError(t, err)
	require.True(t, confirmed.HasSecondFactor())
	require.Greater(t, confirmed.Edition, u.Edition)
	require.Len(t, codes, recoveryCodes)

	waits, err = w.AwaitsCode(confirmed)
	require.NoError(t, err)
	require.False(t, waits)
	_, err = w.BeginTOTP(w.ctx, by, confirmed, Proof{Password: "no matter"})
	require.ErrorIs(t, err, store.ErrConflict)
	require.Same(t, ErrCode, w.SecondFactor(w.ctx, by, confirmed, w.code(secret)), "the code that confirmed does not sign in")
}

func TestASessionAloneEnrolsNothing(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann)
	for range freeOfAccount {
		_, err := w.BeginTOTP(w.ctx, by, u, Proof{Password: "another four words"})
		require.Same(t, ErrPassword, err)
	}
	require.Nil(t, w.again(u).TOTP)
	var throttled *Throttled
	_, err := w.BeginTOTP(w.ctx, by, u, Proof{Password: password})
	require.ErrorAs(t, err, &throttled)
	_, err = w.ChangePassword(w.ctx, by, u, password, "another four words")
	require.ErrorAs(t, err, &throttled, "the tries are counted together")
	w.clock.pass(throttled.Wait)
	_, err = w.BeginTOTP(w.ctx, by, u, Proof{Password: password})
	require.NoError(t, err)

	guest := w.user("bob@pacs.example", func(u *store.User) { u.PasswordHash = "" })
	w.clock.pass(time.Hour) // the account is not new
	login := w.clock.Now()
	_, err = w.BeginTOTP(w.ctx, by, guest, Proof{Login: login})
	require.NoError(t, err, "who has no password is not asked for one")
	w.clock.pass(freshLogin)
	_, err = w.BeginTOTP(w.ctx, by, guest, Proof{Login: login})
	require.NoError(t, err)
	w.clock.pass(time.Second)
	_, err = w.BeginTOTP(w.ctx, by, guest, Proof{Login: login})
	require.Same(t, ErrSignInAgain, err)
	_, err = w.BeginTOTP(w.ctx, by, guest, Proof{})
	require.Same(t, ErrSignInAgain, err)
}

func TestAnEnrolmentWaitsForAQuarterOfAnHour(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann)
	_, err := w.BeginTOTP(w.ctx, by, u, Proof{Password: password})
	require.NoError(t, err)
	w.clock.pass(enrolmentLife - time.Second)
	waits, err := w.AwaitsCode(w.again(u))
	require.NoError(t, err)
	require.True(t, waits)
	w.clock.pass(time.Second)
	waits, err = w.AwaitsCode(w.again(u))
	require.NoError(t, err)
	require.False(t, waits)
}

func TestCodesAndTheirTime(t *testing.T) {
	w := newWorld(t)
	u, secret, _ := w.enrolled(w.user(ann))
	begin := time.Unix((w.clock.Now().Unix()/stepSeconds+10)*stepSeconds, 0) // well behind the step of enrolment
	codeAt := func(step int) string {
		w.clock.now = begin.Add(time.Duration(step) * stepSeconds * time.Second)
		return w.code(secret)
	}
	codes := map[int]string{}
	for step := -2; step <= 2; step++ {
		codes[step] = codeAt(step)
	}
	w.clock.now = begin
	require.Same(t, ErrCode, w.SecondFactor(w.ctx, by, u, codes[-2]), "two steps late")
	require.Same(t, ErrCode, w.SecondFactor(w.ctx, by, u, codes[2]), "two steps early")
	require.NoError(t, w.SecondFactor(w.ctx, by, u, codes[-1]), "one step late")
	require.NoError(t, w.SecondFactor(w.ctx, by, u, " "+codes[0][:3]+" "+codes[0][3:]))
	require.NoError(t, w.SecondFactor(w.ctx, by, u, codes[1]), "one step early")
	require.Same(t, ErrCode, w.SecondFactor(w.ctx, by, u, codes[1]), "each once")
	require.Same(t, ErrCode, w.SecondFactor(w.ctx, by, u, codes[0]), "none before one that was used")
}

func TestGuessingCodesIsSlow(t *testing.T) {
	w := newWorld(t)
	u, secret, codes := w.enrolled(w.user(ann))
	w.clock.pass(time.Hour)
	for range freeOfAccount - 1 {
		require.Same(t, ErrCode, w.SecondFactor(w.ctx, by, u, "0000000"))
	}
	_, err := w.RecoveryCode(w.ctx, by, u, "no-code")
	require.Same(t, ErrRecoveryCode, err)
	var throttled *Throttled
	require.ErrorAs(t, w.SecondFactor(w.ctx, by, u, w.code(secret)), &throttled)
	_, err = w.RecoveryCode(w.ctx, by, u, codes[0])
	require.ErrorAs(t, err, &throttled, "the other way in is no way around")
	_, err = w.NewRecoveryCodes(w.ctx, by, u, w.code(secret))
	require.ErrorAs(t, err, &throttled)

	_, err = w.Login(w.ctx, by, ann, password)
	require.NoError(t, err)
	require.ErrorAs(t, w.SecondFactor(w.ctx, by, u, w.code(secret)), &throttled, "the password does not make up for it")
	w.clock.pass(throttled.Wait)
	require.NoError(t, w.SecondFactor(w.ctx, by, u, w.code(secret)))
	require.Contains(t, w.acts(), "user.login-refused code")
	require.Contains(t, w.acts(), "user.login-refused recovery code")
}

func TestRecoveryCodes(t *testing.T) {
	w := newWorld(t)
	u, secret, codes := w.enrolled(w.user(ann))
	other, _, others := w.enrolled(w.user("bob@pacs.example"))

	left, err := w.RecoveryCode(w.ctx, by, u, codes[0])
	require.NoError(t, err)
	require.Equal(t, 9, left)
	_, err = w.RecoveryCode(w.ctx, by, u, codes[0])
	require.Same(t, ErrRecoveryCode, err, "each once")
	left, err = w.RecoveryCode(w.ctx, by, u, strings.ToUpper(strings.ReplaceAll(codes[1], "-", " ")))
	require.NoError(t, err, "however it is typed")
	require.Equal(t, 8, left)
	_, err = w.RecoveryCode(w.ctx, by, u, others[0])
	require.Same(t, ErrRecoveryCode, err, "another user's")
	_, err = w.RecoveryCode(w.ctx, by, u, "")
	require.Same(t, ErrRecoveryCode, err)

	w.clock.pass(time.Minute)
	fresh, err := w.NewRecoveryCodes(w.ctx, by, u, w.code(secret))
	require.NoError(t, err)
	require.NotContains(t, fresh, codes[2])
	_, err = w.RecoveryCode(w.ctx, by, u, codes[2])
	require.Same(t, ErrRecoveryCode, err, "earlier ones are void")
	_, err = w.RecoveryCode(w.ctx, by, u, fresh[9])
	require.NoError(t, err)
	_, err = w.NewRecoveryCodes(w.ctx, by, u, w.code(secret))
	require.Same(t, ErrCode, err, "not by a code that was used")
	_, err = w.RecoveryCode(w.ctx, by, other, others[0])
	require.NoError(t, err)
}

func TestRecoveryCodesAreRandom(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		codes, hashes := newRecoveryCodes("user_1")
		for i, code := range codes {
			require.Regexp(t, `^[a-z2-7]{4}(-[a-z2-7]{4}){3}$`, code)
			require.False(t, seen[code])
			seen[code] = true
			require.Equal(t, recoveryHash("user_1", code), hashes[i])
			require.NotEqual(t, recoveryHash("user_2", code), hashes[i])
		}
	}
}

func TestRemovingTheSecondFactor(t *testing.T) {
	w := newWorld(t)
	u, secret, _ := w.enrolled(w.user(ann))
	w.clock.pass(time.Minute)
	_, err := w.RemoveTOTP(w.ctx, by, u, "1234567")
	require.Same(t, ErrCode, err)
	require.True(t, w.again(u).HasSecondFactor())
	removed, err := w.RemoveTOTP(w.ctx, by, u, w.code(secret))
	require.NoError(t, err)
	require.False(t, removed.HasSecondFactor())
	require.Greater(t, removed.Edition, u.Edition)

	boss, secret, _ := w.enrolled(w.user("boss@pacs.example", admin))
	w.clock.pass(time.Minute)
	_, err = w.RemoveTOTP(w.ctx, by, boss, w.code(secret))
	require.Same(t, ErrAdministrator, err)
	require.True(t, w.again(boss).HasSecondFactor())
}

func TestSecretsOfOthersAndOfNobody(t *testing.T) {
	w := newWorld(t)
	u, secret, _ := w.enrolled(w.user(ann))
	other := w.user("bob@pacs.example")
	w.clock.pass(time.Minute)
	other.TOTP, other.TOTPSince = u.TOTP, u.TOTPSince // as who can write to the database would have it
	require.ErrorContains(t, w.SecondFactor(w.ctx, by, other, w.code(secret)), "another user's")
	u.TOTP = append([]byte(nil), u.TOTP...)
	u.TOTP[len(u.TOTP)-3] ^= 1
	err := w.SecondFactor(w.ctx, by, u, w.code(secret))
	require.Error(t, err)
	var refusal *Refusal
	require.False(t, errors.As(err, &refusal), "our fault, not the user's")
	require.Empty(t, w.throttle.flying)
}
