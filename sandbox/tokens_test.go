package sandbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
)

func TestAssertionsAreChecked(t *testing.T) {
	rsaKey, ecKey, stranger := rsaPair(t), ecPair(t), rsaPair(t)
	h := started(t, NewEpic(Options{Now: func() time.Time { return noon }, Keys: publicKeys(rsaKey, ecKey)}))
	cases := map[string]struct {
		key    keyPair
		alg    jose.SignatureAlgorithm
		change func(*jwt.Claims)
		want   int
	}{
		"good RS256":                {rsaKey, jose.RS256, nil, 200},
		"good RS384":                {rsaKey, jose.RS384, nil, 200},
		"good RS512":                {rsaKey, jose.RS512, nil, 200},
		"PS384":                     {rsaKey, jose.PS384, nil, 400},
		"ES384 without a JWKS URL":  {ecKey, jose.ES384, nil, 400},
		"key of somebody else":      {stranger, jose.RS384, nil, 400},
		"aud of somebody else":      {rsaKey, jose.RS384, func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://elsewhere.example/token"} }, 400},
		"aud is the FHIR base":      {rsaKey, jose.RS384, func(c *jwt.Claims) { c.Audience = jwt.Audience{h.BaseURL()} }, 400},
		"exp too far":               {rsaKey, jose.RS384, func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(noon.Add(301 * time.Second)) }, 400},
		"exp just right":            {rsaKey, jose.RS384, func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(noon.Add(300 * time.Second)) }, 200},
		"exp past":                  {rsaKey, jose.RS384, func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(noon) }, 400},
		"exp missing":               {rsaKey, jose.RS384, func(c *jwt.Claims) { c.Expiry = nil }, 400},
		"exp too long after iat":    {rsaKey, jose.RS384, func(c *jwt.Claims) { c.IssuedAt = jwt.NewNumericDate(noon.Add(-2 * time.Minute)) }, 400},
		"nbf ahead":                 {rsaKey, jose.RS384, func(c *jwt.Claims) { c.NotBefore = jwt.NewNumericDate(noon.Add(time.Minute)) }, 400},
		"iss is not the client":     {rsaKey, jose.RS384, func(c *jwt.Claims) { c.Issuer = "other" }, 400},
		"sub is not the client":     {rsaKey, jose.RS384, func(c *jwt.Claims) { c.Subject = "other" }, 400},
		"jti missing":               {rsaKey, jose.RS384, func(c *jwt.Claims) { c.ID = "" }, 400},
		"jti of 151 characters":     {rsaKey, jose.RS384, func(c *jwt.Claims) { c.ID = strings.Repeat("j", 151) }, 200},
		"jti of 152 characters":     {rsaKey, jose.RS384, func(c *jwt.Claims) { c.ID = strings.Repeat("j", 152) }, 400},
		"two audiences, one proper": {rsaKey, jose.RS384, func(c *jwt.Claims) { c.Audience = append(c.Audience, "https://elsewhere.example") }, 400},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			claims := goodClaims(h)
			if test.change != nil {
				test.change(&claims)
			}
			got := call(t, http.MethodPost, h.TokenURL(), assertionForm(test.key.sign(t, test.alg, claims), "system/*.read"), "Content-Type", formType)
			require.Equal(t, test.want, got.status, got.header.Get(reasonHeader))
			if test.want != http.StatusOK {
				require.Equal(t, "invalid_client", got.get("error").Str)
				return
			}
			require.EqualValues(t, 3600, got.get("expires_in").Int())
			require.Equal(t, strings.Join(pacsScopes(), " "), got.get("scope").Str, "the granted scope is what is registered, not what was asked for")
		})
	}
}

func TestAnAssertionWorksOnce(t *testing.T) {
	key := rsaPair(t)
	h := started(t, NewEpic(Options{Now: func() time.Time { return noon }, Keys: publicKeys(key)}))
	form := assertionForm(key.sign(t, jose.RS384, goodClaims(h)), "")
	require.Equal(t, 200, call(t, http.MethodPost, h.TokenURL(), form, "Content-Type", formType).status)
	again := call(t, http.MethodPost, h.TokenURL(), form, "Content-Type", formType)
	require.Equal(t, 400, again.status)
	require.Equal(t, "jti was used before", again.header.Get(reasonHeader))
}

