package sandbox

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	hapiBase  = "/fhir"
	hapiToken = "/auth/token"
	hapiType  = "application/fhir+json;charset=UTF-8"
	hapiPage  = 20 // entries a page without _count
	hapiMost  = 500
)

// hapi is a hospital with the habits of a HAPI server: versions, all interactions, batch and transaction.
type hapi struct{ *Hospital }

// NewHAPI makes a hospital with the habits of a HAPI FHIR server below /fhir. It is open with Options.Open; else tokens come from
// /auth/token by client_secret_post for one hour.
func NewHAPI(o Options) *Hospital {
	if len(o.Scopes) == 0 {
		o.Scopes = []string{"system/*.cruds"}
	}
	h := newHospital(o, "hapi", hapiBase, hapiToken, time.Hour, setVersion)
	h.vendor = hapi{h}
	return h
}

func (h hapi) token(w http.ResponseWriter, r *http.Request, _ address) {
	form, ok := tokenForm(w, r)
	if !ok {
		return
	}
	if !h.isClient(form.Get("client_id"), form.Get("client_secret")) {
		writeTokenError(w, http.StatusUnauthorized, "invalid_client", "client id or secret")
		return
	}
	writeTokenAnswer(w, h.tokens.issue(h.options.Scopes), h.tokens.lifetime, h.options.Scopes)
}

func (h hapi) lost(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusNotFound, "text/html;charset=utf-8", []byte("<!doctype html><html><body><h1>HTTP Status 404 – Not Found</h1></body></html>"))
}

// interaction is one FHIR interaction, asked for by a request or by an entry of a batch or transaction.
type interaction struct {
	method   string
	segments []string // of the path below the base
	form     url.Values
	query    string // as it was sent
	header   http.Header
	body     []byte // of a write, except of a Binary sent as it is
	content  *blob  // of a Binary sent as it is
	at       address
}

// reply is the answer to an interaction.
type reply struct {
	status int
	header http.Header
	body   []byte
	blob   *blob // sent in place of body, or within it when asJSON
	asJSON bool
}

// refusal is the reply to an interaction that can't be done.
func refusal(status int, code, diagnostics string) reply {
	return reply{status: status, body: outcome(issue{severity: "error", code: code, diagnostics: diagnostics})}
}

func (h hapi) fhir(w http.ResponseWriter, r *http.Request, at address, segments []string) {
	if r.Method == http.MethodGet && len(segments) == 1 && segments[0] == "metadata" {
		h.send(w, reply{status: http.StatusOK, body: capabilityStatement(h.options, at, hapiCapabilities())})
		return
	}
	if !h.options.Open {
		if _, ok := h.tokens.check(r); !ok {
			w.Header().Set("WWW-Authenticate", `Bearer realm="hapi"`)
			h.send(w, refusal(http.StatusUnauthorized, "login", "HAPI-0333: Unauthorized"))
			return
		}
	}
	asked, refused := h.interaction(r, at, segments)
	if refused != nil {
		h.send(w, *refused)
		return
	}
	h.send(w, h.do(asked))
}

// interaction reads a request; a reply in its place refuses it.
func (h hapi) interaction(r *http.Request, at address, segments []string) (interaction, *reply) {
	refuse := func(status int, code, diagnostics string) (interaction, *reply) {
		answer := refusal(status, code, diagnostics)
		return interaction{}, &answer
	}
	asked := interaction{method: r.Method, segments: segments, query: r.URL.RawQuery, header: r.Header, at: at}
	if len(segments) > 0 && segments[len(segments)-1] == "_search" {
		asked.method, asked.segments = http.MethodGet, segments[:len(segments)-1]
		if r.Method == http.MethodPost && !isForm(r.Header) {
			return refuse(http.StatusUnsupportedMediaType, "processing", "_search needs a form")
		}
	}
	form, err := url.ParseQuery(r.URL.RawQuery)
	if asked.method != r.Method { // POST _search
		form, err = formOf(r)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "invalid", "Unreadable parameters")
	}
	asked.form = form
	if asked.method == http.MethodGet || asked.method == http.MethodDelete {
		return asked, nil
	}
	contentType := r.Header.Get("Content-Type")
	if len(segments) > 0 && segments[0] == "Binary" && !strings.Contains(contentType, "fhir+json") {
		asked.content, err = newBlob(contentType, r.Body)
		asked.body = obj("resourceType", "Binary", "contentType", contentType)
	} else {
		asked.body, err = io.ReadAll(r.Body)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "incomplete", "The body ended early")
	}
	return asked, nil
}

