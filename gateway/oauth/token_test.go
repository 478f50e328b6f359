package oauth

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
)

func TestThreeWaysToAToken(t *testing.T) {
	l := newLab(t)
	s := l.server()
	rs := l.assertion()
	rs.alg, rs.key, rs.header["kid"], rs.claims["aud"] = jose.RS384, rsaKey, "rsa-1", issuer
	for name, w := range map[string]*httptest.ResponseRecorder{
		"client_secret_basic":                        post(s, TokenPath, credentialsForm(), basicAuth("key_a", secret)),
		"client_secret_basic, client_id in the form": post(s, TokenPath, credentialsForm("client_id", "key_a"), basicAuth("key_a", secret)),
		"client_secret_post":                         post(s, TokenPath, credentialsForm("client_id", "key_a", "client_secret", secret)),
		"private_key_jwt, ES384":                     post(s, TokenPath, withAssertion(l.assertion().sign())),
		"private_key_jwt, RS384, for the issuer":     post(s, TokenPath, withAssertion(rs.sign(), "client_id", "key_a")),
		"parameters without a value do not count":    post(s, TokenPath, credentialsForm("client_secret", "", "scope", "", "client_assertion", ""), basicAuth("key_a", secret)),
	} {
		t.Run(name, func(t *testing.T) {
			token, scope := granted(t, w)
			require.Equal(t, "system/*.rs system/DocumentReference.cru", scope, "the plan's, without those of people")
			require.NotEmpty(t, w.Header().Get("X-Request-Id"))
			consumer, until, err := s.Verify(t.Context(), token)
			require.NoError(t, err)
			require.Equal(t, l.clock.Now().Truncate(time.Second).Add(5*time.Minute).UTC(), until.UTC())
			require.Equal(t, facade.WayToken, consumer.Way)
			require.Equal(t, []string{"key_a", "night", "Night shift"}, []string{consumer.KeyID, consumer.PlanID, consumer.Name})
			require.Equal(t, strings.Fields(scope), consumer.Scopes.Strings())
			require.Empty(t, consumer.User+consumer.Patient+consumer.PatientHospital)
		})
	}
	require.Zero(t, l.failed.Load())
}

func TestTheToken(t *testing.T) {
	l := newLab(t)
	s := l.server()
	token, err := jwt.ParseSigned(l.token(s, "system/Patient.r"), []jose.SignatureAlgorithm{jose.ES384})
	require.NoError(t, err)
	require.Equal(t, "at+jwt", token.Headers[0].ExtraHeaders["typ"])
	require.NotEmpty(t, token.Headers[0].KeyID)
	var claims map[string]any
	require.NoError(t, token.UnsafeClaimsWithoutVerification(&claims))
	now := l.clock.Now().Unix()
	require.Len(t, claims["jti"], 26)
	delete(claims, "jti")
	require.Equal(t, map[string]any{
		"iss": issuer, "sub": "key_a", "client_id": "key_a", "aud": base, "scope": "system/Patient.r",
		"iat": float64(now), "exp": float64(now + 300),
	}, claims)
}

// conditions returns n scopes, each with a condition.
func conditions(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("system/Observation.rs?code=c%d", i)
	}
	return strings.Join(list, " ")
}

func TestScopes(t *testing.T) {
	for _, c := range []struct{ name, asked, want string }{ // want "" = invalid_scope
		{"version 2", "system/Patient.rs", "system/Patient.rs"},
		{"version 1", "system/Patient.read", "system/Patient.rs"},
		{"less than asked for", "system/Patient.cruds system/DocumentReference.c", "system/Patient.rs system/DocumentReference.c"},
		{"unknown ones are left out", "openid fhirUser system/Patient.r launch/patient", "system/Patient.r"},
		{"of a person", "user/Patient.rs", ""},
		{"of a patient", "patient/Patient.rs", ""},
		{"of a person besides", "user/Patient.rs system/Patient.s", "system/Patient.s"},
		{"beyond the plan", "system/Patient.cud", ""},
		{"constrained", "system/Observation.rs?category=laboratory", "system/Observation.rs?category=laboratory"},
		{"unknown type", "system/Nothing.rs", ""},
		{"nonsense", "*", ""},
		{"blank", " ", ""},
		{"many conditions", "system/Patient.r " + conditions(maxConditions), "system/Patient.r " + conditions(maxConditions)},
		{"too many conditions", conditions(maxConditions + 1), ""},
		{"too long", strings.Repeat("system/Patient.rs ", 500), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			w := post(l.server(), TokenPath, credentialsForm("scope", c.asked), basicAuth("key_a", secret))
			if c.want == "" {
				refused(t, w, http.StatusBadRequest, "invalid_scope")
				return
			}
			_, scope := granted(t, w)
			require.Equal(t, c.want, scope)
		})
	}
}

