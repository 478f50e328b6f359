package test

import (
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// What people write who want others to read it in a mail of the portal's.
const (
	luringTeam = "Winners of https://prize.example"
	luringName = "Olga, see https://prize.example"
)

// notMailed is what those are told who ask for a mail to somebody they know of.
const notMailed = "The mail could not be sent just now"

// TestPortalMails sends everything that the portal mails by a mail server that we did
// not write, and follows the links.
func TestPortalMails(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, postgres bool) {
		t.Parallel()
		m := startMailing(t, postgres)
		m.signUp()
		m.forget()
		m.inviteIntoTeam()
		m.administrate()
		m.loseServer()
		m.finish()
	})
}

// mailing is a portal that mails, and those who use it.
type mailing struct {
	*portal
	t      *testing.T
	server *mailServer
	shots  bool // whether screenshots are kept
	admin  *person
	owner  *person // of an account with an address whose owners cannot sign up
	team   string  // path of the owner's team
	nora   *person // who signs up

	troubles int // errors that the log must have
}

// startMailing starts a portal that sends by a mail server.
func startMailing(t *testing.T, postgres bool) *mailing {
	t.Helper()
	method := map[bool]string{false: "PLAIN", true: "LOGIN"}[postgres]
	s := startMailServer(t, method)
	settings, home, env := portalSettings(t, postgres, map[string]any{
		"signup_domains": []string{"pacs.example"},
		"mail": map[string]any{
			"address": s.address(), "from": "Developer portal <" + mailSender + ">", "username": mailUser,
			"password": map[string]any{"file": s.write("password", mailPassword+"\n")},
		},
	})
	env = append(env, "SSL_CERT_FILE="+s.roots())
	p := &portal{home: home, env: env, gateway: startGateway(t, options{settings: map[string]any{"portal": settings}, env: env, grumbles: true})}
	p.awaitPortal()
	m := &mailing{portal: p, t: t, server: s, shots: !postgres, admin: p.administrator()}
	m.owner = p.join(p.command("portal", "invite", "olga@clinic.example"), "olga@clinic.example", luringName, false)
	m.owner.open("/teams/new")
	m.owner.fill("name", luringTeam)
	m.owner.press("Create team")
	m.team = m.owner.path()
	return m
}

// look keeps screenshots of a page that comes about by mail only.
func (m *mailing) look(b *browser, name string) {
	m.t.Helper()
	if m.shots {
		b.look(name)
	}
}

// visitor is somebody who is not signed in, at a browser without scripts.
func (m *mailing) visitor() *plainBrowser {
	m.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(m.t, err)
	return &plainBrowser{t: m.t, home: m.home, http: &http.Client{Jar: jar, Timeout: time.Minute}}
}

// over opens a link that is not good any more.
func (m *mailing) over(link string) {
	m.t.Helper()
	page := m.visitor().get(strings.TrimPrefix(link, m.home))
	require.Equal(m.t, http.StatusGone, page.status)
	require.Contains(m.t, page.body, "This link is over")
}

var requestID = regexp.MustCompile(`<p>Request <code>\w+</code></p>`)

// alike sends a form for several addresses, whose answers must be the same, and
// returns that.
func (m *mailing) alike(status int, path string, emails ...string) visit {
	m.t.Helper()
	var first visit
	for i, email := range emails {
		page := m.visitor().post(status, path, "email", email)
		page.body = requestID.ReplaceAllString(strings.ReplaceAll(page.body, email, "ADDRESS"), "")
		if i == 0 {
			first = page
		}
		require.Equal(m.t, first, page)
	}
	return first
}

// signUp has somebody sign up. Others learn nothing by the form.
func (m *mailing) signUp() {
	const email = "nora@pacs.example"
	b := openBrowser(m.t, m.home)
	b.open("/login")
	b.press("Sign up")
	b.fill("email", email)
	b.press("Send the link")
	m.look(b, "public-mail-sent")
	letter := m.server.next(email)
	require.Equal(m.t, "Confirm your e-mail address", letter.Subject)
	link := letter.link(m.t)
	require.True(m.t, strings.HasPrefix(link, m.home+"/verify-email?token="))
	require.Equal(m.t, http.StatusOK, m.visitor().get(strings.TrimPrefix(link, m.home)).status, "a scanner of mails follows it first")
	b.open(link)
	m.look(b, "public-verify-email")
	b.fill("name", "Nora", "password", testPassword)
	b.press("Make the account")
	require.Equal(m.t, "/", b.path())
	m.nora = &person{browser: b, email: email}
	m.over(link)

	m.alike(http.StatusOK, "/signup", "nobody@pacs.example", email)
	for range 2 { // sent side by side: in any order
		letter := m.server.next("nobody@pacs.example", email)
		if letter.To == email {
			require.Equal(m.t, "You have an account already", letter.Subject)
			require.Equal(m.t, []string{m.home + "/login", m.home + "/forgot-password"}, anyLink.FindAllString(letter.Text, -1))
		}
	}
	refused := m.alike(http.StatusUnprocessableEntity, "/signup", "nobody@clinic.example", m.owner.email)
	require.Contains(m.t, refused.body, "Nobody can sign up with an address of this domain")
}

