package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
)

const (
	idpKeys      = "/keys"
	idpDiscovery = "/.well-known/openid-configuration"
)

var idpKey = must(rsa.GenerateKey(rand.Reader, 2048))

// providerLab is an identity provider with one client.
type providerLab struct {
	*lab
	*site
	settings Provider
}

func newProviderLab(t testing.TB, l *lab) *providerLab {
	p := &providerLab{lab: l, site: newSite(t, httptest.NewTLSServer)}
	p.settings = Provider{Issuer: p.URL, Algorithms: []string{"RS256"}, PrivateNetwork: true}
	p.publish(publicKey("idp-1", "RS256", idpKey.Public()))
	p.showJSON(idpDiscovery, "", must(json.Marshal(map[string]string{"issuer": p.URL, "jwks_uri": p.URL + idpKeys})))
	l.records.external[p.URL+" app"] = &Client{KeyID: "key_x", PlanID: "night", Name: "App", Hospitals: []string{"harbor"}}
	return p
}

func (p *providerLab) publish(keys ...jose.JSONWebKey) {
	p.showJSON(idpKeys, "public, max-age=600", keySet(keys...))
}

func (p *providerLab) configure() func(*Options) {
	roots := x509.NewCertPool()
	roots.AddCert(p.Certificate())
	return func(o *Options) { o.Providers, o.RootCAs = []Provider{p.settings}, roots }
}

func (p *providerLab) token() *assertion {
	now := p.clock.Now()
	return &assertion{
		alg: jose.RS256, key: idpKey,
		header: map[string]any{"kid": "idp-1", "typ": "JWT"},
		claims: map[string]any{
			"iss": p.URL, "sub": "alice", "azp": "app", "aud": base, "scope": "openid user/Patient.rs system/*.rs",
			"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		},
	}
}

func TestProvider(t *testing.T) {
	p := newProviderLab(t, newLab(t))
	s := p.server(p.configure())
	consumer, until, err := s.Verify(t.Context(), p.token().sign())
	require.NoError(t, err)
	require.Equal(t, p.clock.Now().Add(time.Hour).Unix(), until.Unix())
	require.Equal(t, until, consumer.Expires)
	require.Equal(t, facade.WayProvider, consumer.Way)
	require.Equal(t, []string{"key_x", "night", "App", "alice"}, []string{consumer.KeyID, consumer.PlanID, consumer.Name, consumer.User})
	require.Equal(t, []string{"user/Patient.rs", "system/*.rs"}, consumer.Scopes.Strings())
	require.Equal(t, []string{"harbor"}, consumer.Hospitals)
	require.Empty(t, consumer.Patient+consumer.PatientHospital)
	for range 3 {
		_, _, err = s.Verify(t.Context(), p.token().sign())
		require.NoError(t, err)
	}
	require.Equal(t, []int{1, 1}, []int{p.called(idpKeys), p.called(idpDiscovery)}, "keys are kept")
}

func TestProviderTokensThatAreRefused(t *testing.T) {
	in := func(p *providerLab, d time.Duration) int64 { return p.clock.Now().Add(d).Unix() }
	set := func(name string, value any) func(*providerLab, *assertion) {
		return func(_ *providerLab, a *assertion) { a.claims[name] = value }
	}
	for _, c := range []struct {
		name   string
		bend   func(*providerLab, *assertion)
		reason string
	}{
		{"of another key", func(_ *providerLab, a *assertion) { a.key = rsaKey }, "no key in use"},
		{"of another key, with its place", func(p *providerLab, a *assertion) {
			p.showJSON("/evil", "", keySet(publicKey("evil", "RS256", rsaKey.Public())))
			a.key, a.header["kid"], a.header["jku"] = rsaKey, "evil", p.URL+"/evil"
		}, "no key in use"},
		{"an algorithm that is not configured", func(_ *providerLab, a *assertion) { a.alg = jose.RS384 }, "not one of its issuer's"},
		{"PS256", func(_ *providerLab, a *assertion) { a.alg = jose.PS256 }, "not one of its issuer's"},
		{"HS256 with the public key", func(_ *providerLab, a *assertion) {
			der := must(x509.MarshalPKIXPublicKey(idpKey.Public()))
			a.alg, a.key = jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		}, "not one of its issuer's"},
		{"ES384 of ours", func(p *providerLab, a *assertion) { a.alg, a.key = jose.ES384, ecKey }, "not one of its issuer's"},
		{"critical extension", func(_ *providerLab, a *assertion) { a.header["crit"] = []string{"x"} }, "critical"},
		{"typ of a logout token", func(_ *providerLab, a *assertion) { a.header["typ"] = "logout+jwt" }, "not an access token"},
		{"foreign iss", set("iss", "https://other.example"), "not configured"},
		{"our iss", set("iss", issuer), "access token"},
		{"foreign aud", set("aud", "app"), "aud"},
		{"aud of one hospital only", set("aud", base+"/st-mary"), "aud"},
		{"no aud", func(_ *providerLab, a *assertion) { delete(a.claims, "aud") }, "aud"},
		{"aud is null", set("aud", nil), "right types"},
		{"expired", func(p *providerLab, a *assertion) { a.claims["exp"] = in(p, -31*time.Second) }, "expired"},
		{"no exp", func(_ *providerLab, a *assertion) { delete(a.claims, "exp") }, "no exp"},
		{"not yet", func(p *providerLab, a *assertion) { a.claims["nbf"] = in(p, time.Minute) }, "nbf"},
		{"made in the future", func(p *providerLab, a *assertion) { a.claims["iat"] = in(p, time.Minute) }, "iat"},
		{"unknown client", set("azp", "other"), "unknown"},
		{"no client", func(_ *providerLab, a *assertion) { delete(a.claims, "azp"); delete(a.claims, "sub") }, "no client"},
		{"client is a number", func(_ *providerLab, a *assertion) { a.claims["azp"] = 1; delete(a.claims, "sub") }, "no client"},
		{"long client", set("azp", strings.Repeat("x", 257)), "no client"},
		{"the record has expired", func(p *providerLab, _ *assertion) {
			p.records.external[p.URL+" app"].Expires = p.clock.Now()
		}, "expired"},
		{"for encryption", func(p *providerLab, _ *assertion) {
			key := publicKey("idp-1", "RS256", idpKey.Public())
			key.Use = "enc"
			p.publish(key)
		}, "no key in use"},
		{"a key for another algorithm", func(p *providerLab, _ *assertion) { p.publish(publicKey("idp-1", "RS512", idpKey.Public())) }, "no key in use"},
		{"a symmetric key", func(p *providerLab, _ *assertion) {
			p.publish(jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "idp-1"})
		}, "no key in use"},
		{"a private key", func(p *providerLab, _ *assertion) { p.publish(jose.JSONWebKey{Key: idpKey, KeyID: "idp-1"}) }, "no key in use"},
		{"no kid, and several keys", func(p *providerLab, a *assertion) {
			delete(a.header, "kid")
			p.publish(publicKey("idp-1", "", idpKey.Public()), publicKey("idp-2", "", rsaKey.Public()))
		}, "no key in use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProviderLab(t, newLab(t))
			a := p.token()
			c.bend(p, a)
			s := p.server(p.configure())
			consumer, _, err := s.Verify(t.Context(), a.sign())
			require.ErrorIs(t, err, facade.ErrUnknownKey)
			require.ErrorContains(t, err, c.reason)
			require.Nil(t, consumer)
			require.Zero(t, p.called("/evil"))
		})
	}
}

