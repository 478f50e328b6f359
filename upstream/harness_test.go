package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

// hospital is a FHIR server with a token endpoint, both of which a test may
// replace. Without a change it takes the token that it gave out last.
type hospital struct {
	*httptest.Server
	tokens atomic.Int32 // token requests
	calls  atomic.Int32 // FHIR requests

	mu      sync.Mutex
	token   http.HandlerFunc
	fhir    http.HandlerFunc
	current string
	bodies  []string // of FHIR requests
}

func newHospital(t *testing.T) *hospital {
	t.Helper()
	h := &hospital{}
	h.Server = httptest.NewServer(h)
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	return h
}

func (h *hospital) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	token, answer := h.token, h.fhir
	h.mu.Unlock()
	if r.URL.Path == "/token" {
		h.tokens.Add(1)
		if token == nil {
			token = h.giveToken
		}
		token(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	h.calls.Add(1)
	h.mu.Lock()
	h.bodies = append(h.bodies, string(body))
	h.mu.Unlock()
	if answer == nil {
		answer = h.answer
	}
	answer(w, r)
}

func (h *hospital) giveToken(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.current = "token-" + strings.Repeat("x", int(h.tokens.Load()))
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": h.current, "token_type": "Bearer", "expires_in": 3600})
}

func (h *hospital) answer(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	want := "Bearer " + h.current
	h.mu.Unlock()
	if r.Header.Get("Authorization") != want {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = io.WriteString(w, `{"resourceType":"Patient"}`)
}

// revoke makes the hospital refuse the token that it gave out.
func (h *hospital) revoke() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.current = "revoked"
}

func (h *hospital) set(token, answer http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.token, h.fhir = token, answer
}

const secret = "s3cret-of-the-gateway"

// client returns a client that logs in to h with a secret.
func (h *hospital) client(t *testing.T, change func(*Config)) *Client {
	t.Helper()
	base, err := url.Parse(h.URL + "/fhir")
	require.NoError(t, err)
	cfg := Config{
		BaseURL:        base,
		Auth:           Auth{Kind: "client_secret_post", TokenURL: h.URL + "/token", ClientID: "fhirgate", ClientSecret: secret},
		PrivateNetwork: true,
		Timeouts:       Timeouts{Connect: time.Second, FirstByte: time.Second, Idle: 300 * time.Millisecond},
	}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func get(t *testing.T, c *Client, target string) (*http.Response, error) {
	t.Helper()
	return do(t.Context(), t, c, http.MethodGet, target, nil)
}

func do(ctx context.Context, t *testing.T, c *Client, method, target string, body io.Reader) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	require.NoError(t, err)
	resp, err := c.Do(r)
	if err == nil {
		t.Cleanup(func() { _ = resp.Body.Close() })
	}
	return resp, err
}

// refusal checks that err is one with a status and that neither it nor its
// causes tell a secret, a token, a URL or what the hospital sent.
func refusal(t *testing.T, err error, status int) *fhir.Error {
	t.Helper()
	var refused *fhir.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, status, refused.Status, "%v", err)
	quiet(t, err)
	return refused
}

func quiet(t *testing.T, err error) {
	t.Helper()
	for _, word := range []string{secret, "token-x", "http://", "https://", "canary", "/fhir", "?"} {
		require.NotContains(t, err.Error(), word)
	}
	require.False(t, errors.Is(err, errors.ErrUnsupported))
}
