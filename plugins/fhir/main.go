// Command fhir is the plugin that Tyk loads (go build -buildmode=plugin): a
// trampoline from Tyk's hooks into the host. It imports nothing but net/http
// and hookreg, so that it is small and never holds logic that could grow old.
package main

import (
	"net/http"

	"fhirgate/plugins/hookreg"
)

// FHIR is the hook of the API definition that serves /fhir/.
func FHIR(w http.ResponseWriter, r *http.Request) { call(hookreg.FHIR, w, r) }

// Root is the hook of the catch-all API definition.
func Root(w http.ResponseWriter, r *http.Request) { call(hookreg.Root, w, r) }

// Auth is the auth_check hook.
func Auth(w http.ResponseWriter, r *http.Request) { call(hookreg.Auth, w, r) }

func call(hook http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	if hook == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	hook(w, r)
}

func main() {}
