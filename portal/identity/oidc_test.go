package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/identity/identitytest"
	"fhirgate/portal/store"
)

// withProvider is a world with the login of a company.
func withProvider(t *testing.T) (*world, *identitytest.Provider) {
	t.Helper()
	p := identitytest.NewProvider(t)
	p.Claims = map[string]any{"sub": "4711", "email": "Ann@pacs.example", "email_verified": true, "name": "Ann  Archer"}
	w := newWorld(t, func(o *Options) {
		o.OIDC = &OIDCOptions{Issuer: p.Issuer, ClientID: identitytest.ClientID, ClientSecret: identitytest.ClientSecret, Name: "PACS Inc.", PrivateNetwork: true}
	})
	return w, p
}

// company signs in at the provider.
func (w *world) company(invitation string) (store.User, error) {
	w.t.Helper()
	target, kept, err := w.BeginOIDC(w.ctx, "/apps", invitation, false)
	if err != nil {
		return store.User{}, err
	}
	arrival, err := w.FinishOIDC(w.ctx, by, kept, atProvider(w.t, target))
	if err != nil {
		return store.User{}, err
	}
	require.Equal(w.t, "/apps", arrival.Next)
	return arrival.User, nil
}

func TestCompanyLogin(t *testing.T) {
	w, p := withProvider(t)
	require.Equal(t, "PACS Inc.", w.OIDCName())
	created, err := w.company("")
	require.NoError(t, err)
	require.Equal(t, ann, created.Email)
	require.Equal(t, "Ann Archer", created.Name)
	require.Equal(t, p.Issuer+" 4711", created.OIDCSubject)
	require.Empty(t, created.PasswordHash)

	p.Claims = map[string]any{"sub": "4711", "email": "ann.married@elsewhere.example", "email_verified": false}
	again, err := w.company("")
	require.NoError(t, err, "who was here before is known by the subject alone")
	require.Equal(t, created.ID, again.ID)
	require.Equal(t, ann, again.Email)
}

func TestCompanyLoginBindsAnAccount(t *testing.T) {
	w, p := withProvider(t)
	u := w.user(ann)
	link, err := newResetToken(w.ctx, w.store, u.ID, time.Hour)
	require.NoError(t, err)
	bound, err := w.company("")
	require.NoError(t, err)
	require.Same(t, ErrLink, w.ResetPassword(w.ctx, by, link, fresh), "whoever had the account may have a link, too")
	require.Equal(t, u.ID, bound.ID)
	require.Equal(t, p.Issuer+" 4711", bound.OIDCSubject)
	require.Contains(t, w.acts(), "user.oidc")
	_, err = w.Login(w.ctx, by, ann, password)
	require.Same(t, ErrCredentials, err, "who made the account may have been somebody else: an inviter, by the link that was shown")
	require.Greater(t, bound.Edition, u.Edition, "and may be signed in")

	p.Claims["sub"] = "4712"
	_, err = w.company("")
	require.ErrorContains(t, err, "another subject", "the address has changed hands")
}

func TestCompanyLoginByInvitation(t *testing.T) {
	w, p := withProvider(t)
	p.Claims["email"] = "carl@elsewhere.example"
	_, err := w.company("")
	require.ErrorContains(t, err, "no account")

	invite := func(email string) string {
		link, _, err := NewInviter(w.store, portalURL, nil, w.Service.log).Invite(w.ctx, by, store.Invitation{Email: email, Role: store.RoleAdmin})
		require.NoError(t, err)
		return tokenOf(t, link)
	}
	_, err = w.company(invite("other@elsewhere.example"))
	require.ErrorContains(t, err, "another address")
	_, err = w.company("no invitation")
	require.Same(t, ErrLink, err)
	token := invite("carl@elsewhere.example")
	u, err := w.company(token)
	require.NoError(t, err)
	require.Equal(t, store.RoleAdmin, u.Role)
	_, err = w.Invitation(w.ctx, token)
	require.Same(t, ErrLink, err, "each once")
}