func TestScopesOfAPlan(t *testing.T) {
	l := newLab(t)
	l.plan = []string{"user/*.rs"}
	s := l.server()
	refused(t, post(s, TokenPath, credentialsForm(), basicAuth("key_a", secret)), http.StatusBadRequest, "invalid_scope")

	l.plan = []string{"system/Patient.rs"}
	for range 800 {
		l.plan = append(l.plan, "system/Observation.rs?category="+strings.Repeat("x", 10)+string(rune('a'+len(l.plan)%26))+strings.Repeat("y", len(l.plan)/26))
	}
	refused(t, post(s, TokenPath, credentialsForm(), basicAuth("key_a", secret)), http.StatusBadRequest, "invalid_scope")
	_, scope := granted(t, post(s, TokenPath, credentialsForm("scope", "system/Patient.r"), basicAuth("key_a", secret)))
	require.Equal(t, "system/Patient.r", scope)

	l.records.clients["key_a"].PlanID = "gone"
	refused(t, post(s, TokenPath, credentialsForm(), basicAuth("key_a", secret)), http.StatusBadRequest, "unauthorized_client")
}

func TestRequestsThatAreRefused(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	target := func(target string) func(*http.Request) {
		return func(r *http.Request) { r.URL, _ = url.Parse(target) }
	}
	for _, c := range []struct {
		name   string
		form   url.Values
		change func(*http.Request)
		status int
		code   string
	}{
		{"no grant", url.Values{}, basicAuth("key_a", secret), 400, "invalid_request"},
		{"another grant", credentialsForm("grant_type", "password"), basicAuth("key_a", secret), 400, "unsupported_grant_type"},
		{"authorization code", credentialsForm("grant_type", "authorization_code"), basicAuth("key_a", secret), 400, "unsupported_grant_type"},
		{"a parameter twice", url.Values{"grant_type": {"client_credentials", "client_credentials"}}, basicAuth("key_a", secret), 400, "invalid_request"},
		{"an unknown parameter twice", url.Values{"grant_type": {"client_credentials"}, "x": {"1", "2"}}, basicAuth("key_a", secret), 400, "invalid_request"},
		{"no credentials", credentialsForm(), nil, 401, "invalid_client"},
		{"an id only", credentialsForm("client_id", "key_a"), nil, 401, "invalid_client"},
		{"a secret without an id", credentialsForm("client_secret", secret), nil, 400, "invalid_request"},
		{"wrong secret", credentialsForm(), basicAuth("key_a", "wrong"), 401, "invalid_client"},
		{"unknown client", credentialsForm(), basicAuth("key_b", secret), 401, "invalid_client"},
		{"wrong secret in the form", credentialsForm("client_id", "key_a", "client_secret", "wrong"), nil, 401, "invalid_client"},
		{"empty secret", credentialsForm(), basicAuth("key_a", ""), 401, "invalid_client"},
		{"empty id", credentialsForm(), basicAuth("", secret), 401, "invalid_client"},
		{"long secret", credentialsForm(), basicAuth("key_a", strings.Repeat("x", 257)), 401, "invalid_client"},
		{"secret not encoded as in forms", credentialsForm(), func(r *http.Request) { r.SetBasicAuth("key_a", secret) }, 401, "invalid_client"},
		{"another scheme", credentialsForm(), header("Authorization", "Bearer "+secret), 401, "invalid_client"},
		{"broken Basic", credentialsForm(), header("Authorization", "Basic ###"), 401, "invalid_client"},
		{"Basic and secret", credentialsForm("client_id", "key_a", "client_secret", secret), basicAuth("key_a", secret), 400, "invalid_request"},
		{"Basic and assertion", withAssertion("x"), basicAuth("key_a", secret), 400, "invalid_request"},
		{"secret and assertion", withAssertion("x", "client_id", "key_a", "client_secret", secret), nil, 400, "invalid_request"},
		{"two headers", credentialsForm(), func(r *http.Request) {
			r.Header["Authorization"] = []string{"Basic a2V5X2E6eA==", "Basic a2V5X2E6eA=="}
		}, 400, "invalid_request"},
		{"another id in the form", credentialsForm("client_id", "key_b"), basicAuth("key_a", secret), 400, "invalid_request"},
		{"secret in the URL", credentialsForm(), target("/oauth/token?client_id=key_a&client_secret=x"), 400, "invalid_request"},
		{"assertion in the URL", credentialsForm(), target("/oauth/token?client_assertion=x"), 400, "invalid_request"},
		{"a question mark", credentialsForm(), target("/oauth/token?"), 400, "invalid_request"},
		{"JSON", credentialsForm(), header("Content-Type", "application/json"), 400, "invalid_request"},
		{"no media type", credentialsForm(), header("Content-Type", ""), 400, "invalid_request"},
		{"semicolons", nil, func(r *http.Request) { r.Body = body("grant_type=client_credentials;a=b") }, 400, "invalid_request"},
		{"broken escape", nil, func(r *http.Request) { r.Body = body("grant_type=%zz") }, 400, "invalid_request"},
		{"64 KiB", credentialsForm("x", strings.Repeat("x", 64<<10)), basicAuth("key_a", secret), 400, "invalid_request"},
		{"assertion without its type", credentialsForm("client_assertion", "x"), nil, 400, "invalid_request"},
		{"assertion of another type", credentialsForm("client_assertion", "x", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), nil, 400, "invalid_request"},
		{"type without an assertion", credentialsForm("client_assertion_type", assertionType), nil, 400, "invalid_request"},
		{"GET", nil, func(r *http.Request) { r.Method = http.MethodGet }, 405, "invalid_request"},
		{"another path", nil, target("/oauth/authorize"), 404, "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			if c.change == nil {
				c.change = func(*http.Request) {}
			}
			w := post(l.server(), TokenPath, c.form, c.change)
			refused(t, w, c.status, c.code)
			require.NotContains(t, l.log.String()+w.Body.String(), secret)
			require.Equal(t, c.status == http.StatusMethodNotAllowed, w.Header().Get("Allow") == "POST")
		})
	}
}

