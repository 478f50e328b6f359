package oauth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// unsigned makes a token by hand, as attackers do.
func unsigned(header, claims map[string]any, signature string) string {
	encode := func(v any) string { return base64.RawURLEncoding.EncodeToString(must(json.Marshal(v))) }
	return encode(header) + "." + encode(claims) + "." + signature
}

func TestAssertionsThatAreRefused(t *testing.T) {
	small := must(rsa.GenerateKey(rand.Reader, 2048))
	in := func(l *lab, d time.Duration) int64 { return l.clock.Now().Add(d).Unix() }
	set := func(name string, value any) func(*lab, *assertion) {
		return func(_ *lab, a *assertion) { a.claims[name] = value }
	}
	without := func(name string) func(*lab, *assertion) {
		return func(_ *lab, a *assertion) { delete(a.claims, name) }
	}
	head := func(name string, value any) func(*lab, *assertion) {
		return func(_ *lab, a *assertion) { a.header[name] = value }
	}
	for _, c := range []struct {
		name   string
		bend   func(*lab, *assertion)
		reason string // in the log
	}{
		{"of another key", func(_ *lab, a *assertion) { a.key = otherKey }, "no key in use"},
		{"of another key, which it holds", func(_ *lab, a *assertion) {
			a.key, a.header["jwk"] = otherKey, publicKey("ec-1", "ES384", otherKey.Public())
		}, "no key in use"},
		{"of another key, with the place of it", func(_ *lab, a *assertion) {
			a.key, a.header["jku"] = otherKey, "https://attacker.example/jwks.json"
		}, "no key in use"},
		{"jku that is not registered", head("jku", "https://attacker.example/jwks.json"), "no key in use"},
		{"foreign kid", head("kid", "ec-2"), "no key in use"},
		{"kid of another key", head("kid", "rsa-1"), "no key in use"},
		{"no kid", func(_ *lab, a *assertion) { delete(a.header, "kid") }, "no kid"},
		{"RS256", func(_ *lab, a *assertion) { a.alg, a.key, a.header["kid"] = jose.RS256, rsaKey, "rsa-1" }, "neither RS384 nor ES384"},
		{"PS384", func(_ *lab, a *assertion) { a.alg, a.key, a.header["kid"] = jose.PS384, rsaKey, "rsa-1" }, "neither RS384 nor ES384"},
		{"RS384 of another key", func(_ *lab, a *assertion) { a.alg, a.key, a.header["kid"] = jose.RS384, small, "rsa-1" }, "no key in use"},
		{"HS256 with the public key", func(_ *lab, a *assertion) {
			der := must(x509.MarshalPKIXPublicKey(ecKey.Public()))
			a.alg, a.key = jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		}, "neither RS384 nor ES384"},
		{"typ of an access token", head("typ", "at+jwt"), "typ"},
		{"critical extension", head("crit", []string{"exp"}), "critical"},
		{"foreign iss", set("iss", "key_b"), "no key in use"},
		{"no iss", without("iss"), "not a client id"},
		{"long iss", set("iss", strings.Repeat("x", 257)), "not a client id"},
		{"foreign sub", set("sub", "key_b"), "sub"},
		{"no sub", without("sub"), "sub"},
		{"foreign aud", set("aud", "https://other.example/oauth/token"), "aud"},
		{"no aud", without("aud"), "aud"},
		{"two aud", set("aud", []string{tokenURL, "https://other.example"}), "aud"},
		{"aud of our tokens", set("aud", base), "aud"},
		{"aud of the issuer with a slash", set("aud", issuer+"/"), "aud"},
		{"no exp", without("exp"), "no exp"},
		{"expired", func(l *lab, a *assertion) { a.claims["exp"] = in(l, -31*time.Second) }, "expired"},
		{"too long", func(l *lab, a *assertion) { a.claims["exp"] = in(l, 6*time.Minute); delete(a.claims, "iat") }, "exp is more than five minutes"},
		{"for ever", set("exp", 1e18), "more than five minutes"},
		{"made long ago", func(l *lab, a *assertion) { a.claims["iat"] = in(l, -time.Hour) }, "more than five minutes"},
		{"made in the future", func(l *lab, a *assertion) { a.claims["iat"] = in(l, time.Minute) }, "iat"},
		{"not yet", func(l *lab, a *assertion) { a.claims["nbf"] = in(l, time.Minute) }, "nbf"},
		{"exp is text", set("exp", "tomorrow"), "right types"},
		{"no jti", without("jti"), "jti"},
		{"empty jti", set("jti", ""), "jti"},
		{"jti is a number", set("jti", 1), "right types"},
		{"larger than 16 KiB", set("x", strings.Repeat("x", 16<<10)), "16 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			s := l.server()
			a := l.assertion()
			c.bend(l, a)
			refused(t, post(s, TokenPath, withAssertion(a.sign())), http.StatusUnauthorized, "invalid_client")
			require.Contains(t, l.log.String(), c.reason)
			require.EqualValues(t, 1, l.failed.Load())
			require.Empty(t, l.redis.Keys(), "what is refused is not remembered")
		})
	}
	for name, make := range map[string]func(*assertion) string{
		"alg none":     func(a *assertion) string { return unsigned(map[string]any{"alg": "none", "kid": "ec-1"}, a.claims, "") },
		"alg None":     func(a *assertion) string { return unsigned(map[string]any{"alg": "None", "kid": "ec-1"}, a.claims, "") },
		"no alg":       func(a *assertion) string { return unsigned(map[string]any{"kid": "ec-1"}, a.claims, "") },
		"no signature": func(a *assertion) string { s := a.sign(); return s[:strings.LastIndex(s, ".")+1] },
		"zero signature": func(a *assertion) string {
			s := a.sign()
			return s[:strings.LastIndex(s, ".")+1] + strings.Repeat("A", 128)
		},
		"two parts": func(a *assertion) string { s := a.sign(); return s[:strings.LastIndex(s, ".")] },
		"padding":   func(a *assertion) string { return a.sign() + "==" },
		"line end":  func(a *assertion) string { return a.sign() + "\n" },
		"JSON form": func(a *assertion) string {
			return must(jose.ParseSignedCompact(a.sign(), assertionAlgorithms)).FullSerialize()
		},
		"no token":            func(*assertion) string { return "x" },
		"payload is a list":   func(*assertion) string { return unsigned(map[string]any{"alg": "ES384", "kid": "ec-1"}, nil, "AAAA") },
		"header is not JSON":  func(*assertion) string { return "AAAA.e30.AAAA" },
		"payload is not JSON": func(*assertion) string { return "e30.AAAA.AAAA" },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			refused(t, post(l.server(), TokenPath, withAssertion(make(l.assertion()))), http.StatusUnauthorized, "invalid_client")
			require.EqualValues(t, 1, l.failed.Load())
		})
	}
	t.Run("another client_id", func(t *testing.T) {
		l := newLab(t)
		refused(t, post(l.server(), TokenPath, withAssertion(l.assertion().sign(), "client_id", "key_b")), http.StatusBadRequest, "invalid_request")
	})
}

