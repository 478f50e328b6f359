package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"golang.org/x/sync/singleflight"

	"fhirgate/facade"
	"fhirgate/fhir"
	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys"
	"fhirgate/internal/strict"
	"fhirgate/observe/usage"
	"fhirgate/upstream/jwks"
)

// admin is the admin API: keys, rings, hospitals, plans and reload, for the command line and the portal.
// It listens on a loopback port of its own and wants the install's secret.
type admin struct {
	secret   string
	keeper   *keys.Keeper
	snapshot func() *facade.Snapshot
	reload   func(context.Context) error
	metrics  http.Handler
	// capabilities answers with the CapabilityStatement of a hospital, in the name of
	// an asker.
	capabilities func(w http.ResponseWriter, r *http.Request, hospital, asker string)
	rings        *jwks.Rings
	public       string // the gateway's public URL
	version      string // of the gateway

	usage      *usage.Reader
	limits     limits
	lastReload func() adminapi.Reloading
	checks     singleflight.Group // of hospitals, by id
}

func (a *admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metrics)
	for pattern, handle := range map[string]func(*http.Request) (int, any, error){
		"POST /admin/keys":             a.createKey,
		"GET /admin/keys":              a.listKeys,
		"GET /admin/keys/{id}":         a.showKey,
		"PATCH /admin/keys/{id}":       a.updateKey,
		"POST /admin/keys/{id}/rotate": a.rotateKey,
		"DELETE /admin/keys/{id}":      a.revokeKey,
		"POST /admin/reload":           a.reloadFiles,
		"GET /admin/reload":            a.showReload,

		"DELETE /admin/keys/{id}/secrets/{hash}": a.withdrawSecret,

		"GET /admin/about":                 a.about,
		"GET /admin/plans":                 a.listPlans,
		"GET /admin/hospitals":             a.listHospitals,
		"GET /admin/hospitals/{id}":        a.showHospital,
		"POST /admin/hospitals/{id}/check": a.checkHospital,

		"GET /admin/usage":                 a.usageSince,
		"GET /admin/keys/{id}/errors":      a.keyErrors,
		"GET /admin/keys/{id}/limits":      a.keyLimits,
		"GET /admin/hospitals/{id}/errors": a.hospitalErrors,

		"POST /admin/jwks":               a.createRing,
		"GET /admin/jwks":                a.listRings,
		"GET /admin/jwks/export":         a.exportSet,
		"POST /admin/jwks/{ring}/rotate": a.rotateRing,
		"POST /admin/jwks/{ring}/retire": a.retireKey,
	} {
		mux.Handle(pattern, a.guarded(answering(handle)))
	}
	mux.Handle("GET /admin/hospitals/{id}/metadata", a.guarded(a.hospitalMetadata))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, "the admin API has no such call").Write(w, "")
	})
	return mux
}

// guarded lets only the holder of the secret in.
func (a *admin) guarded(handle http.HandlerFunc) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + a.secret))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			fhir.NewError(http.StatusUnauthorized, fhir.IssueLogin, "the admin API wants the secret of "+AdminSecretFile+" in the data folder").
				With("WWW-Authenticate", `Bearer realm="fhirgate admin"`).Write(w, "")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		handle(w, r)
	})
}

// answering renders what handle returns.
func answering(handle func(*http.Request) (int, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, answer, err := handle(r)
		if err != nil {
			adminError(err).Write(w, "")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer) // the client is gone when this fails
	}
}

func adminError(err error) *fhir.Error {
	var fhirErr *fhir.Error
	var problems strict.Problems
	switch {
	case errors.As(err, &fhirErr):
		return fhirErr
	case errors.Is(err, keys.ErrNotFound):
		return fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, err.Error()+": it is the one that begins with key_, not the name")
	case errors.Is(err, keys.ErrNoSecret):
		return fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, err.Error())
	case errors.Is(err, keys.ErrRevoked), errors.Is(err, keys.ErrExpired), errors.Is(err, keys.ErrContended):
		return fhir.NewError(http.StatusConflict, fhir.IssueConflict, err.Error())
	case errors.As(err, &problems):
		return fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueInvalid, err.Error())
	default:
		if refusal := ringError(err); refusal != nil {
			return refusal
		}
		return fhir.NewError(http.StatusServiceUnavailable, fhir.IssueTransient, err.Error())
	}
}

func (a *admin) reloadFiles(r *http.Request) (int, any, error) {
	if err := a.reload(r.Context()); err != nil {
		return 0, nil, err
	}
	s := a.snapshot()
	return http.StatusOK, adminapi.Loaded{Hospitals: len(s.Hospitals), Plans: len(s.Plans)}, nil
}

func (a *admin) showReload(*http.Request) (int, any, error) {
	return http.StatusOK, a.lastReload(), nil
}

func decode(r *http.Request, out any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(out); err != nil {
		return fhir.NewError(http.StatusBadRequest, fhir.IssueStructure, "the body is not the JSON that this call takes: "+strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}
