package keys

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/gateway/engine"
)

// The secret of one kind is nothing to the ways of another.
func TestKindsAreKeptApart(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	nobody := netip.Addr{}
	key, apiKey := w.create(t)
	client, clientSecret, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindClient, WithSecret: true})
	require.NoError(t, err)
	external, _, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindExternal, Issuer: "https://idp.example", Subject: "y"})
	require.NoError(t, err)

	for range 2 { // unknown to both, also when remembered by one
		_, err = w.node.Key(ctx, apiKey, nobody)
		require.NoError(t, err)
		_, err = w.node.Key(ctx, clientSecret, nobody)
		require.ErrorIs(t, err, facade.ErrUnknownKey)
		found, err := w.node.ClientSecret(ctx, client.ID, clientSecret, nobody)
		require.NoError(t, err)
		require.Equal(t, client.ID, found.ID)
		for _, wrong := range []struct{ id, secret string }{
			{key.ID, apiKey},
			{client.ID, apiKey},
			{key.ID, clientSecret},
			{newID(), clientSecret},
			{client.ID, engine.NewToken()},
			{client.ID, ""},
			{"", clientSecret},
			{external.ID, clientSecret},
		} {
			_, err = w.node.ClientSecret(ctx, wrong.id, wrong.secret, nobody)
			require.ErrorIs(t, err, facade.ErrUnknownKey)
		}
		for id, known := range map[string]bool{client.ID: true, external.ID: true, key.ID: false, newID(): false, "": false, "key_*": false} {
			found, err := w.node.Client(ctx, id)
			if known {
				require.NoError(t, err)
				require.Equal(t, id, found.ID)
			} else {
				require.ErrorIs(t, err, facade.ErrUnknownKey)
			}
		}
		_, err = w.node.External(ctx, "https://idp.example", "y")
		require.NoError(t, err)
		for _, wrong := range [][2]string{{"https://idp.example", "z"}, {"https://other.example", "y"}, {"https://idp.exampley", ""}, {"", ""}} {
			_, err = w.node.External(ctx, wrong[0], wrong[1])
			require.ErrorIs(t, err, facade.ErrUnknownKey)
		}
		for _, wrong := range []string{"", "x", engine.KeyHash(apiKey)} {
			_, err = w.node.Certificate(ctx, wrong, nobody)
			require.ErrorIs(t, err, facade.ErrUnknownKey)
		}
	}
}

// A revocation ends every way in within a second, also what another node has
// remembered.
func TestARevocationEndsEveryWay(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	text, sum := certificate(t, time.Hour)
	client, secret, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindClient, WithSecret: true, Certificates: []string{text}})
	require.NoError(t, err)
	external, _, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindExternal, Issuer: "https://idp.example", Subject: "y"})
	require.NoError(t, err)
	ways := map[string]func() error{
		"client":        func() error { _, err := w.node.Client(ctx, client.ID); return err },
		"client secret": func() error { _, err := w.node.ClientSecret(ctx, client.ID, secret, netip.Addr{}); return err },
		"certificate":   func() error { _, err := w.node.Certificate(ctx, sum, netip.Addr{}); return err },
		"external":      func() error { _, err := w.node.External(ctx, "https://idp.example", "y"); return err },
	}
	for name, way := range ways {
		require.NoError(t, way(), name)
	}
	for _, id := range []string{client.ID, external.ID} {
		_, err = w.keeper.Revoke(ctx, id)
		require.NoError(t, err)
	}
	w.now = w.now.Add(time.Second)
	for name, way := range ways {
		require.ErrorIs(t, way(), facade.ErrUnknownKey, name)
	}
	w.store.SetError("store is away")
	for name, way := range ways {
		require.NotErrorIs(t, way(), facade.ErrUnknownKey, "nothing can be told of the %s", name)
	}
}

