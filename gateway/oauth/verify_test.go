package oauth

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/upstream/jwks"
)

// own returns a token of ours, for a test to bend before it is signed with our
// own key.
func (l *lab) own(s *Server) *assertion {
	l.token(s, "") // makes the ring
	key := must(s.keys.rings.Signer(ringName).SigningKey(l.t.Context())).Key.(jose.JSONWebKey)
	now := l.clock.Now()
	return &assertion{
		alg: jose.ES384, key: key.Key,
		header: map[string]any{"kid": key.KeyID, "typ": "at+jwt"},
		claims: map[string]any{
			"iss": issuer, "sub": "key_a", "client_id": "key_a", "aud": base, "jti": rand.Text(), "scope": "system/Patient.rs",
			"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		},
	}
}

func TestOwnTokensThatAreRefused(t *testing.T) {
	in := func(l *lab, d time.Duration) int64 { return l.clock.Now().Add(d).Unix() }
	set := func(name string, value any) func(*lab, *Server, *assertion) {
		return func(_ *lab, _ *Server, a *assertion) { a.claims[name] = value }
	}
	without := func(name string) func(*lab, *Server, *assertion) {
		return func(_ *lab, _ *Server, a *assertion) { delete(a.claims, name) }
	}
	head := func(name string, value any) func(*lab, *Server, *assertion) {
		return func(_ *lab, _ *Server, a *assertion) { a.header[name] = value }
	}
	for _, c := range []struct {
		name   string
		bend   func(*lab, *Server, *assertion)
		reason string
	}{
		{"of another key", func(_ *lab, _ *Server, a *assertion) { a.key = otherKey }, "no key in use"},
		{"with a key of its own", func(_ *lab, _ *Server, a *assertion) {
			a.key, a.header["jwk"] = otherKey, publicKey(a.header["kid"].(string), "ES384", otherKey.Public())
		}, "no key in use"},
		{"with the place of its key", func(_ *lab, _ *Server, a *assertion) {
			a.key, a.header["jku"], a.header["x5u"] = otherKey, "https://attacker.example/k", "https://attacker.example/c"
		}, "no key in use"},
		{"of the client's key", func(_ *lab, _ *Server, a *assertion) { a.key, a.header["kid"] = ecKey, "ec-1" }, "no key in use"},
		{"foreign kid", head("kid", "x"), "no key in use"},
		{"no kid", func(_ *lab, _ *Server, a *assertion) { delete(a.header, "kid") }, "not an access token"},
		{"HS256 with the public key", func(_ *lab, _ *Server, a *assertion) {
			der := must(x509.MarshalPKIXPublicKey(ecKey.Public()))
			a.alg, a.key = jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		}, "algorithm in use"},
		{"HS384 with the key set", func(l *lab, s *Server, a *assertion) {
			data, _, _ := s.keys.rings.Set(l.t.Context(), ringName)
			a.alg, a.key = jose.HS384, data
		}, "algorithm in use"},
		{"RS384", func(_ *lab, _ *Server, a *assertion) { a.alg, a.key = jose.RS384, rsaKey }, "algorithm in use"},
		{"typ JWT", head("typ", "JWT"), "not an access token"},
		{"no typ", func(_ *lab, _ *Server, a *assertion) { delete(a.header, "typ") }, "not an access token"},
		{"critical extension", head("crit", []string{"b64"}), "critical"},
		{"foreign iss", set("iss", "https://other.example"), "issuer is not configured"},
		{"no iss", without("iss"), "issuer is not configured"},
		{"iss with a slash", set("iss", issuer+"/"), "issuer is not configured"},
		{"foreign aud", set("aud", "https://other.example/fhir"), "aud"},
		{"aud of one hospital", set("aud", base+"/st-mary"), "aud"},
		{"aud of an assertion", set("aud", tokenURL), "aud"},
		{"no aud", without("aud"), "aud"},
		{"foreign sub", set("sub", "key_b"), "lacks a claim"},
		{"no client", without("client_id"), "lacks a claim"},
		{"no jti", without("jti"), "lacks a claim"},
		{"no exp", without("exp"), "no exp"},
		{"exp is text", set("exp", "never"), "right types"},
		{"scope is a list", set("scope", []string{"system/*.rs"}), "right types"},
		{"expired", func(l *lab, _ *Server, a *assertion) { a.claims["exp"] = in(l, -31*time.Second) }, "expired"},
		{"not yet", func(l *lab, _ *Server, a *assertion) { a.claims["nbf"] = in(l, time.Minute) }, "nbf"},
		{"made in the future", func(l *lab, _ *Server, a *assertion) { a.claims["iat"] = in(l, time.Minute) }, "iat"},
		{"larger than 16 KiB", set("x", strings.Repeat("x", 16<<10)), "16 KiB"},
		{"revoked", func(l *lab, _ *Server, a *assertion) {
			l.records.revoked[a.claims["jti"].(string)] = l.clock.Now()
		}, "revoked"},
		{"the client is unknown", func(l *lab, _ *Server, _ *assertion) { delete(l.records.clients, "key_a") }, "unknown"},
		{"the record has expired", func(l *lab, _ *Server, _ *assertion) { l.records.clients["key_a"].Expires = l.clock.Now() }, "expired"},
		{"the key was retired", func(l *lab, s *Server, a *assertion) {
			_, err := s.keys.rings.Retire(l.t.Context(), ringName, a.header["kid"].(string), true)
			require.NoError(l.t, err)
		}, "no key in use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			s := l.server()
			a := l.own(s)
			_, _, err := s.Verify(t.Context(), a.sign())
			require.NoError(t, err)
			c.bend(l, s, a)
			consumer, _, err := s.Verify(t.Context(), a.sign())
			require.ErrorIs(t, err, facade.ErrUnknownKey)
			require.ErrorContains(t, err, c.reason)
			require.Equal(t, strings.Contains(c.reason, "expired") || c.reason == "revoked", errors.Is(err, facade.ErrEnded), "it was good once, and is no guess")
			require.Nil(t, consumer)
		})
	}
	l := newLab(t)
	s := l.server()
	a := l.own(s)
	good := a.sign()
	for name, text := range map[string]string{
		"empty":        "",
		"an API key":   secret,
		"alg none":     unsigned(map[string]any{"alg": "none", "typ": "at+jwt", "kid": a.header["kid"]}, a.claims, ""),
		"no signature": good[:strings.LastIndex(good, ".")+1],
		"padding":      good + "=",
		"spaces":       good + " ",
		"line end":     good + "\n",
		"line within":  good[:20] + "\r\n" + good[20:],
		"twice":        good + "." + good,
		"iss twice":    strings.Replace(good, strings.Split(good, ".")[1], base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+issuer+`","iss":"`+issuer+`"}`)), 1),
		"iss in other letters": strings.Replace(good, strings.Split(good, ".")[1],
			base64.RawURLEncoding.EncodeToString([]byte(`{"ISS":"`+issuer+`"}`)), 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := s.Verify(t.Context(), text)
			require.ErrorIs(t, err, facade.ErrUnknownKey)
		})
	}
}

