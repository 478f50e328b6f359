package gateway

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"fhirgate/fhir"
	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys"
	"fhirgate/internal/strict"
)

// issued returns the answer for a key with a new secret.
func (a *admin) issued(key *keys.Key, secret string) adminapi.IssuedKey {
	answer := adminapi.IssuedKey{Key: key, Secret: secret}
	if key != nil && key.Kind == keys.KindClient {
		answer.TokenURL = a.public + "/oauth/token"
	}
	return answer
}

func (a *admin) createKey(r *http.Request) (int, any, error) {
	var wanted adminapi.NewKey
	if err := decode(r, &wanted); err != nil {
		return 0, nil, err
	}
	if err := a.checkPlan(wanted.Plan); err != nil {
		return 0, nil, err
	}
	allowed, err := networks(wanted.AllowFrom)
	if err != nil {
		return 0, nil, err
	}
	hasSecret := wanted.Kind == "" || wanted.Kind == keys.KindKey || wanted.Kind == keys.KindClient
	hospitals, err := a.narrowed(wanted.Plan, wanted.Hospitals)
	if err != nil {
		return 0, nil, err
	}
	key, secret, err := a.keeper.Create(r.Context(), keys.New{
		ID: wanted.ID, Name: wanted.Name, Plan: wanted.Plan, Hospitals: hospitals, Kind: wanted.Kind, Life: time.Duration(wanted.Life),
		WithSecret: hasSecret && !wanted.NoSecret, AllowFrom: allowed,
		JWKS: wanted.JWKS, JWKSURL: wanted.JWKSURL, Certificates: wanted.Certificates,
		Issuer: wanted.Issuer, Subject: wanted.Subject,
	})
	return http.StatusCreated, a.issued(key, secret), err
}

func (a *admin) updateKey(r *http.Request) (int, any, error) {
	var wanted adminapi.KeyChanges
	if err := decode(r, &wanted); err != nil {
		return 0, nil, err
	}
	changes := keys.Changes{
		Name: wanted.Name, Plan: wanted.Plan, JWKS: wanted.JWKS, JWKSURL: wanted.JWKSURL,
		AddCertificate: wanted.AddCertificate, CertificateGrace: (*time.Duration)(wanted.CertificateGrace), RemoveCertificate: wanted.RemoveCertificate,
	}
	if wanted.Plan != nil {
		if err := a.checkPlan(*wanted.Plan); err != nil {
			return 0, nil, err
		}
	}
	if wanted.Hospitals != nil {
		hospitals, err := a.narrowedKey(r, wanted)
		if err != nil {
			return 0, nil, err
		}
		changes.Hospitals = &hospitals
	}
	if wanted.AllowFrom != nil {
		allowed, err := networks(*wanted.AllowFrom)
		if err != nil {
			return 0, nil, err
		}
		changes.AllowFrom = &allowed
	}
	if wanted.Life != nil {
		var end time.Time
		if *wanted.Life > 0 {
			end = time.Now().Add(time.Duration(*wanted.Life))
		}
		changes.Expires = &end
	}
	key, err := a.keeper.Update(r.Context(), r.PathValue("id"), changes)
	return http.StatusOK, key, err
}

// checkPlan returns an error unless keys of a plan can be made.
func (a *admin) checkPlan(id string) error {
	plans := a.snapshot().Plans
	switch plan := plans[id]; {
	case plan == nil:
		return fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueValue, strict.Unknown("plan", id, sortedKeys(plans)))
	case !plan.Active:
		return fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueValue, "the plan is not active")
	}
	return nil
}

// narrowed returns the hospitals that a record is narrowed to, each once, or an
// error that names what its plan reaches.
func (a *admin) narrowed(plan string, ids []string) ([]string, error) {
	snapshot := a.snapshot()
	reaches := reached(snapshot, snapshot.Plans[plan])
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	for _, id := range ids {
		if _, found := slices.BinarySearch(reaches, id); !found {
			return nil, fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueValue,
				fmt.Sprintf("the plan %s reaches no hospital %q: it reaches %s", plan, id, cmp.Or(strings.Join(reaches, ", "), "none")))
		}
	}
	return ids, nil
}

// narrowedKey is narrowed for a change of a record, whose plan may be changed too.
func (a *admin) narrowedKey(r *http.Request, wanted adminapi.KeyChanges) ([]string, error) {
	if wanted.Plan != nil {
		return a.narrowed(*wanted.Plan, *wanted.Hospitals)
	}
	key, err := a.keeper.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return a.narrowed(key.Plan, *wanted.Hospitals)
}

// networks reads an allow-list.
func networks(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		prefix, err := keys.ParseAllowed(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		all = append(all, prefix)
	}
	return all, nil
}

func (a *admin) listKeys(r *http.Request) (int, any, error) {
	found, err := a.keeper.List(r.Context())
	return http.StatusOK, found, err
}

func (a *admin) showKey(r *http.Request) (int, any, error) {
	key, err := a.keeper.Get(r.Context(), r.PathValue("id"))
	return http.StatusOK, key, err
}

func (a *admin) rotateKey(r *http.Request) (int, any, error) {
	var wanted adminapi.Rotation
	if err := decode(r, &wanted); err != nil {
		return 0, nil, err
	}
	key, secret, err := a.keeper.Rotate(r.Context(), r.PathValue("id"), time.Duration(wanted.Grace))
	return http.StatusOK, a.issued(key, secret), err
}

func (a *admin) revokeKey(r *http.Request) (int, any, error) {
	key, err := a.keeper.Revoke(r.Context(), r.PathValue("id"))
	return http.StatusOK, key, err
}

func (a *admin) withdrawSecret(r *http.Request) (int, any, error) {
	key, err := a.keeper.WithdrawSecret(r.Context(), r.PathValue("id"), r.PathValue("hash"))
	return http.StatusOK, key, err
}