func TestAlgorithmsOfProviders(t *testing.T) {
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for alg, keys := range map[jose.SignatureAlgorithm][2]any{
		jose.RS256: {idpKey, idpKey.Public()}, jose.RS384: {idpKey, idpKey.Public()},
		jose.PS256: {idpKey, idpKey.Public()}, jose.PS384: {idpKey, idpKey.Public()},
		jose.ES256: {p256, p256.Public()}, jose.ES384: {ecKey, ecKey.Public()}, jose.EdDSA: {private, public},
	} {
		t.Run(string(alg), func(t *testing.T) {
			p := newProviderLab(t, newLab(t))
			p.settings.Algorithms = ProviderAlgorithms
			p.publish(publicKey("idp-1", "", keys[1]))
			s := p.server(p.configure())
			a := p.token()
			a.alg, a.key = alg, keys[0]
			_, _, err := s.Verify(t.Context(), a.sign())
			require.NoError(t, err)
			delete(a.header, "kid")
			_, _, err = s.Verify(t.Context(), a.sign())
			require.NoError(t, err, "no kid, and one key that fits")
		})
	}
}

func TestClaimsOfProviders(t *testing.T) {
	type want struct{ user, patient, hospital, scopes string }
	for _, c := range []struct {
		name     string
		settings Provider
		claims   map[string]any // nil = without
		want     want
	}{
		{"fhirUser", Provider{}, map[string]any{"fhirUser": "Practitioner/7"}, want{"Practitioner/7", "", "", "user/Patient.rs system/*.rs"}},
		{"a machine", Provider{}, map[string]any{"sub": "app"}, want{"", "", "", "user/Patient.rs system/*.rs"}},
		{"client_id", Provider{}, map[string]any{"azp": nil, "client_id": "app"}, want{"alice", "", "", "user/Patient.rs system/*.rs"}},
		{"sub as client", Provider{}, map[string]any{"azp": nil, "sub": "app"}, want{"", "", "", "user/Patient.rs system/*.rs"}},
		{"own claims", Provider{ClientClaim: "appid", ScopeClaim: "roles", UserClaim: "oid", PatientClaim: "pat"}, map[string]any{
			"azp": "other", "appid": "app", "roles": []string{"system/Patient.r", "admin"}, "oid": "u-1", "pat": "9", "patient": "8", "aud": []string{base, base + "/st-mary"},
		}, want{"u-1", "9", "st-mary", "system/Patient.r"}},
		{"own user claim that is not there", Provider{UserClaim: "oid"}, nil, want{"", "", "", "user/Patient.rs system/*.rs"}},
		{"scp as text", Provider{}, map[string]any{"scope": nil, "scp": "system/Patient.r"}, want{"alice", "", "", "system/Patient.r"}},
		{"scp as a list", Provider{}, map[string]any{"scope": nil, "scp": []any{"system/Patient.r", 1, "x"}}, want{"alice", "", "", "system/Patient.r"}},
		{"too many conditions", Provider{}, map[string]any{"scope": conditions(maxConditions+1) + " system/Patient.r"}, want{"alice", "", "", conditions(maxConditions) + " system/Patient.r"}},
		{"no scope", Provider{}, map[string]any{"scope": nil}, want{"alice", "", "", ""}},
		{"no scope for us", Provider{}, map[string]any{"scope": "openid email"}, want{"alice", "", "", ""}},
		{"a patient of one hospital", Provider{}, map[string]any{"patient": "p-1", "aud": []string{base, base + "/st-mary"}}, want{"alice", "p-1", "st-mary", "user/Patient.rs system/*.rs"}},
		{"a patient of none", Provider{}, map[string]any{"patient": "p-1"}, want{"alice", "", "", "user/Patient.rs system/*.rs"}},
		{"a patient of two", Provider{}, map[string]any{"patient": "p-1", "aud": []string{base, base + "/st-mary", base + "/harbor"}}, want{"alice", "", "", "user/Patient.rs system/*.rs"}},
		{"a patient of a hospital told twice", Provider{}, map[string]any{"patient": "p-1", "aud": []string{base, base + "/st-mary", base + "/st-mary"}}, want{"alice", "p-1", "st-mary", "user/Patient.rs system/*.rs"}},
		{"a patient of something deeper", Provider{}, map[string]any{"patient": "p-1", "aud": []string{base, base + "/st-mary/Patient"}}, want{"alice", "", "", "user/Patient.rs system/*.rs"}},
		{"a patient of another gateway", Provider{}, map[string]any{"patient": "p-1", "aud": []string{base, "https://other.example/fhir/st-mary"}}, want{"alice", "", "", "user/Patient.rs system/*.rs"}},
		{"a patient that is no id", Provider{}, map[string]any{"patient": "Patient/1?x", "aud": []string{base, base + "/st-mary"}}, want{"alice", "", "", "user/Patient.rs system/*.rs"}},
		{"another audience", Provider{Audience: "api://gateway"}, map[string]any{"aud": "api://gateway"}, want{"alice", "", "", "user/Patient.rs system/*.rs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProviderLab(t, newLab(t))
			c.settings.Issuer, c.settings.Algorithms, c.settings.PrivateNetwork = p.URL, []string{"RS256"}, true
			p.settings = c.settings
			a := p.token()
			for name, value := range c.claims {
				if a.claims[name] = value; value == nil {
					delete(a.claims, name)
				}
			}
			consumer, _, err := p.server(p.configure()).Verify(t.Context(), a.sign())
			require.NoError(t, err)
			require.NotNil(t, consumer.Scopes)
			require.Equal(t, c.want, want{consumer.User, consumer.Patient, consumer.PatientHospital, strings.Join(consumer.Scopes.Strings(), " ")})
		})
	}
}

