package sandbox

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Options set up a simulated hospital. All fields are optional.
type Options struct {
	ID     string // of the hospital, for whoever lists them; default: the vendor
	Name   string // of the hospital's Organization; default: a made-up one
	Vendor string // set by the constructor

	Seed     int64            // of all synthetic data; the same seed gives the same data
	Patients int              // default 200, at least 40
	Now      func() time.Time // the hospital's clock; default time.Now
	TimeZone *time.Location   // of the hospital; default UTC

	ClientID     string             // that may get tokens; default "fhirgate"
	ClientSecret string             // Oracle and HAPI; no secret, no token by secret
	Keys         jose.JSONWebKeySet // the client's registered public keys; Epic and Oracle
	KeysURL      string             // the client's registered JWKS URL, in place of Keys
	Scopes       []string           // what the client is registered for; default: what a PACS needs
	Open         bool               // FHIR requests need no token

	Tenant    string // Oracle: the tenant in its paths; default: a fixed UUID
	AcceptPDF bool   // Epic: DocumentReference create takes application/pdf beside text/plain

	// BaseURL is the FHIR base as clients see it, when that is not the listener's address. Token URL and links follow it.
	BaseURL string
	// LinkBase is an absolute URL that paging links start with instead of the FHIR base. Requests below its path are served as if below
	// the base; a loopback host with a port other than the hospital's gets a listener of its own at Start, port 0 picks a free one.
	LinkBase string
}

// Hospital is a simulated hospital. Its zero value is not usable; see [NewEpic], [NewOracle] and [NewHAPI]. It serves requests at once;
// [Hospital.Start] gives it a listener of its own.
type Hospital struct {
	host
	options   Options
	fhirPath  string // of the base, without a final slash
	tokenPath string
	store     *store
	tokens    *tokenDesk
	pages     *pager
	vendor    vendor

	loading sync.Once
	mu      sync.RWMutex
	origin  string // of the listener, empty before Start
	links   string // the effective LinkBase
}

// vendor is what differs between hospitals.
type vendor interface {
	// token serves the token endpoint.
	token(w http.ResponseWriter, r *http.Request, at address)
	// fhir serves what lies below the FHIR base: segments is the rest of the path.
	fhir(w http.ResponseWriter, r *http.Request, at address, segments []string)
	// lost serves every other path.
	lost(w http.ResponseWriter, r *http.Request)
	// seed fills the store.
	seed(t *tx, base string) error
}

// address is where a hospital answers, as its clients see it.
type address struct {
	base  string // FHIR base, absolute, without a final slash
	token string // token URL
	links string // what paging links start with
}

