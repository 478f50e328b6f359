package jwks

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

// get asks for a set; a refusal is an error.
func get(t *testing.T, r *Rings, method, path string, header ...string) (*httptest.ResponseRecorder, *fhir.Error) {
	t.Helper()
	request := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	err := r.Serve(w, request)
	var refusal *fhir.Error
	if err != nil {
		require.True(t, errors.As(err, &refusal))
	}
	return w, refusal
}

func TestServe(t *testing.T) {
	l := newLab(t)
	r := l.node()
	first := create(t, r, "r").Keys[0].KID
	create(t, r, "s")

	w, refusal := get(t, r, http.MethodGet, RingPath("r"))
	require.Nil(t, refusal)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "public, max-age=300", w.Header().Get("Cache-Control"))
	tag := w.Header().Get("ETag")
	require.Regexp(t, `^"[\w-]{43}"$`, tag)
	require.Equal(t, []string{first}, published(t, r, "r"))

	w, _ = get(t, r, http.MethodGet, RingPath("r"), "If-None-Match", tag)
	require.Equal(t, http.StatusNotModified, w.Code)
	require.Empty(t, w.Body.String())
	require.NotEmpty(t, w.Header().Get("Cache-Control"))
	w, _ = get(t, r, http.MethodHead, SetPath)
	require.Equal(t, http.StatusOK, w.Code)
	require.Empty(t, w.Body.String())
	require.NotEqual(t, "0", w.Header().Get("Content-Length"))
	w, _ = get(t, r, http.MethodGet, SetPath)
	require.Len(t, parseKeySet(t, w.Body.Bytes()).Keys, 2)

	for accept, want := range map[string]string{
		"":                         "application/json",
		"*/*":                      "application/json",
		"application/jwk-set+json": "application/jwk-set+json",
		"application/jwk-set+json, application/json":     "application/json",
		"application/json;q=0.5, application/fhir+json":  "application/json",
		"text/html, application/jwk-set+json, */*;q=0.1": "application/jwk-set+json",
	} {
		w, _ := get(t, r, http.MethodGet, SetPath, "Accept", accept)
		require.Equal(t, want, w.Header().Get("Content-Type"), accept)
	}

	_, err := r.Rotate(t.Context(), "r", 0)
	require.NoError(t, err)
	w, _ = get(t, r, http.MethodGet, RingPath("r"), "If-None-Match", tag)
	require.Equal(t, http.StatusOK, w.Code)
	require.NotEqual(t, tag, w.Header().Get("ETag"))

	for path, status := range map[string]int{
		RingPath("none"):                 404,
		RingPath(""):                     404,
		RingPath("../r"):                 404,
		RingPath("r/s"):                  404,
		RingPath("R"):                    404,
		"/.well-known/jwks/r":            404,
		"/.well-known/jwks/":             404,
		"/.well-known/jwks/r.json/":      404,
		"/.well-known/jwks/r.json.json":  404,
		"/.well-known/jwks/fhirgate:r.x": 404,
	} {
		require.True(t, ServesPath(path), path)
		_, refusal := get(t, r, http.MethodGet, path)
		require.NotNil(t, refusal, path)
		require.Equal(t, status, refusal.Status, path)
	}
	require.False(t, ServesPath("/.well-known/jwks"))
	require.False(t, ServesPath("/.well-known/jwks.json/"))
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		_, refusal := get(t, r, method, SetPath)
		require.Equal(t, http.StatusMethodNotAllowed, refusal.Status)
		require.Equal(t, "GET, HEAD", refusal.Header.Get("Allow"))
	}

	l.server.SetError("LOADING")
	l.clock.pass(staleFor + time.Second)
	_, refusal = get(t, r, http.MethodGet, SetPath)
	require.Equal(t, http.StatusServiceUnavailable, refusal.Status, "vendors keep what they have")
	require.NotContains(t, refusal.Text, "LOADING")
}

// TestNothingPrivateIsPublished asserts the exact members of every key of every
// algorithm, from the store and from files with more in them.
func TestNothingPrivateIsPublished(t *testing.T) {
	ec, rsa := []string{"alg", "crv", "kid", "kty", "use", "x", "y"}, []string{"alg", "e", "kid", "kty", "n", "use"}
	_, r, write := inFolder(t)
	want := map[string][]string{}
	for name, test := range map[string]struct {
		alg     jose.SignatureAlgorithm
		members []string
	}{"rs256": {jose.RS256, rsa}, "rs384": {jose.RS384, rsa}, "es256": {jose.ES256, ec}, "es384": {jose.ES384, ec}} {
		bits := 0
		if test.alg[0] == 'R' {
			bits = 2048
		}
		_, err := r.Create(t.Context(), New{Name: name, Alg: test.alg, Bits: bits})
		require.NoError(t, err)
		_, err = r.Rotate(t.Context(), name, 0)
		require.NoError(t, err)
		write(name+"-file.json", setOf(t, made(t, test.alg, bits), made(t, test.alg, bits)))
		write(name+"-pem.pem", pemOf(t, made(t, test.alg, bits).Key))
		want[name], want[name+"-file"], want[name+"-pem"] = test.members, test.members, test.members
	}
	check := func(path string, allowed ...[]string) int {
		t.Helper()
		w, refusal := get(t, r, http.MethodGet, path)
		require.Nil(t, refusal)
		var set map[string][]map[string]string
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &set))
		require.Equal(t, []string{"keys"}, slices.Collect(maps.Keys(set)))
		for _, key := range set["keys"] {
			require.Contains(t, allowed, slices.Sorted(maps.Keys(key)))
			require.Equal(t, "sig", key["use"])
		}
		return len(set["keys"])
	}
	for name, members := range want {
		keys := 2
		if name[5:] == "-pem" {
			keys = 1
		}
		require.Equal(t, keys, check(RingPath(name), members), name)
	}
	require.Equal(t, 4*5, check(SetPath, ec, rsa))
}

// TestShortRingsAreNotCachedLong keeps the caches on the way within the ring's
// time.
func TestShortRingsAreNotCachedLong(t *testing.T) {
	r := newLab(t).node()
	for name, test := range map[string]struct {
		after time.Duration
		want  string
	}{
		"a": {30 * time.Hour, "public, max-age=300"},
		"b": {time.Hour, "public, max-age=300"},
		"c": {12 * time.Minute, "public, max-age=60"},
		"d": {2 * time.Second, "public, max-age=0"},
	} {
		_, err := r.Create(t.Context(), New{Name: name, Alg: jose.ES256, After: test.after})
		require.NoError(t, err)
		w, _ := get(t, r, http.MethodGet, RingPath(name))
		require.Equal(t, test.want, w.Header().Get("Cache-Control"), name)
	}
	w, _ := get(t, r, http.MethodGet, SetPath)
	require.Equal(t, "public, max-age=0", w.Header().Get("Cache-Control"))
}