// forget has Nora forget her password, who is signed in at two browsers.
func (m *mailing) forget() {
	const changed = "nine red herons on the roof"
	second := m.signIn(m.nora.email, testPassword)
	b := openBrowser(m.t, m.home)
	b.open("/login")
	b.press("Forgotten your password?")
	b.fill("email", m.nora.email)
	b.press("Send the link")
	letter := m.server.next(m.nora.email)
	require.Equal(m.t, "Set a new password", letter.Subject)
	link := letter.link(m.t)
	require.True(m.t, strings.HasPrefix(link, m.home+"/reset-password?token="))
	b.open(link)
	m.look(b, "public-reset-password")
	b.fill("password", changed)
	b.press("Set the password")
	require.Equal(m.t, "/login", b.path())
	b.sees("Your password is changed")
	m.over(link)

	for _, earlier := range []*browser{m.nora.browser, second} {
		earlier.open("/teams")
		require.Equal(m.t, "/login", earlier.path(), "its session is over")
	}
	refused := m.visitor().post(http.StatusUnprocessableEntity, "/login", "email", m.nora.email, "password", testPassword)
	require.Contains(m.t, refused.body, "The e-mail address or the password is wrong")
	m.nora.browser = m.signIn(m.nora.email, changed)

	m.alike(http.StatusOK, "/forgot-password", "nobody@pacs.example", m.nora.email)
	m.server.next(m.nora.email)
}

// signIn signs somebody in, at a browser of their own.
func (m *mailing) signIn(email, password string) *browser {
	m.t.Helper()
	b := openBrowser(m.t, m.home)
	b.open("/login")
	b.fill("email", email, "password", password)
	b.press("Sign in")
	require.Equal(m.t, "/", b.path())
	return b
}

// invites has the owner invite somebody, and returns what the team's page says then,
// whenever that is.
func (m *mailing) invites(email string) (said string) {
	m.t.Helper()
	m.owner.open(m.team)
	m.owner.fill("email", email)
	m.owner.press("Invite")
	require.NotContains(m.t, m.owner.html(), "/invitation/")
	require.NotContains(m.t, m.owner.html(), "secret-value")
	said = script[string](m.owner.browser, `(() => {
		const main = document.querySelector("main").cloneNode(true);
		main.querySelectorAll("time").forEach(t => t.remove());
		return main.textContent;
	})()`)
	return strings.ReplaceAll(said, email, "ADDRESS")
}

// inviteIntoTeam invites one with an account and one without, who join.
func (m *mailing) inviteIntoTeam() {
	const fresh = "frida@elsewhere.example"
	var said, letters, links []string
	for _, email := range []string{fresh, m.nora.email} {
		said = append(said, m.invites(email))
		letter := m.server.next(email)
		require.Equal(m.t, "You are invited into a team", letter.Subject)
		letters, links = append(letters, letter.words()), append(links, letter.link(m.t))
		m.owner.click("Withdraw") // the next page lists one, too
		m.owner.press("Withdraw")
		m.over(links[len(links)-1])
	}
	require.Contains(m.t, said[0], "An invitation is on its way to ADDRESS")
	require.Equal(m.t, said[0], said[1], "the owner learns nothing")
	require.Equal(m.t, letters[0], letters[1])

	m.invites(m.nora.email)
	link := m.server.next(m.nora.email).link(m.t)
	require.Contains(m.t, m.visitor().get(strings.TrimPrefix(link, m.home)).body, "Sign in to join")
	m.nora.open(link)
	m.nora.sees(luringTeam)
	m.nora.press("Join")
	require.Equal(m.t, m.team, m.nora.path())
	m.nora.sees("You are in the team")
	m.over(link)

	m.invites(fresh)
	link = m.server.next(fresh).link(m.t)
	frida := m.join(link, fresh, "Frida", false)
	frida.open(m.team)
	frida.sees("You are a member of this team")
	m.over(link)
}

