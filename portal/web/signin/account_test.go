package signin

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/identity"
	"fhirgate/portal/store"
)

func (w *world) invite(email string, role store.Role) string {
	w.t.Helper()
	_, mailed, err := w.identity.Inviter().Invite(w.t.Context(), store.System, store.Invitation{Email: email, Role: role})
	require.NoError(w.t, err)
	require.True(w.t, mailed)
	return w.link()
}

var codePattern = regexp.MustCompile(`[a-z2-7]{4}(-[a-z2-7]{4}){3}`)

// An administrator's way: invitation, account, second factor, console.
func TestAdministratorsAreLedToASecondFactor(t *testing.T) {
	w := newWorld(t)
	link := w.invite("boss@elsewhere.example", store.RoleAdmin)
	b := w.browser()
	form := b.get(link)
	form.shows(t, http.StatusOK, "boss@elsewhere.example")
	require.Contains(t, form.body, "You will be an administrator")
	require.Contains(t, form.body, `autocomplete="new-password"`)

	again := b.post(link, "name", "Bo", "password", "short")
	again.shows(t, http.StatusUnprocessableEntity, `value="Bo"`)
	require.Contains(t, again.wrong(t, "field-password"), "at least 12")
	both := b.post(link, "name", " ", "password", "short")
	require.Contains(t, both.wrong(t, "field-name"), "your name")
	require.Contains(t, both.wrong(t, "field-password"), "at least 12")
	require.NotContains(t, both.body, `role="alert"`, "beside the fields is enough")
	b.post(link, "name", "Bo", "password", password).goes(t, "/console")
	for _, path := range []string{"/", "/console", "/apps"} {
		b.get(path).goes(t, "/account/second-factor")
	}
	b.get("/account/second-factor").shows(t, http.StatusOK, "Show the QR code")
	require.NotContains(t, b.get("/account/second-factor").body, "data:image")

	b.post("/account/totp/confirm", "code", "123456").goes(t, "/account/second-factor")
	form = b.get("/account/second-factor")
	require.Contains(t, form.body, `autocomplete="current-password"`)
	require.Contains(t, form.body, `autocomplete="username" value="boss@elsewhere.example"`)
	require.Contains(t, b.post("/account/totp").wrong(t, "field-current"), "not your current password")
	unproven := b.post("/account/totp", "current", fresh)
	require.Contains(t, unproven.wrong(t, "field-current"), "not your current password")
	require.NotContains(t, unproven.body, "data:image")
	shown := b.post("/account/totp", "current", password)
	shown.shows(t, http.StatusOK, `src="data:image/png;base64,`)
	secret := strings.ReplaceAll(regexp.MustCompile(`<code class="mono">([A-Z2-7 ]+)</code>`).FindStringSubmatch(shown.body)[1], " ", "")
	w.private = append(w.private, secret)
	require.NotContains(t, b.get("/account/second-factor").body, secret[:4]+" ", "only in the answer to the form")
	wrong := b.post("/account/totp/confirm", "code", "1234567")
	require.Contains(t, wrong.wrong(t, "field-code"), "wrong")
	require.NotContains(t, wrong.body, "data:image", "whoever has come by the session learns nothing by a wrong code")
	require.NotContains(t, wrong.body, secret[:4]+" ")
	require.Contains(t, wrong.body, "Show another QR code")
	before := b.token()
	codes := b.post("/account/totp/confirm", "code", w.code(secret))
	codes.shows(t, http.StatusOK, "recovery codes")
	require.Len(t, codePattern.FindAllString(codes.body, -1), 10)
	w.private = append(w.private, codePattern.FindAllString(codes.body, -1)...)
	require.NotEqual(t, before, b.token())

	b.post("/account/totp/confirm", "code", w.code(secret)).goes(t, "/account/second-factor")
	b.get("/account/second-factor").goes(t, "/account")
	require.Empty(t, codePattern.FindString(b.get("/account").body), "never shown again")
	require.Contains(t, b.get("/console").body, "console user_")
	b.post("/account/totp", "current", password).shows(t, http.StatusConflict, "Already changed")

	w.pass(time.Minute)
	b.post("/account/totp/remove", "code", w.code(secret)).shows(t, http.StatusForbidden, "cannot be removed")
	require.NotContains(t, b.get("/account").body, "/account/totp/remove")
	b.get(link).shows(t, http.StatusGone, "This link is over")
	b.post(link, "name", "Bo", "password", password).shows(t, http.StatusGone, "This link is over")
}