// TestTheRecordCounts has a token tell more than the record: it says nothing of
// the plan, and what it says of people counts for nothing.
func TestTheRecordCounts(t *testing.T) {
	l := newLab(t)
	s := l.server()
	a := l.own(s)
	a.claims["plan"], a.claims["fhirUser"], a.claims["patient"], a.claims["azp"] = "all", "Practitioner/1", "1", "key_b"
	a.claims["hospitals"] = []string{"lakeside"}
	l.records.clients["key_a"].PlanID = "day"
	l.records.clients["key_a"].Hospitals = []string{"harbor"}
	consumer, _, err := s.Verify(t.Context(), a.sign())
	require.NoError(t, err)
	require.Equal(t, "day", consumer.PlanID)
	require.Equal(t, "key_a", consumer.KeyID)
	require.Equal(t, []string{"harbor"}, consumer.Hospitals)
	require.Empty(t, consumer.User+consumer.Patient+consumer.PatientHospital)
}

// TestNoRing verifies before any token was issued.
func TestNoRing(t *testing.T) {
	l := newLab(t)
	a := l.own(l.server())
	l.redis.FlushAll()
	_, _, err := l.server().Verify(t.Context(), a.sign())
	require.ErrorIs(t, err, facade.ErrUnknownKey)
}