func TestAssertionsThatAreTaken(t *testing.T) {
	for name, bend := range map[string]func(*lab, *assertion){
		"no typ":                func(_ *lab, a *assertion) { delete(a.header, "typ") },
		"no iat":                func(_ *lab, a *assertion) { delete(a.claims, "iat") },
		"aud as a list of one":  func(_ *lab, a *assertion) { a.claims["aud"] = []string{tokenURL} },
		"the clock is ahead":    func(l *lab, _ *assertion) { l.clock.pass(-25 * time.Second) },
		"the clock is behind":   func(l *lab, _ *assertion) { l.clock.pass(5*time.Minute + 25*time.Second) },
		"nbf":                   func(_ *lab, a *assertion) { a.claims["nbf"] = a.claims["iat"] },
		"other claims":          func(_ *lab, a *assertion) { a.claims["x"] = map[string]any{"y": 1} },
		"typ of RFC 7523bis":    func(_ *lab, a *assertion) { a.header["typ"] = "client-authentication+jwt" },
		"typ in another letter": func(_ *lab, a *assertion) { a.header["typ"] = "jwt" },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			s := l.server()
			a := l.assertion()
			bend(l, a)
			granted(t, post(s, TokenPath, withAssertion(a.sign())))
		})
	}
}

// TestTheSameWork has the key that stands in for those of unknown clients be one
// that signs: that its signature is looked at shows in the reason.
func TestTheSameWork(t *testing.T) {
	for name, bend := range map[string]func(*assertion){
		"unknown client": func(a *assertion) { a.claims["iss"], a.claims["sub"] = "key_b", "key_b" },
		"unknown kid":    func(a *assertion) { a.header["kid"] = "ec-2" },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			s := l.server()
			s.dummies[jose.ES384] = publicKey("", "", otherKey.Public())
			a := l.assertion()
			a.key = otherKey
			bend(a)
			refused(t, post(s, TokenPath, withAssertion(a.sign())), http.StatusUnauthorized, "invalid_client")
			require.Contains(t, l.log.String(), "the client has no such key")
		})
	}
}

