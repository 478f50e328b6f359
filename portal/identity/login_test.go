package identity

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

func TestLogin(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann)
	w.user("gone@pacs.example")
	gone, err := w.store.UserByEmail(w.ctx, "gone@pacs.example")
	require.NoError(t, err)
	require.NoError(t, w.store.Disable(w.ctx, store.System, gone.ID))
	w.user("company@pacs.example", func(u *store.User) { u.PasswordHash, u.OIDCSubject = "", "issuer sub" })

	for _, email := range []string{ann, " ANN@pacs.example "} {
		got, err := w.Login(w.ctx, by, email, password)
		require.NoError(t, err)
		require.Equal(t, u.ID, got.ID)
	}
	for name, test := range map[string]struct{ email, password, reason string }{
		"wrong password":          {ann, "four words make two", "password"},
		"no password":             {ann, "", "password"},
		"password with a space":   {ann, password + " ", "password"},
		"unknown":                 {"bob@pacs.example", password, "unknown"},
		"no address":              {"nobody", password, "unknown"},
		"nothing":                 {"", "", "unknown"},
		"disabled":                {"gone@pacs.example", password, "disabled"},
		"without a password":      {"company@pacs.example", "", "password"},
		"without, and with words": {"company@pacs.example", "of nobody", "password"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := w.Login(w.ctx, by, test.email, test.password)
			require.Same(t, ErrCredentials, err)
			require.Zero(t, got)
			acts := w.acts()
			require.Equal(t, "user.login-refused "+test.reason, acts[len(acts)-1])
		})
	}
	require.Empty(t, w.log.String())
}