// TestTokensWithoutScope permit nothing.
func TestTokensWithoutScope(t *testing.T) {
	l := newLab(t)
	s := l.server()
	a := l.own(s)
	delete(a.claims, "scope")
	consumer, _, err := s.Verify(t.Context(), a.sign())
	require.NoError(t, err)
	require.NotNil(t, consumer.Scopes)
	require.Empty(t, consumer.Scopes.Strings())
}

func TestRevocation(t *testing.T) {
	l := newLab(t)
	other := *l.records.clients["key_a"]
	other.KeyID = "key_c"
	l.records.clients["key_c"] = &other
	s := l.server()
	token := l.token(s, "")
	revoke := func(client, token string) int {
		return post(s, RevokePath, credentialsForm("token", token, "token_type_hint", "access_token"), basicAuth(client, secret)).Code
	}
	works := func() bool {
		_, _, err := s.Verify(t.Context(), token)
		return err == nil
	}
	refused(t, post(s, RevokePath, credentialsForm("token", token)), http.StatusUnauthorized, "invalid_client")
	refused(t, post(s, RevokePath, credentialsForm(), basicAuth("key_a", secret)), http.StatusBadRequest, "invalid_request")
	refused(t, post(s, RevokePath, credentialsForm("token", token), basicAuth("key_c", secret)), http.StatusBadRequest, "unauthorized_client")
	for _, unknown := range []string{"x", token + "x", secret, unsigned(map[string]any{"alg": "none"}, map[string]any{"iss": issuer}, "")} {
		require.Equal(t, http.StatusOK, revoke("key_a", unknown))
	}
	require.True(t, works())

	w := post(s, RevokePath, withAssertion(l.assertion().sign(), "token", token))
	require.Equal(t, http.StatusOK, w.Code)
	require.Empty(t, w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.False(t, works())
	require.Len(t, l.records.revoked, 1)
	for _, until := range l.records.revoked {
		require.Equal(t, l.clock.Now().Add(5*time.Minute+skew).Unix(), until.Unix(), "for as long as it would count")
	}
	require.Equal(t, http.StatusOK, revoke("key_a", token), "again")

	token = l.token(s, "")
	require.Equal(t, http.StatusOK, revoke("key_a", token))
	require.False(t, works())
	l.clock.pass(time.Hour)
	require.Equal(t, http.StatusOK, revoke("key_a", token), "it has expired")
}

func TestAFirstTokenOnTwoNodes(t *testing.T) {
	l := newLab(t)
	nodes := []*Server{l.server(), l.server()}
	for _, s := range nodes { // both have seen that there is no ring
		_, _, err := s.Verify(t.Context(), unsigned(map[string]any{"alg": "ES384", "typ": "at+jwt", "kid": "x"}, map[string]any{"iss": issuer}, "AAAA"))
		require.ErrorIs(t, err, facade.ErrUnknownKey)
	}
	tokens := make(chan string)
	for i := range 8 {
		go func() {
			_, body, _ := strings.Cut(post(nodes[i%2], TokenPath, credentialsForm(), basicAuth("key_a", secret)).Body.String(), `"access_token":"`)
			token, _, _ := strings.Cut(body, `"`)
			tokens <- token
		}()
	}
	for range 8 {
		token := <-tokens
		for _, s := range nodes {
			_, _, err := s.Verify(t.Context(), token)
			require.NoError(t, err)
		}
	}
	require.Len(t, kids(t, nodes[0]), 1)
	require.Equal(t, kids(t, nodes[0]), kids(t, nodes[1]))
}

// kids returns those of the published keys.
func kids(t *testing.T, s *Server) []string {
	t.Helper()
	w := get(s, KeysPath)
	require.Equal(t, http.StatusOK, w.Code)
	require.NotContains(t, w.Body.String(), `"d"`)
	var set jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &set))
	list := []string{}
	for _, key := range set.Keys {
		require.True(t, key.IsPublic())
		require.Equal(t, []string{"sig", "ES384"}, []string{key.Use, key.Algorithm})
		list = append(list, key.KeyID)
	}
	return list
}

