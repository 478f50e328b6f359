package upstream

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSigV4SignsTheRequestItself(t *testing.T) {
	h := newHospital(t)
	var got *http.Request
	h.set(nil, func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(r.Context())
		_, _ = io.WriteString(w, "{}")
	})
	c := h.client(t, func(cfg *Config) {
		cfg.Auth = Auth{Kind: "sigv4", ClientID: "AKIDEXAMPLE", ClientSecret: secret, Region: "us-east-1"}
	})
	form := regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/us-east-1/healthlake/aws4_request, SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, Signature=[0-9a-f]{64}$`)

	_, err := get(t, c, h.URL+"/fhir/Patient?name=a%20b&_count=1")
	require.NoError(t, err)
	require.Regexp(t, form, got.Header.Get("Authorization"))
	first := got.Header.Get("Authorization")

	_, err = do(t.Context(), t, c, "POST", h.URL+"/fhir/Patient", strings.NewReader("{}"))
	require.NoError(t, err)
	require.Regexp(t, form, got.Header.Get("Authorization"))
	sum := sha256.Sum256([]byte("{}"))
	require.Equal(t, hex.EncodeToString(sum[:]), got.Header.Get("X-Amz-Content-Sha256"))
	require.NotEqual(t, first, got.Header.Get("Authorization"))

	r, err := http.NewRequestWithContext(t.Context(), "POST", h.URL+"/fhir/Binary", io.MultiReader(strings.NewReader("x")))
	require.NoError(t, err)
	_, err = c.Do(r)
	require.ErrorIs(t, err, errStreamed)
}