// administrate has an administrator invite somebody, and send a link for a new
// password.
func (m *mailing) administrate() {
	const email = "dan@elsewhere.example"
	m.admin.open("/console/users/invite")
	m.admin.fill("email", email)
	m.admin.choose("role", "developer")
	m.admin.press("Invite")
	m.admin.sees("The invitation is on its way to " + email)
	letter := m.server.next(email)
	require.Equal(m.t, "You are invited to the developer portal", letter.Subject)
	dan := m.join(letter.link(m.t), email, "Dan", false)

	m.admin.open("/console/users")
	m.admin.press("Dan")
	m.admin.press("Send a link for a new password")
	m.admin.sees("A link for a new password is on its way to " + email)
	require.NotContains(m.t, m.admin.html(), "token=")
	link := m.server.next(email).link(m.t)
	b := openBrowser(m.t, m.home)
	b.open(link)
	b.fill("password", "six blue boats in a bottle")
	b.press("Set the password")
	m.over(link)
	dan.open("/teams")
	require.Equal(m.t, "/login", dan.path())
}

// loseServer has the mail server go away, come back as others, and come back.
func (m *mailing) loseServer() {
	before := m.alike(http.StatusOK, "/signup", "ines@pacs.example")
	m.server.next("ines@pacs.example")
	require.Empty(m.t, m.logged("ERROR"))
	signUp := func(email string) {
		require.Equal(m.t, before, m.alike(http.StatusOK, "/signup", email), "nobody is told")
		m.awaitTrouble("mail was not sent")
	}
	m.server.end()
	signUp("gone@pacs.example")
	m.server.run(newAuthority(m.t), mailPassword)
	signUp("wrong-certificate@pacs.example")
	m.server.end()
	m.server.run(m.server.ca, "another password")
	signUp("wrong-password@pacs.example")
	m.server.end()

	said := m.invites("ines@pacs.example")
	m.look(m.owner.browser, "developer-team-not-mailed")
	require.Contains(m.t, said, notMailed)
	require.NotContains(m.t, said, "ADDRESS", "nobody is invited")
	m.awaitTrouble("invitation was not mailed")
	m.admin.open("/console/users/invite")
	m.admin.fill("email", "ines@pacs.example")
	m.admin.press("Invite")
	m.admin.sees(notMailed)
	require.NotContains(m.t, m.admin.html(), "/invitation/")
	m.awaitTrouble("invitation was not mailed")
	m.admin.open("/console/users")
	m.admin.press("Dan")
	m.admin.press("Send a link for a new password")
	m.admin.sees(notMailed)
	require.NotContains(m.t, m.admin.html(), "token=")
	m.look(m.admin.browser, "console-user-not-mailed")
	m.awaitTrouble("link for a new password was not mailed")

	m.server.run(m.server.ca, mailPassword)
	require.Contains(m.t, m.invites("ines@pacs.example"), "An invitation is on its way to ADDRESS")
	m.server.next("ines@pacs.example")
}

// awaitTrouble waits until the log has one more error, which says something.
func (m *mailing) awaitTrouble(says string) {
	m.t.Helper()
	m.troubles++
	require.Eventually(m.t, func() bool { return len(m.logged("ERROR")) >= m.troubles }, 30*time.Second, 20*time.Millisecond, "%s: nothing is logged", says)
	errors := m.logged("ERROR")
	require.Len(m.t, errors, m.troubles)
	require.Equal(m.t, says, gjson.Get(errors[m.troubles-1], "msg").Str)
}

// html is the page that is shown.
func (b *browser) html() string {
	b.t.Helper()
	return script[string](b, `document.documentElement.outerHTML`)
}

// finish ends everything: no mail was sent that nobody expected, and neither mails nor
// the log hold what is not for them.
func (m *mailing) finish() {
	m.stopCleanly()
	m.server.end()
	log := m.output()
	for _, private := range []string{"@pacs.example", "@clinic.example", "@elsewhere.example", mailSender, mailPassword, testPassword} {
		require.NotContains(m.t, log, private)
	}
	for _, letter := range m.server.taken {
		for _, link := range anyLink.FindAllString(letter.Text, -1) {
			require.True(m.t, strings.HasPrefix(link, m.home+"/"), link)
		}
		for _, token := range anyToken.FindAllString(letter.Text, -1) {
			require.NotContains(m.t, log, token)
		}
		for _, theirs := range []string{"prize.example", "Olga", "Winners", "Nora"} {
			require.NotContains(m.t, letter.all(), theirs)
		}
	}
}
