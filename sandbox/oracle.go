package sandbox

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	oracleTenant    = "5b7c1f0e-3a42-4d19-9e6b-8f2d6c0a7e31"
	oracleType      = "application/fhir+json"
	oracleLifetime  = 570 * time.Second
	oracleMaxScopes = 25
	oracleMost      = 1_000 // patients that a search may find
)

// oracleOffers are the types that the Oracle-like hospital has, with what it does for them.
var oracleOffers = []offer{
	{"Patient", []string{"read", "search-type"}},
	{"Appointment", []string{"read", "search-type", "patch"}},
	{"Encounter", []string{"read", "search-type", "patch"}},
	{"DocumentReference", []string{"read", "search-type", "create", "update"}},
	{"Binary", []string{"read"}},
	{"Observation", []string{"read", "search-type"}},
	{"Practitioner", []string{"read", "search-type"}},
	{"Location", []string{"read", "search-type"}},
	{"Organization", []string{"read", "search-type"}},
	{"ServiceRequest", []string{"read", "search-type"}},
}

// oracle is a hospital with the habits of Oracle Health (Cerner Millennium).
type oracle struct {
	*Hospital
	assertions *assertionDesk
}

// NewOracle makes a hospital with the habits of Oracle Health: FHIR below /r4/{tenant}, tokens at
// /tenants/{tenant}/protocols/oauth2/profiles/smart-v1/token by Basic system account or signed assertion (RS384, ES384) for 570 s.
func NewOracle(o Options) *Hospital {
	if o.Tenant == "" {
		o.Tenant = oracleTenant
	}
	h := newHospital(o, "oracle", "/r4/"+o.Tenant, "/tenants/"+o.Tenant+"/protocols/oauth2/profiles/smart-v1/token", oracleLifetime, setVersion)
	algorithms := []jose.SignatureAlgorithm{jose.RS384, jose.ES384}
	h.vendor = &oracle{h, newAssertionDesk(h.options, algorithms, algorithms)}
	return h
}

