package sandbox

import (
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
	epicBase  = "/interconnect/api/FHIR/R4"
	epicToken = "/interconnect/oauth2/token"
	epicType  = "application/json+fhir; charset=utf-8"
	epicPage  = 50 // entries a page without _count
	epicMost  = 1_000
)

// epicTypes are the types that the Epic-like hospital has a service for; any other is an HTML 404.
var epicTypes = []string{
	"AllergyIntolerance", "Appointment", "Binary", "CarePlan", "Condition", "Coverage", "Device", "DiagnosticReport", "DocumentReference",
	"Encounter", "Immunization", "Location", "Medication", "MedicationRequest", "Observation", "Organization", "Patient", "Practitioner",
	"Procedure", "ServiceRequest", "Specimen",
}

// epic is a hospital with Epic's habits: patient-anchored searches, no versions, outcome entries in bundles, create of notes alone.
type epic struct {
	*Hospital
	assertions *assertionDesk
}

// NewEpic makes a hospital with Epic's habits: FHIR below /interconnect/api/FHIR/R4, tokens by signed assertion at
// /interconnect/oauth2/token (RS256, RS384 and RS512; ES256 and ES384 with Options.KeysURL only) for one hour.
func NewEpic(o Options) *Hospital {
	h := newHospital(o, "epic", epicBase, epicToken, time.Hour, stampID)
	rsa := []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512}
	h.vendor = &epic{h, newAssertionDesk(h.options, rsa, append(slices.Clone(rsa), jose.ES256, jose.ES384))}
	return h
}

// token grants what the client is registered for, whatever scope it asks for.
func (e *epic) token(w http.ResponseWriter, r *http.Request, at address) {
	form, ok := tokenForm(w, r)
	if !ok {
		return
	}
	if err := e.assertions.check(form, at.token); err != nil {
		writeTokenError(w, http.StatusBadRequest, "invalid_client", err.Error())
		return
	}
	writeTokenAnswer(w, e.tokens.issue(e.options.Scopes), e.tokens.lifetime, e.options.Scopes)
}

// lost answers as the web server in front of the FHIR services does.
func (e *epic) lost(w http.ResponseWriter, _ *http.Request) { epicLost(w) }

func (e *epic) fhir(w http.ResponseWriter, r *http.Request, at address, segments []string) {
	if r.Method == http.MethodGet && len(segments) == 1 && segments[0] == "metadata" {
		write(w, http.StatusOK, epicType, capabilityStatement(e.options, at, e.capabilities()))
		return
	}
	if len(segments) == 0 || len(segments) > 2 || !slices.Contains(epicTypes, segments[0]) {
		epicLost(w)
		return
	}
	typ, id := segments[0], ""
	if len(segments) == 2 {
		id = segments[1]
	}
	verb, ok := epicVerb(r.Method, id)
	if !ok {
		epicRefuseMethod(w)
		return
	}
	switch authentic, allowed := e.may(r, typ, verb); {
	case !authentic:
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token", error_description="The access token provided is expired, revoked, malformed, or invalid for other reasons"`)
		write(w, http.StatusUnauthorized, "", nil)
	case !allowed:
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", error_description="The access token provided is valid, but is not authorized for this service"`)
		write(w, http.StatusForbidden, "", nil)
	case verb == 'c':
		e.create(w, r, typ)
	case verb == 's':
		e.search(w, r, at, typ)
	default:
		e.read(w, r, typ, id)
	}
}

// epicVerb names what a request wants to do; false for what the vendor does not offer.
func epicVerb(method, id string) (verb rune, ok bool) {
	switch {
	case method == http.MethodGet && id == "", method == http.MethodPost && id == "_search":
		return 's', true
	case method == http.MethodGet:
		return 'r', !strings.HasPrefix(id, "_") && !strings.HasPrefix(id, "$")
	case method == http.MethodPost && id == "":
		return 'c', true
	default:
		return 0, false
	}
}