// TestReplay sends an assertion again: to the same node, to another, and for as
// long as it is in force.
func TestReplay(t *testing.T) {
	l := newLab(t)
	first, second := l.server(), l.server()
	a := l.assertion()
	again := withAssertion(a.sign())
	granted(t, post(first, TokenPath, again))
	refused(t, post(first, TokenPath, again), http.StatusUnauthorized, "invalid_client")
	refused(t, post(second, TokenPath, again), http.StatusUnauthorized, "invalid_client")
	require.Contains(t, l.log.String(), "used before")
	refused(t, post(second, TokenPath, withAssertion(a.sign())), http.StatusUnauthorized, "invalid_client")

	forward := func(d time.Duration) { l.clock.pass(d); l.redis.FastForward(d) }
	forward(5*time.Minute + 29*time.Second)
	refused(t, post(second, TokenPath, again), http.StatusUnauthorized, "invalid_client")
	require.NotContains(t, l.log.String(), "expired")
	forward(time.Minute)
	refused(t, post(second, TokenPath, again), http.StatusUnauthorized, "invalid_client")
	require.Contains(t, l.log.String(), "expired")
	for _, key := range l.redis.Keys() {
		require.NotContains(t, key, usedPrefix, "what has expired is forgotten")
	}

	t.Run("the same jti of another client", func(t *testing.T) {
		other := *l.records.clients["key_a"]
		other.KeyID = "key_c"
		l.records.clients["key_c"] = &other
		a, b := l.assertion(), l.assertion()
		b.claims["iss"], b.claims["sub"], b.claims["jti"] = "key_c", "key_c", a.claims["jti"]
		granted(t, post(first, TokenPath, withAssertion(a.sign())))
		granted(t, post(first, TokenPath, withAssertion(b.sign())))
	})
	t.Run("at once", func(t *testing.T) {
		again := withAssertion(l.assertion().sign())
		codes := make(chan int)
		for i := range 16 {
			go func() { codes <- post([]*Server{first, second}[i%2], TokenPath, again).Code }()
		}
		taken := 0
		for range 16 {
			if <-codes == http.StatusOK {
				taken++
			}
		}
		require.Equal(t, 1, taken)
	})
}