func TestOldHashesAreRenewedAtLogin(t *testing.T) {
	w := newWorld(t)
	old, err := argon2id.CreateHash(password, &argon2id.Params{Memory: 32, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	require.NoError(t, err)
	w.user(ann, func(u *store.User) { u.PasswordHash = old })

	u, err := w.Login(w.ctx, by, ann, password)
	require.NoError(t, err)
	require.Contains(t, u.PasswordHash, "m=64,t=1,p=1")
	require.Equal(t, w.again(u).Edition, u.Edition, "the session that begins now holds")
	_, err = w.Login(w.ctx, by, ann, password)
	require.NoError(t, err)
}

// fails lets a login fail and returns how long to wait, 0 if it was tried.
func (w *world) fails(email string, by store.By) time.Duration {
	w.t.Helper()
	_, err := w.Login(w.ctx, by, email, "wrong wrong wrong")
	var throttled *Throttled
	if errors.As(err, &throttled) {
		return throttled.Wait
	}
	require.Same(w.t, ErrCredentials, err)
	return 0
}

func from(n int) store.By {
	return store.By{Address: netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", n))}
}

func TestDelaysOfAnAccountGrow(t *testing.T) {
	for _, email := range []string{ann, "unknown@pacs.example"} {
		t.Run(email, func(t *testing.T) {
			w := newWorld(t)
			w.user(ann)
			for i := range freeOfAccount {
				require.Zero(t, w.fails(email, from(i)))
			}
			var delays []time.Duration
			for i := range 12 {
				delay := w.fails(email, from(20+i))
				delays = append(delays, delay)
				w.clock.pass(delay - time.Second)
				require.Equal(t, time.Second, w.fails(email, from(20+i)), "a try that was refused does not count")
				w.clock.pass(time.Second)
				require.Zero(t, w.fails(email, from(20+i)))
			}
			require.Equal(t, []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900}, inSeconds(delays))
		})
	}
}

func inSeconds(delays []time.Duration) []time.Duration {
	for i := range delays {
		delays[i] /= time.Second
	}
	return delays
}

func TestTheRightPasswordWaitsToo(t *testing.T) {
	w := newWorld(t)
	w.user(ann)
	for range freeOfAccount {
		w.fails(ann, by)
	}
	_, err := w.Login(w.ctx, by, ann, password)
	var throttled *Throttled
	require.ErrorAs(t, err, &throttled)
	require.Equal(t, "There were too many failed tries. Try again in 1 second.", throttled.Text())
	w.clock.pass(throttled.Wait)
	_, err = w.Login(w.ctx, by, ann, password)
	require.NoError(t, err)
	for range freeOfAccount {
		require.Zero(t, w.fails(ann, by), "a login that went well makes up for failures")
	}
}

func TestFailuresAreForgotten(t *testing.T) {
	w := newWorld(t)
	for range freeOfAccount {
		w.fails(ann, by)
	}
	w.clock.pass(25 * time.Hour)
	require.Zero(t, w.fails(ann, by))
	require.Zero(t, w.fails(ann, by))
}

func TestDelaysOfAnAddress(t *testing.T) {
	w := newWorld(t)
	w.user(ann)
	for i := range freeOfAddress {
		require.Zero(t, w.fails(fmt.Sprintf("user%d@pacs.example", i), by))
		if i == 10 {
			_, err := w.Login(w.ctx, by, ann, password)
			require.NoError(t, err, "an account of one's own does not make up for guessing at others'")
		}
	}
	require.Equal(t, time.Second, w.fails("another@pacs.example", by))
	require.Zero(t, w.fails("another@pacs.example", from(99)))
}

func TestAddressesThatCountAsOne(t *testing.T) {
	name := func(text string) string { return ofAddress("login", netip.MustParseAddr(text)).name }
	require.Equal(t, name("2001:db8:1:2::1"), name("2001:db8:1:2:ffff::9"))
	require.NotEqual(t, name("2001:db8:1:2::1"), name("2001:db8:1:3::1"))
	require.Equal(t, name("192.0.2.1"), name("::ffff:192.0.2.1"))
	require.NotEqual(t, name("192.0.2.1"), name("192.0.2.2"))
	require.NotContains(t, name("192.0.2.1"), "192")
	require.NotPanics(t, func() { ofAddress("login", netip.Addr{}) })
}

// Many tries at once are no way around the delays.
func TestManyTriesAtOnce(t *testing.T) {
	w := newWorld(t)
	release := make([]func(), 0, maxHashes)
	for range maxHashes { // nobody gets a result before all have asked
		r, err := w.passwords.take(w.ctx)
		require.NoError(t, err)
		release = append(release, r)
	}
	const tries = 40
	results := make(chan error, tries)
	var group sync.WaitGroup
	for i := range tries {
		group.Go(func() {
			_, err := w.Login(w.ctx, from(i), ann, "wrong wrong wrong")
			results <- err
		})
	}
	for range tries - freeOfAccount {
		var throttled *Throttled
		require.ErrorAs(t, <-results, &throttled)
	}
	for _, r := range release {
		r()
	}
	group.Wait()
	for range freeOfAccount {
		require.Same(t, ErrCredentials, <-results)
	}
	require.Empty(t, w.throttle.flying)
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann)
	const next = "another four words"
	for name, test := range map[string]struct {
		current, next string
		reason        string
	}{
		"wrong":    {"wrong", next, "password"},
		"none":     {"", next, "password"},
		"too weak": {password, "short", "weak password"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.ChangePassword(w.ctx, by, u, test.current, test.next)
			var refusal *Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, test.reason, refusal.Reason)
			require.Equal(t, u.PasswordHash, w.again(u).PasswordHash)
		})
	}
	link, err := newResetToken(w.ctx, w.store, u.ID, time.Hour)
	require.NoError(t, err)
	changed, err := w.ChangePassword(w.ctx, by, u, password, next)
	require.NoError(t, err)
	require.Greater(t, changed.Edition, u.Edition, "other sessions are over")
	_, err = w.ResetOwner(w.ctx, link)
	require.Same(t, ErrLink, err, "a link that was on its way is void")
	_, err = w.Login(w.ctx, by, ann, password)
	require.Same(t, ErrCredentials, err)
	_, err = w.Login(w.ctx, by, ann, next)
	require.NoError(t, err)
}

func TestGuessingTheCurrentPasswordIsSlow(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann)
	for range freeOfAccount {
		_, err := w.ChangePassword(w.ctx, by, u, "wrong", "another four words")
		require.Same(t, ErrPassword, err)
	}
	_, err := w.ChangePassword(w.ctx, by, u, password, "another four words")
	var throttled *Throttled
	require.ErrorAs(t, err, &throttled)
}

// TestNobodyIsKeptOutByOthers has somebody try wrong passwords without end.
func TestNobodyIsKeptOutByOthers(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann)
	require.NoError(t, w.SignedIn(w.ctx, from(7), u))
	var throttled *Throttled
	for i := range freeOfAccount {
		_, err := w.Login(w.ctx, from(100+i), ann, "a wrong password")
		require.Same(t, ErrCredentials, err)
	}
	_, err := w.Login(w.ctx, from(8), ann, password)
	require.ErrorAs(t, err, &throttled, "it may be who guesses")
	_, err = w.Login(w.ctx, from(7), ann, password)
	require.NoError(t, err, "has signed in from there before")
	_, err = w.Login(w.ctx, from(8), ann, password)
	require.ErrorAs(t, err, &throttled, "who guesses has no more tries by that")
	for range freeOfAccount {
		_, err := w.Login(w.ctx, from(7), ann, "a wrong password")
		require.Same(t, ErrCredentials, err)
	}
	_, err = w.Login(w.ctx, from(7), ann, password)
	require.ErrorAs(t, err, &throttled, "there are delays for them, too")
}
