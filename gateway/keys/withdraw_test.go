package keys

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/gateway/engine"
)

// rotated makes a key and rotates it, with a grace each time. It returns the
// secrets, the oldest first.
func (w *world) rotated(t *testing.T, graces ...time.Duration) (*Key, []string) {
	t.Helper()
	key, secret := w.create(t)
	secrets := []string{secret}
	for _, grace := range graces {
		next, secret, err := w.keeper.Rotate(t.Context(), key.ID, grace)
		require.NoError(t, err)
		key, secrets = next, append(secrets, secret)
	}
	return key, secrets
}

// works tells which of the secrets give access, a second later.
func (w *world) works(secrets []string) []bool {
	w.now = w.now.Add(time.Second)
	out := make([]bool, len(secrets))
	for i, secret := range secrets {
		_, err := w.lookup(secret)
		out[i] = err == nil
	}
	return out
}

func TestASecretIsWithdrawn(t *testing.T) {
	for name, tc := range map[string]struct {
		graces   []time.Duration
		withdraw int
		works    []bool
		lasts    []bool // which of those that work have no end of their own
	}{
		"the newest: the rotation is undone":      {[]time.Duration{time.Hour}, 1, []bool{true, false}, []bool{true}},
		"the older: its grace ends":               {[]time.Duration{time.Hour}, 0, []bool{false, true}, []bool{true}},
		"the newest of three: the last is undone": {[]time.Duration{time.Hour, time.Hour}, 2, []bool{true, true, false}, []bool{false, true}},
		"the middle one":                          {[]time.Duration{time.Hour, time.Hour}, 1, []bool{true, false, true}, []bool{false, true}},
		"the oldest of three":                     {[]time.Duration{time.Hour, time.Hour}, 0, []bool{false, true, true}, []bool{false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ctx := t.Context()
			key, secrets := w.rotated(t, tc.graces...)
			require.NotContains(t, w.works(secrets), false)
			hash := engine.KeyHash(secrets[tc.withdraw])
			for range 2 { // it is idempotent
				changed, err := w.keeper.WithdrawSecret(ctx, key.ID, hash)
				require.NoError(t, err)
				require.Len(t, changed.Secrets, len(tc.lasts))
				for i, secret := range changed.Secrets {
					require.Equal(t, tc.lasts[i], secret.Until.IsZero())
					require.Equal(t, tc.lasts[i], secret.Expires.IsZero())
				}
				require.Equal(t, tc.works, w.works(secrets))
			}
			require.False(t, w.store.Exists(engine.KeyNameOfHash(hash)), "Tyk has forgotten it")
			for i, secret := range secrets {
				text, err := w.store.Get(engine.KeyName(secret))
				if i == tc.withdraw {
					continue
				}
				require.NoError(t, err)
				kept, err := engine.ParseSession([]byte(text))
				require.NoError(t, err)
				stored, err := w.keeper.Get(ctx, key.ID)
				require.NoError(t, err)
				require.Equal(t, secretOf(stored, engine.KeyHash(secret)).Until.IsZero(), kept.Expires == 0, "Tyk knows of the end")
			}
			// What writes the session back brings nothing back.
			require.NoError(t, tyk{w.store}.CreateKey(ctx, secrets[tc.withdraw], session(key, Secret{})))
			require.Equal(t, tc.works, w.works(secrets))
		})
	}
}

// A rotation after one that was undone goes on as if that had never been.
func TestARotationAfterAWithdrawal(t *testing.T) {
	w := newWorld(t)
	key, secrets := w.rotated(t, time.Hour)
	_, err := w.keeper.WithdrawSecret(t.Context(), key.ID, engine.KeyHash(secrets[1]))
	require.NoError(t, err)
	w.now = w.now.Add(2 * time.Hour)
	require.Equal(t, []bool{true, false}, w.works(secrets), "the grace is over, and has ended nothing")
	_, third, err := w.keeper.Rotate(t.Context(), key.ID, 0)
	require.NoError(t, err)
	require.Equal(t, []bool{false, false, true}, w.works(append(secrets, third)))
}