func TestGuessingThePasswordInAStolenSessionIsSlow(t *testing.T) {
	w := newWorld(t)
	w.user(ann, store.RoleDeveloper)
	thief := w.browser()
	thief.login(ann)
	var last seen
	for range 20 {
		if last = thief.post("/account/totp", "current", fresh); last.status != http.StatusUnprocessableEntity {
			break
		}
	}
	require.Equal(t, http.StatusTooManyRequests, last.status)
	require.NotEmpty(t, last.header.Get("Retry-After"))
	thief.post("/account/totp", "current", password).shows(t, http.StatusTooManyRequests, "Current password")
}

func TestAnEnrolmentThatWasLeftIsBegunAgain(t *testing.T) {
	w := newWorld(t)
	w.user(ann, store.RoleDeveloper)
	b := w.browser()
	b.login(ann)
	b.post("/account/totp", "current", password).shows(t, http.StatusOK, "data:image/png")
	w.pass(15 * time.Minute)
	b.post("/account/totp/confirm", "code", "123456").goes(t, "/account/second-factor")
	again := b.get("/account/second-factor")
	again.shows(t, http.StatusOK, "That took too long")
	require.NotContains(t, again.body, "data:image", "not without the password")
}

func TestSigningUp(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.get("/signup").shows(t, http.StatusOK, "@pacs.example")
	require.Contains(t, b.post("/signup", "email", "eve@elsewhere.example").wrong(t, "field-email"), "this domain")
	require.Contains(t, b.post("/signup", "email", "eve").wrong(t, "field-email"), "not an e-mail address")
	b.post("/signup", "email", ann).shows(t, http.StatusOK, "Look into your mail")
	link := w.link()
	token := strings.TrimPrefix(link, "/verify-email?token=")
	for range 2 { // scanners of mail open links
		b.get(link).shows(t, http.StatusOK, ann)
	}
	again := b.post("/verify-email", "token", token, "name", "Ann", "password", "ann@pacs.example")
	require.Contains(t, again.wrong(t, "field-password"), "e-mail name")
	b.post("/verify-email", "token", token, "name", "Ann", "password", password).goes(t, "/")
	b.get("/").shows(t, http.StatusOK, "overview user_")
	b.get("/console").shows(t, http.StatusForbidden, "for administrators")
	b.get(link).shows(t, http.StatusGone, "This link is over")
	b.post("/verify-email", "token", token, "name", "Ann", "password", password).shows(t, http.StatusGone, "This link is over")
	for _, path := range []string{"/verify-email", "/verify-email?token=x", "/invitation/x", "/reset-password", "/reset-password?token=x"} {
		b.get(path).shows(t, http.StatusGone, "Ask for a new one")
	}
}

func TestSettingANewPassword(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann, store.RoleDeveloper)
	secret, _ := w.enrolled(u)
	inside := w.browser()
	inside.login(ann)
	inside.post("/login/second-factor", "code", w.code(secret)).goes(t, "/")

	b := w.browser()
	b.get("/forgot-password").shows(t, http.StatusOK, "Send the link")
	b.post("/forgot-password", "email", ann).shows(t, http.StatusOK, "If the address has an account")
	link := w.link()
	token := strings.TrimPrefix(link, "/reset-password?token=")
	b.get(link).shows(t, http.StatusOK, ann)
	require.Contains(t, b.post("/reset-password", "token", token, "password", "short").wrong(t, "field-password"), "at least 12")
	b.post("/reset-password", "token", token, "password", fresh).goes(t, "/login")
	b.get("/login").shows(t, http.StatusOK, "Your password is changed")
	b.get("/").goes(t, "/login")
	inside.get("/").goes(t, "/login")
	b.post("/reset-password", "token", token, "password", password).shows(t, http.StatusGone, "This link is over")
	b.login(ann).shows(t, http.StatusUnprocessableEntity, "is wrong")
	b.post("/login", "email", ann, "password", fresh).goes(t, "/login/second-factor")
}

