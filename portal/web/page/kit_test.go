package page

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
	"fhirgate/portal/web/ui"
)

// site is a small portal: one page of each access, and a page that signs in.
type site struct {
	t      *testing.T
	store  *store.Store
	server *httptest.Server
	log    strings.Builder
	users  map[string]store.User
}

func newSite(t *testing.T, more ...Route) *site {
	s := &site{t: t, store: storetest.Open(t, storetest.SQLite), users: make(map[string]store.User)}
	templates, err := ui.NewTemplates(Templates())
	require.NoError(t, err)
	kit := &Kit{
		Store: s.store, Sessions: NewSessions(s.store.Sessions(), false), Templates: templates,
		Log: slog.New(slog.NewJSONHandler(&s.log, nil)), Version: "test",
	}
	routes := append(more, Route{"GET", "/sign-in/{user}/{full}", Public, func(r *Request) error {
		require.NoError(t, r.SignIn(s.users[r.PathValue("user")], r.PathValue("full") == "yes"))
		return r.Redirect("/public")
	}}, Route{"POST", "/sign-out", Public, func(r *Request) error { return r.SignOut() }})
	for _, access := range []Access{Public, Pending, SetUp, Developer, Admin} {
		routes = append(routes, Route{"GET", "/" + access.String(), access, func(r *Request) error {
			_, err := fmt.Fprintf(r.W, "hello %s", r.User.Email)
			return err
		}})
	}
	s.server = httptest.NewServer(kit.Handler(routes))
	t.Cleanup(s.server.Close)
	for name, user := range map[string]store.User{
		"developer": {Role: store.RoleDeveloper},
		"admin":     {Role: store.RoleAdmin},
		"secured":   {Role: store.RoleAdmin},
		"disabled":  {Role: store.RoleDeveloper},
	} {
		user.Email, user.Name = name+"@pacs.example", name
		made, err := s.store.CreateUser(t.Context(), store.System, user)
		require.NoError(t, err)
		s.users[name] = made
	}
	require.NoError(t, s.store.SetTOTP(t.Context(), store.System, s.users["secured"].ID, []byte("sealed")))
	require.NoError(t, s.store.ConfirmTOTP(t.Context(), store.System, s.users["secured"].ID, nil))
	require.NoError(t, s.store.Disable(t.Context(), store.System, s.users["disabled"].ID))
	for _, name := range []string{"secured", "disabled"} {
		user, err := s.store.User(t.Context(), s.users[name].ID)
		require.NoError(t, err)
		s.users[name] = user
	}
	return s
}