// TestKeysByURL has the client publish its keys.
func TestKeysByURL(t *testing.T) {
	const path = "/jwks.json"
	start := func(t *testing.T, change ...func(*Options)) (*lab, *site, *Server) {
		l, published := newLab(t), newSite(t, httptest.NewTLSServer)
		roots := x509.NewCertPool()
		roots.AddCert(published.Certificate())
		l.records.clients["key_a"].JWKS, l.records.clients["key_a"].JWKSURL = nil, published.URL+path
		published.showJSON(path, "", keySet(publicKey("ec-1", "ES384", ecKey.Public())))
		return l, published, l.server(append(change, func(o *Options) { o.RootCAs = roots })...)
	}
	private := func(o *Options) { o.PrivateKeySets = true }

	t.Run("taken", func(t *testing.T) {
		l, published, s := start(t, private)
		granted(t, post(s, TokenPath, withAssertion(l.assertion().sign())))
		a := l.assertion()
		a.header["jku"] = published.URL + path
		granted(t, post(s, TokenPath, withAssertion(a.sign())))
		require.Equal(t, 1, published.called(path), "the set is kept")

		a = l.assertion()
		a.header["jku"] = published.URL + "/other.json"
		refused(t, post(s, TokenPath, withAssertion(a.sign())), http.StatusUnauthorized, "invalid_client")
	})
	t.Run("a new key", func(t *testing.T) {
		l, published, s := start(t, private)
		granted(t, post(s, TokenPath, withAssertion(l.assertion().sign())))
		published.showJSON(path, "", keySet(publicKey("ec-2", "ES384", otherKey.Public())))
		l.clock.pass(31 * time.Second)
		a := l.assertion()
		a.key, a.header["kid"] = otherKey, "ec-2"
		granted(t, post(s, TokenPath, withAssertion(a.sign())))
		refused(t, post(s, TokenPath, withAssertion(l.assertion().sign())), http.StatusUnauthorized, "invalid_client")
	})
	t.Run("private address", func(t *testing.T) {
		l, published, s := start(t)
		refused(t, post(s, TokenPath, withAssertion(l.assertion().sign())), http.StatusUnauthorized, "invalid_client")
		require.Contains(t, l.log.String(), "private address")
		require.Zero(t, published.called(path))
		l.records.clients["key_a"].JWKSURL = strings.Replace(published.URL, "127.0.0.1", "localhost", 1) + path
		refused(t, post(s, TokenPath, withAssertion(l.assertion().sign())), http.StatusUnauthorized, "invalid_client")
		require.Zero(t, published.called(path))
	})
	t.Run("http", func(t *testing.T) {
		l, _, s := start(t, private)
		plain := newSite(t, httptest.NewServer)
		plain.showJSON(path, "", keySet(publicKey("ec-1", "ES384", ecKey.Public())))
		l.records.clients["key_a"].JWKSURL = plain.URL + path
		refused(t, post(s, TokenPath, withAssertion(l.assertion().sign())), http.StatusUnauthorized, "invalid_client")
		require.Zero(t, plain.called(path))
	})
	t.Run("redirect to another host", func(t *testing.T) {
		l, published, s := start(t, private)
		inner := newSite(t, httptest.NewTLSServer)
		inner.showJSON(path, "", keySet(publicKey("ec-1", "ES384", ecKey.Public())))
		published.show(path, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inner.URL+path, http.StatusFound) })
		refused(t, post(s, TokenPath, withAssertion(l.assertion().sign())), http.StatusUnauthorized, "invalid_client")
		require.Zero(t, inner.called(path))
		require.Contains(t, l.log.String(), "redirects")
		address := must(url.Parse(inner.URL))
		require.NotContains(t, l.log.String(), address.Host)
	})
	t.Run("gone", func(t *testing.T) {
		l, published, s := start(t, private)
		published.show(path, http.NotFound)
		refused(t, post(s, TokenPath, withAssertion(l.assertion().sign())), http.StatusUnauthorized, "invalid_client")
		require.Contains(t, l.log.String(), "status 404")
		published.showJSON(path, "", keySet(publicKey("ec-1", "ES384", ecKey.Public())))
		refused(t, post(s, TokenPath, withAssertion(l.assertion().sign())), http.StatusUnauthorized, "invalid_client")
		l.clock.pass(5 * time.Second)
		granted(t, post(s, TokenPath, withAssertion(l.assertion().sign())))
	})
}
