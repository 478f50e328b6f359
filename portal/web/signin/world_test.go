package signin

import (
	"bytes"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
	"fhirgate/portal/identity"
	"fhirgate/portal/identity/identitytest"
	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

const (
	ann      = "ann@pacs.example"
	password = "four words make one"
	fresh    = "another four words"
)

// world is a portal that has the pages of this package, an overview for
// developers at / and a console for administrators.
type world struct {
	t        *testing.T
	url      string
	store    *store.Store
	identity *identity.Service
	smtp     *identitytest.SMTP
	provider *identitytest.Provider

	mu      sync.Mutex
	now     time.Time // passes only when a test lets it
	log     bytes.Buffer
	private []string // what must not be in the log
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Write takes the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func newWorld(t *testing.T, change ...func(*identity.Options)) *world {
	t.Helper()
	w := &world{t: t, now: time.Now(), private: []string{password, fresh, ann, "@"}}
	server := httptest.NewUnstartedServer(nil)
	w.url = "http://" + server.Listener.Addr().String()
	options := storetest.Options(t, storetest.SQLite)
	options.Now = w.Now
	w.store = storetest.OpenWith(t, options)
	w.smtp = identitytest.NewSMTP(t, false)
	w.provider = identitytest.NewProvider(t)
	w.provider.Claims = map[string]any{"sub": "4711", "email": ann, "email_verified": true, "name": "Ann Archer"}
	mailer, err := identity.NewMailer(identity.MailOptions{Address: w.smtp.Address, From: "portal@gate.example", Plain: true})
	require.NoError(t, err)
	keys, err := envelope.New(envelope.NewSet())
	require.NoError(t, err)
	log := slog.New(slog.NewTextHandler(w, nil))
	o := identity.Options{
		Store: w.store, PublicURL: w.url, Keys: keys, SignupDomains: []string{"pacs.example"}, Mailer: mailer, Log: log, Now: w.Now,
		OIDC: &identity.OIDCOptions{Issuer: w.provider.Issuer, ClientID: identitytest.ClientID, ClientSecret: identitytest.ClientSecret, Name: "PACS Inc.", PrivateNetwork: true},
		Hash: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	}
	for _, f := range change {
		f(&o)
	}
	w.identity, err = identity.New(o)
	require.NoError(t, err)
	templates, err := ui.NewTemplates(page.Templates(), Templates())
	require.NoError(t, err)
	kit := &page.Kit{Store: w.store, Sessions: page.NewSessions(w.store.Sessions(), false), Templates: templates, Log: log}
	own := func(text string) func(*page.Request) error {
		return func(r *page.Request) error {
			_, err := io.WriteString(r.W, text+" "+r.User.ID+" "+r.URL.RawQuery)
			return err
		}
	}
	server.Config.Handler = kit.Handler(append(New(Options{Store: w.store, Identity: w.identity}).Routes(),
		page.Route{Method: http.MethodGet, Path: "/{$}", Access: page.Developer, Handle: own("overview")},
		page.Route{Method: http.MethodGet, Path: "/apps", Access: page.Developer, Handle: own("apps")},
		page.Route{Method: http.MethodGet, Path: "/remember", Access: page.Developer, Handle: func(r *page.Request) error {
			before := r.Recall("something")
			r.Remember("something", r.User.ID)
			_, err := io.WriteString(r.W, "before: "+before)
			return err
		}},
		page.Route{Method: http.MethodGet, Path: "/console", Access: page.Admin, Handle: own("console")}))
	server.Start()
	t.Cleanup(func() {
		server.Close()
		w.identity.Close()
		for _, private := range w.private {
			require.NotContains(t, w.log.String(), private)
		}
	})
	return w
}

// user makes an account with a password.
func (w *world) user(email string, role store.Role) store.User {
	w.t.Helper()
	hash, err := argon2id.CreateHash(password, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	require.NoError(w.t, err)
	u, err := w.store.CreateUser(w.t.Context(), store.System, store.User{Email: email, Name: "Ann", Role: role, PasswordHash: hash})
	require.NoError(w.t, err)
	return u
}

// enrolled gives a user a second factor, by the service.
func (w *world) enrolled(u store.User) (secret string, codes []string) {
	w.t.Helper()
	enrolment, err := w.identity.BeginTOTP(w.t.Context(), store.System, u, identity.Proof{Password: password, Login: w.Now()})
	require.NoError(w.t, err)
	secret = strings.ReplaceAll(enrolment.Secret, " ", "")
	u, err = w.store.User(w.t.Context(), u.ID)
	require.NoError(w.t, err)
	codes, _, err = w.identity.ConfirmTOTP(w.t.Context(), store.System, u, w.code(secret))
	require.NoError(w.t, err)
	w.pass(time.Minute)
	w.private = append(append(w.private, secret), codes...)
	return secret, codes
}

func (w *world) code(secret string) string {
	w.t.Helper()
	code, err := totp.GenerateCode(secret, w.Now())
	require.NoError(w.t, err)
	return code
}

// browser keeps cookies and follows nothing by itself.
type browser struct {
	*world
	client *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(w.t, err)
	return &browser{w, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// seen is what a browser was answered.
type seen struct {
	status int
	to     string // path of a redirect
	body   string
	header http.Header
}

func (b *browser) do(r *http.Request, err error) seen {
	b.t.Helper()
	require.NoError(b.t, err)
	answer, err := b.client.Do(r)
	require.NoError(b.t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(b.t, err)
	require.NoError(b.t, answer.Body.Close())
	s := seen{status: answer.StatusCode, body: html.UnescapeString(string(body)), header: answer.Header}
	s.to = strings.TrimPrefix(answer.Header.Get("Location"), b.url)
	return s
}

func (b *browser) get(path string) seen {
	b.t.Helper()
	if !strings.Contains(path, "://") {
		path = b.url + path
	}
	return b.do(http.NewRequestWithContext(b.t.Context(), http.MethodGet, path, nil))
}

// post sends a form: name, value, name, value, …
func (b *browser) post(path string, values ...string) seen {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(values); i += 2 {
		form.Add(values[i], values[i+1])
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+path, strings.NewReader(form.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return b.do(r, err)
}

// token is that of the browser's session.
func (b *browser) token() string {
	u, err := url.Parse(b.url)
	require.NoError(b.t, err)
	for _, cookie := range b.client.Jar.Cookies(u) {
		return cookie.Value
	}
	return ""
}

// login signs in with the password.
func (b *browser) login(email string) seen {
	b.t.Helper()
	return b.post("/login", "email", email, "password", password)
}

// goes checks that an answer leads on to a path.
func (s seen) goes(t *testing.T, to string) {
	t.Helper()
	require.Equal(t, http.StatusSeeOther, s.status, s.body)
	require.Equal(t, to, s.to)
}

// shows checks that an answer is a page with a text.
func (s seen) shows(t *testing.T, status int, text string) {
	t.Helper()
	require.Equal(t, status, s.status, s.body)
	require.Contains(t, s.body, text)
	require.Equal(t, "no-store", s.header.Get("Cache-Control"))
	for _, private := range []string{password, fresh} {
		require.NotContains(t, s.body, private, "passwords never go back into a page")
	}
}

// wrong returns the error beside a field.
func (s seen) wrong(t *testing.T, id string) string {
	t.Helper()
	found := regexp.MustCompile(`(?s)<p class="error" id="` + id + `-error">.*?</svg>(.*?)</p>`).FindStringSubmatch(s.body)
	require.NotNil(t, found, s.body)
	require.Contains(t, s.body, `aria-invalid="true"`)
	return found[1]
}

func (w *world) link() string {
	w.t.Helper()
	link := w.smtp.Next(w.t).Link()
	require.True(w.t, strings.HasPrefix(link, w.url+"/"), link)
	u, err := url.Parse(link)
	require.NoError(w.t, err)
	token := u.Query().Get("token")
	if token == "" {
		token = strings.TrimPrefix(u.Path, "/invitation/")
	}
	require.NotEmpty(w.t, token)
	w.private = append(w.private, token)
	return u.RequestURI()
}