func TestAccountPage(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann, store.RoleDeveloper)
	b, other := w.browser(), w.browser()
	b.login(ann)
	other.login(ann)
	b.get("/account").shows(t, http.StatusOK, "Set up a second factor")

	require.Contains(t, b.post("/account/name", "name", strings.Repeat("x", 81)).wrong(t, "field-name"), "at most 80")
	b.post("/account/name", "name", "<b>Ann</b> & Co").goes(t, "/account")
	changed := b.get("/account")
	changed.shows(t, http.StatusOK, "Your name is changed.")
	require.Contains(t, changed.body, `value="<b>Ann</b> & Co"`)

	wrong := b.post("/account/password", "current", fresh, "password", fresh)
	wrong.shows(t, http.StatusUnprocessableEntity, "not your current password")
	require.Contains(t, wrong.wrong(t, "field-current"), "not your current password")
	require.Contains(t, b.post("/account/password", "current", password, "password", "x").wrong(t, "field-password"), "at least 12")
	b.post("/account/password", "current", password, "password", fresh).goes(t, "/account")
	b.get("/account").shows(t, http.StatusOK, "All other sessions are over.")
	other.get("/account").goes(t, "/login?next=%2Faccount")

	other.post("/login", "email", ann, "password", fresh).goes(t, "/")
	b.post("/account/sessions").goes(t, "/account")
	b.get("/account").shows(t, http.StatusOK, "All other sessions are over.")
	other.get("/account").goes(t, "/login?next=%2Faccount")

	secret, _ := w.enrolled(u)
	b.post("/login", "email", ann, "password", fresh).goes(t, "/login/second-factor")
	b.post("/login/second-factor", "code", w.code(secret)).goes(t, "/")
	require.Contains(t, b.post("/account/recovery-codes", "code", "1234567").wrong(t, "codes-code"), "wrong")
	w.pass(time.Minute)
	codes := b.post("/account/recovery-codes", "code", w.code(secret))
	codes.shows(t, http.StatusOK, "Keep your recovery codes")
	require.Len(t, codePattern.FindAllString(codes.body, -1), 10)
	require.Contains(t, b.post("/account/totp/remove", "code", "1234567").wrong(t, "remove-code"), "wrong")
	w.pass(time.Minute)
	b.post("/account/totp/remove", "code", w.code(secret)).goes(t, "/account")
	b.get("/account").shows(t, http.StatusOK, "Your second factor is removed")
	b.post("/account/recovery-codes", "code", "1").goes(t, "/account/second-factor")
	b.post("/account/totp/remove", "code", "1").goes(t, "/account")
}

// company signs in at the provider.
func (b *browser) company(path string) seen {
	back := b.get(b.get(path).to)
	require.Contains(b.t, back.to, "/login/oidc/callback?")
	return b.get(back.to)
}

// TestASessionAloneSetsUpNoSecondFactor is about accounts without a password: whoever
// has come by a session could lock its owner out.
func TestASessionAloneSetsUpNoSecondFactor(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.company("/login/oidc").goes(t, "/")
	b.post("/account/totp").shows(t, http.StatusOK, "data:image/png") // nobody is kept out of an account that is new
	w.pass(11 * time.Minute)
	again := func(why string) {
		t.Helper()
		b.get("/account/second-factor").shows(t, http.StatusOK, `href="/login/oidc?again&next=/account/second-factor">Sign in again with PACS Inc.`)
		late := b.post("/account/totp")
		late.shows(t, http.StatusUnprocessableEntity, "Sign in again first")
		require.NotContains(t, late.body, "data:image/png", why)
	}
	again("the session is all there is")
	b.post("/account/sessions").goes(t, "/account")
	again("whoever has the session can end the others")
	b.company("/login/oidc").goes(t, "/")
	again("the provider does not tell whether anybody has signed in")
	w.provider.Claims["auth_time"] = w.Now().Add(-11 * time.Minute).Unix()
	b.company("/login/oidc?again").goes(t, "/")
	again("the provider's session is as old")

	require.Regexp(t, `max_age=0&.*&prompt=login&`, b.get("/login/oidc?again").to)
	require.NotRegexp(t, `max_age|prompt`, b.get("/login/oidc").to)
	w.provider.Claims["auth_time"] = w.Now().Unix()
	b.company("/login/oidc?again&next=/account/second-factor").goes(t, "/account/second-factor")
	b.post("/account/sessions").goes(t, "/account")
	b.post("/account/totp").shows(t, http.StatusOK, "data:image/png")
}