func newHospital(o Options, vendorName, fhirPath, tokenPath string, lifetime time.Duration, mark stamp) *Hospital {
	o.Vendor = vendorName
	if o.ID == "" {
		o.ID = vendorName
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.TimeZone == nil {
		o.TimeZone = time.UTC
	}
	if o.ClientID == "" {
		o.ClientID = "fhirgate"
	}
	if o.Patients == 0 {
		o.Patients = 200
	}
	o.Patients = max(o.Patients, 40)
	if len(o.Scopes) == 0 {
		o.Scopes = pacsScopes()
	}
	return &Hospital{
		options: o, fhirPath: fhirPath, tokenPath: tokenPath, links: strings.TrimSuffix(o.LinkBase, "/"),
		store: newStore(mark, o.Now), tokens: newTokenDesk(o.Now, lifetime), pages: newPager(o.Now),
	}
}

// pacsScopes is what a PACS is registered for unless Options say otherwise.
func pacsScopes() []string {
	return []string{
		"system/Patient.rs", "system/Appointment.rus", "system/Encounter.rus", "system/DocumentReference.crus", "system/Binary.rs",
		"system/Observation.rs", "system/Practitioner.rs", "system/Location.rs", "system/Organization.rs", "system/ServiceRequest.rs",
	}
}

// ID is the hospital's id.
func (h *Hospital) ID() string { return h.options.ID }

// Vendor is epic, oracle or hapi.
func (h *Hospital) Vendor() string { return h.options.Vendor }

// Start listens on addr ("127.0.0.1:0" picks a port) and serves until Close.
func (h *Hospital) Start(addr string) error {
	origin, err := h.listen(addr, h)
	if err != nil {
		return err
	}
	links, err := h.startLinks(origin)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.origin, h.links = origin, links
	h.mu.Unlock()
	return h.load(h.address(nil))
}

// startLinks opens the listener that LinkBase asks for, if any, and returns the effective LinkBase.
func (h *Hospital) startLinks(origin string) (string, error) {
	u, err := url.Parse(h.links)
	if err != nil {
		return "", fmt.Errorf("sandbox: LinkBase: %w", err)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "http" || ip == nil || !ip.IsLoopback() || "http://"+u.Host == origin {
		return h.links, nil
	}
	linkOrigin, err := h.listen(u.Host, h)
	return linkOrigin + u.Path, err
}

// BaseURL is the FHIR base without a final slash. Before Start it has no origin unless Options.BaseURL gives one.
func (h *Hospital) BaseURL() string { return h.address(nil).base }

// TokenURL is the token endpoint. Before Start it has no origin unless Options.BaseURL gives one.
func (h *Hospital) TokenURL() string { return h.address(nil).token }

// LinkBase is what paging links start with: Options.LinkBase with its port filled in, else the FHIR base.
func (h *Hospital) LinkBase() string { return h.address(nil).links }

// address resolves where the hospital answers: by Options.BaseURL, else the listener, else as r was addressed.
func (h *Hospital) address(r *http.Request) address {
	h.mu.RLock()
	origin, links := h.origin, h.links
	h.mu.RUnlock()
	if origin == "" && r != nil {
		origin = "http://" + r.Host
	}
	base := origin + h.fhirPath
	if configured := strings.TrimSuffix(h.options.BaseURL, "/"); configured != "" {
		base = configured
		if u, err := url.Parse(configured); err == nil {
			origin = u.Scheme + "://" + u.Host
		}
	}
	if links == "" {
		links = base
	}
	return address{base: base, token: origin + h.tokenPath, links: links}
}

// ServeHTTP serves the FHIR base, the token endpoint and, with LinkBase, the paging links.
func (h *Hospital) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(w, r, h.route) }

func (h *Hospital) route(w http.ResponseWriter, r *http.Request) {
	at := h.address(r)
	if err := h.load(at); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if r.URL.Path == h.tokenPath {
		h.vendor.token(w, r, at)
		return
	}
	rest, ok := below(r.URL.Path, h.fhirPath)
	if !ok {
		rest, ok = belowURL(r.URL.Path, at.links)
	}
	if !ok {
		h.vendor.lost(w, r)
		return
	}
	var segments []string
	if rest != "" {
		segments = strings.Split(rest, "/")
	}
	if r.Method == http.MethodGet && len(segments) == 2 && segments[0] == ".well-known" && segments[1] == "smart-configuration" {
		write(w, http.StatusOK, "application/json", smartConfiguration(h.options, at))
		return
	}
	h.vendor.fhir(w, r, at, segments)
}

// below returns the part of path after base and a slash.
func below(path, base string) (string, bool) {
	rest, ok := strings.CutPrefix(path, base)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return strings.Trim(rest, "/"), true
}

func belowURL(path, base string) (string, bool) {
	u, err := url.Parse(base)
	if err != nil {
		return "", false
	}
	return below(path, u.Path)
}

// load makes the hospital's data, once.
func (h *Hospital) load(at address) error {
	var err error
	h.loading.Do(func() {
		err = h.store.update(func(t *tx) error { return h.vendor.seed(t, at.base) })
	})
	return err
}

// Resource returns the newest stored state of a resource; false when it does not exist or was deleted. Asked before Start, a hospital
// without Options.BaseURL makes its data with absolute URLs that lack the origin.
func (h *Hospital) Resource(typ, id string) (json.RawMessage, bool) {
	_ = h.load(h.address(nil))
	v, ok := h.newest(typ, id)
	return v.raw, ok && !v.deleted()
}

// IDs lists the ids of the resources of a type, in the order of their creation.
func (h *Hospital) IDs(typ string) []string {
	_ = h.load(h.address(nil))
	var ids []string
	h.store.view(func(t *tx) {
		for _, v := range t.all(typ) {
			ids = append(ids, v.id)
		}
	})
	return ids
}

func (h *Hospital) newest(typ, id string) (v version, ok bool) {
	h.store.view(func(t *tx) { v, ok = t.get(typ, id) })
	return v, ok
}

// RevokeTokens makes all access tokens invalid, as a vendor may at any time.
func (h *Hospital) RevokeTokens() { h.tokens.revoke() }

// ExpirePages makes all paging links invalid.
func (h *Hospital) ExpirePages() { h.pages.expire() }

// may tells whether the request may do verb on a type: authentic is false without a valid token, allowed without the scope for it.
func (h *Hospital) may(r *http.Request, typ string, verb rune) (authentic, allowed bool) {
	if h.options.Open {
		return true, true
	}
	g, ok := h.tokens.check(r)
	return ok, ok && g.allows(typ, verb)
}
