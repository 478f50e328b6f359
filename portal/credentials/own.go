package credentials

import (
	"context"
	"errors"
	"slices"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

// System returns a credential of the portal itself with a new secret, for exactly
// these hospitals, at least one: the one of this name, rotated, or a new one. The
// secret of before works on for an hour, as another portal may use it. Those of
// this name for other hospitals or another plan are revoked first.
func (s *Service) System(ctx context.Context, name, plan string, hospitals []string, life time.Duration) (*Issued, error) {
	if len(hospitals) == 0 {
		return nil, errors.New("a credential of the portal itself names its hospitals: none would be all of its plan")
	}
	own, err := s.store.OwnCredentials(ctx)
	if err != nil {
		return nil, err
	}
	hospitals = slices.Sorted(slices.Values(hospitals))
	current := ""
	for _, c := range own {
		switch {
		case c.Name != name:
		case c.Plan != plan || !slices.Equal(slices.Sorted(slices.Values(c.Hospitals)), hospitals):
			if err := ended(s.Revoke(ctx, store.System, c.ID, "another one takes its place")); err != nil {
				return nil, err
			}
		case current == "" && c.State == store.CredentialActive && (c.Expires.IsZero() || c.Expires.After(s.now().Add(time.Hour))):
			current = c.ID
		}
	}
	if current != "" {
		issued, err := s.Rotate(ctx, store.System, current, time.Hour)
		if !errors.Is(err, store.ErrConflict) && !isRefusal(err) {
			return issued, err
		}
		// Another portal is just rotating it, or the gateway has lost it.
	}
	return s.issue(ctx, store.System,
		store.Credential{Name: name, Kind: string(record.KindKey), Plan: plan, Hospitals: hospitals},
		adminapi.NewKey{Life: adminapi.Duration(life)})
}
