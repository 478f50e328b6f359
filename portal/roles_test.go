package portal

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/web/page"
)

// Where requests are sent that are not let in.
const (
	toLogin  = "/login"
	toSecond = "/login/second-factor"
	toSetUp  = "/account/second-factor"
)

// right tells who is let in by a route. Everybody else is answered as the stage at
// which their way ends says.
type right int

const (
	everybody      right = iota
	passwordOnly         // whose password was right and whose second factor is awaited
	signedIn             // an administrator without a second factor as well
	developers           // and administrators with a second factor
	viewers              // of the team, and whoever may do more there
	members              // likewise
	owners               // likewise
	administrators       // with a second factor
	deciders             // administrators who did not ask themselves
	invited              // into the team: the outsider is
)

// rightsTable has every route.
var rightsTable = map[right][]string{
	everybody: {
		"GET /login", "POST /login", "GET /login/oidc", "GET /login/oidc/callback", "POST /logout", "GET /signup", "POST /signup",
		"GET /verify-email", "POST /verify-email", "GET /invitation/{token}", "POST /invitation/{token}",
		"GET /forgot-password", "POST /forgot-password", "GET /reset-password", "POST /reset-password",
	},
	passwordOnly: {"GET /login/second-factor", "POST /login/second-factor"},
	signedIn: {
		"GET /account", "POST /account/name", "POST /account/password", "POST /account/sessions", "GET /account/second-factor",
		"POST /account/totp", "POST /account/totp/confirm", "POST /account/totp/remove", "POST /account/recovery-codes",
	},
	developers: {
		"GET /{$}", "GET /apps", "GET /apps/new", "POST /apps/new", "GET /usage", "GET /usage.csv", "GET /teams", "GET /teams/new", "POST /teams/new",
		"GET /docs", "GET /docs/quick-start", "GET /docs/errors", "GET /docs/reference", "GET /docs/assets/{file}", "GET /openapi.json", "GET /try", "POST /try",
	},
	viewers: {
		"GET /apps/{app}", "GET /apps/{app}/usage", "GET /apps/{app}/usage.csv", "GET /apps/{app}/errors",
		"GET /credentials/{credential}", "GET /teams/{team}", "POST /teams/{team}/leave",
	},
	members: {
		"GET /apps/{app}/edit", "POST /apps/{app}/edit", "GET /apps/{app}/request", "POST /apps/{app}/request", "POST /apps/{app}/requests/{request}/withdraw",
		"GET /apps/{app}/keys/new", "POST /apps/{app}/keys/new", "GET /credentials/{credential}/edit", "POST /credentials/{credential}/edit",
		"GET /credentials/{credential}/rotate", "POST /credentials/{credential}/rotate", "POST /credentials/{credential}/revoke",
	},
	owners: {
		"POST /apps/{app}/archive", "POST /teams/{team}/rename", "POST /teams/{team}/members",
		"POST /teams/{team}/members/{user}/role", "POST /teams/{team}/members/{user}/remove", "POST /teams/{team}/invitations/{invitation}/withdraw",
	},
	invited: {"POST /invitations/{invitation}/join", "POST /invitations/{invitation}/decline"},
	administrators: {
		"GET /console", "GET /console/requests", "GET /console/requests/{request}", "POST /console/requests/{request}/end",
		"GET /console/consumers", "GET /console/consumers/{credential}", "POST /console/consumers/{credential}/revoke",
		"GET /console/plans", "GET /console/plans/{plan}", "GET /console/hospitals", "GET /console/hospitals/{hospital}", "POST /console/hospitals/{hospital}/check",
		"GET /console/reload", "POST /console/reload", "GET /console/users", "GET /console/users/{user}", "POST /console/users/{user}/role",
		"POST /console/users/{user}/disable", "POST /console/users/{user}/enable", "POST /console/users/{user}/reset-second-factor", "POST /console/users/{user}/reset-password",
		"GET /console/users/invite", "POST /console/users/invite", "GET /console/invitations", "POST /console/invitations/{invitation}/withdraw",
		"GET /console/teams", "GET /console/teams/{team}", "GET /console/announcements", "POST /console/announcements", "POST /console/announcements/{announcement}/end",
		"GET /console/usage", "GET /console/usage/export", "GET /console/audit", "GET /console/audit/verify", "POST /console/audit/verify", "POST /console/audit/export",
	},
	deciders: {"POST /console/requests/{request}/approve", "POST /console/requests/{request}/refuse"},
}

