package credentials

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

// secrets returns the hashes of the secrets of a credential at the gateway.
func (b *bench) secrets(c store.Credential) []string {
	var hashes []string
	for _, secret := range b.gateway.keys[c.KeyID].Secrets {
		hashes = append(hashes, secret.Hash)
	}
	return hashes
}

// gone has the gateway answer nothing while something is tried.
func (b *bench) gone(try func(ctx context.Context) error) {
	b.t.Helper()
	b.gateway.away = errGone
	require.ErrorIs(b.t, try(b.t.Context()), adminapi.ErrUnreachable)
	b.gateway.away = nil
}

func TestRotationWithoutGrace(t *testing.T) {
	eachStore(t, func(b *bench) {
		made := b.issue()
		before := b.secrets(made.Credential)
		_, err := b.Rotate(b.t.Context(), b.by, made.Credential.ID, 0)
		require.NoError(b.t, err)
		require.Len(b.t, b.secrets(made.Credential), 1)
		require.NotEqual(b.t, before, b.secrets(made.Credential))
		require.Equal(b.t, b.secrets(made.Credential)[0], b.credential(made.Credential.ID).Hints[0].Hash)
	})
}

// The secret of before is the only one that somebody has seen, until the record
// knows the new one.
func TestARotationWithoutGraceThatIsBrokenOff(t *testing.T) {
	eachStore(t, func(b *bench) {
		made := b.issue()
		before := b.secrets(made.Credential)
		b.gateway.lost = errGone
		_, err := b.Rotate(b.t.Context(), b.by, made.Credential.ID, 0)
		require.ErrorIs(b.t, err, adminapi.ErrUnreachable)
		b.gateway.lost = nil
		require.NoError(b.t, b.restart())
		require.Equal(b.t, store.CredentialActive, b.credential(made.Credential.ID).State)
		require.Equal(b.t, before, b.secrets(made.Credential))
		require.True(b.t, b.gateway.keys[made.Credential.KeyID].Secrets[0].Until.IsZero())
	})
}

// A record that knows the new secret only is the word of a rotation without a
// grace that was broken off before the gateway had ended the secrets of before.
func TestWhatARecordHasDroppedEnds(t *testing.T) {
	eachStore(t, func(b *bench) {
		ctx := b.t.Context()
		c := b.issue().Credential
		require.NoError(b.t, b.store.BeginRotation(ctx, b.by, c.ID))
		rotated, err := b.gateway.Rotate(ctx, c.KeyID, adminapi.Rotation{Grace: adminapi.Duration(time.Hour)})
		require.NoError(b.t, err)
		newest := hintsOf(rotated.Key)[1:]
		_, err = b.store.FinishRotation(ctx, c.ID, newest, rotated.Expires)
		require.NoError(b.t, err)

		b.gone(b.Start)
		require.NoError(b.t, b.restart())
		require.Equal(b.t, []string{newest[0].Hash}, b.secrets(c))
		require.Equal(b.t, newest, b.credential(c.ID).Hints)
	})
}

func TestARotationOfTheCommandLineIsTakenOver(t *testing.T) {
	eachStore(t, func(b *bench) {
		c := b.issue().Credential
		_, err := b.gateway.Rotate(b.t.Context(), c.KeyID, adminapi.Rotation{Grace: adminapi.Duration(time.Hour)})
		require.NoError(b.t, err)
		require.NoError(b.t, b.Sync(b.t.Context()))
		require.Len(b.t, b.secrets(c), 2)
		require.Len(b.t, b.credential(c.ID).Hints, 2)
	})
}

// The grace of a rotation that was broken off may be over before a portal looks.
func TestABrokenRotationWhoseOldSecretHasEnded(t *testing.T) {
	eachStore(t, func(b *bench) {
		c := b.issue().Credential
		require.NoError(b.t, b.store.BeginRotation(b.t.Context(), b.by, c.ID))
		_, err := b.gateway.Rotate(b.t.Context(), c.KeyID, adminapi.Rotation{})
		require.NoError(b.t, err)
		require.NoError(b.t, b.restart())
		again := b.credential(c.ID)
		require.Equal(b.t, store.CredentialActive, again.State)
		require.Contains(b.t, again.Note, "nobody has seen")
		require.Equal(b.t, b.secrets(c)[0], again.Hints[0].Hash)
		_, err = b.Rotate(b.t.Context(), b.by, c.ID, time.Hour)
		require.NoError(b.t, err)
	})
}

