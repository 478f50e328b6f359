package jwks

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/fhir"
)

const (
	// SetPath is where the set of all rings is.
	SetPath = "/.well-known/jwks.json"
	// ringPath begins the path of a ring's own set: ringPath + name + ".json".
	ringPath = "/.well-known/jwks/"
	// maxAge is how long caches on the way may keep a set, at most.
	maxAge = 5 * time.Minute
)

// RingPath returns the path of a ring's own set.
func RingPath(name string) string { return ringPath + name + ".json" }

// ServesPath tells whether a path is for Serve.
func ServesPath(path string) bool { return path == SetPath || strings.HasPrefix(path, ringPath) }

// Set returns the public keys of a ring, or of all rings ("") each once, as a
// JWK set (RFC 7517 section 5), and how long it may be cached on its way to
// vendors. When one ring cannot be opened there is no set of all: a vendor that
// fetched a set without its keys would refuse them for a day.
// Errors: ErrNoRing, ErrSealed, or Redis'.
func (r *Rings) Set(ctx context.Context, name string) ([]byte, time.Duration, error) {
	view, now := r.current(ctx), r.now()
	names := []string{name}
	if name == "" {
		if err := view.stale(now); err != nil {
			return nil, 0, err
		}
		names = view.names()
	}
	keys, age := []jose.JSONWebKey{}, maxAge
	for _, name := range names {
		ring, err := view.ring(name, now)
		if err != nil {
			return nil, 0, fmt.Errorf("ring %s: %w", name, err)
		}
		keys = ring.published(keys, now)
		if ring.file == "" {
			age = min(age, ring.ring.After/12)
		}
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	return set, age, err
}

// Serve answers GET and HEAD of SetPath and of a ring's own path, without
// redirects, which Epic refuses. The media type is application/json, or
// application/jwk-set+json for who asks for that alone. Errors are *fhir.Error;
// nothing has been written then.
func (r *Rings) Serve(w http.ResponseWriter, request *http.Request) error {
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		return fhir.NewError(http.StatusMethodNotAllowed, fhir.IssueNotSupported, "a key set can only be read").With("Allow", "GET, HEAD")
	}
	name, ok := "", true
	if request.URL.Path != SetPath {
		name, ok = strings.CutSuffix(strings.TrimPrefix(request.URL.Path, ringPath), ".json")
		ok = ok && ringName.MatchString(name)
	}
	if !ok {
		return noSet()
	}
	set, age, err := r.Set(request.Context(), name)
	switch {
	case errors.Is(err, ErrNoRing):
		return noSet()
	case err != nil:
		return fhir.NewError(http.StatusServiceUnavailable, fhir.IssueTransient, "the key set cannot be read now").After(time.Minute).Because(err)
	}
	sum := sha256.Sum256(set)
	h := w.Header()
	h.Set("Content-Type", mediaType(request.Header.Get("Accept")))
	h.Set("Vary", "Accept")
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(age.Seconds())))
	h.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:])+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, request, "", time.Time{}, strings.NewReader(string(set)))
	return nil
}

func noSet() error {
	return fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, "there is no key set here")
}

func mediaType(accept string) string {
	const plain, registered = "application/json", "application/jwk-set+json"
	if strings.Contains(accept, registered) && !strings.Contains(accept, plain) {
		return registered
	}
	return plain
}