// refusal is what a role gets that is not let in: a status, and for 303 where it
// is sent. The zero value is what who is let in gets.
type refusal struct {
	status int
	to     string
}

// refusalOf says what a role gets at a route of a right.
func refusalOf(role string, needed right) refusal {
	let, nothing, forbidden := refusal{}, refusal{http.StatusNotFound, ""}, refusal{http.StatusForbidden, ""}
	rank := map[string]right{"outsider": developers, "viewer": viewers, "member": members, "owner": owners}[role]
	switch {
	case needed == everybody:
		return let
	case role == "nobody", role == "disabled":
		return refusal{http.StatusSeeOther, toLogin}
	case role == "pending":
		if needed == passwordOnly {
			return let
		}
		return refusal{http.StatusSeeOther, toSecond}
	case needed == passwordOnly:
		return refusal{http.StatusSeeOther, toLogin}
	case needed == signedIn:
		return let
	case role == "bare admin":
		return refusal{http.StatusSeeOther, toSetUp}
	case needed == developers, needed == invited && role == "outsider":
		return let
	case needed == invited:
		return nothing
	case role == "admin", role == "requester": // who see through the console what teams have
		switch {
		case needed == administrators, needed == deciders && role == "admin":
			return let
		case needed == deciders:
			return forbidden
		}
		return nothing
	case needed >= administrators:
		return forbidden
	case rank >= needed:
		return let
	case rank == developers:
		return nothing
	default:
		return forbidden
	}
}

// good are forms that are taken, by route: what a refused role must not get done.
func (w *world) good(name string) url.Values {
	form := url.Values{
		"name": {"Another name"}, "team": {w.ids["team"]}, "email": {w.users["outsider"].Email}, "role": {"member"}, "reason": {"a reason"}, "approve_reason": {"a reason"},
		"refuse_reason": {"a reason"}, "end_reason": {"a reason"}, "request": {w.ids["approved"]}, "make": {"key"}, "life": {"30"}, "grace": {"24h"}, "plan": {"trial"},
		"hospitals": {"harbor"}, "purpose": {"Pull the day's appointments"}, "title": {"News"}, "text": {"All is well"}, "level": {"info"}, "days": {"3"}, "ends": {time.Now().AddDate(1, 0, 0).Format(time.DateOnly)},
	}
	switch name {
	case "POST /apps/new": // in a team of one's own
		form.Del("team")
		form.Set("team_name", "Another team")
	case "POST /console/users/invite":
		form.Set("email", "another@pacs.example")
		form.Set("role", "developer")
		form.Set("team_role", "viewer")
	case "POST /console/users/{user}/role":
		form.Set("role", "admin")
	case "POST /teams/{team}/members/{user}/role":
		form.Set("role", "member")
	}
	return form
}

// TestRoles asks for every route as every role. Who is refused is told so and
// changes nothing; nobody changes anything by looking.
func TestRoles(t *testing.T) {
	table := make(map[string]right)
	for needed, names := range rightsTable {
		for _, name := range names {
			require.NotContains(t, table, name, "a route stands in the table twice")
			table[name] = needed
		}
	}
	routes := newWorld(t, "http://portal.example").allRoutes()
	for _, route := range routes {
		require.Contains(t, table, route.Method+" "+route.Path, "a route has no row in the table")
	}
	require.Len(t, table, len(routes), "the table has routes that there are not")

	for _, role := range append([]string{"nobody"}, roles...) {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "http://portal.example")
			for _, route := range routes {
				name := route.Method + " " + route.Path
				want := refusalOf(role, table[name])
				if want.status == 0 && route.Method == http.MethodPost {
					continue // it may change what the next route is about: see TestWhoMay
				}
				before := w.trail()
				got := w.ask(role, route.Method, w.path(route), w.good(name))
				require.Equal(t, before, w.trail(), "%s: something was changed", name)
				if want.status == 0 {
					require.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError}, got.status, name)
					requireIn(t, name, got)
					continue
				}
				require.Equal(t, want.status, got.status, "%s: %s", name, got.title())
				to, _, _ := strings.Cut(got.header.Get("Location"), "?")
				require.Equal(t, want.to, to, name)
				require.NotContains(t, got.body, "Worklist", name)
			}
		})
	}
}

