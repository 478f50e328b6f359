package routes

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// IsID reports whether a word has the form of a hospital's id.
func IsID(word string) bool { return idPattern.MatchString(word) }

var idPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// check finds what is wrong with a decoded route and fills in its defaults.
func (r *Route) check(doc *strict.Document, fileID string) {
	if len(doc.Problems()) > 0 && r.ID == "" && r.Version == 0 {
		return // not readable at all: more would be noise
	}
	if r.Version != 1 {
		doc.Fail("version", "must be 1")
	}
	switch {
	case !IsID(r.ID):
		doc.Fail("id", "must be 1 to 63 of a-z, 0-9 and '-', starting and ending with a letter or digit")
	case r.ID == "metadata":
		doc.Fail("id", "must not be \"metadata\", whose path is the gateway's own")
	case r.ID != fileID:
		doc.Fail("id", "must equal the file name, %q", fileID)
	}
	if r.Environment != "production" && r.Environment != "sandbox" {
		doc.Fail("environment", "must be production or sandbox: a key of one never works in the other")
	}
	location, err := time.LoadLocation(r.TimeZone)
	if err != nil || r.TimeZone == "Local" {
		doc.Fail("time_zone", "is not an IANA time zone such as America/Chicago")
	}
	r.Location = location
	r.Upstream.check(doc)
	r.checkInteractions(doc)
	r.checkOperations(doc)
	r.checkCallers(doc)
}

func (u *Upstream) check(doc *strict.Document) {
	checkBase(doc, "upstream.base_url", u.BaseURL)
	for i, alias := range u.Aliases {
		checkBase(doc, "upstream.aliases."+strconv.Itoa(i), alias)
	}
	checkHosts(doc, "upstream.link_hosts", u.LinkHosts)
	for name, value := range u.Headers {
		place := "upstream.headers." + name
		switch {
		case !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value):
			doc.Fail(place, "is not a valid HTTP header")
		case slices.Contains(reservedHeaders, http.CanonicalHeaderKey(name)):
			doc.Fail(place, "is set by the gateway itself")
		}
	}
	u.Auth.check(doc)
	u.checkTransport(doc)
	u.Budget.check(doc)
	u.Resilience.check(doc)
}

// reservedHeaders are those of which a fixed value would break a call.
var reservedHeaders = []string{"Authorization", "Connection", "Content-Length", "Content-Type", "Host", "Transfer-Encoding"}

func checkBase(doc *strict.Document, place, base string) {
	parsed, err := url.Parse(base)
	switch {
	case base == "":
		doc.Fail(place, "is missing")
	case err != nil || parsed.Host == "" || (parsed.Scheme != "https" && parsed.Scheme != "http"):
		doc.Fail(place, "must be an absolute http or https URL")
	case parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "":
		doc.Fail(place, "must have no user, query or fragment")
	case strings.HasSuffix(base, "/"):
		doc.Fail(place, "must not end with a slash")
	}
}

// authFields are the fields that each kind of auth needs and may have.
var authFields = map[string]struct{ required, optional []string }{
	AuthNone:              {},
	AuthBearer:            {required: []string{"token"}},
	AuthBasic:             {required: []string{"username", "password"}},
	AuthClientSecretBasic: {required: []string{"token_url", "client_id", "client_secret"}, optional: []string{"scope"}},
	AuthClientSecretPost:  {required: []string{"token_url", "client_id", "client_secret"}, optional: []string{"scope"}},
	AuthSmartBackend:      {required: []string{"token_url", "client_id"}, optional: []string{"key", "key_ring", "scope", "alg", "key_id"}},
	AuthJWTBearer:         {required: []string{"token_url", "client_id"}, optional: []string{"key", "key_ring", "scope", "alg", "key_id"}},
	AuthSigV4:             {required: []string{"client_id", "client_secret", "region"}, optional: []string{"service"}},
}

var algorithms = []string{"RS256", "RS384", "RS512", "ES256", "ES384"}