func TestCompanyLogin(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.get("/login?next=/apps").shows(t, http.StatusOK, `href="/login/oidc?next=%2fapps"`)
	b.company("/login/oidc?next=/apps").goes(t, "/apps")
	b.get("/account").shows(t, http.StatusOK, "have no password here")
	u, err := w.store.UserByEmail(t.Context(), ann)
	require.NoError(t, err)

	own := b.get("/account/second-factor")
	own.shows(t, http.StatusOK, "Show the QR code")
	require.NotContains(t, own.body, `name="current"`, "there is no password to ask for")
	secret, _ := w.enrolled(u)
	b = w.browser()
	b.company("/login/oidc").goes(t, "/login/second-factor")
	b.post("/login/second-factor", "code", w.code(secret)).goes(t, "/")

	w.provider.Claims = map[string]any{"sub": "4712", "email": "carl@elsewhere.example", "email_verified": true, "name": "Carl"}
	b = w.browser()
	b.company("/login/oidc").shows(t, http.StatusUnprocessableEntity, "You have no account here")
	link := w.invite("carl@elsewhere.example", store.RoleDeveloper)
	invited := b.get(link)
	href := regexp.MustCompile(`href="(/login/oidc\?invitation=[^"]+)"`).FindStringSubmatch(invited.body)
	require.NotNil(t, href)
	b.company(href[1]).goes(t, "/")
	b.get(link).shows(t, http.StatusGone, "This link is over")

	target := b.get("/login/oidc").to
	stolen := w.browser().get(target) // somebody's answer in another browser
	w.browser().get(stolen.to).shows(t, http.StatusUnprocessableEntity, "was not begun here")
	w.provider.Status = http.StatusInternalServerError
	w.browser().company("/login/oidc").shows(t, http.StatusBadGateway, "identity provider does not answer")
	w.private = append(w.private, "4712")
}

func TestPortalWithoutMailAndCompany(t *testing.T) {
	w := newWorld(t, func(o *identity.Options) { o.Mailer, o.OIDC = nil, nil })
	b := w.browser()
	login := b.get("/login")
	require.NotContains(t, login.body, "/signup")
	require.NotContains(t, login.body, "/login/oidc")
	b.get("/signup").shows(t, http.StatusOK, "by invitation")
	b.post("/signup", "email", ann).shows(t, http.StatusUnprocessableEntity, "by invitation")
	b.get("/forgot-password").shows(t, http.StatusOK, "sends no mail")
	b.post("/forgot-password", "email", ann).shows(t, http.StatusUnprocessableEntity, "sends no mail")
	b.get("/login/oidc").shows(t, http.StatusUnprocessableEntity, "no login of the company")
	link, _, err := identity.FirstAdmin(t.Context(), w.store, w.url, ann)
	require.NoError(t, err)
	b.post(strings.TrimPrefix(link, w.url), "name", "Ann", "password", password).goes(t, "/console")
	b.get("/").goes(t, "/account/second-factor")
}

func TestPagesForThoseWhoAreSignedIn(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for _, route := range New(Options{}).Routes() {
		if strings.HasPrefix(route.Path, "/account") {
			if route.Method == http.MethodGet {
				require.True(t, strings.HasPrefix(b.get(route.Path).to, "/login?next="), route.Path)
			} else {
				b.post(route.Path).goes(t, "/login")
			}
		}
	}
}