// TestNothingIsLearned compares the answers to guesses.
func TestNothingIsLearned(t *testing.T) {
	l := newLab(t)
	l.records.clients["key_old"] = &Client{KeyID: "key_old", PlanID: "night", Expires: l.clock.Now()}
	l.records.clients["key_far"] = &Client{KeyID: "key_far", PlanID: "night", AllowFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	s := l.server()
	unknown, foreign, noKeys := l.assertion(), l.assertion(), l.assertion()
	unknown.claims["iss"], unknown.claims["sub"] = "key_b", "key_b"
	noKeys.claims["iss"], noKeys.claims["sub"] = "key_old", "key_old"
	foreign.key = otherKey
	var answers []string
	for _, w := range []*httptest.ResponseRecorder{
		post(s, TokenPath, credentialsForm(), basicAuth("key_b", secret)),
		post(s, TokenPath, credentialsForm(), basicAuth("key_a", "wrong")),
		post(s, TokenPath, credentialsForm(), basicAuth("key_old", secret)),
		post(s, TokenPath, credentialsForm(), basicAuth("key_far", secret)),
		post(s, TokenPath, withAssertion(unknown.sign())),
		post(s, TokenPath, withAssertion(foreign.sign())),
		post(s, TokenPath, withAssertion(noKeys.sign())),
	} {
		refused(t, w, http.StatusUnauthorized, "invalid_client")
		w.Header().Del("X-Request-Id")
		answers = append(answers, w.Body.String()+w.Header().Get("WWW-Authenticate"))
	}
	for _, other := range answers {
		require.Equal(t, answers[0], other)
	}
	require.Equal(t, []string{"key_b", "key_a", "key_old", "key_far"}, l.records.asked, "an unknown client's secret is checked, too")
	require.Contains(t, l.log.String(), "the record has expired", "the log tells")
	require.Contains(t, l.log.String(), "may not be used from this address")
	require.NotContains(t, l.log.String(), "key_b", "what is no record's id is not logged")
}

func TestTheRecordBoundsTheToken(t *testing.T) {
	l := newLab(t)
	client := l.records.clients["key_a"]
	client.Expires = l.clock.Now().Add(90 * time.Second)
	client.AllowFrom = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	s := l.server(func(o *Options) { o.Life = 2 * time.Minute })
	w := post(s, TokenPath, credentialsForm(), basicAuth("key_a", secret))
	token, _ := granted(t, w)
	require.Contains(t, w.Body.String(), `"expires_in":90`)
	consumer, _, err := s.Verify(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, client.AllowFrom, consumer.AllowFrom)

	client.Expires = l.clock.Now().Add(time.Minute)
	consumer, until, err := s.Verify(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, client.Expires, consumer.Expires, "the record's end is the earlier one")
	require.True(t, until.After(client.Expires), "and the token's own is told besides")

	client.Expires = time.Time{}
	require.Contains(t, post(s, TokenPath, credentialsForm(), basicAuth("key_a", secret)).Body.String(), `"expires_in":120`)

	w = post(s, TokenPath, credentialsForm(), basicAuth("key_a", secret), func(r *http.Request) { r.RemoteAddr = "[::ffff:192.0.2.9]:1234" })
	granted(t, w)
}

func TestWithoutTheStore(t *testing.T) {
	t.Run("clients", func(t *testing.T) {
		l := newLab(t)
		s := l.server()
		token := l.token(s, "")
		l.records.err = errStore
		refused(t, post(s, TokenPath, credentialsForm(), basicAuth("key_a", secret)), 503, "temporarily_unavailable")
		refused(t, post(s, TokenPath, withAssertion(l.assertion().sign())), 503, "temporarily_unavailable")
		_, _, err := s.Verify(t.Context(), token)
		require.ErrorIs(t, err, errStore)
		require.NotErrorIs(t, err, facade.ErrUnknownKey)
		require.Zero(t, l.failed.Load(), "nobody has guessed")
	})
	t.Run("Redis", func(t *testing.T) {
		l := newLab(t)
		s := l.server()
		token := l.token(s, "")
		l.redis.SetError("down")
		refused(t, post(s, TokenPath, withAssertion(l.assertion().sign())), 503, "temporarily_unavailable")
		l.clock.pass(time.Hour)
		for _, path := range []string{TokenPath, RevokePath} {
			refused(t, post(s, path, credentialsForm("token", token), basicAuth("key_a", secret)), 503, "temporarily_unavailable")
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, KeysPath, nil))
		refused(t, w, 503, "temporarily_unavailable")
		_, _, err := s.Verify(t.Context(), token)
		require.Error(t, err)
		require.NotErrorIs(t, err, facade.ErrUnknownKey)
	})
}