// TestProviderRotates follows a provider that changes its keys.
func TestProviderRotates(t *testing.T) {
	p := newProviderLab(t, newLab(t))
	s := p.server(p.configure())
	verify := func(kid string, key *rsa.PrivateKey) error {
		a := p.token()
		a.header["kid"], a.key = kid, key
		_, _, err := s.Verify(t.Context(), a.sign())
		return err
	}
	require.NoError(t, verify("idp-1", idpKey))

	p.publish(publicKey("idp-1", "", idpKey.Public()), publicKey("idp-2", "", rsaKey.Public()))
	require.ErrorIs(t, verify("idp-2", rsaKey), facade.ErrUnknownKey, "fetched a moment ago")
	require.Equal(t, 1, p.called(idpKeys))
	p.clock.pass(30 * time.Second)
	require.NoError(t, verify("idp-2", rsaKey), "an unknown kid has the set fetched again")
	require.NoError(t, verify("idp-1", idpKey))
	require.Equal(t, 2, p.called(idpKeys))
	for range 20 {
		require.Error(t, verify("idp-3", rsaKey))
	}
	require.Equal(t, 2, p.called(idpKeys), "foreign kids do not have it fetched all the time")

	p.publish(publicKey("idp-2", "", rsaKey.Public()))
	p.clock.pass(9*time.Minute + 59*time.Second)
	require.NoError(t, verify("idp-1", idpKey), "the set may be kept")
	p.clock.pass(time.Second)
	require.ErrorIs(t, verify("idp-1", idpKey), facade.ErrUnknownKey)
	require.NoError(t, verify("idp-2", rsaKey))
}

