package upstream

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTwoHundredCallsShareOneToken(t *testing.T) {
	h := newHospital(t)
	h.set(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond) // so that all of them come meanwhile
		h.giveToken(w, r)
	}, nil)
	c := h.client(t, nil)
	var group sync.WaitGroup
	errs := make(chan error, 200)
	for range 200 {
		group.Go(func() {
			resp, err := get(t, c, h.URL+"/fhir/Patient/1")
			if err == nil && resp.StatusCode != http.StatusOK {
				t.Errorf("status %d", resp.StatusCode)
			}
			errs <- err
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, h.tokens.Load())
	require.EqualValues(t, 200, h.calls.Load())
}

func TestATokenIsRenewedBeforeItEnds(t *testing.T) {
	for name, expires := range map[string]string{"number": `40`, "string": `"40"`, "fraction": `40.0`} {
		t.Run(name, func(t *testing.T) {
			a := tokenAnswer{ExpiresIn: []byte(expires)}
			require.Equal(t, 40*time.Second, a.life())
		})
	}
	for name, expires := range map[string]string{"none": ``, "null": `null`, "zero": `0`, "negative": `-1`, "text": `"soon"`} {
		t.Run(name, func(t *testing.T) {
			a := tokenAnswer{ExpiresIn: []byte(expires)}
			require.Equal(t, lifeWithoutExpiry, a.life())
		})
	}
	a := tokenAnswer{ExpiresIn: []byte("9223372036854775807")}
	require.Equal(t, maxLife, a.life())

	h := newHospital(t)
	h.set(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"token-short","token_type":"bearer","expires_in":"1"}`)
	}, func(http.ResponseWriter, *http.Request) {})
	c := h.client(t, nil)
	for range 3 {
		_, err := get(t, c, h.URL+"/fhir/Patient/1")
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, h.tokens.Load(), "while it works it is kept")
	time.Sleep(800 * time.Millisecond)
	_, err := get(t, c, h.URL+"/fhir/Patient/1")
	require.NoError(t, err)
	require.EqualValues(t, 2, h.tokens.Load(), "a quarter of a second before its end it is not used any more")
}

func TestARefusedTokenIsReplacedOnce(t *testing.T) {
	h := newHospital(t)
	c := h.client(t, nil)
	target := h.URL + "/fhir/Patient"
	_, err := get(t, c, target)
	require.NoError(t, err)

	h.revoke()
	resp, err := do(t.Context(), t, c, http.MethodPost, target, strings.NewReader("the body"))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.EqualValues(t, 2, h.tokens.Load())
	require.Equal(t, []string{"", "the body", "the body"}, h.bodies, "sent again, as a whole")

	h.revoke()
	streamed := io.MultiReader(strings.NewReader("streamed")) // no GetBody
	resp, err = do(t.Context(), t, c, http.MethodPost, target, streamed)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode, "what was streamed cannot be sent again")
	require.EqualValues(t, 4, h.calls.Load())

	resp, err = do(t.Context(), t, c, http.MethodPost, target, io.MultiReader(strings.NewReader("streamed")))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "the refused token must not be used again")
	require.EqualValues(t, 3, h.tokens.Load())

	h.set(nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	before := h.calls.Load()
	resp, err = get(t, c, target)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	require.EqualValues(t, 2, h.calls.Load()-before, "one replay, no more")
}

func TestFixedCredentialsAreNotRenewed(t *testing.T) {
	for name, tc := range map[string]struct {
		auth Auth
		want string
	}{
		"none":    {Auth{}, ""},
		"bearer":  {Auth{Kind: "bearer", Token: "fixed"}, "Bearer fixed"},
		"basic":   {Auth{Kind: "basic", Username: "us er", Password: "p:w"}, "Basic dXMgZXI6cDp3"},
		"no kind": {Auth{Kind: "none"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			var got string
			h.set(nil, func(w http.ResponseWriter, r *http.Request) {
				got = r.Header.Get("Authorization")
				w.WriteHeader(http.StatusUnauthorized)
			})
			c := h.client(t, func(cfg *Config) { cfg.Auth = tc.auth })
			resp, err := get(t, c, h.URL+"/fhir/Patient/1")
			require.NoError(t, err)
			require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
			require.Equal(t, tc.want, got)
			require.EqualValues(t, 1, h.calls.Load())
			require.Zero(t, h.tokens.Load())
		})
	}
}

func TestSecretsAreFormEncodedInBasic(t *testing.T) {
	h := newHospital(t)
	var user, password string
	h.set(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		require.NoError(t, r.ParseForm())
		require.Equal(t, url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs system/Binary.r"}}, r.PostForm)
		h.giveToken(w, r)
	}, nil)
	c := h.client(t, func(cfg *Config) {
		cfg.Auth = Auth{Kind: "client_secret_basic", TokenURL: h.URL + "/token", ClientID: "id+1", ClientSecret: "a:b c", Scope: []string{"system/Patient.rs", "system/Binary.r"}}
	})
	_, err := get(t, c, h.URL+"/fhir/Patient/1")
	require.NoError(t, err)
	require.Equal(t, "id%2B1", user)
	require.Equal(t, "a%3Ab+c", password)
}

func TestTokenEndpointsThatFail(t *testing.T) {
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, tc := range map[string]struct {
		token http.HandlerFunc
		cause string
	}{
		"invalid client":   {text(401, `{"error":"invalid_client","error_description":"canary"}`), "the token endpoint answered 401 with the error invalid_client"},
		"invented error":   {text(400, `{"error":"canary `+secret+`"}`), "the token endpoint answered 400 with the error of its own"},
		"HTML":             {text(500, "<html>canary</html>"), "the token endpoint answered 500"},
		"HTML with 200":    {text(200, "<html>canary</html>"), "the answer is not JSON"},
		"no access_token":  {text(200, `{"token_type":"bearer"}`), "holds no usable access_token"},
		"broken token":     {text(200, `{"token_type":"bearer","access_token":"token-x\r\nX: canary"}`), "holds no usable access_token"},
		"wrong token_type": {text(200, `{"access_token":"token-x","token_type":"mac"}`), "is not of token_type bearer"},
		"no token_type":    {text(200, `{"access_token":"token-x"}`), "is not of token_type bearer"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/fhir/canary", http.StatusTemporaryRedirect)
		}, "the token endpoint answered 307"},
		"broken off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			h.set(tc.token, nil)
			c := h.client(t, nil)
			_, err := get(t, c, h.URL+"/fhir/Patient/1?name=canary")
			refusal(t, err, http.StatusBadGateway)
			require.Contains(t, err.Error(), tc.cause)
			require.Zero(t, h.calls.Load(), "no call without a credential, and no credential along a redirect")

			h.set(nil, nil)
			_, err = get(t, c, h.URL+"/fhir/Patient/1")
			require.NoError(t, err, "a failure is not kept")
			require.NoError(t, c.CheckLogin(t.Context()))
		})
	}
}

func TestASlowTokenEndpointHoldsNobody(t *testing.T) {
	h := newHospital(t)
	release := make(chan struct{})
	h.set(func(w http.ResponseWriter, r *http.Request) {
		<-release
		h.giveToken(w, r)
	}, nil)
	c := h.client(t, func(cfg *Config) { cfg.Timeouts.FirstByte = 10 * time.Second })
	hurried, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	patient := make(chan error, 1)
	go func() {
		_, err := get(t, c, h.URL+"/fhir/Patient/1")
		patient <- err
	}()
	_, err := do(hurried, t, c, http.MethodGet, h.URL+"/fhir/Patient/1", nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	close(release)
	require.NoError(t, <-patient, "who leaves does not take the token from the others")
	require.EqualValues(t, 1, h.tokens.Load())
}

func TestDiscovery(t *testing.T) {
	h := newHospital(t)
	configuration := `{"token_endpoint":"` + h.URL + `/token"}`
	asked := 0
	h.set(nil, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fhir/.well-known/smart-configuration" {
			asked++
			require.Empty(t, r.Header.Get("Authorization"))
			_, _ = io.WriteString(w, configuration)
			return
		}
		h.answer(w, r)
	})
	discover := func(cfg *Config) { cfg.Auth.TokenURL = "discover" }
	c := h.client(t, discover)
	_, err := get(t, c, h.URL+"/fhir/Patient/1")
	require.NoError(t, err)
	h.revoke()
	_, err = get(t, c, h.URL+"/fhir/Patient/1")
	require.NoError(t, err)
	require.Equal(t, 1, asked, "the endpoint is kept")

	h.revoke()
	h.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, h.fhir)
	_, err = get(t, c, h.URL+"/fhir/Patient/1")
	refusal(t, err, http.StatusBadGateway)
	h.set(nil, h.fhir)
	_, err = get(t, c, h.URL+"/fhir/Patient/1")
	require.NoError(t, err)
	require.Equal(t, 2, asked, "an endpoint that fails is looked for again")

	for name, broken := range map[string]string{
		"not JSON": "<html>canary</html>", "no endpoint": `{}`, "relative": `{"token_endpoint":"/token"}`, "not a URL": `{"token_endpoint":"http://canary:x/"}`,
	} {
		t.Run(name, func(t *testing.T) {
			configuration = broken
			_, err := get(t, h.client(t, discover), h.URL+"/fhir/Patient/1")
			refusal(t, err, http.StatusBadGateway)
			require.Contains(t, err.Error(), "discovery of the token URL")
		})
	}
}