// reader returns a client with cookies of its own that follows no redirects.
func (s *site) reader() *http.Client {
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (s *site) get(client *http.Client, path string) (int, string, http.Header) {
	s.t.Helper()
	answer, err := client.Get(s.server.URL + path)
	require.NoError(s.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(s.t, err)
	return answer.StatusCode, string(body), answer.Header
}

// TestWhoIsDisabledWhileAFormArrives: the rest of a form must not be awaited with
// rights that are gone by then.
func TestWhoIsDisabledWhileAFormArrives(t *testing.T) {
	begun := make(chan struct{}, 1)
	s := newSite(t, Route{"POST", "/act", Developer, func(r *Request) error {
		begun <- struct{}{}
		if _, err := r.ReadForm(); err != nil {
			return err
		}
		_, err := io.WriteString(r.W, "done")
		return err
	}})
	client := s.reader()
	s.get(client, "/sign-in/developer/yes")
	body, form := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.server.URL+"/act", body)
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	go func() {
		_, _ = io.WriteString(form, "name=")
		select {
		case <-begun:
		case <-time.After(300 * time.Millisecond):
		}
		assert.NoError(t, s.store.Disable(context.Background(), store.System, s.users["developer"].ID))
		_, _ = io.WriteString(form, "x")
		_ = form.Close()
	}()
	answer, err := client.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	require.Equal(t, "/login", answer.Header.Get("Location"))
}

// TestStayingSignedInIsNotSigningIn: a session ends when it would have.
func TestStayingSignedInIsNotSigningIn(t *testing.T) {
	login := time.Unix(1_800_000_000, 0)
	s := newSite(t, Route{"GET", "/stay", Developer, func(r *Request) error {
		r.NoteLogin(login)
		sessions := r.kit.Sessions
		end, token := time.Now().Add(time.Hour).UTC(), sessions.Token(r.Context())
		sessions.SetDeadline(r.Context(), end)
		require.NoError(t, r.StaySignedIn(r.User))
		require.Equal(t, end, sessions.Deadline(r.Context()))
		require.NotEqual(t, token, sessions.Token(r.Context()))
		require.Equal(t, login, r.Login())
		require.NoError(t, r.SignIn(r.User, true))
		require.Greater(t, sessions.Deadline(r.Context()), end)
		require.True(t, r.Login().Before(time.Unix(1, 0)), "the login is that of the session before")
		return nil
	}})
	client := s.reader()
	s.get(client, "/sign-in/developer/yes")
	status, _, _ := s.get(client, "/stay")
	require.Equal(t, http.StatusOK, status)
}

func TestAccess(t *testing.T) {
	s := newSite(t)
	const login, second, setUp = "/login", "/login/second-factor", "/account/second-factor"
	for _, c := range []struct {
		user, full string
		// By access: "" = let in, a path = sent there, "403" = told so.
		pending, setUp, developer, admin string
	}{
		{"", "", login, login + "?next=%2Fset-up", login + "?next=%2Fdeveloper", login + "?next=%2Fadmin"},
		{"developer", "no", "", second, second, second},
		{"developer", "yes", login, "", "", "403"},
		{"admin", "no", "", second, second, second},
		{"admin", "yes", login, "", setUp, setUp},
		{"secured", "no", "", second, second, second},
		{"secured", "yes", login, "", "", ""},
		{"disabled", "yes", login, login + "?next=%2Fset-up", login + "?next=%2Fdeveloper", login + "?next=%2Fadmin"},
	} {
		t.Run(c.user+" "+c.full, func(t *testing.T) {
			client := s.reader()
			if c.user != "" {
				s.get(client, "/sign-in/"+c.user+"/"+c.full)
			}
			status, _, _ := s.get(client, "/public")
			require.Equal(t, 200, status)
			for access, want := range map[Access]string{Pending: c.pending, SetUp: c.setUp, Developer: c.developer, Admin: c.admin} {
				status, body, header := s.get(client, "/"+access.String())
				switch want {
				case "":
					require.Equal(t, 200, status, access)
					require.Equal(t, "hello "+c.user+"@pacs.example", body)
				case "403":
					require.Equal(t, 403, status, access)
					require.Contains(t, body, "for administrators")
				default:
					require.Equal(t, 303, status, access)
					require.Equal(t, want, header.Get("Location"), access)
				}
			}
		})
	}
}

func TestASessionGetsANewTokenWhenItsUserSignsIn(t *testing.T) {
	s := newSite(t, Route{"GET", "/visit", Public, func(r *Request) error { r.Remember("seen", "yes"); return nil }})
	client := s.reader()
	s.get(client, "/visit")
	home, err := url.Parse(s.server.URL)
	require.NoError(t, err)
	planted := client.Jar.Cookies(home)[0].Value
	s.get(client, "/sign-in/developer/yes")
	now := client.Jar.Cookies(home)[0].Value
	require.NotEqual(t, planted, now)
	request, err := http.NewRequest("GET", s.server.URL+"/developer", nil)
	require.NoError(t, err)
	request.AddCookie(&http.Cookie{Name: "fhirgate", Value: planted})
	answer, err := s.reader().Do(request)
	require.NoError(t, err)
	require.Equal(t, 303, answer.StatusCode, "the token of before is worth nothing")
}

func TestAnotherEditionEndsSessions(t *testing.T) {
	s := newSite(t)
	client := s.reader()
	s.get(client, "/sign-in/developer/yes")
	status, _, _ := s.get(client, "/developer")
	require.Equal(t, 200, status)
	require.NoError(t, s.store.SetPassword(t.Context(), store.System, s.users["developer"].ID, "another"))
	status, _, header := s.get(client, "/developer")
	require.Equal(t, 303, status)
	require.Equal(t, "/login?next=%2Fdeveloper", header.Get("Location"))
}

func TestErrorsArePages(t *testing.T) {
	secret := errors.New("dial postgres at 10.1.2.3")
	s := newSite(t,
		Route{"GET", "/unknown", Public, func(*Request) error { return fmt.Errorf("looking: %w", store.ErrNotFound) }},
		Route{"GET", "/own", Public, func(*Request) error { return store.ErrOwnRequest }},
		Route{"GET", "/changed", Public, func(*Request) error { return store.ErrConflict }},
		Route{"GET", "/broken", Public, func(*Request) error { return secret }},
		Route{"GET", "/half", Public, func(r *Request) error { return r.Render(200, "no-such-page", nil) }},
	)
	for path, c := range map[string]struct {
		status int
		text   string
	}{
		"/nothing": {404, "nothing at this address"},
		"/unknown": {404, "nothing at this address"},
		"/own":     {403, "ask another administrator"},
		"/changed": {409, "meanwhile"},
		"/broken":  {500, "our fault"},
		"/half":    {500, "our fault"},
	} {
		status, body, header := s.get(s.reader(), path)
		require.Equal(t, c.status, status, path)
		require.Contains(t, body, c.text)
		require.Contains(t, body, header.Get("X-Request-Id"))
		require.NotContains(t, body, "10.1.2.3")
		require.Equal(t, "no-store", header.Get("Cache-Control"))
	}
	require.Contains(t, s.log.String(), "10.1.2.3", "the log tells the cause")
}

func TestTheLogHasRoutesAndNoAddresses(t *testing.T) {
	s := newSite(t, Route{"GET", "/invitation/{token}", Public, func(*Request) error { return NotFound() }})
	s.get(s.reader(), "/invitation/canary-token?also=canary-query")
	require.Contains(t, s.log.String(), "/invitation/{token}")
	require.NotContains(t, s.log.String(), "canary")
}

func TestRedirectsStayHere(t *testing.T) {
	s := newSite(t,
		Route{"GET", "/next", Public, func(r *Request) error { return r.GoTo(r.Next()) }},
		Route{"GET", "/escaped", Public, func(r *Request) error { return r.Redirect("/apps/%s", "a/../b?c") }},
	)
	for next, want := range map[string]string{
		"/apps?x=1": "/apps?x=1", "/apps?q=50%25": "/apps?q=50%25", "": "/", "https://evil.example": "/", "//evil.example": "/", `/\evil.example`: "/",
		"javascript:alert(1)": "/", "/\t/evil.example": "/", "apps": "/",
	} {
		_, _, header := s.get(s.reader(), "/next?next="+url.QueryEscape(next))
		require.Equal(t, want, header.Get("Location"), "%q", next)
	}
	_, _, header := s.get(s.reader(), "/escaped")
	require.Equal(t, "/apps/a%2F..%2Fb%3Fc", header.Get("Location"))
}

func TestAFlashIsToldOnce(t *testing.T) {
	s := newSite(t,
		Route{"GET", "/do", Public, func(r *Request) error { r.Flash("ok", "it is <b>done</b>"); return r.Redirect("/fail") }},
		Route{"GET", "/fail", Public, func(*Request) error { return NotFound() }},
	)
	client := s.reader()
	s.get(client, "/do")
	_, body, _ := s.get(client, "/fail")
	require.Contains(t, body, "it is &lt;b&gt;done&lt;/b&gt;")
	_, body, _ = s.get(client, "/fail")
	require.NotContains(t, body, "it is")
}

func TestForm(t *testing.T) {
	f := NewForm("name", "  Worklist ", "hospitals", "a", "hospitals", "", "hospitals", "b")
	require.Equal(t, "Worklist", f.Value("name"))
	require.Equal(t, []string{"a", "b"}, f.All("hospitals"))
	require.True(t, f.Has("hospitals", "b"))
	require.True(t, f.OK())
	require.Empty(t, f.Required("plan", "Choose a plan."))
	f.Fail("plan", "A second mistake.")
	require.Equal(t, "Choose a plan.", f.Error("plan"))
	require.False(t, f.OK())
	var none *Form
	require.Empty(t, none.Value("x")+none.Error("x"))
	require.False(t, none.Has("x", ""))
	require.Nil(t, none.All("x"))
}
