package gateway

import (
	"cmp"
	"context"
	"crypto/x509"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"fhirgate/facade"
	"fhirgate/fhir"
	"fhirgate/gateway/adminapi"
	"fhirgate/upstream"
	"fhirgate/upstream/budget"
	"fhirgate/upstream/jwks"
)

// lookedAt is how many hospitals are looked at at a time: of each the store is
// asked for token and budget.
const lookedAt = 16

func (a *admin) listHospitals(r *http.Request) (int, any, error) {
	hospitals := a.snapshot().Hospitals
	rings, err := a.ringsOf(r.Context(), hospitals)
	if err != nil {
		return 0, nil, err
	}
	all := make([]adminapi.Hospital, len(hospitals))
	group, ctx := errgroup.WithContext(r.Context())
	group.SetLimit(lookedAt)
	for i, id := range sortedKeys(hospitals) {
		group.Go(func() (err error) {
			all[i], err = hospitalOf(ctx, hospitals[id], rings)
			return err
		})
	}
	err = group.Wait()
	return http.StatusOK, all, err
}

func (a *admin) showHospital(r *http.Request) (int, any, error) {
	h, err := a.hospital(r)
	if err != nil {
		return 0, nil, err
	}
	rings, err := a.ringsOf(r.Context(), map[string]*facade.Hospital{h.Route.ID: h})
	if err != nil {
		return 0, nil, err
	}
	shown, err := hospitalOf(r.Context(), h, rings)
	return http.StatusOK, shown, err
}

// hospitalMetadata answers with the CapabilityStatement of the hospital as callers
// get it who may do all that its route lists.
func (a *admin) hospitalMetadata(w http.ResponseWriter, r *http.Request) {
	a.capabilities(w, r, r.PathValue("id"), checker)
}

// hospital returns the hospital that the path names.
func (a *admin) hospital(r *http.Request) (*facade.Hospital, error) {
	if h := a.snapshot().Hospitals[r.PathValue("id")]; h != nil {
		return h, nil
	}
	return nil, fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, "there is no hospital of this id")
}

// ringsOf returns the key rings, if one of the hospitals has any.
func (a *admin) ringsOf(ctx context.Context, hospitals map[string]*facade.Hospital) ([]jwks.Status, error) {
	for _, h := range hospitals {
		if h.Route.Upstream.Auth.KeyRing != "" {
			return a.rings.List(ctx)
		}
	}
	return nil, nil
}

func hospitalOf(ctx context.Context, h *facade.Hospital, rings []jwks.Status) (adminapi.Hospital, error) {
	route := h.Route
	shown := adminapi.Hospital{
		ID:           route.ID,
		Name:         route.Name,
		Vendor:       route.Vendor,
		Environment:  route.Environment,
		TimeZone:     route.Location.String(),
		Accept:       route.Accept,
		Interactions: make(map[string][]string, len(route.Interactions)),
		Operations:   route.Operations,
		DenyRules:    len(route.Deny),
		Auth:         cmp.Or(route.Upstream.Auth.Kind, "none"),
	}
	for typ, interactions := range route.Interactions {
		for _, interaction := range interactions {
			shown.Interactions[typ] = append(shown.Interactions[typ], string(interaction))
		}
	}
	for _, rule := range h.Vendor.Rules() {
		if h.Vendor.Owner(rule) == "hospital "+route.ID {
			shown.OwnRules++
		} else {
			shown.VendorRules++
		}
	}
	if ring := route.Upstream.Auth.KeyRing; ring != "" {
		shown.KeyRing = ringState(ring, rings)
	}
	state, err := h.Client.State(ctx)
	fillState(&shown, h, state)
	return shown, err
}

// fillState adds how the hospital is now.
func fillState(shown *adminapi.Hospital, h *facade.Hospital, state upstream.State) {
	shown.Breaker = state.Breaker
	shown.LastAnswer, shown.LastFailure = state.LastAnswer, state.LastFailure
	shown.FailureIssue, shown.FailureCause = string(state.FailureIssue), state.FailureCause
	if token := state.Token; token != nil && token.Held {
		shown.Token = &adminapi.Token{Obtained: token.Obtained, Expires: token.Expires}
	}
	if b := state.Budget; b != nil {
		shown.Budget = &adminapi.Budget{
			Requests:    b.Limit,
			Per:         adminapi.Duration(cmp.Or(h.Route.Upstream.Budget.Per, budget.DefaultPer)),
			Concurrency: b.Concurrency,
		}
		if b.ClosedUntil.IsZero() { // else the hospital has asked for a pause
			shown.Budget.Left = max(b.Limit-b.Used, 0)
		}
	}
	for _, held := range []struct {
		role        string
		certificate *x509.Certificate
	}{{"client", state.OwnCertificate}, {"server", state.ServerCertificate}} {
		if c := held.certificate; c != nil {
			shown.Certificates = append(shown.Certificates, adminapi.Certificate{Role: held.role, Subject: subjectOf(c), NotAfter: c.NotAfter.UTC()})
		}
	}
}

// subjectOf returns by what name people know a certificate.
func subjectOf(c *x509.Certificate) string {
	name := c.Subject.CommonName
	if name == "" && len(c.DNSNames) > 0 {
		name = c.DNSNames[0]
	}
	if name == "" && len(c.IPAddresses) > 0 {
		name = c.IPAddresses[0].String()
	}
	return cmp.Or(name, c.Subject.String())
}

// ringState returns the ring of a name and the key that signs now; no key is told
// of a ring that there is not.
func ringState(name string, rings []jwks.Status) *adminapi.RingState {
	state := &adminapi.RingState{Name: name}
	i := slices.IndexFunc(rings, func(ring jwks.Status) bool { return ring.Name == name })
	if i < 0 {
		return state
	}
	for _, key := range rings[i].Keys {
		if key.State == jwks.Active {
			state.KeyID, state.Expires = key.KID, key.Stops
		}
	}
	return state
}
