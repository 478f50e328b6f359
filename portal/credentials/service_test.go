package credentials

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

func TestALife(t *testing.T) {
	eachStore(t, func(b *bench) {
		ctx := b.t.Context()
		made := b.issue()
		require.Equal(b.t, "fg_secret1", made.Secret)
		require.Equal(b.t, store.CredentialActive, made.Credential.State)
		require.Equal(b.t, "h001", made.Credential.Hints[0].Hint)
		require.Equal(b.t, []string{"harbor"}, b.gateway.keys[made.Credential.KeyID].Hospitals, "the key is narrowed to what was approved")
		require.True(b.t, b.works(made.Credential))

		rotated, err := b.Rotate(ctx, b.by, made.Credential.ID, time.Hour)
		require.NoError(b.t, err)
		require.Equal(b.t, "fg_secret2", rotated.Secret)
		require.Len(b.t, rotated.Credential.Hints, 2)
		require.False(b.t, rotated.Credential.Hints[0].Until.IsZero(), "the secret of before has an end")
		require.Equal(b.t, store.CredentialActive, rotated.Credential.State)

		name := "renamed"
		require.NoError(b.t, b.Update(ctx, b.by, made.Credential.ID, Changes{Name: &name}))
		require.Equal(b.t, name, b.credential(made.Credential.ID).Name)

		require.NoError(b.t, b.Revoke(ctx, b.by, made.Credential.ID, "not needed"))
		require.Equal(b.t, store.CredentialRevoked, b.credential(made.Credential.ID).State)
		require.False(b.t, b.works(made.Credential))
		require.ErrorIs(b.t, b.Revoke(ctx, b.by, made.Credential.ID, "again"), store.ErrConflict)
		_, err = b.Rotate(ctx, b.by, made.Credential.ID, 0)
		require.Error(b.t, err)
		require.ErrorIs(b.t, b.Update(ctx, b.by, made.Credential.ID, Changes{Name: &name}), store.ErrConflict)
	})
}

func TestACredentialEndsWithItsAccess(t *testing.T) {
	b := newBench(t, sqlite(t))
	b.now = func() time.Time { return time.Unix(1e9, 0) }
	ends := time.Unix(1e9+3600, 0)
	for name, c := range map[string]struct {
		wanted, left time.Duration
		ends         time.Time
		err          error
	}{
		"no end":        {0, 0, time.Time{}, nil},
		"own end":       {time.Minute, time.Minute, time.Time{}, nil},
		"the access's":  {0, time.Hour, ends, nil},
		"sooner":        {time.Minute, time.Minute, ends, nil},
		"later":         {2 * time.Hour, time.Hour, ends, nil},
		"over already":  {time.Minute, 0, time.Unix(1e9, 0), store.ErrConflict},
		"over long ago": {0, 0, time.Unix(1, 0), store.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			left, err := b.lifeOf(c.wanted, c.ends)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, c.left, left)
		})
	}
}

func TestWhoApprovedAnAccessGetsNoSecretOfIt(t *testing.T) {
	eachStore(t, func(b *bench) {
		ctx := b.t.Context()
		made, given := b.issue(), b.gateway.secrets
		_, err := b.Issue(ctx, b.admin, Wanted{RequestID: b.request.ID, Name: "mine", Kind: "key"})
		require.ErrorIs(b.t, err, store.ErrOwnDecision)
		_, err = b.Rotate(ctx, b.admin, made.Credential.ID, time.Hour)
		require.ErrorIs(b.t, err, store.ErrOwnDecision)
		address := "https://app.example/jwks.json"
		require.ErrorIs(b.t, b.Update(ctx, b.admin, made.Credential.ID, Changes{JWKSURL: &address}), store.ErrOwnDecision)
		require.ErrorIs(b.t, b.Update(ctx, b.admin, made.Credential.ID, Changes{JWKS: []byte(`{}`)}), store.ErrOwnDecision)
		require.Equal(b.t, given, b.gateway.secrets, "the gateway was asked for none")
		require.Len(b.t, b.gateway.keys, 1)
		b.inStep()

		name := "renamed"
		require.NoError(b.t, b.Update(ctx, b.admin, made.Credential.ID, Changes{Name: &name}))
		require.NoError(b.t, b.Update(ctx, b.by, made.Credential.ID, Changes{JWKSURL: &address}))
		require.NoError(b.t, b.Revoke(ctx, b.admin, made.Credential.ID, "leaked"))
	})
}

func TestAnAppHasSoManyCredentials(t *testing.T) {
	eachStore(t, func(b *bench) {
		for range store.MaxCredentials {
			b.issue()
		}
		_, err := b.Issue(b.t.Context(), b.by, Wanted{RequestID: b.request.ID, Name: "one more", Kind: "key"})
		require.ErrorIs(b.t, err, store.ErrFull)
		require.Len(b.t, b.gateway.keys, store.MaxCredentials)
		b.inStep()
	})
}