// TestProviderIsDown goes on with the set of before, for a day.
func TestProviderIsDown(t *testing.T) {
	p := newProviderLab(t, newLab(t))
	s := p.server(p.configure())
	verify := func() error {
		_, _, err := s.Verify(t.Context(), p.token().sign())
		return err
	}
	down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	p.show(idpDiscovery, down)
	err := verify()
	require.Error(t, err)
	require.NotErrorIs(t, err, facade.ErrUnknownKey, "it cannot be told")
	require.Error(t, verify())
	require.Equal(t, 1, p.called(idpDiscovery))

	p.showJSON(idpDiscovery, "", must(json.Marshal(map[string]string{"issuer": p.URL, "jwks_uri": p.URL + idpKeys})))
	p.clock.pass(5 * time.Second)
	require.NoError(t, verify())

	p.show(idpKeys, down)
	calls := p.called(idpKeys)
	p.clock.pass(time.Hour)
	require.NoError(t, verify())
	require.NoError(t, verify())
	require.Equal(t, calls+1, p.called(idpKeys))
	p.clock.pass(22*time.Hour + 59*time.Minute)
	require.NoError(t, verify())
	p.clock.pass(time.Minute)
	err = verify()
	require.Error(t, err)
	require.NotErrorIs(t, err, facade.ErrUnknownKey)

	p.publish(publicKey("idp-1", "RS256", idpKey.Public()))
	p.clock.pass(30 * time.Second)
	require.NoError(t, verify())
}

// TestFetchingOnce has many ask at the same time.
func TestFetchingOnce(t *testing.T) {
	p := newProviderLab(t, newLab(t))
	release := make(chan struct{})
	p.show(idpKeys, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = w.Write(keySet(publicKey("idp-1", "", idpKey.Public())))
	})
	s := p.server(p.configure())
	token := p.token().sign()
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			_, _, err := s.Verify(context.Background(), token)
			if err != nil {
				t.Error(err)
			}
		})
	}
	close(release)
	group.Wait()
	require.Equal(t, 1, p.called(idpKeys))
}

