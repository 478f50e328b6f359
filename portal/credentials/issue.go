package credentials

import (
	"context"
	"fmt"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

// Issue makes a credential under an approved request. store.ErrConflict says that
// the request is not approved or its access is over; store.ErrOwnDecision that by
// has approved it; store.ErrFull that the app has as many as there may be;
// *adminapi.Refusal what is wrong with what is wanted.
func (s *Service) Issue(ctx context.Context, by store.By, wanted Wanted) (*Issued, error) {
	request, err := s.store.Request(ctx, wanted.RequestID)
	if err != nil {
		return nil, err
	}
	life, err := s.lifeOf(wanted.Life, request.Ends)
	if err != nil {
		return nil, err
	}
	return s.issue(ctx, by, store.Credential{
		AppID: request.AppID, RequestID: request.ID, Name: wanted.Name, Kind: wanted.Kind,
		Plan: request.Plan, Hospitals: request.Hospitals,
	}, adminapi.NewKey{
		Life: adminapi.Duration(life), NoSecret: wanted.NoSecret,
		JWKS: wanted.JWKS, JWKSURL: wanted.JWKSURL, AllowFrom: wanted.AllowFrom,
	})
}

// lifeOf returns how long a credential lives that ends with its access at the
// latest, 0 for ever.
func (s *Service) lifeOf(wanted time.Duration, ends time.Time) (time.Duration, error) {
	if ends.IsZero() {
		return wanted, nil
	}
	left := ends.Sub(s.now())
	if left <= 0 {
		return 0, store.ErrConflict
	}
	if wanted == 0 {
		return left, nil
	}
	return min(wanted, left), nil
}

// issue writes the record, makes the key, and writes that it works.
func (s *Service) issue(ctx context.Context, by store.By, credential store.Credential, key adminapi.NewKey) (*Issued, error) {
	credential.KeyID, credential.Origin = newKeyID(), store.OriginPortal
	credential, err := s.store.BeginCredential(ctx, by, credential)
	if err != nil {
		return nil, err
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	key.ID, key.Name, key.Plan = credential.KeyID, credential.Name, credential.Plan
	key.Kind, key.Hospitals = record.Kind(credential.Kind), credential.Hospitals
	made, err := s.gateway.Create(ctx, key)
	if err != nil {
		return nil, s.abandon(ctx, credential, err)
	}
	finished, err := s.store.FinishCredential(ctx, credential.ID, made.Expires, hintsOf(made.Key))
	if err == nil && !finished { // it was given up meanwhile
		err = store.ErrConflict
	}
	if err != nil {
		return nil, s.abandon(ctx, credential, err)
	}
	credential, err = s.store.Credential(ctx, credential.ID)
	return &Issued{Credential: credential, Secret: made.Secret, TokenURL: made.TokenURL}, err
}

// abandon gives a credential up that could not be made for a reason. The record
// says so first; what may have come to be at the gateway ends now, or when Sync
// finds it.
func (s *Service) abandon(ctx context.Context, credential store.Credential, reason error) error {
	note := "it could not be made"
	if isRefusal(reason) {
		note = reason.Error()
	}
	if _, err := s.store.FailCredential(ctx, store.System, credential.ID, note); err != nil {
		s.giveUp(credential.ID)
		return fmt.Errorf("%w; its record: %w", reason, err)
	}
	if isRefusal(reason) {
		return reason
	}
	if err := s.end(ctx, credential.KeyID); err != nil {
		s.behind.Store(true)
		s.log.Warn("a key that was not completed may exist until the gateway answers again", "credential", credential.ID, "key", credential.KeyID)
	}
	return reason
}