// What writes an old record back brings nothing back, in the directory or in what
// administrators see.
func TestARevokedRecordStaysDead(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	text, sum := certificate(t, time.Hour)
	client, secret, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindClient, WithSecret: true, Certificates: []string{text}})
	require.NoError(t, err)
	record, err := w.store.Get(recordPrefix + client.ID)
	require.NoError(t, err)
	_, err = w.keeper.Revoke(ctx, client.ID)
	require.NoError(t, err)
	require.NoError(t, w.store.Set(recordPrefix+client.ID, record))
	_, err = w.node.Client(ctx, client.ID)
	require.ErrorIs(t, err, facade.ErrUnknownKey)
	_, err = w.node.Certificate(ctx, sum, netip.Addr{})
	require.ErrorIs(t, err, facade.ErrUnknownKey)
	_, err = w.node.ClientSecret(ctx, client.ID, secret, netip.Addr{})
	require.ErrorIs(t, err, facade.ErrUnknownKey)
	stored, err := w.keeper.Get(ctx, client.ID)
	require.NoError(t, err)
	require.Equal(t, "revoked", stored.Status(w.now))
	_, err = w.keeper.Update(ctx, client.ID, Changes{Name: ptr("y")})
	require.ErrorIs(t, err, ErrRevoked)
}

// An expired client is unknown at the moment that it expires, though remembered.
func TestAClientExpires(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	client, secret, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindClient, WithSecret: true, Life: 5 * time.Second})
	require.NoError(t, err)
	for range 2 {
		_, err = w.node.Client(ctx, client.ID)
		require.NoError(t, err)
		_, err = w.node.ClientSecret(ctx, client.ID, secret, netip.Addr{})
		require.NoError(t, err)
	}
	w.now = client.Expires
	_, err = w.node.Client(ctx, client.ID)
	require.ErrorIs(t, err, facade.ErrUnknownKey)
	_, err = w.node.ClientSecret(ctx, client.ID, secret, netip.Addr{})
	require.ErrorIs(t, err, facade.ErrUnknownKey)
}

// The record is the authority: a session that leads to none, or to one that does
// not list the secret, is nothing.
func TestASessionIsNothingWithoutItsRecord(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	key, secret := w.create(t)
	stray := engine.NewToken()
	require.NoError(t, tyk{w.store}.CreateKey(ctx, stray, session(key, key.Secrets[0])))
	_, err := w.lookup(stray)
	require.ErrorIs(t, err, facade.ErrUnknownKey)

	promoted := session(&Key{ID: key.ID, Plan: "everything", Kind: KindKey}, Secret{})
	require.NoError(t, tyk{w.store}.CreateKey(ctx, secret, promoted))
	found, err := w.lookup(secret)
	require.NoError(t, err)
	require.Equal(t, "plan", found.PlanID)

	w.store.Del(recordPrefix + key.ID)
	w.now = w.now.Add(memory)
	_, err = w.lookup(secret)
	require.ErrorIs(t, err, facade.ErrUnknownKey)
}

// A record of before kinds, and of before graces had a place of their own.
func TestAnOldRecord(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	secret := engine.NewToken()
	key := &Key{ID: "key_old", Plan: "plan"}
	require.NoError(t, w.store.Set(recordPrefix+key.ID, `{"id":"key_old","name":"x","plan":"plan","created":"2026-01-02T03:04:05Z","expires":"2099-01-01T00:00:00Z","secrets":[
		{"hash":"h1","hint":"wxyz","created":"2026-01-02T03:04:05Z","expires":"2098-01-01T00:00:00Z"},
		{"hash":"`+engine.KeyHash(secret)+`","hint":"abcd","created":"2026-01-02T03:04:05Z","expires":"2099-01-01T00:00:00Z"}]}`))
	require.NoError(t, tyk{w.store}.CreateKey(ctx, secret, session(key, Secret{})))
	found, err := w.lookup(secret)
	require.NoError(t, err)
	require.Equal(t, 2099, found.Expires.Year())
	changed, err := w.keeper.Update(ctx, key.ID, Changes{Expires: &time.Time{}})
	require.NoError(t, err)
	require.Equal(t, KindKey, changed.Kind)
	require.Equal(t, 2098, changed.Secrets[0].Expires.Year(), "a grace stays")
	require.Zero(t, changed.Secrets[1].Expires)
}

// A certificate that was registered with a key tells whose it is, too.
func TestACertificateOfAnyKind(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	text, sum := certificate(t, time.Hour)
	key, secret, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", WithSecret: true, Certificates: []string{text}})
	require.NoError(t, err)
	found, err := w.node.Certificate(ctx, sum, netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, key.ID, found.KeyID)
	require.Equal(t, facade.WayCertificate, found.Way)
	found, err = w.lookup(secret)
	require.NoError(t, err)
	require.Equal(t, facade.WayKey, found.Way)
	require.Equal(t, []string{sum}, found.Certificates)
}
