package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// BeginCredential writes down a credential that the caller is about to make at
// the gateway, under a key id that it chose. One of an app needs an approved
// request of it that has not ended, with the same plan and at least the same
// hospitals; else it is an ErrConflict, as is a key id that is known. ErrOwnDecision
// when by has approved the request, ErrFull when the app has MaxCredentials
// [credential.create].
func (s *Store) BeginCredential(ctx context.Context, by By, credential Credential) (Credential, error) {
	c := credential
	c.ID, c.CreatedBy, c.Created = newID("cred"), by.UserID, s.seconds()
	c.State, c.Note, c.Changed = CredentialCreating, "", c.Created
	c.Origin = cmp.Or(c.Origin, OriginPortal)
	err := s.change(ctx, by, func(q queries) (act, error) {
		if c.AppID != "" {
			if err := s.mayHave(ctx, q, by, c); err != nil {
				return act{}, err
			}
		}
		if err := q.insertCredential(ctx, c); err != nil {
			return act{}, err
		}
		var err error
		c, err = one(ctx, q, scanCredential, consumerQuery+" WHERE c.id = ?", c.ID)
		return act{"credential.create", "credential", c.ID, credentialDetail(c)}, err
	})
	return c, err
}

// mayHave returns why somebody may not make a credential of an app, or nil.
func (s *Store) mayHave(ctx context.Context, q queries, by By, c Credential) error {
	app, err := q.app(ctx, c.AppID)
	if err != nil {
		return err
	}
	request, err := q.request(ctx, c.RequestID)
	if err != nil {
		return err
	}
	other := func(hospital string) bool { return !slices.Contains(request.Hospitals, hospital) }
	if !app.Archived.IsZero() || request.AppID != c.AppID || !request.Holds(s.now()) ||
		request.Plan != c.Plan || len(c.Hospitals) == 0 || slices.ContainsFunc(c.Hospitals, other) {
		return ErrConflict
	}
	if request.ApprovedBy(by.UserID) {
		return ErrOwnDecision
	}
	return q.room(ctx, MaxCredentials, "SELECT COUNT(*) FROM credentials WHERE app_id = ? AND "+mayWork, c.AppID, stamp(s.now()))
}

func (q queries) insertCredential(ctx context.Context, c Credential) error {
	_, err := q.exec(ctx, `INSERT INTO credentials (id, app_id, request_id, key_id, name, kind, plan, hospitals, origin, state,
			note, created_by, created, expires, changed, hints, ends, last_used)
		VALUES (?, NULLIF(CAST(? AS TEXT), ''), NULLIF(CAST(? AS TEXT), ''), `+marks(15)+`)`,
		c.ID, c.AppID, c.RequestID, c.KeyID, c.Name, c.Kind, c.Plan, asJSON(c.Hospitals), c.Origin, c.State,
		c.Note, c.CreatedBy, stamp(c.Created), stamp(c.Expires), stamp(c.Changed), asJSON(c.Hints),
		stamp(worksUntil(c.Expires, c.Hints)), stamp(c.LastUsed))
	return err
}

func credentialDetail(c Credential) map[string]string {
	return map[string]string{
		"app": c.AppID, "request": c.RequestID, "key": c.KeyID, "kind": c.Kind, "plan": c.Plan,
		"hospitals": strings.Join(c.Hospitals, " "),
	}
}

// worksUntil is when a credential stops to work; zero = it does not.
func worksUntil(expires time.Time, hints []SecretHint) time.Time {
	var grace time.Time
	for _, hint := range hints {
		if hint.Until.IsZero() {
			return expires
		}
		if hint.Until.After(grace) {
			grace = hint.Until
		}
	}
	if grace.IsZero() || !expires.IsZero() && expires.Before(grace) {
		return expires
	}
	return grace
}

// FinishCredential says that the gateway has made a credential. False: it was not
// being made.
func (s *Store) FinishCredential(ctx context.Context, id string, expires time.Time, hints []SecretHint) (bool, error) {
	return s.activate(ctx, id, CredentialCreating, expires, hints)
}

// FailCredential says that the gateway has not made a credential, and never will.
// False: it was not being made [credential.failed].
func (s *Store) FailCredential(ctx context.Context, by By, id, note string) (bool, error) {
	return s.settle(ctx, by, id, "credential.failed", CredentialCreating, CredentialFailed, note)
}

// BeginRotation says that an active credential is about to get a new secret;
// others are an ErrConflict. ErrOwnDecision when by has approved its access
// [credential.rotate].
func (s *Store) BeginRotation(ctx context.Context, by By, id string) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		if err := q.decidedByOthers(ctx, by, id); err != nil {
			return act{}, err
		}
		return act{"credential.rotate", "credential", id, nil}, q.move(ctx, "credentials", id,
			"UPDATE credentials SET state = 'rotating', note = '', changed = ? WHERE id = ? AND state = 'active'", stamp(s.now()), id)
	})
}

