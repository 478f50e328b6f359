package credentials

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"fhirgate/portal/store"
)

// endUndecided ends what was given without a person's decision, because it reached
// simulated hospitals only, and now reaches one that the gateway knows as something
// else: accesses that were approved at once, and the portal's own keys. A hospital
// that the gateway does not know ends nothing: nobody reaches it.
func (s *Service) endUndecided(ctx context.Context) error {
	accesses, err := s.store.ApprovedBySystem(ctx)
	if err != nil {
		return err
	}
	own, err := s.store.OwnCredentials(ctx)
	if err != nil || len(accesses)+len(own) == 0 {
		return err
	}
	hospitals, err := s.gateway.Hospitals(ctx)
	if err != nil {
		return err
	}
	simulated := make(map[string]bool, len(hospitals))
	for _, h := range hospitals {
		simulated[h.ID] = h.Simulated()
	}
	isReal := func(id string) bool { is, known := simulated[id]; return known && !is }
	var failed []error
	for _, access := range accesses {
		if i := slices.IndexFunc(access.Hospitals, isReal); i >= 0 {
			s.log.Warn("an access that no person has approved is ended: a hospital is no sandbox any more", "request", access.ID, "hospital", access.Hospitals[i])
			failed = append(failed, ended(s.EndAccess(ctx, store.System, access.ID, fmt.Sprintf(
				"%s is not a simulated hospital any more: ask again, and an administrator decides.", access.Hospitals[i]))))
		}
	}
	for _, key := range own {
		if i := slices.IndexFunc(key.Hospitals, isReal); i >= 0 {
			failed = append(failed, ended(s.Revoke(ctx, store.System, key.ID, key.Hospitals[i]+" is not a simulated hospital any more")))
		}
	}
	return errors.Join(failed...)
}

// ended is the error of an end that somebody else may have come first with.
func ended(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}