// TestKeyRotation goes through a rotation: the next key is published before it
// signs, and the old one for as long as its tokens live.
func TestKeyRotation(t *testing.T) {
	l := newLab(t)
	first, second := l.server(), l.server()
	kidOf := func(token string) string {
		return must(jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES384})).Signatures[0].Header.KeyID
	}
	old := kidOf(l.token(first, ""))
	require.Equal(t, []string{old}, kids(t, second))

	l.clock.pass(signingAge - time.Minute)
	require.Equal(t, old, kidOf(l.token(first, "")))
	require.Equal(t, []string{old}, kids(t, second), "not yet")

	l.clock.pass(2 * time.Minute)
	require.Equal(t, old, kidOf(l.token(first, "")), "the next one is only published")
	l.clock.pass(time.Second)
	published := kids(t, second)
	require.Len(t, published, 2)
	next := published[1]
	require.Equal(t, old, kidOf(l.token(second, "")))
	require.Len(t, kids(t, first), 2, "one rotation at a time")

	l.clock.pass(9*time.Minute + 50*time.Second)
	last := l.token(first, "")
	require.Equal(t, old, kidOf(last))
	l.clock.pass(15 * time.Second)
	for _, s := range []*Server{first, second} {
		require.Equal(t, next, kidOf(l.token(s, "")))
		_, _, err := s.Verify(t.Context(), last)
		require.NoError(t, err)
	}
	l.clock.pass(10 * time.Minute)
	require.Equal(t, []string{next}, kids(t, first))
	require.Equal(t, []string{next}, kids(t, second))
	require.Equal(t, next, kidOf(l.token(first, "")))
}

// TestTokenKeysAreApart looks for the token keys in the set that hospitals see.
func TestTokenKeysAreApart(t *testing.T) {
	l := newLab(t)
	s := l.server()
	l.token(s, "")
	hospitals := must(jwks.Open(jwks.Options{Redis: s.used.redis, SealKeys: l.seal, Now: l.clock.Now}))
	data, _, err := hospitals.Set(t.Context(), "")
	require.NoError(t, err)
	require.JSONEq(t, `{"keys":[]}`, string(data))
}

// FuzzVerify changes good tokens. A text that verifies is the very token.
func FuzzVerify(f *testing.F) {
	l := newLab(f)
	outside := newProviderLab(f, l)
	s := l.server(outside.configure())
	good := []string{l.own(s).sign(), outside.token().sign()}
	for i := range good {
		f.Add(i, 0, 0, "")
		f.Add(i, 10, 1, "A")
		f.Add(i, len(good[i])-1, 1, "B")
		f.Add(i, strings.Index(good[i], ".")-1, 1, "_")
		f.Add(i, 0, len(good[i]), unsigned(map[string]any{"alg": "none"}, map[string]any{"iss": issuer}, ""))
		f.Add(i, len(good[i]), 0, "=")
		f.Add(i, 5, 0, "\n")
	}
	f.Fuzz(func(t *testing.T, which, at, length int, text string) {
		token := good[uint(which)%uint(len(good))]
		at = int(uint(at) % uint(len(token)+1))
		length = int(uint(length) % uint(len(token)-at+1))
		changed := token[:at] + text + token[at+length:]
		consumer, _, err := s.Verify(t.Context(), changed)
		if slices.Contains(good, changed) {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, facade.ErrUnknownKey)
		require.Nil(t, consumer)
	})
}