// requireIn sees that an answer is none of those that refuse.
func requireIn(t *testing.T, name string, got answer) {
	t.Helper()
	to, _, _ := strings.Cut(got.header.Get("Location"), "?")
	switch name {
	case "GET /login/oidc", "GET /login/oidc/callback", "GET /signup", "GET /verify-email", "GET /reset-password": // without OIDC, sign-up or link there is nothing
		return
	case "GET /account/second-factor": // is for who has none
		require.Contains(t, []string{"", "/account"}, to, name)
		return
	case "GET /login": // sends on who is signed in
		require.NotEqual(t, toLogin, to)
		return
	case "GET /openapi.json": // the gateway of the tests has no CapabilityStatement
		return
	}
	require.Equal(t, http.StatusOK, got.status, "%s: %s", name, got.title())
}

// hiddenPattern finds what a page puts into its form: what keeps it from being sent
// twice, and what it was opened with.
var hiddenPattern = regexp.MustCompile(`type="hidden" name="(once|was_[a-z_]+)" value="([^"]*)"`)

// opened sets what the page of a form, opened by a role, puts into it.
func (w *world) opened(form url.Values, role, path string) {
	page := w.ask(role, http.MethodGet, path+"?request="+w.ids["approved"], nil)
	for _, hidden := range hiddenPattern.FindAllStringSubmatch(page.body, -1) {
		form.Set(hidden[1], html.UnescapeString(hidden[2]))
	}
}

// TestWhoMay has every role do what it may. The first changes something: the forms
// that TestRoles sends are good ones.
func TestWhoMay(t *testing.T) {
	for needed, names := range rightsTable {
		for _, name := range names {
			method, path, _ := strings.Cut(name, " ")
			if method != http.MethodPost || needed < developers {
				continue
			}
			t.Run(path, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, "http://portal.example")
				address, done := w.path(page.Route{Method: method, Path: path}), path == "/try" // which changes nothing
				for _, role := range roles {
					if refusalOf(role, needed).status != 0 {
						continue
					}
					before, form := w.trail(), w.good(name)
					w.opened(form, role, address)
					got := w.ask(role, method, address, form)
					refused := []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError}
					require.NotContains(t, refused, got.status, "%s: %s", role, got.title())
					require.NotContains(t, []string{toLogin, toSecond, toSetUp}, got.header.Get("Location"), role)
					if !done { // whoever comes next may be too late
						require.NotEqual(t, before, w.trail(), "%s: the form is none that is taken: %d %s", role, got.status, got.title())
						done = true
					}
				}
			})
		}
	}
}

// TestOtherSitesAreRefused sends every form as another site would have a browser
// send it in an administrator's, an owner's and nobody's name.
func TestOtherSitesAreRefused(t *testing.T) {
	w := newWorld(t, "http://portal.example")
	for _, route := range w.allRoutes() {
		if route.Method != http.MethodPost {
			continue
		}
		for _, role := range []string{"nobody", "pending", "owner", "admin"} {
			for _, header := range [][]string{
				{"Sec-Fetch-Site", "cross-site"},
				{"Sec-Fetch-Site", "same-site"},
				{"Origin", "https://evil.example"},
				{"Origin", "null"},
				{"Origin", "http://portal.example.evil.example"},
				{"Origin", "https://portal.example:444"},
			} {
				before := w.trail()
				got := w.ask(role, route.Method, w.path(route), w.good(route.Method+" "+route.Path), header...)
				require.Equal(t, http.StatusForbidden, got.status, "%s with %v as %s", route.Path, header, role)
				require.Equal(t, before, w.trail(), route.Path)
			}
		}
	}
}

// TestOtherMethods has no route answer to a method that it does not have.
func TestOtherMethods(t *testing.T) {
	w := newWorld(t, "http://portal.example")
	routes := w.allRoutes()
	for _, route := range routes {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if slices.ContainsFunc(routes, func(r page.Route) bool { return r.Method == method && r.Path == route.Path }) {
				continue
			}
			before := w.trail()
			got := w.ask("admin", method, w.path(route), w.good(""))
			require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, got.status, fmt.Sprint(method, " ", route.Path))
			require.Equal(t, before, w.trail(), route.Path)
		}
	}
}