func (a *Auth) check(doc *strict.Document) {
	const place = "upstream.auth"
	if a.Kind == "" && !doc.Has(place) {
		a.Kind = AuthNone
	}
	fields, ok := authFields[a.Kind]
	if !ok {
		kinds := make([]string, 0, len(authFields))
		for kind := range authFields {
			kinds = append(kinds, kind)
		}
		doc.Fail(place+".kind", "%s", strict.Unknown("kind of auth", a.Kind, kinds))
		return
	}
	for _, name := range fields.required {
		if !doc.Has(place + "." + name) {
			doc.Fail(place, "kind %s needs %s", a.Kind, name)
		}
	}
	for _, name := range []string{"token_url", "client_id", "client_secret", "token", "username", "password", "key", "key_id", "alg", "scope", "key_ring", "region", "service"} {
		if doc.Has(place+"."+name) && !slices.Contains(fields.required, name) && !slices.Contains(fields.optional, name) {
			doc.Fail(place+"."+name, "does not go with kind %s", a.Kind)
		}
	}
	if slices.Contains(fields.optional, "key_ring") && doc.Has(place+".key") == doc.Has(place+".key_ring") {
		doc.Fail(place, "kind %s needs either key or key_ring", a.Kind)
	}
	if a.KeyRing != "" && (a.Alg != "" || a.KeyID != "") {
		doc.Fail(place+".key_ring", "has its own alg and key_id")
	}
	if a.TokenURL != "" && a.TokenURL != "discover" {
		if parsed, err := url.Parse(a.TokenURL); err != nil || parsed.Host == "" || (parsed.Scheme != "https" && parsed.Scheme != "http") {
			doc.Fail(place+".token_url", `must be an absolute URL or "discover"`)
		}
	}
	if a.Alg != "" && !slices.Contains(algorithms, a.Alg) {
		doc.Fail(place+".alg", "%s", strict.Unknown("algorithm", a.Alg, algorithms))
	}
	a.checkSecrets(doc, place)
}

func (a *Auth) checkSecrets(doc *strict.Document, place string) {
	for name, secret := range map[string]strict.Secret{
		"client_id": a.ClientID, "client_secret": a.ClientSecret, "token": a.Token,
		"username": a.Username, "password": a.Password, "key": a.Key,
	} {
		if _, err := secret.Reveal(); err != nil {
			doc.Fail(place+"."+name, "%s", err)
		}
		if secret.Plain() && name != "client_id" && name != "username" {
			doc.Fail(place+"."+name, "must not stand in the file: write {env: NAME} or {file: PATH}")
		}
	}
}

func (r *Route) checkInteractions(doc *strict.Document) {
	for key, listed := range r.Interactions {
		allowed := fhir.TypeInteractions
		if key == System {
			allowed = fhir.SystemInteractions
		} else if !fhir.IsResourceType(key) {
			doc.Fail("interactions."+key, `is not a resource type of R4 (names are case-sensitive) and not "system"`)
			continue
		}
		for i, interaction := range listed {
			if !slices.Contains(allowed, interaction) {
				doc.Fail("interactions."+key+"."+strconv.Itoa(i), "%s", strict.Unknown("interaction", string(interaction), words(allowed)))
			}
		}
	}
	if len(r.Interactions) == 0 && len(r.Operations) == 0 {
		doc.Fail("interactions", "is missing: without it no call could pass")
	}
}

func (r *Route) checkOperations(doc *strict.Document) {
	for key, listed := range r.Operations {
		if key != System && !fhir.IsResourceType(key) {
			doc.Fail("operations."+key, `is not a resource type of R4 (names are case-sensitive) and not "system"`)
		}
		for i, name := range listed {
			if !strings.HasPrefix(name, "$") || !fhir.IsID(name[1:]) {
				doc.Fail("operations."+key+"."+strconv.Itoa(i), `must be the name of an operation, such as "$everything"`)
			}
		}
	}
}

func words(interactions []fhir.Interaction) []string {
	out := make([]string, len(interactions))
	for i, interaction := range interactions {
		out[i] = string(interaction)
	}
	return out
}