// decidedByOthers returns ErrOwnDecision when somebody has approved the access of a
// credential.
func (q queries) decidedByOthers(ctx context.Context, by By, id string) error {
	requests, err := all(ctx, q, scanRequest, requestQuery+" JOIN credentials c ON c.request_id = r.id WHERE c.id = ?", id)
	if err == nil && len(requests) > 0 && requests[0].ApprovedBy(by.UserID) {
		err = ErrOwnDecision
	}
	return err
}

// FinishRotation says that the gateway has made the new secret. False: the
// credential was not being rotated.
func (s *Store) FinishRotation(ctx context.Context, id string, hints []SecretHint, expires time.Time) (bool, error) {
	return s.activate(ctx, id, CredentialRotating, expires, hints)
}

// BreakRotation says that a rotation has come to nothing, or that its secret has
// reached nobody. False: the credential was not being rotated
// [credential.rotation-broken].
func (s *Store) BreakRotation(ctx context.Context, by By, id, note string) (bool, error) {
	return s.settle(ctx, by, id, "credential.rotation-broken", CredentialRotating, CredentialActive, note)
}

// BeginRevocation says that a credential, active, being rotated or lost, is about
// to be revoked; others are an ErrConflict [credential.revoke].
func (s *Store) BeginRevocation(ctx context.Context, by By, id, reason string) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		return act{"credential.revoke", "credential", id, map[string]string{"reason": reason}}, q.move(ctx, "credentials", id,
			"UPDATE credentials SET state = 'revoking', note = ?, changed = ? WHERE id = ? AND state IN ('active', 'rotating', 'lost')",
			reason, stamp(s.now()), id)
	})
}

// FinishRevocation says that the gateway has revoked a credential. False: it was
// not being revoked.
func (s *Store) FinishRevocation(ctx context.Context, id string) (bool, error) {
	return s.write(ctx, "UPDATE credentials SET state = 'revoked', changed = ? WHERE id = ? AND state = 'revoking'",
		stamp(s.now()), id)
}

// Lost says that the gateway does not know an active credential any more. False:
// it was not active [credential.lost].
func (s *Store) Lost(ctx context.Context, id, note string) (bool, error) {
	return s.settle(ctx, System, id, "credential.lost", CredentialActive, CredentialLost, note)
}

// Found says that the gateway knows a lost credential again. False: it was not
// lost [credential.found].
func (s *Store) Found(ctx context.Context, id string) (bool, error) {
	return s.settle(ctx, System, id, "credential.found", CredentialLost, CredentialActive, "")
}

// Adopt writes down a consumer that was made at the gateway by other means; its
// state is active by default. False: its key id is known [credential.adopt].
func (s *Store) Adopt(ctx context.Context, credential Credential) (bool, error) {
	c, adopted := credential, false
	c.ID, c.Changed = newID("cred"), s.seconds()
	c.State, c.Origin = cmp.Or(c.State, CredentialActive), cmp.Or(c.Origin, OriginCommandLine)
	if c.Created.IsZero() {
		c.Created = c.Changed
	}
	err := s.change(ctx, System, func(q queries) (act, error) {
		if known, err := one(ctx, q, value[int], "SELECT COUNT(*) FROM credentials WHERE key_id = ?", c.KeyID); err != nil || known > 0 {
			return act{}, err
		}
		adopted = true
		return act{"credential.adopt", "credential", c.ID, credentialDetail(c)}, q.insertCredential(ctx, c)
	})
	return adopted && err == nil, err
}

// activate moves a credential on from a state in which the gateway was asked.
func (s *Store) activate(ctx context.Context, id string, from CredentialState, expires time.Time, hints []SecretHint) (bool, error) {
	return s.write(ctx, `UPDATE credentials SET state = 'active', changed = ?, expires = ?, hints = ?, ends = ?
		WHERE id = ? AND state = ?`, stamp(s.now()), stamp(expires), asJSON(hints), stamp(worksUntil(expires, hints)), id, from)
}

// settle moves a credential on from one state, and has no act when it is in
// another.
func (s *Store) settle(ctx context.Context, by By, id, name string, from, to CredentialState, note string) (bool, error) {
	moved := false
	err := s.change(ctx, by, func(q queries) (act, error) {
		n, err := q.exec(ctx, "UPDATE credentials SET state = ?, note = ?, changed = ? WHERE id = ? AND state = ?",
			to, note, stamp(s.now()), id, from)
		if err != nil || n == 0 {
			return act{}, err
		}
		moved = true
		return act{name, "credential", id, map[string]string{"note": note}}, nil
	})
	return moved && err == nil, err
}

// UpdateCredential changes what a credential is called [credential.update].
func (s *Store) UpdateCredential(ctx context.Context, by By, id, name string) error {
	return s.update(ctx, by, act{"credential.update", "credential", id, map[string]string{"name": name}},
		"UPDATE credentials SET name = ? WHERE id = ?", name, id)
}