// A comparison in the midst of a rotation must not make its new secret a known
// one: what is known tells how the rotation is undone.
func TestAComparisonDuringARotation(t *testing.T) {
	eachStore(t, func(b *bench) {
		c := b.issue().Credential
		before := b.secrets(c)
		require.NoError(b.t, b.store.BeginRotation(b.t.Context(), b.by, c.ID))
		_, err := b.gateway.Rotate(b.t.Context(), c.KeyID, adminapi.Rotation{Grace: adminapi.Duration(time.Hour)})
		require.NoError(b.t, err)
		require.NoError(b.t, b.Sync(b.t.Context()))
		_, err = b.Rotate(b.t.Context(), b.by, c.ID, time.Hour)
		require.ErrorIs(b.t, err, store.ErrConflict)
		require.NoError(b.t, b.restart())
		require.Equal(b.t, before, b.secrets(c))
	})
}

// late is a gateway whose rotations take so long that the record has moved on.
type late struct {
	*memory
	meanwhile func()
}

func (l late) Rotate(ctx context.Context, id string, rotation adminapi.Rotation) (*adminapi.IssuedKey, error) {
	l.meanwhile()
	return l.memory.Rotate(ctx, id, rotation)
}

func TestARotationThatWasTakenBackMeanwhile(t *testing.T) {
	eachStore(t, func(b *bench) {
		c := b.issue().Credential
		before := b.secrets(c)
		b.Service.gateway = late{b.gateway, func() { require.NoError(b.t, b.restart()) }}
		_, err := b.Rotate(b.t.Context(), b.by, c.ID, time.Hour)
		require.ErrorIs(b.t, err, store.ErrConflict)
		require.Equal(b.t, before, b.secrets(c))
		require.True(b.t, b.gateway.keys[c.KeyID].Secrets[0].Until.IsZero(), "the secret that people have works on")
	})
}

// What this process itself has given up need not wait until it counts as broken
// off.
func TestWhatFailedIsCompletedAsSoonAsTheGatewayAnswers(t *testing.T) {
	eachStore(t, func(b *bench) {
		require.NoError(b.t, b.Start(b.t.Context()))
		rotated, revoked := b.issue().Credential, b.issue().Credential
		b.Service.gateway = late{b.gateway, func() { b.gateway.away = errGone }}
		_, err := b.Rotate(b.t.Context(), b.by, rotated.ID, time.Hour)
		require.ErrorIs(b.t, err, adminapi.ErrUnreachable)
		require.Equal(b.t, store.CredentialRotating, b.credential(rotated.ID).State)
		b.gone(func(ctx context.Context) error { return b.Revoke(ctx, b.by, revoked.ID, "leaked") })

		require.NoError(b.t, b.catchUp(b.t.Context()))
		require.Equal(b.t, store.CredentialActive, b.credential(rotated.ID).State)
		require.Equal(b.t, store.CredentialRevoked, b.credential(revoked.ID).State)
		b.inStep()
	})
}

func TestAKeyThatCouldNotBeTakenBackAtOnce(t *testing.T) {
	eachStore(t, func(b *bench) {
		require.NoError(b.t, b.Start(b.t.Context()))
		b.gateway.lost = errGone
		_, err := b.Issue(b.t.Context(), b.by, Wanted{RequestID: b.request.ID, Name: "x", Kind: string(record.KindKey)})
		require.ErrorIs(b.t, err, adminapi.ErrUnreachable)
		b.gateway.lost = nil
		for _, key := range b.gateway.keys {
			key.Revoked = time.Time{} // what ended it did not arrive
		}
		require.NoError(b.t, b.catchUp(b.t.Context()))
		b.inStep()
	})
}