func TestPeopleWhomTheProviderDoesNotVouchFor(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*world, *identitytest.Provider)
		want   string // "" = let in
	}{
		"not verified":       {func(_ *world, p *identitytest.Provider) { p.Claims["email_verified"] = false }, "unverified address"},
		"not said":           {func(_ *world, p *identitytest.Provider) { delete(p.Claims, "email_verified") }, "unverified address"},
		"verified as a word": {func(_ *world, p *identitytest.Provider) { p.Claims["email_verified"] = "true" }, ""},
		"another word":       {func(_ *world, p *identitytest.Provider) { p.Claims["email_verified"] = "yes" }, "unverified address"},
		"no address":         {func(_ *world, p *identitytest.Provider) { delete(p.Claims, "email") }, "unverified address"},
		"a strange address":  {func(_ *world, p *identitytest.Provider) { p.Claims["email"] = "Ann <ann@pacs.example>" }, "unverified address"},
		"address by userinfo": {func(_ *world, p *identitytest.Provider) {
			delete(p.Claims, "email")
			p.UserInfo = map[string]any{"sub": "4711", "email": ann, "email_verified": true}
		}, ""},
		"not verified for an account": {func(w *world, p *identitytest.Provider) { w.user(ann); p.Claims["email_verified"] = false }, "unverified address"},
		"a disabled account": {func(w *world, _ *identitytest.Provider) {
			require.NoError(w.t, w.store.Disable(w.ctx, store.System, w.user(ann).ID))
		}, "disabled"},
		"a disabled subject": {func(w *world, p *identitytest.Provider) {
			u := w.user("x@pacs.example", func(u *store.User) { u.OIDCSubject = p.Issuer + " 4711" })
			require.NoError(w.t, w.store.Disable(w.ctx, store.System, u.ID))
		}, "disabled"},
		"another domain": {func(_ *world, p *identitytest.Provider) { p.Claims["email"] = "ann@elsewhere.example" }, "no account"},
		"no name":        {func(_ *world, p *identitytest.Provider) { delete(p.Claims, "name") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := withProvider(t)
			test.change(w, p)
			_, err := w.company("")
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			var refusal *Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, test.want, refusal.Reason)
			acts := w.acts()
			require.Equal(t, "user.login-refused company: "+test.want, acts[len(acts)-1])
		})
	}
}

func TestAnswersOfTheProviderThatAreRefused(t *testing.T) {
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	claim := func(name string, value any) func(*identitytest.Provider) {
		return func(p *identitytest.Provider) {
			p.Spoil = func(claims map[string]any) {
				claims[name] = value
				if value == nil {
					delete(claims, name)
				}
			}
		}
	}
	answer := func(name, value string) func(*identitytest.Provider) {
		return func(p *identitytest.Provider) {
			p.Answer = func(v url.Values) {
				v.Set(name, value)
				if value == "" {
					v.Del(name)
				}
			}
		}
	}
	for name, test := range map[string]struct {
		spoil   func(*identitytest.Provider)
		refusal bool // of the login; else the provider is at fault
	}{
		"another nonce":           {claim("nonce", "x"), false},
		"no nonce":                {claim("nonce", nil), false},
		"another audience":        {claim("aud", "x"), false},
		"two audiences":           {claim("aud", []string{"x", identitytest.ClientID}), false},
		"another party":           {claim("azp", "x"), false},
		"another issuer":          {claim("iss", "https://evil.example"), false},
		"expired":                 {claim("exp", time.Now().Add(-time.Minute).Unix()), false},
		"no subject":              {claim("sub", nil), false},
		"of another access token": {claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), false},
		"signed by somebody":      {func(p *identitytest.Provider) { p.Sign = stranger }, false},
		"the issuer of another":   {answer("iss", "https://evil.example"), false},
		"without the issuer":      {answer("iss", ""), false},
		"another state":           {answer("state", "x"), true},
		"no state":                {answer("state", ""), true},
		"no code":                 {answer("code", ""), true},
		"another code":            {answer("code", "x"), true},
		"an error":                {answer("error", "access_denied"), true},
		"a broken token endpoint": {func(p *identitytest.Provider) { p.Status = http.StatusInternalServerError }, false},
		"userinfo of another": {func(p *identitytest.Provider) {
			delete(p.Claims, "email")
			p.UserInfo = map[string]any{"sub": "4712", "email": "boss@pacs.example", "email_verified": true}
		}, false},
		"an endless document": {func(p *identitytest.Provider) { p.Endless = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := withProvider(t)
			w.user("boss@pacs.example", admin)
			test.spoil(p)
			_, err := w.company("")
			if test.refusal {
				var refusal *Refusal
				require.ErrorAs(t, err, &refusal)
			} else {
				require.ErrorIs(t, err, ErrProvider)
			}
			for _, private := range []string{"ann@", "boss@", "4711"} {
				require.NotContains(t, err.Error(), private)
			}
			count, err := w.store.CountUsers(w.ctx)
			require.NoError(t, err)
			require.Equal(t, 1, count)
		})
	}
}

