package credentials

import (
	"context"
	"errors"
	"time"

	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

// How often Run looks at what was begun and not completed, and at everything.
const (
	repairEvery = 5 * time.Second
	syncEvery   = time.Minute
)

// unattended is how old a change must be before it counts as broken off: no
// caller works on it any more.
const unattended = finishing + 10*time.Second

// Start brings both stores together before this service makes changes of its own:
// every change that was begun before and is not completed is taken as broken off,
// however young. Another portal on the same store that is just making one finds
// that it was given up, and gives up as well. After an error Run tries again.
func (s *Service) Start(ctx context.Context) error {
	err := errors.Join(s.repair(ctx, s.began), s.Sync(ctx))
	s.started = err == nil
	return err
}

// Run keeps both stores together until ctx ends. It comes after Start.
func (s *Service) Run(ctx context.Context) {
	repair, whole := time.NewTicker(repairEvery), time.NewTicker(syncEvery)
	defer repair.Stop()
	defer whole.Stop()
	away := false
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-repair.C:
			err = s.catchUp(ctx)
		case <-whole.C:
			err = s.Sync(ctx)
		}
		if failed := err != nil && ctx.Err() == nil; failed != away {
			away = failed
			if failed {
				s.log.Warn("the portal's records and the gateway's keys cannot be compared", "problem", err)
			} else {
				s.log.Info("the portal's records and the gateway's keys are compared again")
			}
		}
	}
}

// catchUp repairs what was broken off, and compares everything when something
// could not be ended at the gateway.
func (s *Service) catchUp(ctx context.Context) error {
	if !s.started {
		return s.Start(ctx)
	}
	err := s.repair(ctx, s.now().Add(-unattended))
	if s.behind.Swap(false) {
		if late := s.Sync(ctx); late != nil {
			s.behind.Store(true)
			err = errors.Join(err, late)
		}
	}
	return err
}

// repair completes or takes back what was begun before a time, or is known to be
// broken off. A revocation is completed at once: there is no way back from it.
func (s *Service) repair(ctx context.Context, before time.Time) error {
	pending, err := s.store.Pending(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, credential := range pending {
		if credential.State == store.CredentialRevoking || credential.Changed.Before(before) || s.gaveUp(credential) {
			failed = append(failed, s.settle(ctx, credential))
		}
	}
	return errors.Join(failed...)
}

// giveUp notes that nobody in this process works on a change any more.
func (s *Service) giveUp(credentialID string) { s.givenUp.Store(credentialID, s.now()) }

// gaveUp reports whether the change that a credential is in was given up by this
// process. A later one of another portal is another change.
func (s *Service) gaveUp(credential store.Credential) bool {
	at, found := s.givenUp.Load(credential.ID)
	if !found {
		return false
	}
	if credential.Changed.After(at.(time.Time)) {
		s.givenUp.Delete(credential.ID)
		return false
	}
	return true
}

// settle brings one change that was broken off to an end.
func (s *Service) settle(ctx context.Context, credential store.Credential) error {
	s.log.Info("a change that was broken off is brought to an end", "credential", credential.ID, "key", credential.KeyID, "state", string(credential.State))
	switch credential.State {
	case store.CredentialCreating:
		given, err := s.store.FailCredential(ctx, store.System, credential.ID, "its making was broken off, and nobody has seen its secret: make another")
		if err != nil || !given { // who made it has completed it after all
			return err
		}
		return s.end(ctx, credential.KeyID)
	case store.CredentialRotating:
		return s.undoRotation(ctx, credential)
	default:
		return s.completeRevocation(ctx, credential)
	}
}

// Sync compares all records with all keys and brings them together. The records
// are read first: a key that is made meanwhile is then in the later list. What is
// known of a key that is being rotated stays as it is: by that it is told which
// secret is new, if the rotation is broken off. What no person has decided on comes
// last: by then the records say what each key reaches.
func (s *Service) Sync(ctx context.Context) error {
	states, err := s.store.KeyStates(ctx)
	if err != nil {
		return err
	}
	keys, err := s.gateway.List(ctx)
	if err != nil {
		return err
	}
	rotating, err := s.rotating(ctx)
	if err != nil {
		return err
	}
	var failed []error
	mirrors := make([]store.Mirror, 0, len(keys))
	listed := make(map[string]bool, len(keys))
	for _, key := range keys {
		listed[key.ID] = true
		if rotating[key.ID] {
			continue
		}
		key, err := s.compare(ctx, key, states[key.ID])
		if err != nil {
			failed = append(failed, err)
			continue
		}
		mirrors = append(mirrors, mirrorOf(key))
	}
	for id, state := range states {
		if !listed[id] && state == store.CredentialActive {
			failed = append(failed, s.lost(ctx, id))
		}
	}
	failed = append(failed, s.store.Mirror(ctx, mirrors), s.endUndecided(ctx))
	return errors.Join(failed...)
}

// rotating returns the key ids of the credentials that are being rotated.
func (s *Service) rotating(ctx context.Context) (map[string]bool, error) {
	pending, err := s.store.Pending(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[string]bool)
	for _, credential := range pending {
		if credential.State == store.CredentialRotating {
			found[credential.KeyID] = true
		}
	}
	return found, nil
}

// compare brings a key and the state of its record, "" for none, together, and
// returns the key as it is then.
func (s *Service) compare(ctx context.Context, key *record.Key, state store.CredentialState) (*record.Key, error) {
	if key.Status(s.now()) == "active" && state == store.CredentialActive {
		return s.endDropped(ctx, key)
	}
	return key, s.compareState(ctx, key, state)
}

func (s *Service) compareState(ctx context.Context, key *record.Key, state store.CredentialState) error {
	works := key.Status(s.now()) == "active"
	switch {
	case state == "" && works:
		_, err := s.store.Adopt(ctx, store.Credential{
			KeyID: key.ID, Name: key.Name, Kind: string(key.Kind), Plan: key.Plan, Hospitals: key.Hospitals,
			Origin: store.OriginCommandLine, State: store.CredentialActive, Created: key.Created, Expires: key.Expires, Hints: hintsOf(key),
		})
		return err
	case works && (state == store.CredentialRevoked || state == store.CredentialFailed):
		s.log.Warn("a key works whose record says that it must not: it is revoked", "key", key.ID)
		return s.end(ctx, key.ID)
	case works && state == store.CredentialLost:
		return s.withRecord(ctx, key.ID, func(c store.Credential) error {
			_, err := s.store.Found(ctx, c.ID)
			return err
		})
	case !key.Revoked.IsZero() && (state == store.CredentialActive || state == store.CredentialLost):
		return s.withRecord(ctx, key.ID, func(c store.Credential) error {
			return ended(s.Revoke(ctx, store.System, c.ID, "it was revoked at the gateway"))
		})
	}
	return nil
}

// lost marks the record of a key that the gateway does not know. It is no
// revocation: a gateway whose store was away, or restored from a backup, may know
// it again.
func (s *Service) lost(ctx context.Context, keyID string) error {
	s.log.Warn("a record's key is not known to the gateway", "key", keyID)
	return s.withRecord(ctx, keyID, func(c store.Credential) error {
		_, err := s.store.Lost(ctx, c.ID, "the gateway does not know it any more")
		return err
	})
}

func (s *Service) withRecord(ctx context.Context, keyID string, do func(store.Credential) error) error {
	credential, err := s.store.CredentialByKey(ctx, keyID)
	if err != nil {
		return err
	}
	return do(credential)
}
