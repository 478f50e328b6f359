package test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestPortalPages looks at every page of a portal that is in use: screenshots are
// kept, axe-core finds nothing serious, none is wider than a telephone, and the
// browser's console stays silent.
func TestPortalPages(t *testing.T) {
	p := startPortal(t, false, nil)
	admin := p.administrator()
	dev := p.invite(admin, "dev@pacs.example", "Dev Eloper")

	t.Run("first sight", func(t *testing.T) {
		visitor := openBrowser(t, p.home)
		for _, path := range []string{"/login", "/signup", "/forgot-password", "/invitation/unknown", "/nothing"} {
			visitor.open(path)
			visitor.look(nameOf("public", path))
		}
		visitor.open(p.command("portal", "invite", "guest@pacs.example"))
		visitor.look("public-invitation")
		visitor.fill("name", "Guest", "password", "short")
		visitor.script(`document.querySelector("main form").noValidate = true`)
		visitor.press("Make the account")
		visitor.look("public-invitation-mistake")
	})

	dev.in(t).open("/")
	dev.look("developer-overview-empty")
	dev.open("/apps")
	dev.look("developer-apps-empty")
	dev.ask("Worklist")
	app := dev.path()
	dev.look("developer-app-pending")
	admin.in(t).approve("Worklist")
	dev.open(app)
	secret := dev.makeKey()
	dev.look("developer-secret")
	dev.press("Done")
	credential := dev.path()
	for range 12 {
		require.Equal(t, 200, p.calls(secret))
	}
	refused(t, p, secret)
	dev.ask("Reports")
	reports := dev.path()
	admin.open("/console/requests")
	admin.press("Reports")
	request := admin.path()
	admin.look("console-request")
	admin.open("/console/announcements")
	admin.look("console-announcements-empty")
	p.awaitUsage(dev, app)

	for _, path := range []string{
		"/", "/apps", "/apps/new", app, app + "/edit", app + "/request", app + "/request?plan=trial", app + "/keys/new", app + "/usage", app + "/errors", reports,
		credential, credential + "/rotate", credential + "/edit", "/usage", "/teams", "/teams/new", "/account", "/account/second-factor",
		"/docs", "/docs/quick-start", "/docs/errors", "/docs/reference", "/try",
	} {
		dev.open(path)
		if path == "/docs/reference" {
			run(dev.browser, chromedp.Poll[bool](`Boolean(document.querySelector(".swagger-ui .opblock-tag"))`, chromedp.WithPollingTimeout(10*time.Second)))
		}
		dev.look(nameOf("developer", path))
	}
	dev.open("/teams")
	dev.press("Screening Worklist")
	dev.look("developer-team")
	dev.fill("email", admin.email)
	dev.press("Invite")
	dev.look("developer-team-invited")
	link := dev.text(".secret-value")
	visitor := openBrowser(t, p.home)
	visitor.open(link)
	visitor.look("public-invitation-join")
	admin.open(link)
	admin.look("invited-invitation")
	admin.open("/")
	admin.look("invited-overview")
	admin.open("/teams")
	admin.look("invited-teams")
	admin.click("Decline")
	admin.press("Decline")
	admin.sees("The invitation is declined.")
	dev.open("/try")
	dev.press("Call")
	dev.look("developer-try-answer")

	for _, path := range []string{
		"/console", "/console/requests", "/console/requests?state=all", request, "/console/consumers", "/console/consumers/" + last(credential),
		"/console/plans", "/console/plans/trial", "/console/hospitals", "/console/hospitals/harbor", "/console/reload", "/console/users", "/console/users/invite",
		"/console/invitations", "/console/teams", "/console/announcements", "/console/usage", "/console/audit", "/console/audit/verify", "/account",
	} {
		admin.open(path)
		admin.look(nameOf("console", path))
	}
	admin.open("/console/teams")
	admin.press("Screening Worklist")
	admin.look("console-team")
	admin.open("/console/users")
	admin.press("Dev Eloper")
	admin.look("console-user")
	admin.press("Send a link for a new password")
	admin.look("console-reset-link")
}

// nameOf names the screenshot of a page.
func nameOf(role, path string) string {
	path = regexp.MustCompile(`(app|cred|req|team|user)_[a-z2-7]+`).ReplaceAllString(path, "$1")
	return role + strings.TrimRight(regexp.MustCompile(`[^a-z]+`).ReplaceAllString(strings.ToLower(path), "-"), "-")
}

func last(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// in has what goes wrong from now on belong to a test.
func (w *person) in(t *testing.T) *person {
	w.t = t
	return w
}

// script runs JavaScript for what it does.
func (b *browser) script(text string) {
	b.t.Helper()
	script[any](b, `(() => { %s; return null })()`, text)
}

// refused makes calls that fail, for the pages of errors.
func refused(t *testing.T, p *portal, secret string) {
	t.Helper()
	for _, path := range []string{"/fhir/lakeside/Patient/1", "/fhir/harbor/Patient/unknown", "/fhir/harbor/Coverage"} {
		request, err := http.NewRequest("GET", p.url+path, nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+secret)
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		answer.Body.Close()
		require.GreaterOrEqual(t, answer.StatusCode, 400)
	}
}

// awaitUsage waits until the portal knows of calls.
func (p *portal) awaitUsage(w *person, app string) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		w.open(app + "/usage")
		return script[bool](w.browser, `document.querySelectorAll("main table td").length > 0 && [...document.querySelectorAll("main table td")].some(e => Number(e.textContent) > 5)`)
	}, 30*time.Second, 500*time.Millisecond, "no usage is shown: %s", fmt.Sprint(app))
}
