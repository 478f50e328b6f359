package credentials

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

// dropping is the grace of a rotation that is to have none: the secrets of before
// are ended as soon as the record knows the new one. Until then the new one has
// been seen by nobody, and a rotation that is broken off goes back to them.
const dropping = 24 * time.Hour

// Rotate gives a credential a new secret; the ones of before work on for grace.
// With none they end at once, or, when the gateway stops to answer just then, as
// soon as it does again. store.ErrConflict says that the credential is not active,
// store.ErrOwnDecision that by has approved its access.
func (s *Service) Rotate(ctx context.Context, by store.By, id string, grace time.Duration) (*Issued, error) {
	credential, err := s.store.Credential(ctx, id)
	if err != nil {
		return nil, err
	}
	if credential.State != store.CredentialActive {
		return nil, store.ErrConflict
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
	made, err := s.gateway.Rotate(ctx, credential.KeyID, adminapi.Rotation{Grace: adminapi.Duration(cmp.Or(grace, dropping))})
	if err != nil {
		return nil, s.breakRotation(ctx, id, err)
	}
	if err := s.finishRotation(ctx, id, made.Key, grace); err != nil {
		return nil, err
	}
	credential, err = s.store.Credential(ctx, id)
	return &Issued{Credential: credential, Secret: made.Secret, TokenURL: made.TokenURL}, err
}

// finishRotation writes that a key has a new secret, its last one, and without a
// grace ends the others.
func (s *Service) finishRotation(ctx context.Context, id string, key *record.Key, grace time.Duration) error {
	hints := hintsOf(key)
	newest := hints[len(hints)-1]
	if grace == 0 {
		hints = []store.SecretHint{newest}
	}
	finished, err := s.store.FinishRotation(ctx, id, hints, key.Expires)
	if err != nil {
		s.giveUp(id)
		return err
	}
	if !finished { // it was taken back, or the credential revoked
		if _, err := s.gateway.WithdrawSecret(ctx, key.ID, newest.Hash); err != nil {
			s.log.Warn("a secret that nobody has seen could not be withdrawn", "credential", id, "problem", err)
		}
		return store.ErrConflict
	}
	if _, err := s.endUnknown(ctx, key, hints); err != nil {
		s.behind.Store(true)
		s.log.Warn("the secrets before a rotation work on until the gateway answers again", "credential", id, "problem", err)
	}
	return nil
}

// refresh takes over what the gateway says about a key.
func (s *Service) refresh(ctx context.Context, keyID string) error {
	key, err := s.gateway.Show(ctx, keyID)
	if err == nil {
		key, err = s.endDropped(ctx, key)
	}
	if err != nil {
		return err
	}
	return s.store.Mirror(ctx, []store.Mirror{mirrorOf(key)})
}

// endDropped ends the secrets of a key that its record has dropped, and returns
// the key as it is then. It is active, and so is the record.
func (s *Service) endDropped(ctx context.Context, key *record.Key) (*record.Key, error) {
	if len(key.Secrets) < 2 {
		return key, nil
	}
	credential, err := s.store.CredentialByKey(ctx, key.ID)
	if err != nil || credential.State != store.CredentialActive {
		return key, err
	}
	return s.endUnknown(ctx, key, credential.Hints)
}

// endUnknown ends the secrets of a key that are older than one that is known, and
// not known themselves. A newer one was made at the command line.
func (s *Service) endUnknown(ctx context.Context, key *record.Key, known []store.SecretHint) (*record.Key, error) {
	isKnown := func(secret record.Secret) bool { return knows(known, secret.Hash) }
	for key.Status(s.now()) == "active" {
		unknown := slices.IndexFunc(key.Secrets, func(secret record.Secret) bool {
			return !isKnown(secret) && !record.Ended(secret.Until, s.now())
		})
		if unknown < 0 || !slices.ContainsFunc(key.Secrets[unknown:], isKnown) {
			return key, nil
		}
		left, err := s.gateway.WithdrawSecret(ctx, key.ID, key.Secrets[unknown].Hash)
		if err != nil {
			return key, err
		}
		key = left
	}
	return key, nil
}

func knows(hints []store.SecretHint, hash string) bool {
	return slices.ContainsFunc(hints, func(h store.SecretHint) bool { return h.Hash == hash })
}

// breakRotation undoes a rotation that has failed for a reason.
func (s *Service) breakRotation(ctx context.Context, id string, reason error) error {
	credential, err := s.store.Credential(ctx, id)
	if err == nil {
		err = s.undoRotation(ctx, credential)
	}
	if err != nil {
		s.giveUp(id)
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
	note := "a rotation was broken off: the secret of before works on, rotate again"
	if key != nil && key.Status(s.now()) == "active" {
		for _, secret := range key.Secrets {
			if knows(credential.Hints, secret.Hash) {
				continue
			}
			left, err := s.gateway.WithdrawSecret(ctx, credential.KeyID, secret.Hash)
			if adminapi.Refused(err, http.StatusConflict) { // it is the last one
				note = "a rotation was broken off, and the grace of the secret before is over: nobody has seen the one that works, rotate again"
				break
			}
			if err != nil {
				return err
			}
			key = left
		}
	}
	broken, err := s.store.BreakRotation(ctx, store.System, credential.ID, note)
	if err != nil || !broken || key == nil {
		return err
	}
	return s.store.Mirror(ctx, []store.Mirror{mirrorOf(key)})
}
