package sandbox

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
	"time"
)

// grant is what an access token allows.
type grant struct {
	scopes  []string
	expires time.Time
}

// tokenDesk issues and checks access tokens.
type tokenDesk struct {
	now      func() time.Time
	lifetime time.Duration

	mu     sync.Mutex
	grants map[string]grant
}

func newTokenDesk(now func() time.Time, lifetime time.Duration) *tokenDesk {
	return &tokenDesk{now: now, lifetime: lifetime, grants: map[string]grant{}}
}

// issue returns a new access token for scopes and forgets those that expired.
func (d *tokenDesk) issue(scopes []string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	for token, g := range d.grants {
		if now.After(g.expires) {
			delete(d.grants, token)
		}
	}
	token := rand.Text() + rand.Text()
	d.grants[token] = grant{scopes: scopes, expires: now.Add(d.lifetime)}
	return token
}

// check returns the grant of the request's bearer token; false when there is none or it expired.
func (d *tokenDesk) check(r *http.Request) (grant, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return grant{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	g, ok := d.grants[strings.TrimSpace(token)]
	return g, ok && d.now().Before(g.expires)
}

// revoke forgets all access tokens.
func (d *tokenDesk) revoke() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.grants)
}

// allows tells whether a scope covers verb (one of c r u d s) on a type. Both forms of SMART scopes are read
// (https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html).
func (g grant) allows(typ string, verb rune) bool {
	for _, scope := range g.scopes {
		scopeType, verbs, ok := parseScope(scope)
		if ok && (scopeType == typ || scopeType == "*") && strings.ContainsRune(verbs, verb) {
			return true
		}
	}
	return false
}

// parseScope reads `system/Type.read`, `.write`, `.*` or `.cruds` into the type and its verbs; false for anything else.
func parseScope(scope string) (typ, verbs string, ok bool) {
	rest, isSystem := strings.CutPrefix(scope, "system/")
	typ, verbs, hasVerbs := strings.Cut(rest, ".")
	if !isSystem || !hasVerbs || verbs == "" || typ != "*" && !isResourceType(typ) {
		return "", "", false
	}
	switch verbs {
	case "read":
		return typ, "rs", true
	case "write":
		return typ, "cud", true
	case "*":
		return typ, "cruds", true
	default:
		return typ, verbs, strings.Trim(verbs, "cruds") == ""
	}
}

// writeTokenAnswer sends a successful token answer (RFC 6749 section 5.1).
func writeTokenAnswer(w http.ResponseWriter, token string, lifetime time.Duration, scopes []string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	write(w, http.StatusOK, "application/json", obj("access_token", token, "token_type", "Bearer",
		"expires_in", int(lifetime/time.Second), "scope", strings.Join(scopes, " ")))
}

// reasonHeader tells whoever sets up a simulated hospital why a token was refused: the body says as little as the vendor's does.
const reasonHeader = "Sandbox-Reason"

// writeTokenError sends a refusal of the token endpoint (RFC 6749 section 5.2).
func writeTokenError(w http.ResponseWriter, status int, code, reason string, more ...any) {
	w.Header().Set(reasonHeader, reason)
	w.Header().Set("Cache-Control", "no-store")
	write(w, status, "application/json", obj(append([]any{"error", code}, more...)...))
}
