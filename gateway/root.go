package gateway

import (
	"net/http"

	"fhirgate/fhir"
)

// root answers every path outside /fhir/.
type root struct {
	ready func() bool // whether calls are answered and the gateway is not draining
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
		fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, "nothing is here; FHIR endpoints are at /fhir/{hospital}").Write(w, "")
	}
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the prober is gone when this fails
}
