package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/fhir"
	"fhirgate/gateway/adminapi"
	"fhirgate/upstream/jwks"
)

// ringsDir is the folder inside the data folder for rings that are files.
const ringsDir = "rings"

// openRings opens the rings of the store and of the data folder, and logs those
// that this node cannot use.
func (s *server) openRings(encryption jose.JSONWebKeySet) (*jwks.Rings, error) {
	rings, err := jwks.Open(jwks.Options{
		Redis:    s.store.Client(),
		SealKeys: encryption,
		Folder:   filepath.Join(s.config.Settings.DataDir, ringsDir),
		Log:      s.log,
	})
	if err != nil {
		return nil, err
	}
	_, err = rings.List(context.Background()) // logs the problems that it finds
	return rings, err
}

// serveKeys answers with public keys.
func (h *root) serveKeys(w http.ResponseWriter, r *http.Request) {
	err := h.rings.Serve(w, r)
	var refusal *fhir.Error
	if errors.As(err, &refusal) {
		refuseWith(w, r, refusal)
	}
}

// ringError returns what a caller is told of an error of a ring, nil for any
// other.
func ringError(err error) *fhir.Error {
	is := func(causes ...error) bool {
		return slices.ContainsFunc(causes, func(cause error) bool { return errors.Is(err, cause) })
	}
	switch {
	case is(jwks.ErrNoRing, jwks.ErrNoKey):
		return fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, err.Error())
	case is(jwks.ErrExists, jwks.ErrRotating, jwks.ErrLastKey, jwks.ErrFile, jwks.ErrContended, jwks.ErrSealed):
		return fhir.NewError(http.StatusConflict, fhir.IssueConflict, err.Error())
	case is(jwks.ErrInvalid):
		return fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueValue, err.Error())
	default:
		return nil
	}
}

func (a *admin) createRing(r *http.Request) (int, any, error) {
	var wanted adminapi.NewRing
	if err := decode(r, &wanted); err != nil {
		return 0, nil, err
	}
	status, err := a.rings.Create(r.Context(), jwks.New{Name: wanted.Name, Alg: wanted.Alg, Bits: wanted.Bits, After: time.Duration(wanted.After)})
	return http.StatusCreated, a.ring(status), err
}

func (a *admin) listRings(r *http.Request) (int, any, error) {
	found, err := a.rings.List(r.Context())
	all := make([]adminapi.Ring, 0, len(found))
	for _, status := range found {
		all = append(all, a.ring(status))
	}
	return http.StatusOK, all, err
}

func (a *admin) rotateRing(r *http.Request) (int, any, error) {
	var wanted adminapi.RingRotation
	if err := decode(r, &wanted); err != nil {
		return 0, nil, err
	}
	status, err := a.rings.Rotate(r.Context(), r.PathValue("ring"), time.Duration(wanted.After))
	return http.StatusOK, a.ring(status), err
}

func (a *admin) retireKey(r *http.Request) (int, any, error) {
	var wanted adminapi.KeyRetirement
	if err := decode(r, &wanted); err != nil {
		return 0, nil, err
	}
	status, err := a.rings.Retire(r.Context(), r.PathValue("ring"), wanted.KID, wanted.Force)
	return http.StatusOK, a.ring(status), err
}

// exportSet answers with the public keys of the ring that the query names, or
// of all.
func (a *admin) exportSet(r *http.Request) (int, any, error) {
	set, _, err := a.rings.Set(r.Context(), r.URL.Query().Get("ring"))
	return http.StatusOK, json.RawMessage(set), err
}

func (a *admin) ring(status jwks.Status) adminapi.Ring {
	return adminapi.Ring{Status: status, URL: strings.TrimSuffix(a.public, "/") + jwks.RingPath(status.Name)}
}
