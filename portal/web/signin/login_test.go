package signin

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

func TestSigningInAndOut(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann, store.RoleDeveloper)
	b := w.browser()
	b.get("/apps?state=a%20b").goes(t, "/login?next=%2Fapps%3Fstate%3Da%2520b")
	form := b.get("/login?next=%2Fapps%3Fstate%3Da%2520b")
	form.shows(t, http.StatusOK, `name="next" value="/apps?state=a%20b"`)
	require.Contains(t, form.body, `autocomplete="username"`)
	require.Contains(t, form.body, `autocomplete="current-password"`)
	b.post("/login", "email", " Ann@PACS.example", "password", password, "next", "/apps?state=a%20b").goes(t, "/apps?state=a%20b")
	require.Equal(t, "apps "+u.ID+" state=a%20b", b.get("/apps?state=a%20b").body)
	b.get("/login?next=/apps").goes(t, "/apps")
	b.get("/login/second-factor").goes(t, "/login")
	b.get("/console").shows(t, http.StatusForbidden, "for administrators")

	token := b.token()
	b.post("/logout").goes(t, "/login")
	b.get("/login").shows(t, http.StatusOK, "You are signed out.")
	b.get("/apps").goes(t, "/login?next=%2Fapps")
	require.NotEqual(t, token, b.token())
	planted := w.browser()
	planted.plant(token)
	planted.get("/apps").goes(t, "/login?next=%2Fapps")
}

// plant gives the browser a session's token.
func (b *browser) plant(token string) {
	r, err := http.NewRequest(http.MethodGet, b.url, nil)
	require.NoError(b.t, err)
	b.client.Jar.SetCookies(r.URL, []*http.Cookie{{Name: "fhirgate", Value: token, Path: "/"}})
}

func TestLoginForms(t *testing.T) {
	w := newWorld(t)
	w.user(ann, store.RoleDeveloper)
	b := w.browser()
	empty := b.post("/login", "next", "/apps")
	empty.shows(t, http.StatusUnprocessableEntity, `value="/apps"`)
	require.Equal(t, "Type your e-mail address.", empty.wrong(t, "field-email"))
	require.Equal(t, "Type your password.", empty.wrong(t, "field-password"))
	wrong := b.post("/login", "email", ann, "password", fresh)
	wrong.shows(t, http.StatusUnprocessableEntity, "The e-mail address or the password is wrong.")
	require.Contains(t, wrong.body, `value="`+ann+`"`, "the address is kept")
}

// Whether an account exists is not to be seen in any answer.
func TestNobodyLearnsWhoHasAnAccount(t *testing.T) {
	w := newWorld(t)
	w.user(ann, store.RoleDeveloper)
	gone := w.user("bob@pacs.example", store.RoleDeveloper)
	require.NoError(t, w.store.Disable(t.Context(), store.System, gone.ID))
	random := regexp.MustCompile(`[A-Z2-7]{26}`) // request ids
	for path, password := range map[string]string{"/login": fresh, "/forgot-password": "", "/signup": ""} {
		t.Run(path, func(t *testing.T) {
			answers := map[string]seen{}
			for i := range 7 { // beyond what is free of delays
				for _, email := range []string{ann, "bob@pacs.example", "eve@pacs.example"} {
					b := w.browser()
					values := []string{"email", email}
					if password != "" {
						values = append(values, "password", password)
					}
					s := b.post(path, values...)
					require.NotEqual(t, http.StatusInternalServerError, s.status)
					s.body = random.ReplaceAllString(strings.ReplaceAll(s.body, email, "EMAIL"), "ID")
					s.header.Del("Date")
					s.header.Del("X-Request-Id")
					s.header.Del("Content-Length") // of addresses, which differ
					key := fmt.Sprint(i)
					if first, ok := answers[key]; ok {
						require.Equal(t, first, s, "%s, try %d", email, i)
					}
					answers[key] = s
				}
			}
			require.Equal(t, http.StatusTooManyRequests, answers["6"].status)
		})
		w.pass(25 * time.Hour)
	}
}

func TestTooManyTries(t *testing.T) {
	w := newWorld(t)
	w.user(ann, store.RoleDeveloper)
	b := w.browser()
	for range 5 {
		b.post("/login", "email", ann, "password", fresh).shows(t, http.StatusUnprocessableEntity, "is wrong")
	}
	s := b.login(ann)
	s.shows(t, http.StatusTooManyRequests, "Try again in")
	require.Equal(t, "1", s.header.Get("Retry-After"))
	w.pass(time.Second)
	b.login(ann).goes(t, "/")
}