func TestTheLastSecretIsNotWithdrawn(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	client := func(jwks bool) *Key {
		wanted := New{Name: "x", Plan: "plan", Kind: KindClient, WithSecret: true}
		if jwks {
			wanted.JWKS = keySet(t, false)
		}
		key, _, err := w.keeper.Create(ctx, wanted)
		require.NoError(t, err)
		return key
	}
	key, secret := w.create(t)
	atOnce, _ := w.rotated(t, 0)
	for name, tc := range map[string]struct {
		key     *Key
		refused bool
	}{
		"of a key":                  {key, true},
		"after a rotation at once":  {atOnce, true},
		"of a client without keys":  {client(false), true},
		"of a client that has keys": {client(true), false},
	} {
		t.Run(name, func(t *testing.T) {
			changed, err := w.keeper.WithdrawSecret(ctx, tc.key.ID, tc.key.Secrets[0].Hash)
			if tc.refused {
				refused(t, err, http.StatusConflict, "revoke")
				return
			}
			require.NoError(t, err)
			require.Empty(t, changed.Secrets)
		})
	}
	require.Equal(t, []bool{true}, w.works([]string{secret}), "a refusal changes nothing")
}

func TestSecretsThatAreNotThere(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	key, _ := w.create(t)
	other, secret := w.create(t)
	_, err := w.keeper.WithdrawSecret(ctx, "key_none", other.Secrets[0].Hash)
	require.ErrorIs(t, err, ErrNotFound)
	for name, hash := range map[string]string{"of another key": other.Secrets[0].Hash, "of nobody": engine.KeyHash(engine.NewToken()), "none": "", "a pattern": "*"} {
		_, err = w.keeper.WithdrawSecret(ctx, key.ID, hash)
		require.ErrorIs(t, err, ErrNoSecret, name)
	}
	require.Equal(t, []bool{true}, w.works([]string{secret}), "another key's secret is not touched")

	revoked, err := w.keeper.Revoke(ctx, other.ID)
	require.NoError(t, err)
	again, err := w.keeper.WithdrawSecret(ctx, other.ID, other.Secrets[0].Hash)
	require.NoError(t, err, "it ended with its key")
	require.Equal(t, revoked.Revoked, again.Revoked)
}

// A withdrawal that Tyk or the store broke off is finished by the next one; the
// secret is dead meanwhile.
func TestAWithdrawalThatBrokeOff(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	key, secrets := w.rotated(t, time.Hour)
	hash := engine.KeyHash(secrets[1])
	w.keeper.engine = brokenTyk{tyk{w.store}}
	_, err := w.keeper.WithdrawSecret(ctx, key.ID, hash)
	require.ErrorContains(t, err, "Tyk is away")
	require.Equal(t, []bool{true, false}, w.works(secrets))
	require.True(t, w.store.Exists(engine.KeyNameOfHash(hash)))

	w.keeper.engine = tyk{w.store}
	w.store.Del(revokedPrefix + hash) // as if it had broken off before
	_, err = w.keeper.WithdrawSecret(ctx, key.ID, hash)
	require.NoError(t, err)
	require.False(t, w.store.Exists(engine.KeyNameOfHash(hash)))
	require.True(t, w.store.Exists(revokedPrefix+hash))
	require.Equal(t, []bool{true, false}, w.works(secrets))
}

// brokenTyk ends no secret.
type brokenTyk struct{ tyk }

func (brokenTyk) DeleteKey(context.Context, string) error { return errors.New("Tyk is away") }

// A rotation whose secret is withdrawn before it has come through is told so, and
// the secret of before goes on without an end.
func TestAWithdrawalDuringARotation(t *testing.T) {
	client, _ := redisServer(t)
	ctx := t.Context()
	here := &sessions{redis: client}
	keeper := NewKeeper(here, client)
	key, first, err := keeper.Create(ctx, New{Name: "PACS", Plan: "trial", WithSecret: true})
	require.NoError(t, err)
	here.created = func() {
		stored, err := keeper.Get(ctx, key.ID)
		require.NoError(t, err)
		require.Len(t, stored.Secrets, 2)
		_, err = keeper.WithdrawSecret(ctx, key.ID, stored.Secrets[1].Hash)
		require.NoError(t, err)
	}
	_, second, err := keeper.Rotate(ctx, key.ID, 0)
	require.ErrorIs(t, err, ErrContended)
	require.Empty(t, second)
	consumer, err := NewDirectory(client).Key(ctx, first, netip.Addr{})
	require.NoError(t, err)
	require.True(t, consumer.Expires.IsZero())
	_, err = NewDirectory(client).Key(ctx, second, netip.Addr{})
	require.ErrorIs(t, err, facade.ErrUnknownKey)
}
