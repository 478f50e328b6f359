package upstream

import (
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
)

// TestJWTBearerGrant checks what Google's token endpoint wants (RFC 7523 section
// 2.1): the assertion is the grant, and says by itself who asks and for what.
func TestJWTBearerGrant(t *testing.T) {
	const account = "gateway@project.example"
	key := jose.JSONWebKey{Key: rsaKey().Public()}
	h := newHospital(t)
	forms := make(chan url.Values, 1)
	h.set(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		forms <- r.PostForm
		h.giveToken(w, r)
	}, nil)
	c := h.client(t, func(cfg *Config) {
		cfg.Auth = Auth{
			Kind: "jwt-bearer", TokenURL: h.URL + "/token", ClientID: account,
			Key: rsaPEM(t), KeyID: "k1", Alg: "RS256", Scope: []string{"one", "two"},
		}
	})
	resp, err := get(t, c, h.URL+"/fhir/Patient/1")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)

	form := <-forms
	require.Equal(t, "urn:ietf:params:oauth:grant-type:jwt-bearer", form.Get("grant_type"))
	require.Len(t, form, 2, "no client_id, secret or scope beside the assertion")
	token, err := jwt.ParseSigned(form.Get("assertion"), []jose.SignatureAlgorithm{jose.RS256})
	require.NoError(t, err)
	require.Equal(t, "k1", token.Headers[0].KeyID)
	var claims jwt.Claims
	var scoped struct {
		Scope string `json:"scope"`
	}
	require.NoError(t, token.Claims(key, &claims, &scoped), "the signature")
	require.Equal(t, "one two", scoped.Scope)
	require.NoError(t, claims.Validate(jwt.Expected{Issuer: account, AnyAudience: jwt.Audience{h.URL + "/token"}, Time: time.Now()}))
	require.Empty(t, claims.Subject, "a sub would ask for somebody else's rights")
	require.LessOrEqual(t, claims.Expiry.Time().Sub(claims.IssuedAt.Time()), time.Hour, "Google takes an hour at most")
}

func TestAJWTBearerGrantRefused(t *testing.T) {
	h := newHospital(t)
	h.set(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_grant","error_description":"canary"}`)
	}, nil)
	c := h.client(t, func(cfg *Config) {
		cfg.Auth = Auth{Kind: "jwt-bearer", TokenURL: h.URL + "/token", ClientID: "gateway", Key: rsaPEM(t), Alg: "RS256"}
	})
	_, err := get(t, c, h.URL+"/fhir/Patient/1")
	require.ErrorContains(t, refusal(t, err, http.StatusBadGateway), "invalid_grant")
	require.Zero(t, h.calls.Load())
}
