package oauth

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/policies/smart"
)

func get(s http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestMetadata(t *testing.T) {
	s := newLab(t).server()
	w := get(s, MetadataPath)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "public, max-age=300", w.Header().Get("Cache-Control"))
	require.JSONEq(t, `{
		"issuer": "https://gateway.example",
		"token_endpoint": "https://gateway.example/oauth/token",
		"jwks_uri": "https://gateway.example/oauth/jwks.json",
		"revocation_endpoint": "https://gateway.example/oauth/revoke",
		"grant_types_supported": ["client_credentials"],
		"response_types_supported": [],
		"scopes_supported": ["system/*.cruds", "system/*.rs", "system/*.read", "system/*.write", "system/*.*"],
		"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
		"token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
		"revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
		"revocation_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"]
	}`, w.Body.String())
	_, err := smart.Parse(s.Metadata().ScopesSupported)
	require.NoError(t, err)
	s.Metadata().ScopesSupported[0] = "x"
	require.NotContains(t, get(s, MetadataPath).Body.String(), `"x"`)
}

func TestPaths(t *testing.T) {
	s := newLab(t).server()
	for _, path := range []string{TokenPath, RevokePath, KeysPath, MetadataPath} {
		require.True(t, ServesPath(path))
		r := httptest.NewRequest(http.MethodDelete, path, nil)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		refused(t, w, http.StatusMethodNotAllowed, "invalid_request")
		require.NotEmpty(t, w.Header().Get("Allow"))
	}
	for _, path := range []string{"/oauth", "/oauth/", "/oauth/token/", "/OAuth/token", "/.well-known/jwks.json", "/"} {
		require.False(t, ServesPath(path))
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodHead, KeysPath, nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "public, max-age=50", w.Header().Get("Cache-Control"), "well below the time for which a key is published before it signs")
}