func TestKeysByURL(t *testing.T) {
	first, second := ecPair(t), rsaPair(t)
	keys, fetches := publicKeys(first), 0
	jwks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches++
		_ = json.NewEncoder(w).Encode(keys)
	}))
	defer jwks.Close()
	h := started(t, NewEpic(Options{Now: func() time.Time { return noon }, KeysURL: jwks.URL}))
	ask := func(key keyPair, alg jose.SignatureAlgorithm) int {
		return call(t, http.MethodPost, h.TokenURL(), assertionForm(key.sign(t, alg, goodClaims(h)), ""), "Content-Type", formType).status
	}
	require.Equal(t, 200, ask(first, jose.ES384), "elliptic curves work with a URL")
	require.Equal(t, 200, ask(first, jose.ES384))
	require.Equal(t, 1, fetches, "known keys are not fetched again")
	require.Equal(t, 400, ask(second, jose.RS384))
	keys = publicKeys(first, second)
	require.Equal(t, 200, ask(second, jose.RS384), "an unknown key id is looked up again")

	redirecting := httptest.NewServer(http.RedirectHandler(jwks.URL, http.StatusFound))
	defer redirecting.Close()
	h = started(t, NewEpic(Options{Now: func() time.Time { return noon }, KeysURL: redirecting.URL}))
	require.Equal(t, 400, ask(first, jose.ES384), "a JWKS URL must not redirect")
}

func TestOracleTokens(t *testing.T) {
	key := ecPair(t)
	h := started(t, NewOracle(Options{Now: func() time.Time { return noon }, ClientSecret: "s3cret", Keys: publicKeys(key)}))
	basic := func(secret, scope string) answer {
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}.Encode()
		request, err := http.NewRequest(http.MethodPost, h.TokenURL(), strings.NewReader(form))
		require.NoError(t, err)
		request.SetBasicAuth("fhirgate", secret)
		return call(t, http.MethodPost, h.TokenURL(), form, "Content-Type", formType, "Authorization", request.Header.Get("Authorization"))
	}
	cases := map[string]struct {
		secret, scope string
		status        int
		code          string
	}{
		"good":              {"s3cret", "system/Patient.rs system/DocumentReference.cru", 200, ""},
		"good, older form":  {"s3cret", "system/Patient.read system/DocumentReference.write", 200, ""},
		"wrong secret":      {"wrong", "system/Patient.rs", 401, "invalid_client"},
		"no scope":          {"s3cret", "", 400, "invalid_scope"},
		"unknown scope":     {"s3cret", "system/Patients.read", 400, "invalid_scope"},
		"user scope":        {"s3cret", "user/Patient.read", 400, "invalid_scope"},
		"more than allowed": {"s3cret", "system/Patient.cruds", 400, "invalid_scope"},
		"write not allowed": {"s3cret", "system/Patient.write", 400, "invalid_scope"},
		"too many scopes":   {"s3cret", strings.Repeat("system/Patient.rs ", 26), 400, "invalid_scope"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			got := basic(test.secret, test.scope)
			require.Equal(t, test.status, got.status, got.header.Get(reasonHeader))
			require.Equal(t, test.code, got.get("error").Str)
			if test.status == http.StatusOK {
				require.EqualValues(t, 570, got.get("expires_in").Int())
				require.Equal(t, test.scope, got.get("scope").Str)
			}
		})
	}
	byKey := call(t, http.MethodPost, h.TokenURL(), assertionForm(key.sign(t, jose.ES384, goodClaims(h)), "system/Patient.rs"), "Content-Type", formType)
	require.Equal(t, 200, byKey.status, byKey.header.Get(reasonHeader))
	wrong := rsaPair(t)
	require.Equal(t, 401, call(t, http.MethodPost, h.TokenURL(), assertionForm(wrong.sign(t, jose.RS256, goodClaims(h)), "system/Patient.rs"), "Content-Type", formType).status)
	require.Equal(t, "unsupported_grant_type", call(t, http.MethodPost, h.TokenURL(), "grant_type=password", "Content-Type", formType).get("error").Str)
}

func TestHAPITokens(t *testing.T) {
	h := started(t, NewHAPI(Options{ClientSecret: "s3cret"}))
	ask := func(secret string) answer {
		return call(t, http.MethodPost, h.TokenURL(), "grant_type=client_credentials&client_id=fhirgate&client_secret="+secret, "Content-Type", formType)
	}
	require.Equal(t, 401, ask("wrong").status)
	require.Equal(t, 401, ask("").status)
	granted := ask("s3cret")
	require.Equal(t, 200, granted.status)
	read := h.BaseURL() + "/Patient/100000"
	refused := call(t, http.MethodGet, read, "")
	require.Equal(t, 401, refused.status)
	require.NotEmpty(t, refused.header.Get("WWW-Authenticate"))
	token := "Bearer " + granted.get("access_token").Str
	require.Equal(t, 200, call(t, http.MethodGet, read, "", "Authorization", token).status)
	h.RevokeTokens()
	require.Equal(t, 401, call(t, http.MethodGet, read, "", "Authorization", token).status)
}

func TestTokensExpire(t *testing.T) {
	now := noon
	desk := newTokenDesk(func() time.Time { return now }, time.Minute)
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Header.Set("Authorization", "Bearer "+desk.issue([]string{"system/Patient.rs"}))
	g, ok := desk.check(request)
	require.True(t, ok)
	require.True(t, g.allows("Patient", 's'))
	require.False(t, g.allows("Patient", 'c'))
	require.False(t, g.allows("Appointment", 'r'))
	now = now.Add(time.Minute)
	_, ok = desk.check(request)
	require.False(t, ok)
}