func TestGuessingIsSlowed(t *testing.T) {
	l := newLab(t)
	s := l.server()
	foreign := l.assertion()
	foreign.key = otherKey
	post(s, TokenPath, withAssertion(foreign.sign()))
	require.EqualValues(t, 1, l.failed.Load())

	l.slowed = 1500 * time.Millisecond
	w := post(s, TokenPath, withAssertion(l.assertion().sign()))
	refused(t, w, http.StatusTooManyRequests, "temporarily_unavailable")
	require.Equal(t, "2", w.Header().Get("Retry-After"))

	l.records.slowed = true
	w = post(s, TokenPath, credentialsForm(), basicAuth("key_a", secret))
	refused(t, w, http.StatusTooManyRequests, "temporarily_unavailable")
	require.EqualValues(t, 1, l.failed.Load())
}

func TestOptions(t *testing.T) {
	l := newLab(t)
	for name, change := range map[string]func(*Options){
		"life too long":  func(o *Options) { o.Life = 301 * time.Second },
		"life too short": func(o *Options) { o.Life = time.Millisecond },
		"no public URL":  func(o *Options) { o.PublicURL = "" },
		"seal keys":      func(o *Options) { o.SealKeys = jose.JSONWebKeySet{} },
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{PublicURL: issuer, SealKeys: l.seal}
			change(&o)
			_, err := New(o)
			require.Error(t, err)
		})
	}
}