func TestWhatTheGatewayRefusesLeavesARecordThatFailed(t *testing.T) {
	eachStore(t, func(b *bench) {
		b.gateway.away = &adminapi.Refusal{Status: 422, Text: "a JWK set has no private keys"}
		_, err := b.Issue(b.t.Context(), b.by, Wanted{RequestID: b.request.ID, Name: "x", Kind: "client"})
		require.True(b.t, adminapi.Refused(err, 422))
		all, err := b.store.CredentialsOfApp(b.t.Context(), b.request.AppID)
		require.NoError(b.t, err)
		require.Len(b.t, all, 1)
		require.Equal(b.t, store.CredentialFailed, all[0].State)
		require.Contains(b.t, all[0].Note, "private keys")
	})
}

func TestAnAnswerThatIsLost(t *testing.T) {
	eachStore(t, func(b *bench) {
		ctx := b.t.Context()
		kept := b.issue()

		b.gateway.lost = errGone
		_, err := b.Issue(ctx, b.by, Wanted{RequestID: b.request.ID, Name: "lost", Kind: "key"})
		require.ErrorIs(b.t, err, adminapi.ErrUnreachable)
		_, err = b.Rotate(ctx, b.by, kept.Credential.ID, time.Hour)
		require.ErrorIs(b.t, err, adminapi.ErrUnreachable)
		require.Equal(b.t, store.CredentialRotating, b.credential(kept.Credential.ID).State)

		b.gateway.lost = nil
		require.NoError(b.t, b.restart())
		again := b.credential(kept.Credential.ID)
		require.Equal(b.t, store.CredentialActive, again.State)
		require.Len(b.t, again.Hints, 1, "the secret that nobody has seen is withdrawn")
		require.True(b.t, again.Hints[0].Until.IsZero(), "and that of before has no end any more")
		require.Contains(b.t, again.Note, "rotate again")

		b.gateway.lost = errGone
		require.ErrorIs(b.t, b.Revoke(ctx, b.by, kept.Credential.ID, "leaked"), adminapi.ErrUnreachable)
		b.gateway.lost = nil
		require.NoError(b.t, b.restart())
		require.Equal(b.t, store.CredentialRevoked, b.credential(kept.Credential.ID).State)
		b.inStep()
	})
}

// inStep checks that no key works without a record that says so, and that no
// record claims a key that does not work.
func (b *bench) inStep() {
	b.t.Helper()
	states, err := b.store.KeyStates(b.t.Context())
	require.NoError(b.t, err)
	for id, key := range b.gateway.keys {
		require.Equal(b.t, key.Status(time.Now()) == "active", states[id] == store.CredentialActive, "key %s: record %q", id, states[id])
	}
	for id, state := range states {
		if state == store.CredentialActive {
			require.Contains(b.t, b.gateway.keys, id)
		}
	}
}

