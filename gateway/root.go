package gateway

import (
	"net/http"
	"time"

	"fhirgate/facade"
	"fhirgate/fhir"
	"fhirgate/gateway/oauth"
	"fhirgate/upstream/jwks"
)

// root answers every path outside /fhir/.
type root struct {
	ready func() bool   // whether calls are answered and the gateway is not draining
	rings *jwks.Rings   // whose public keys are served
	oauth *oauth.Server // what issues tokens
}

func (h *root) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		plain(w, http.StatusOK, "ok\n")
	case "/readyz":
		if h.ready() {
			plain(w, http.StatusOK, "ready\n")
			return
		}
		plain(w, http.StatusServiceUnavailable, "not ready: starting or draining\n")
	default:
		if oauth.ServesPath(r.URL.Path) {
			h.oauth.ServeHTTP(w, r)
			return
		}
		if jwks.ServesPath(r.URL.Path) {
			h.serveKeys(w, r)
			return
		}
		refuseWith(w, r, fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, "nothing is here; FHIR endpoints are at /fhir/{hospital}"))
	}
}

// refuse answers where neither the facade nor root could: the engine refused
// the request, or a handler failed before it wrote anything.
func refuse(w http.ResponseWriter, r *http.Request, status int) {
	refusal := fhir.NewError(status, fhir.IssueException, "the gateway failed; the request id finds the cause in its log")
	switch status {
	case http.StatusUnauthorized:
		refusal = fhir.NewError(status, fhir.IssueLogin, "the engine refused the call's key").With("WWW-Authenticate", `Bearer realm="fhirgate"`)
	case http.StatusForbidden:
		refusal = fhir.NewError(status, fhir.IssueForbidden, "the engine refused the call")
	case http.StatusNotFound:
		refusal = fhir.NewError(status, fhir.IssueNotFound, "nothing is here; FHIR endpoints are at /fhir/{hospital}")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		refusal = fhir.NewError(status, fhir.IssueTransient, "the engine cannot take the call now").After(time.Second)
	}
	refuseWith(w, r, refusal)
}

func refuseWith(w http.ResponseWriter, r *http.Request, refusal *fhir.Error) {
	id := facade.RequestID(r)
	w.Header().Set("X-Request-Id", id)
	refusal.Write(w, id)
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the prober is gone when this fails
}