func (e *epic) read(w http.ResponseWriter, r *http.Request, typ, id string) {
	found, ok := e.newest(typ, id)
	if !ok {
		epicRefuse(w, http.StatusNotFound, issue{code: "not-found", detail: "4102", display: "The read resource request contained an invalid resource ID."})
		return
	}
	switch accept := r.Header.Get("Accept"); {
	case found.blob == nil:
		write(w, http.StatusOK, epicType, found.raw)
	case strings.Contains(accept, "json"):
		found.blob.serveJSON(w, epicType, found.raw)
	default:
		found.blob.serve(w)
	}
}

func (e *epic) search(w http.ResponseWriter, r *http.Request, at address, typ string) {
	form, err := formOf(r)
	if err != nil {
		epicRefuse(w, http.StatusBadRequest, issue{code: "invalid", detail: "59100", display: "Content invalid against the specification or a profile."})
		return
	}
	if session := form.Get("sessionID"); session != "" {
		e.resume(w, at, typ, session)
		return
	}
	if refusal, bad := epicRequired(typ, form); bad {
		epicRefuse(w, http.StatusBadRequest, refusal)
		return
	}
	wanted, err := parseSearch(typ, form, []string{"_count", "_format", "_include"}, e.options.TimeZone)
	var bad badValue
	if errors.As(err, &bad) {
		epicRefuse(w, http.StatusBadRequest, issue{code: "value", detail: "59100", display: "Content invalid against the specification or a profile.", expression: bad.name})
		return
	}
	wanted.loose = true
	var found []version
	e.store.view(func(t *tx) { found = wanted.run(t) })
	size := countOf(form, epicPage, epicMost)
	first := e.pages.first(&pageSet{typ: typ, found: found, size: size, self: at.base + "/" + typ + "?" + r.URL.RawQuery})
	write(w, http.StatusOK, epicType, epicBundle(at, first, wanted.unknown))
}

// resume answers a paging link, `sessionID=<offset>-<id>`.
func (e *epic) resume(w http.ResponseWriter, at address, typ, session string) {
	offset, id, _ := strings.Cut(session, "-")
	start, err := strconv.Atoi(offset)
	next, ok := e.pages.at(id, start)
	if err != nil || !ok || next.typ != typ {
		epicRefuse(w, http.StatusBadRequest, issue{code: "processing", detail: "4113", display: "The session has expired or does not exist."})
		return
	}
	write(w, http.StatusOK, epicType, epicBundle(at, next, nil))
}

// epicRequired refuses a search without the parameters that its type asks for.
func epicRequired(typ string, form url.Values) (issue, bool) {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return form.Get(name) == "" })
	}
	anchored := has("patient") || has("subject") || has("_id")
	missing := func(name string) (issue, bool) {
		return issue{code: "required", detail: "59108", display: "A required element is missing.", diagnostics: "A required parameter is missing: " + name + ".", expression: name}, true
	}
	switch typ {
	case "Patient":
		if !has("_id") && !has("identifier") && !has("family", "birthdate") {
			return issue{code: "required", detail: "4130", display: "Not enough demographics to search by."}, true
		}
	case "Practitioner", "Location", "Organization":
		if !has("_id") && !has("identifier") && !has("name") && !has("family") {
			return missing("identifier")
		}
	case "DocumentReference":
		if !anchored && !has("encounter") {
			return missing("patient")
		}
	case "Observation":
		if !anchored {
			return missing("patient")
		}
		if !has("category") && !has("code") && !has("_id") {
			return issue{
				code: "business-rule", detail: "59159", display: "The content/operation failed to pass a business rule, and so could not proceed.",
				diagnostics: "A category or code is required.", expression: "category",
			}, true
		}
	default:
		if !anchored {
			return missing("patient")
		}
	}
	return issue{}, false
}

func (e *epic) capabilities() capabilities {
	var offers []offer
	for _, typ := range epicTypes {
		interactions := []string{"read", "search-type"}
		if typ == "DocumentReference" {
			interactions = append(interactions, "create")
		}
		offers = append(offers, offer{typ, interactions})
	}
	return capabilities{software: "Epic-like sandbox", offers: offers}
}

// countOf reads _count: preset without a usable one, never over most.
func countOf(form url.Values, preset, most int) int {
	count, err := strconv.Atoi(form.Get("_count"))
	if err != nil || count < 1 {
		return preset
	}
	return min(count, most)
}