// do carries out one interaction: reads beside one another, each write and transaction alone.
func (h hapi) do(asked interaction) reply {
	var answer reply
	if asked.method == http.MethodGet {
		h.store.view(func(t *tx) { answer = h.perform(t, asked) })
		return answer
	}
	err := h.store.update(func(t *tx) error {
		answer = h.perform(t, asked)
		if answer.status >= http.StatusBadRequest {
			return errRefused
		}
		return nil
	})
	if err != nil && !errors.Is(err, errRefused) {
		return refusal(http.StatusInternalServerError, "exception", err.Error())
	}
	return answer
}

// errRefused takes back what a refused write did.
var errRefused = errors.New("sandbox: refused")

// perform finds the interaction that is asked for (https://hl7.org/fhir/R4/http.html).
func (h hapi) perform(t *tx, a interaction) reply {
	s := a.segments
	if len(s) > 0 && isResourceType(s[0]) {
		return h.performOnType(t, a, s[0], s[1:])
	}
	switch {
	case len(s) == 0 && a.method == http.MethodPost:
		return h.bundle(t, a)
	case len(s) == 0 && a.method == http.MethodGet && a.form.Has("_getpages"):
		return h.turn(t, a)
	case len(s) == 1 && s[0] == "_history" && a.method == http.MethodGet:
		return h.history(t, a, "", "")
	case len(s) == 0:
		return refusal(http.StatusBadRequest, "not-supported", "HAPI-0302: This is the base URL of a FHIR server")
	default:
		return refusal(http.StatusNotFound, "not-found", "HAPI-0302: Unknown resource type")
	}
}

func (h hapi) performOnType(t *tx, a interaction, typ string, rest []string) reply {
	id := strings.Join(rest[:min(len(rest), 1)], "")
	switch {
	case len(rest) == 2 && rest[1] == "_history" && a.method == http.MethodGet:
		return h.history(t, a, typ, id)
	case len(rest) == 3 && rest[1] == "_history" && a.method == http.MethodGet:
		return h.vread(t, a, typ, id, rest[2])
	case len(rest) == 1 && id == "_history" && a.method == http.MethodGet:
		return h.history(t, a, typ, "")
	case len(rest) > 0 && rest[len(rest)-1] == "$validate":
		return h.validate(a, typ)
	case len(rest) == 2 && rest[1] == "$everything" && typ == "Patient":
		return h.everything(t, a, id)
	case len(rest) > 1 || strings.HasPrefix(id, "$"):
		return refusal(http.StatusBadRequest, "not-supported", "HAPI-0287: Invalid request")
	}
	switch a.method {
	case http.MethodGet:
		if id == "" {
			return h.search(t, a, typ)
		}
		return h.read(t, a, typ, id)
	case http.MethodPost:
		if id == "" {
			return h.create(t, a, typ)
		}
	case http.MethodPut:
		return h.update(t, a, typ, id)
	case http.MethodPatch:
		return h.patch(t, a, typ, id)
	case http.MethodDelete:
		return h.remove(t, a, typ, id)
	}
	return refusal(http.StatusMethodNotAllowed, "not-supported", "HAPI-0287: Invalid request")
}

func (h hapi) send(w http.ResponseWriter, answer reply) {
	for name, values := range answer.header {
		w.Header()[name] = values
	}
	w.Header().Set("X-Powered-By", "HAPI FHIR like sandbox")
	switch {
	case answer.blob != nil && answer.asJSON:
		answer.blob.serveJSON(w, hapiType, answer.body)
	case answer.blob != nil:
		answer.blob.serve(w)
	case len(answer.body) == 0:
		write(w, answer.status, "", nil)
	default:
		write(w, answer.status, hapiType, answer.body)
	}
}

func hapiCapabilities() capabilities {
	var offers []offer
	for _, typ := range []string{
		"Appointment", "Binary", "Bundle", "Condition", "DiagnosticReport", "DocumentReference", "Encounter", "ImagingStudy", "Location",
		"Observation", "Organization", "Patient", "Practitioner", "ServiceRequest", "Subscription",
	} {
		offers = append(offers, offer{typ, []string{
			"read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type",
		}})
	}
	return capabilities{
		software: "HAPI-like sandbox", offers: offers, versioning: "versioned-update", operations: true,
		system: []string{"transaction", "batch", "history-system"},
	}
}