func TestWhatProvidersAnswer(t *testing.T) {
	good := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(keySet(publicKey("idp-1", "", idpKey.Public())))
	}
	page := func(path string, data []byte) func(*providerLab) {
		return func(p *providerLab) { p.showJSON(path, "", data) }
	}
	redirect := func(to func(*http.Request) string) func(*providerLab) {
		return func(p *providerLab) {
			p.show(idpKeys, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to(r), http.StatusFound) })
		}
	}
	for _, c := range []struct {
		name   string
		bend   func(*providerLab)
		reason string
	}{
		{"another issuer", func(p *providerLab) {
			p.showJSON(idpDiscovery, "", must(json.Marshal(map[string]string{"issuer": p.URL + "/", "jwks_uri": p.URL + idpKeys})))
		}, "not that of the issuer"},
		{"no jwks_uri", func(p *providerLab) {
			p.showJSON(idpDiscovery, "", must(json.Marshal(map[string]string{"issuer": p.URL})))
		}, "URL cannot be fetched"},
		{"discovery is no JSON", page(idpDiscovery, []byte("<html>")), "not that of the issuer"},
		{"keys are no set", page(idpKeys, []byte(`{"issuer":"x"}`)), "keys is missing"},
		{"keys are no JSON", page(idpKeys, []byte("<html>")), "not a JWK set"},
		{"more than 1 MiB", page(idpKeys, append(keySet(publicKey("idp-1", "", idpKey.Public())), strings.Repeat(" ", 1<<20)...)), "more than 1 MiB"},
		{"another status", func(p *providerLab) {
			p.show(idpKeys, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		}, "status 204"},
		{"redirect loop", redirect(func(*http.Request) string { return idpKeys }), "redirects"},
		{"redirect to http", redirect(func(r *http.Request) string { return "http://" + r.Host + "/moved" }), "redirects"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProviderLab(t, newLab(t))
			p.show("/moved", good)
			c.bend(p)
			_, _, err := p.server(p.configure()).Verify(t.Context(), p.token().sign())
			require.ErrorContains(t, err, c.reason)
			require.NotErrorIs(t, err, facade.ErrUnknownKey)
			require.Zero(t, p.called("/moved"))
		})
	}
	t.Run("redirect on the same host", func(t *testing.T) {
		p := newProviderLab(t, newLab(t))
		p.show("/moved", good)
		p.show(idpKeys, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/moved", http.StatusFound) })
		_, _, err := p.server(p.configure()).Verify(t.Context(), p.token().sign())
		require.NoError(t, err)
	})
	t.Run("keys that are not understood", func(t *testing.T) {
		p := newProviderLab(t, newLab(t))
		known := must(publicKey("idp-1", "", idpKey.Public()).MarshalJSON())
		p.showJSON(idpKeys, "", []byte(`{"keys":[{"kty":"X"},1,{"kty":"EC","crv":"P-999"},`+string(known)+`],"x":1}`))
		_, _, err := p.server(p.configure()).Verify(t.Context(), p.token().sign())
		require.NoError(t, err)
	})
	t.Run("jwks_url", func(t *testing.T) {
		p := newProviderLab(t, newLab(t))
		p.settings.JWKSURL = p.URL + "/elsewhere"
		p.show("/elsewhere", good)
		_, _, err := p.server(p.configure()).Verify(t.Context(), p.token().sign())
		require.NoError(t, err)
		require.Zero(t, p.called(idpDiscovery))
	})
	t.Run("private address", func(t *testing.T) {
		p := newProviderLab(t, newLab(t))
		p.settings.PrivateNetwork = false
		_, _, err := p.server(p.configure()).Verify(t.Context(), p.token().sign())
		require.ErrorContains(t, err, "private address")
		require.Zero(t, p.called(idpDiscovery))
	})
}

func TestProviderSettings(t *testing.T) {
	l := newLab(t)
	for name, list := range map[string][]Provider{
		"no issuer":                {{Algorithms: []string{"RS256"}}},
		"http":                     {{Issuer: "http://idp.example", Algorithms: []string{"RS256"}}},
		"http keys":                {{Issuer: "https://idp.example", JWKSURL: "http://idp.example", Algorithms: []string{"RS256"}}},
		"no algorithm":             {{Issuer: "https://idp.example"}},
		"HS256":                    {{Issuer: "https://idp.example", Algorithms: []string{"RS256", "HS256"}}},
		"none":                     {{Issuer: "https://idp.example", Algorithms: []string{"none"}}},
		"our own issuer":           {{Issuer: issuer, Algorithms: []string{"RS256"}}},
		"the same issuer, twice":   {{Issuer: "https://idp.example", Algorithms: []string{"RS256"}}, {Issuer: "https://idp.example", Algorithms: []string{"ES256"}}},
		"a password in its issuer": {{Issuer: "https://u:p@idp.example", Algorithms: []string{"RS256"}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{PublicURL: issuer, SealKeys: l.seal, Providers: list})
			require.ErrorContains(t, err, "identity provider")
		})
	}
	_, err := New(Options{PublicURL: issuer, SealKeys: l.seal, Providers: []Provider{
		{Issuer: "https://idp.example", Algorithms: []string{"RS256"}},
		{Issuer: "http://idp.internal/realm", Algorithms: []string{"ES256"}, PrivateNetwork: true},
	}})
	require.NoError(t, err)
}

func TestAgeOf(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                          usualAge,
		"no-store":                  usualAge,
		"max-age=120":               2 * time.Minute,
		"public, max-age=120":       2 * time.Minute,
		"Public,Max-Age = \"120\"":  2 * time.Minute,
		"s-maxage=5, max-age=120":   2 * time.Minute,
		"max-age=0":                 time.Minute,
		"max-age=86400":             time.Hour,
		"max-age=99999999999999999": time.Hour,
		"x-max-age=120":             usualAge,
		"max-age=-1":                usualAge,
	} {
		require.Equal(t, want, ageOf(header), header)
	}
}
