package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

// Rotate gives a credential a new secret; the one of before works on for grace.
// store.ErrConflict says that it is not active.
func (s *Service) Rotate(ctx context.Context, by store.By, id string, grace time.Duration) (*Issued, error) {
	credential, err := s.store.Credential(ctx, id)
	if err != nil {
		return nil, err
	}
	// What is known of the secrets now tells later which of them is new.
	if err := s.refresh(ctx, credential.KeyID); err != nil {
		return nil, err
	}
	if err := s.store.BeginRotation(ctx, by, id); err != nil {
		return nil, err
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	made, err := s.gateway.Rotate(ctx, credential.KeyID, adminapi.Rotation{Grace: adminapi.Duration(grace)})
	if err != nil {
		return nil, s.breakRotation(ctx, id, err)
	}
	finished, err := s.store.FinishRotation(ctx, id, hintsOf(made.Key), made.Expires)
	if err == nil && !finished { // it was taken back, or the credential revoked
		err = store.ErrConflict
	}
	if err != nil {
		return nil, err
	}
	credential, err = s.store.Credential(ctx, id)
	return &Issued{Credential: credential, Secret: made.Secret, TokenURL: made.TokenURL}, err
}

// refresh takes over what the gateway says about a key.
func (s *Service) refresh(ctx context.Context, keyID string) error {
	key, err := s.gateway.Show(ctx, keyID)
	if err != nil {
		return err
	}
	return s.store.Mirror(ctx, []store.Mirror{mirrorOf(key)})
}

// breakRotation undoes a rotation that has failed for a reason.
func (s *Service) breakRotation(ctx context.Context, id string, reason error) error {
	credential, err := s.store.Credential(ctx, id)
	if err == nil {
		err = s.undoRotation(ctx, credential)
	}
	if err != nil {
		s.log.Warn("a rotation was broken off and is taken back as soon as the gateway answers", "credential", id)
	}
	return reason
}

// undoRotation withdraws the secrets that the record does not know: nobody has
// seen them. The one of before then works on without an end.
func (s *Service) undoRotation(ctx context.Context, credential store.Credential) error {
	key, err := s.gateway.Show(ctx, credential.KeyID)
	if err != nil && !adminapi.Refused(err, http.StatusNotFound) {
		return err
	}
	if key != nil && key.Status(s.now()) == "active" {
		for _, secret := range key.Secrets {
			known := slices.ContainsFunc(credential.Hints, func(h store.SecretHint) bool { return h.Hash == secret.Hash })
			if known {
				continue
			}
			if key, err = s.gateway.WithdrawSecret(ctx, credential.KeyID, secret.Hash); err != nil {
				return err
			}
		}
		if err := s.store.Mirror(ctx, []store.Mirror{mirrorOf(key)}); err != nil {
			return err
		}
	}
	_, err = s.store.BreakRotation(ctx, store.System, credential.ID, "a rotation was broken off: the secret of before works on, rotate again")
	return err
}

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

// Update changes a credential. The gateway, which checks what is wanted, comes
// first: its record is the authority, and ours follows it at the next Sync if
// this is broken off.
func (s *Service) Update(ctx context.Context, by store.By, id string, changes Changes) error {
	credential, err := s.store.Credential(ctx, id)
	if err != nil {
		return err
	}
	if credential.State != store.CredentialActive {
		return store.ErrConflict
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
