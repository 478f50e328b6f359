package identity

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
	"fhirgate/portal/identity/identitytest"
	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

const (
	portalURL = "https://portal.example"
	ann       = "ann@pacs.example"
	password  = "four words make one"
)

// cheap are parameters with which tests need not wait.
var cheap = &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// by is who comes over the network.
var by = store.By{Address: netip.MustParseAddr("192.0.2.7")}

// clock is the time of a test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a service with what it speaks to.
type world struct {
	*Service
	t     *testing.T
	ctx   context.Context
	store *store.Store
	clock *clock
	smtp  *identitytest.SMTP
	log   *bytes.Buffer
}

func newWorld(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), clock: &clock{now: time.Now().UTC().Truncate(time.Second)}, log: new(bytes.Buffer)}
	options := storetest.Options(t, storetest.SQLite)
	options.Now = w.clock.Now
	w.store = storetest.OpenWith(t, options)
	w.smtp = identitytest.NewSMTP(t, false, "STARTTLS")
	mailer, err := NewMailer(MailOptions{Address: w.smtp.Address, From: "portal@gate.example", Roots: w.smtp.Roots})
	require.NoError(t, err)
	keys, err := envelope.New(envelope.NewSet())
	require.NoError(t, err)
	o := Options{
		Store: w.store, PublicURL: portalURL + "/", Keys: keys, SignupDomains: []string{"pacs.example"}, Mailer: mailer,
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Now: w.clock.Now, Hash: cheap,
	}
	for _, f := range change {
		f(&o)
	}
	w.Service, err = New(o)
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w
}

// user makes an account.
func (w *world) user(email string, change ...func(*store.User)) store.User {
	w.t.Helper()
	hash, err := w.passwords.hash(w.ctx, password)
	require.NoError(w.t, err)
	u := store.User{Email: email, Name: "Somebody", PasswordHash: hash}
	for _, f := range change {
		f(&u)
	}
	u, err = w.store.CreateUser(w.ctx, store.System, u)
	require.NoError(w.t, err)
	return u
}

func admin(u *store.User) { u.Role = store.RoleAdmin }

// again returns the user as the store has it now.
func (w *world) again(u store.User) store.User {
	w.t.Helper()
	u, err := w.store.User(w.ctx, u.ID)
	require.NoError(w.t, err)
	return u
}

// enrolled gives a user a second factor, and returns its secret and the recovery
// codes.
func (w *world) enrolled(u store.User) (store.User, string, []string) {
	w.t.Helper()
	enrolment, err := w.BeginTOTP(w.ctx, by, u, Proof{Password: password})
	require.NoError(w.t, err)
	secret := strings.ReplaceAll(enrolment.Secret, " ", "")
	codes, u, err := w.ConfirmTOTP(w.ctx, by, w.again(u), w.code(secret))
	require.NoError(w.t, err)
	return u, secret, codes
}

func (w *world) code(secret string) string {
	w.t.Helper()
	code, err := totp.GenerateCode(secret, w.clock.Now())
	require.NoError(w.t, err)
	return code
}

// acts are the names of all acts, and the reasons of refusals, oldest first.
func (w *world) acts() []string {
	w.t.Helper()
	list, err := w.store.Acts(w.ctx, store.ActFilter{}, store.Page{Size: 200})
	require.NoError(w.t, err)
	var names []string
	for _, a := range list.Items {
		names = append([]string{strings.TrimSpace(a.Name + " " + a.Detail["reason"])}, names...)
	}
	return names
}

func tokenOf(t *testing.T, link string) string {
	t.Helper()
	require.True(t, strings.HasPrefix(link, portalURL+"/"), link)
	u, err := url.Parse(link)
	require.NoError(t, err)
	if token := u.Query().Get("token"); token != "" {
		return token
	}
	_, token, found := strings.Cut(u.Path, "/invitation/")
	require.True(t, found, link)
	return token
}

// atProvider is a browser at the provider: it returns what it brings back.
func atProvider(t *testing.T, target string) url.Values {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Get(target)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	back, err := answer.Location()
	require.NoError(t, err)
	require.Equal(t, portalURL+"/login/oidc/callback", back.Scheme+"://"+back.Host+back.Path)
	return back.Query()
}
