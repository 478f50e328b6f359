package sandbox

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// noon is the clock of the tests.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func chicago(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("America/Chicago")
	require.NoError(t, err)
	return zone
}

// started runs a hospital until the test ends.
func started(t *testing.T, h *Hospital) *Hospital {
	t.Helper()
	require.NoError(t, h.Start("127.0.0.1:0"))
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) get(path string) gjson.Result { return gjson.GetBytes(a.body, path) }

// call sends one request. Header pairs follow the body.
func call(t *testing.T, method, target, body string, header ...string) answer {
	t.Helper()
	request, err := http.NewRequest(method, target, strings.NewReader(body))
	require.NoError(t, err)
	if body == "" {
		request.Body = http.NoBody
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, read}
}

// keyPair is a client's key.
type keyPair struct {
	private crypto.Signer
	id      string
}

func rsaPair(t *testing.T) keyPair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return keyPair{key, "rsa"}
}

func ecPair(t *testing.T) keyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	return keyPair{key, "ec"}
}

func publicKeys(pairs ...keyPair) jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, pair := range pairs {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: pair.private.Public(), KeyID: pair.id, Use: "sig"})
	}
	return set
}

// sign makes a client assertion.
func (k keyPair) sign(t *testing.T, alg jose.SignatureAlgorithm, claims jwt.Claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: k.private}, (&jose.SignerOptions{}).WithHeader("kid", k.id).WithType("JWT"))
	require.NoError(t, err)
	assertion, err := jwt.Signed(signer).Claims(claims).Serialize()
	require.NoError(t, err)
	return assertion
}

// goodClaims are those of an assertion that every vendor accepts.
func goodClaims(h *Hospital) jwt.Claims {
	return jwt.Claims{
		Issuer: "fhirgate", Subject: "fhirgate", Audience: jwt.Audience{h.TokenURL()}, ID: rand.Text(),
		Expiry: jwt.NewNumericDate(noon.Add(4 * time.Minute)), IssuedAt: jwt.NewNumericDate(noon),
	}
}

func assertionForm(assertion, scope string) string {
	form := url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType}, "client_assertion": {assertion}}
	if scope != "" {
		form.Set("scope", scope)
	}
	return form.Encode()
}

const formType = "application/x-www-form-urlencoded"

// epicHospital is a started Epic-like hospital with a token for it.
func epicHospital(t *testing.T, change func(*Options)) (*Hospital, string) {
	t.Helper()
	pair := rsaPair(t)
	options := Options{Now: func() time.Time { return noon }, TimeZone: chicago(t), Keys: publicKeys(pair), AcceptPDF: true}
	if change != nil {
		change(&options)
	}
	h := started(t, NewEpic(options))
	granted := call(t, http.MethodPost, h.TokenURL(), assertionForm(pair.sign(t, jose.RS384, goodClaims(h)), ""), "Content-Type", formType)
	require.Equal(t, http.StatusOK, granted.status, granted.header.Get(reasonHeader))
	return h, "Bearer " + granted.get("access_token").Str
}

// oracleHospital is a started Oracle-like hospital with a token for all that it registered.
func oracleHospital(t *testing.T, change func(*Options)) (*Hospital, string) {
	t.Helper()
	options := Options{Now: func() time.Time { return noon }, TimeZone: chicago(t), ClientSecret: "s3cret"}
	if change != nil {
		change(&options)
	}
	h := started(t, NewOracle(options))
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {strings.Join(pacsScopes(), " ")}}
	request, err := http.NewRequest(http.MethodPost, h.TokenURL(), strings.NewReader(form.Encode()))
	require.NoError(t, err)
	request.SetBasicAuth("fhirgate", "s3cret")
	request.Header.Set("Content-Type", formType)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var granted struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&granted))
	require.Equal(t, 570, granted.ExpiresIn)
	return h, "Bearer " + granted.AccessToken
}

// hapiHospital is a started, open HAPI-like hospital.
func hapiHospital(t *testing.T) *Hospital {
	t.Helper()
	return started(t, NewHAPI(Options{Now: func() time.Time { return noon }, TimeZone: chicago(t), Open: true}))
}

// compact removes insignificant space, keeping numbers as they are.
func compact(t *testing.T, raw []byte) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Compact(&b, raw))
	return b.String()
}
