package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

// Revoke ends a credential for good. When the gateway does not answer, the error
// says so, and the revocation is completed as soon as it does.
func (s *Service) Revoke(ctx context.Context, by store.By, id, reason string) error {
	if err := s.store.BeginRevocation(ctx, by, id, reason); err != nil {
		return err
	}
	credential, err := s.store.Credential(ctx, id)
	if err != nil {
		return err
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	return s.completeRevocation(ctx, credential)
}

func (s *Service) completeRevocation(ctx context.Context, credential store.Credential) error {
	if err := s.end(ctx, credential.KeyID); err != nil {
		return err
	}
	_, err := s.store.FinishRevocation(ctx, credential.ID)
	return err
}

// end revokes a key, if there is one.
func (s *Service) end(ctx context.Context, keyID string) error {
	if _, err := s.gateway.Revoke(ctx, keyID); err != nil && !adminapi.Refused(err, http.StatusNotFound) {
		return err
	}
	return nil
}

// EndAccess ends an approved request and revokes the credentials made under it.
// The store marks both in one step, so that what is broken off here is completed
// by Run.
func (s *Service) EndAccess(ctx context.Context, by store.By, requestID, reason string) error {
	if err := s.store.EndAccess(ctx, by, requestID, reason); err != nil {
		return err
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	pending, err := s.store.Pending(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, credential := range pending {
		if credential.RequestID == requestID && credential.State == store.CredentialRevoking {
			failed = append(failed, s.completeRevocation(ctx, credential))
		}
	}
	return errors.Join(failed...)
}

// Changes are what Update changes; nil leaves things as they are.
type Changes struct {
	Name      *string
	AllowFrom *[]string       // none = from everywhere
	JWKS      json.RawMessage // takes the place of all keys of before
	JWKSURL   *string         // likewise
}

// signs reports whether a client's own keys are changed, which are to it what
// secrets are to others.
func (c Changes) signs() bool { return c.JWKS != nil || c.JWKSURL != nil }

// Update changes a credential. The gateway, which checks what is wanted, comes
// first: its record is the authority, and ours follows it at the next Sync if
// this is broken off. store.ErrConflict says that the credential is not active,
// store.ErrOwnDecision that by has approved its access and wants to change its keys.
func (s *Service) Update(ctx context.Context, by store.By, id string, changes Changes) error {
	credential, err := s.store.Credential(ctx, id)
	if err != nil {
		return err
	}
	if credential.State != store.CredentialActive {
		return store.ErrConflict
	}
	if changes.signs() && credential.RequestID != "" {
		request, err := s.store.Request(ctx, credential.RequestID)
		if err != nil {
			return err
		}
		if request.ApprovedBy(by.UserID) {
			return store.ErrOwnDecision
		}
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	var key *record.Key
	if key, err = s.gateway.Update(ctx, credential.KeyID, adminapi.KeyChanges{
		Name: changes.Name, AllowFrom: changes.AllowFrom, JWKS: changes.JWKS, JWKSURL: changes.JWKSURL,
	}); err != nil {
		return err
	}
	return s.store.UpdateCredential(ctx, by, id, key.Name)
}