func TestCompanyLoginsThatAreReplayed(t *testing.T) {
	w, _ := withProvider(t)
	target, kept, err := w.BeginOIDC(w.ctx, "/", "", false)
	require.NoError(t, err)
	require.NotContains(t, kept, mustQuery(t, target).Get("state"), "sealed")
	require.Equal(t, "S256", mustQuery(t, target).Get("code_challenge_method"))
	back := atProvider(t, target)
	_, other, err := w.BeginOIDC(w.ctx, "/", "", false)
	require.NoError(t, err)

	refused := func(kept string, back url.Values) {
		t.Helper()
		_, err := w.FinishOIDC(w.ctx, by, kept, back)
		var refusal *Refusal
		require.ErrorAs(t, err, &refusal)
	}
	refused("", back)
	refused("nonsense", back)
	refused(other, back) // begun in another browser: nobody is made to sign in as somebody else
	_, err = w.FinishOIDC(w.ctx, by, kept, back)
	require.NoError(t, err)
	refused(kept, back) // the provider takes each code once

	target, kept, err = w.BeginOIDC(w.ctx, "/", "", false)
	require.NoError(t, err)
	back = atProvider(t, target)
	w.clock.pass(flowLife + time.Second)
	refused(kept, back)
}

func mustQuery(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Query()
}

func TestWithoutAProvider(t *testing.T) {
	w := newWorld(t)
	require.Empty(t, w.OIDCName())
	_, _, err := w.BeginOIDC(w.ctx, "/", "", false)
	require.ErrorContains(t, err, "no provider")
	_, err = w.FinishOIDC(w.ctx, by, "", nil)
	require.ErrorContains(t, err, "no provider")
}

func TestProvidersThatAreRefused(t *testing.T) {
	p := identitytest.NewProvider(t)
	moved := httptest.NewServer(http.RedirectHandler(p.Issuer+"/.well-known/openid-configuration", http.StatusFound))
	t.Cleanup(moved.Close)
	for name, o := range map[string]OIDCOptions{
		"http":         {Issuer: p.Issuer, ClientID: "portal"},
		"no client":    {Issuer: "https://idp.example"},
		"no issuer":    {ClientID: "portal"},
		"another kind": {Issuer: "file:///etc/passwd", ClientID: "portal", PrivateNetwork: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newOIDCClient(o, portalURL)
			require.ErrorContains(t, err, "oidc:")
		})
	}
	for name, o := range map[string]OIDCOptions{
		"a private address": {Issuer: "https://127.0.0.1:1", ClientID: "portal"},
		"moved":             {Issuer: moved.URL, ClientID: "portal", PrivateNetwork: true},
		"another issuer":    {Issuer: p.Issuer + "/", ClientID: "portal", PrivateNetwork: true},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := newOIDCClient(o, portalURL)
			require.NoError(t, err)
			_, err = c.provider(t.Context())
			require.ErrorIs(t, err, ErrProvider)
		})
	}
}

// The portal starts, and people with passwords sign in, while the provider is away.
func TestProviderThatIsAwayForAWhile(t *testing.T) {
	w, p := withProvider(t)
	issuer := w.oidc.options.Issuer
	w.oidc.options.Issuer = "http://127.0.0.1:1"
	_, err := w.company("")
	require.ErrorIs(t, err, ErrProvider)
	w.oidc.options.Issuer = issuer
	_, err = w.company("")
	require.NoError(t, err)
	require.NotNil(t, p)
}