// token grants the scopes that were asked for, all or nothing.
func (o *oracle) token(w http.ResponseWriter, r *http.Request, at address) {
	form, ok := tokenForm(w, r)
	if !ok {
		return
	}
	if err := o.authenticate(r, form, at); err != nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="oauth2"`)
		writeTokenError(w, http.StatusUnauthorized, "invalid_client", err.Error())
		return
	}
	scopes := scopesOf(form)
	if reason := o.badScopes(scopes); reason != "" {
		writeTokenError(w, http.StatusBadRequest, "invalid_scope", reason)
		return
	}
	writeTokenAnswer(w, o.tokens.issue(scopes), o.tokens.lifetime, scopes)
}

func (o *oracle) authenticate(r *http.Request, form url.Values, at address) error {
	if form.Has("client_assertion") {
		return o.assertions.check(form, at.token)
	}
	id, secret, ok := r.BasicAuth()
	if !ok || !o.isClient(id, secret) {
		return errors.New("client id or secret")
	}
	return nil
}

// isClient checks a client id and secret; without a configured secret nobody has the right one.
func (h *Hospital) isClient(id, secret string) bool {
	return h.options.ClientSecret != "" && subtle.ConstantTimeCompare([]byte(id), []byte(h.options.ClientID)) == 1 &&
		subtle.ConstantTimeCompare([]byte(secret), []byte(h.options.ClientSecret)) == 1
}

// badScopes says what is wrong with the scopes that were asked for: none, too many, or beyond those registered.
func (o *oracle) badScopes(scopes []string) string {
	if len(scopes) == 0 {
		return "scope is required"
	}
	if len(scopes) > oracleMaxScopes {
		return "too many scopes"
	}
	registered := grant{scopes: o.options.Scopes}
	for _, scope := range scopes {
		typ, verbs, ok := parseScope(scope)
		if !ok {
			return "unknown scope"
		}
		refused := strings.Map(func(verb rune) rune {
			if registered.allows(typ, verb) {
				return -1
			}
			return verb
		}, verbs)
		older := slices.Contains([]string{"read", "write", "*"}, scope[strings.LastIndex(scope, ".")+1:]) // stands for what is registered of it
		if refused == verbs || refused != "" && !older {
			return "scope is not registered"
		}
	}
	return ""
}

func (o *oracle) lost(w http.ResponseWriter, _ *http.Request) {
	oraclePlain(w, http.StatusNotFound, "Not Found")
}

func (o *oracle) fhir(w http.ResponseWriter, r *http.Request, at address, segments []string) {
	if r.Method == http.MethodGet && len(segments) == 1 && segments[0] == "metadata" {
		write(w, http.StatusOK, oracleType, capabilityStatement(o.options, at, capabilities{
			software: "Oracle-like sandbox", offers: oracleOffers, versioning: "versioned",
		}))
		return
	}
	if len(segments) == 0 || len(segments) > 2 {
		oraclePlain(w, http.StatusNotFound, "Not Found")
		return
	}
	typ, id := segments[0], strings.Join(segments[1:], "")
	verb, interaction := oracleVerb(r.Method, id)
	switch authentic, allowed := o.may(r, typ, verb); {
	case !authentic:
		w.Header().Set("WWW-Authenticate", `Bearer realm="fhir", error="invalid_token"`)
		write(w, http.StatusUnauthorized, "text/plain", []byte("Unauthorized"))
		return
	case !oracleHas(typ, ""):
		oracleRefuse(w, http.StatusNotFound, issue{code: "not-supported", diagnostics: "Unsupported resource"})
		return
	case !oracleHas(typ, interaction):
		oraclePlain(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	case !allowed:
		w.Header().Set("WWW-Authenticate", `Bearer realm="fhir", error="insufficient_scope"`)
		oraclePlain(w, http.StatusForbidden, "Forbidden: insufficient scope")
		return
	}
	switch interaction {
	case "read":
		o.read(w, r, typ, id)
	case "search-type":
		o.search(w, r, at, typ)
	case "create":
		o.create(w, r, at)
	case "update":
		o.replace(w, r, id)
	case "patch":
		o.patch(w, r, typ, id)
	}
}

// oracleVerb names the scope's verb and the FHIR interaction of a request; no interaction for what the vendor does not know.
func oracleVerb(method, id string) (verb rune, interaction string) {
	switch {
	case strings.HasPrefix(id, "_"), strings.HasPrefix(id, "$"):
		return 'r', "unknown"
	case method == http.MethodGet && id == "":
		return 's', "search-type"
	case method == http.MethodGet:
		return 'r', "read"
	case method == http.MethodPost && id == "":
		return 'c', "create"
	case method == http.MethodPut && id != "":
		return 'u', "update"
	case method == http.MethodPatch && id != "":
		return 'u', "patch"
	default:
		return 'r', "unknown"
	}
}

// oracleHas tells whether a type has an interaction, or exists at all when interaction is empty.
func oracleHas(typ, interaction string) bool {
	return slices.ContainsFunc(oracleOffers, func(of offer) bool {
		return of.typ == typ && (interaction == "" || slices.Contains(of.interactions, interaction))
	})
}

func (o *oracle) read(w http.ResponseWriter, r *http.Request, typ, id string) {
	found, ok := o.newest(typ, id)
	if !ok || found.deleted() {
		oracleRefuse(w, http.StatusNotFound, issue{code: "not-found", diagnostics: "Resource not found"})
		return
	}
	if found.blob != nil {
		if r.Header.Get("Accept") != found.blob.contentType {
			oraclePlain(w, http.StatusNotAcceptable, "Accept must equal the content type of the Binary")
			return
		}
		found.blob.serve(w)
		return
	}
	oracleVersionHeaders(w, found)
	write(w, http.StatusOK, oracleType, found.raw)
}

func oracleVersionHeaders(w http.ResponseWriter, v version) {
	w.Header().Set("ETag", etag(v))
	w.Header().Set("Last-Modified", v.at.UTC().Format(http.TimeFormat))
}

// etag is the weak entity tag of a version, as FHIR asks (https://hl7.org/fhir/R4/http.html#versioning).
func etag(v version) string { return `W/"` + strconv.Itoa(v.number) + `"` }

func oraclePlain(w http.ResponseWriter, status int, body string) {
	write(w, status, "text/plain", []byte(body))
}

func oracleRefuse(w http.ResponseWriter, status int, why issue) {
	if why.severity == "" {
		why.severity = "error"
	}
	write(w, status, oracleType, outcome(why))
}