// A redirect after signing in leads nowhere but to the portal.
func TestOpenRedirects(t *testing.T) {
	w := newWorld(t)
	const bob = "bob@pacs.example" // the company's login is Ann's
	u := w.user(bob, store.RoleDeveloper)
	w.user(ann, store.RoleDeveloper)
	for _, next := range []string{
		"https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "/\n/evil.example",
		"javascript:alert(1)", "evil.example", "@evil.example", " //evil.example", "", "http:/evil.example", "/\\/evil.example", "\r\nLocation: https://evil.example",
	} {
		t.Run(fmt.Sprintf("%q", next), func(t *testing.T) {
			w.browser().post("/login", "email", bob, "password", password, "next", next).goes(t, "/")
			b := w.browser()
			b.login(bob).goes(t, "/")
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/login", nil)
			query := r.URL.Query()
			query.Set("next", next)
			r.URL.RawQuery = query.Encode()
			b.do(r, err).goes(t, "/")

			r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/login/oidc", nil)
			r.URL.RawQuery = query.Encode()
			company := w.browser()
			back := company.get(company.do(r, err).to)
			company.get(back.to).goes(t, "/")
		})
	}
	secret, _ := w.enrolled(u)
	b := w.browser()
	b.post("/login", "email", bob, "password", password, "next", "//evil.example").goes(t, "/login/second-factor")
	b.post("/login/second-factor", "code", w.code(secret)).goes(t, "/")
}

func TestSecondFactor(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann, store.RoleDeveloper)
	secret, codes := w.enrolled(u)
	b := w.browser()
	b.post("/login", "email", ann, "password", password, "next", "/apps?x=%25").goes(t, "/login/second-factor")
	for _, path := range []string{"/", "/apps", "/account", "/account/second-factor"} {
		b.get(path).goes(t, "/login/second-factor")
	}
	for _, path := range []string{"/account/name", "/account/password", "/account/totp", "/account/totp/confirm", "/account/totp/remove", "/account/recovery-codes", "/account/sessions"} {
		b.post(path, "code", codes[0]).goes(t, "/login/second-factor")
	}
	form := b.get("/login/second-factor")
	form.shows(t, http.StatusOK, `autocomplete="one-time-code"`)
	require.Equal(t, "Type the code.", b.post("/login/second-factor").wrong(t, "field-code"))
	wrong := b.post("/login/second-factor", "code", "1234567")
	wrong.shows(t, http.StatusUnprocessableEntity, "wrong or was used")
	require.NotContains(t, wrong.body, "1234567")
	code := w.code(secret)
	b.post("/login/second-factor", "code", code).goes(t, "/apps?x=%25")
	b.get("/apps").shows(t, http.StatusOK, u.ID)

	replay := w.browser()
	replay.login(ann).goes(t, "/login/second-factor")
	replay.post("/login/second-factor", "code", code).shows(t, http.StatusUnprocessableEntity, "was used")
	replay.get("/login/second-factor?recovery=1").shows(t, http.StatusOK, "Recovery code")
	require.Contains(t, replay.post("/login/second-factor", "recovery", "no-code").wrong(t, "field-recovery"), "recovery code is wrong")
	replay.post("/login/second-factor", "recovery", codes[0]).goes(t, "/")
	replay.get("/account").shows(t, http.StatusOK, "you have 9 left")

	again := w.browser()
	again.login(ann)
	again.post("/login/second-factor", "recovery", codes[0]).shows(t, http.StatusUnprocessableEntity, "was used")
	again.post("/logout").goes(t, "/login")
	again.get("/login/second-factor").goes(t, "/login")
}

// A session has a new token at each stage, so that one that was planted or seen
// before is worth nothing.
func TestSessionsAreRenewed(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann, store.RoleDeveloper)
	secret, _ := w.enrolled(u)
	attacker, victim := w.browser(), w.browser()
	attacker.get("/login/oidc") // a session without a user
	planted := attacker.token()
	require.NotEmpty(t, planted)
	victim.plant(planted)
	stages := []string{planted}
	step := func(s seen, to string) {
		t.Helper()
		s.goes(t, to)
		require.NotContains(t, stages, victim.token())
		stages = append(stages, victim.token())
	}
	step(victim.login(ann), "/login/second-factor")
	attacker.get("/login/second-factor").goes(t, "/login")
	step(victim.post("/login/second-factor", "code", w.code(secret)), "/")
	step(victim.post("/account/password", "current", password, "password", fresh), "/account")
	victim.get("/").shows(t, http.StatusOK, u.ID)
	for _, token := range stages[:len(stages)-1] {
		b := w.browser()
		b.plant(token)
		b.get("/").goes(t, "/login")
	}
	require.NotContains(t, w.private, planted)
	w.private = append(w.private, stages...)
}

func TestNothingStaysOfAnEarlierUser(t *testing.T) {
	w := newWorld(t)
	w.user(ann, store.RoleDeveloper)
	bob := w.user("bob@pacs.example", store.RoleDeveloper)
	b := w.browser()
	b.login(ann).goes(t, "/")
	b.get("/remember")
	require.Contains(t, b.get("/remember").body, "before: user_")
	b.login("bob@pacs.example").goes(t, "/")
	require.Contains(t, b.get("/").body, bob.ID)
	require.Equal(t, "before: ", b.get("/remember").body)

	b.post("/forgot-password", "email", ann)
	b.post("/reset-password", "token", strings.TrimPrefix(w.link(), "/reset-password?token="), "password", fresh).goes(t, "/login")
	b.get("/").goes(t, "/login")
}

func TestDisabledUsersAreOut(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann, store.RoleDeveloper)
	b := w.browser()
	b.login(ann).goes(t, "/")
	require.NoError(t, w.store.Disable(t.Context(), store.System, u.ID))
	b.get("/").goes(t, "/login")
	b.login(ann).shows(t, http.StatusUnprocessableEntity, "is wrong")
}