// A process that is killed leaves one of these behind; the next start repairs it.
func TestTheNextStartRepairs(t *testing.T) {
	begin := func(b *bench) store.Credential {
		c, err := b.store.BeginCredential(b.t.Context(), b.by, store.Credential{
			AppID: b.request.AppID, RequestID: b.request.ID, KeyID: newKeyID(), Name: "x", Kind: "key", Plan: "trial", Hospitals: []string{"harbor"}, Origin: store.OriginPortal,
		})
		require.NoError(b.t, err)
		return c
	}
	create := func(b *bench, c store.Credential) {
		_, err := b.gateway.Create(b.t.Context(), adminapi.NewKey{ID: c.KeyID, Name: c.Name, Plan: c.Plan, Kind: record.KindKey})
		require.NoError(b.t, err)
	}
	for name, leave := range map[string]func(b *bench) (id string, state store.CredentialState){
		"before the key was made": func(b *bench) (string, store.CredentialState) { return begin(b).ID, store.CredentialFailed },
		"after the key was made": func(b *bench) (string, store.CredentialState) {
			c := begin(b)
			create(b, c)
			return c.ID, store.CredentialFailed
		},
		"after the record was given up": func(b *bench) (string, store.CredentialState) {
			c := begin(b)
			_, err := b.store.FailCredential(b.t.Context(), b.by, c.ID, "given up")
			require.NoError(b.t, err)
			create(b, c)
			return c.ID, store.CredentialFailed
		},
		"before the rotation": func(b *bench) (string, store.CredentialState) {
			id := b.issue().Credential.ID
			require.NoError(b.t, b.store.BeginRotation(b.t.Context(), b.by, id))
			return id, store.CredentialActive
		},
		"after the rotation": func(b *bench) (string, store.CredentialState) {
			c := b.issue().Credential
			require.NoError(b.t, b.store.BeginRotation(b.t.Context(), b.by, c.ID))
			_, err := b.gateway.Rotate(b.t.Context(), c.KeyID, adminapi.Rotation{})
			require.NoError(b.t, err)
			return c.ID, store.CredentialActive
		},
		"before the revocation": func(b *bench) (string, store.CredentialState) {
			id := b.issue().Credential.ID
			require.NoError(b.t, b.store.BeginRevocation(b.t.Context(), b.by, id, "leaked"))
			return id, store.CredentialRevoked
		},
		"after the revocation": func(b *bench) (string, store.CredentialState) {
			c := b.issue().Credential
			require.NoError(b.t, b.store.BeginRevocation(b.t.Context(), b.by, c.ID, "leaked"))
			_, err := b.gateway.Revoke(b.t.Context(), c.KeyID)
			require.NoError(b.t, err)
			return c.ID, store.CredentialRevoked
		},
		"after the access was ended": func(b *bench) (string, store.CredentialState) {
			c := b.issue().Credential
			require.NoError(b.t, b.store.EndAccess(b.t.Context(), b.by, b.request.ID, "the study is over"))
			return c.ID, store.CredentialRevoked
		},
		"revoked at the command line": func(b *bench) (string, store.CredentialState) {
			c := b.issue().Credential
			_, err := b.gateway.Revoke(b.t.Context(), c.KeyID)
			require.NoError(b.t, err)
			return c.ID, store.CredentialRevoked
		},
		"the gateway's store is empty": func(b *bench) (string, store.CredentialState) {
			c := b.issue().Credential
			delete(b.gateway.keys, c.KeyID)
			return c.ID, store.CredentialLost
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(b *bench) {
				id, state := leave(b)
				require.NoError(b.t, b.restart())
				require.Equal(b.t, state, b.credential(id).State)
				b.inStep()
				require.NoError(b.t, b.restart(), "a second start finds nothing to do")
				require.Equal(b.t, state, b.credential(id).State)
			})
		})
	}
}

func TestAKeyOfTheCommandLineGetsARecordOnce(t *testing.T) {
	eachStore(t, func(b *bench) {
		ctx := b.t.Context()
		b.gateway.keys["key_commandline00000"] = &record.Key{ID: "key_commandline00000", Name: "backend", Plan: "trial", Kind: record.KindKey}
		b.gateway.keys["key_revoked000000000"] = &record.Key{ID: "key_revoked000000000", Name: "old", Plan: "trial", Kind: record.KindKey, Revoked: time.Now()}
		require.NoError(b.t, b.Sync(ctx))
		require.NoError(b.t, b.Sync(ctx))
		all, err := b.store.Credentials(ctx, store.CredentialFilter{}, store.Page{})
		require.NoError(b.t, err)
		require.Len(b.t, all.Items, 1, "one that never worked here needs no record")
		require.Equal(b.t, store.OriginCommandLine, all.Items[0].Origin)
		b.inStep()

		b.gateway.keys["key_commandline00000"].Name = "renamed"
		require.NoError(b.t, b.Sync(ctx))
		require.Equal(b.t, "renamed", b.credential(all.Items[0].ID).Name)
	})
}

func TestALostKeyMayComeBack(t *testing.T) {
	eachStore(t, func(b *bench) {
		c := b.issue().Credential
		key := b.gateway.keys[c.KeyID]
		delete(b.gateway.keys, c.KeyID)
		require.NoError(b.t, b.Sync(b.t.Context()))
		require.Equal(b.t, store.CredentialLost, b.credential(c.ID).State)
		b.gateway.keys[c.KeyID] = key
		require.NoError(b.t, b.Sync(b.t.Context()))
		require.Equal(b.t, store.CredentialActive, b.credential(c.ID).State)
		require.True(b.t, b.works(c), "a store that was away does not end in revocation")
	})
}

func TestAGatewayThatIsAwayChangesNoRecord(t *testing.T) {
	b := newBench(t, sqlite(t))
	c := b.issue().Credential
	b.gateway.away = errGone
	require.ErrorIs(t, b.Start(t.Context()), adminapi.ErrUnreachable)
	require.Equal(t, store.CredentialActive, b.credential(c.ID).State)
}

func TestEndOfAccess(t *testing.T) {
	eachStore(t, func(b *bench) {
		first, second := b.issue().Credential, b.issue().Credential
		require.NoError(b.t, b.EndAccess(b.t.Context(), b.by, b.request.ID, "the study is over"))
		for _, c := range []store.Credential{first, second} {
			require.Equal(b.t, store.CredentialRevoked, b.credential(c.ID).State)
			require.False(b.t, b.works(c))
		}
		_, err := b.Issue(b.t.Context(), b.by, Wanted{RequestID: b.request.ID, Name: "late", Kind: "key"})
		require.ErrorIs(b.t, err, store.ErrConflict)
		b.inStep()
	})
}
