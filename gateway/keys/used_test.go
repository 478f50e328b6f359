package keys

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/facade"
)

// used returns when a key was used, as administrators see it.
func (w *world) used(t *testing.T, id string) time.Time {
	t.Helper()
	key, err := w.keeper.Get(t.Context(), id)
	require.NoError(t, err)
	return key.LastUsed
}

func TestWhenAKeyWasUsed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	key, secret := w.create(t)
	idle, _ := w.create(t)
	_, err := w.lookup(secret)
	require.NoError(t, err)
	require.Zero(t, w.used(t, key.ID), "nothing is written on a call's way")
	require.NoError(t, w.node.used.flush(ctx))
	first := w.now
	require.Equal(t, first.Unix(), w.used(t, key.ID).Unix())
	require.Zero(t, w.used(t, idle.ID))

	w.now = w.now.Add(5 * time.Minute)
	_, err = w.lookup(secret)
	require.NoError(t, err)
	require.NoError(t, w.node.Close(ctx), "the rest is written at the end")
	require.Equal(t, w.now.Unix(), w.used(t, key.ID).Unix())
	renamed, err := w.keeper.Update(ctx, key.ID, Changes{Name: ptr("x")})
	require.NoError(t, err)
	require.Equal(t, w.now.Unix(), renamed.LastUsed.Unix())
	rotated, _, err := w.keeper.Rotate(ctx, key.ID, 0)
	require.NoError(t, err)
	require.Equal(t, w.now.Unix(), rotated.LastUsed.Unix())
	all, err := w.keeper.List(ctx)
	require.NoError(t, err)
	for _, listed := range all {
		if listed.ID == key.ID {
			require.Equal(t, w.now.Unix(), listed.LastUsed.Unix())
		}
	}
	revoked, err := w.keeper.Revoke(ctx, key.ID)
	require.NoError(t, err)
	require.Equal(t, w.now.Unix(), revoked.LastUsed.Unix())

	w.now = w.now.Add(time.Second)
	_, err = w.lookup(secret)
	require.ErrorIs(t, err, facade.ErrUnknownKey)
	require.NoError(t, w.node.Close(ctx), "a second time, too")
}

// What the store did not take is written with what comes later.
func TestUsesOutliveAnOutage(t *testing.T) {
	w := newWorld(t)
	u := &used{redis: w.keeper.redis}
	first, second := time.Unix(1_800_000_000, 0), time.Unix(1_800_000_100, 0)
	u.note("a", first)
	u.note("b", first)
	w.store.SetError("store is away")
	require.Error(t, u.flush(context.Background()))
	w.store.SetError("")
	u.note("b", second)
	require.NoError(t, u.close(context.Background()))
	require.Equal(t, "1800000000", w.store.HGet(usedName, "a"))
	require.Equal(t, "1800000100", w.store.HGet(usedName, "b"))
	u.note("c", second)
	require.NoError(t, u.flush(context.Background()))
	require.Empty(t, w.store.HGet(usedName, "c"), "it is closed")
}

// Every way in is a use, but not a credential that has ended.
func TestEveryWayIsAUse(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	text, sum := certificate(t, time.Hour)
	byCertificate, _, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindCertificate, Certificates: []string{text}})
	require.NoError(t, err)
	client, clientSecret, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindClient, WithSecret: true})
	require.NoError(t, err)
	external, _, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindExternal, Issuer: "https://idp.example", Subject: "y"})
	require.NoError(t, err)
	brief, briefSecret, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Life: time.Minute, WithSecret: true})
	require.NoError(t, err)

	_, err = w.node.Certificate(ctx, sum, netip.Addr{})
	require.NoError(t, err)
	_, err = w.node.ClientSecret(ctx, client.ID, clientSecret, netip.Addr{})
	require.NoError(t, err)
	_, err = w.node.External(ctx, "https://idp.example", "y")
	require.NoError(t, err)
	w.now = w.now.Add(time.Hour)
	found, err := w.lookup(briefSecret)
	require.NoError(t, err, "that it has expired is for the caller to say")
	require.False(t, found.Expires.After(w.now))
	require.NoError(t, w.node.Close(ctx))
	for _, key := range []*Key{byCertificate, client, external} {
		require.NotZero(t, w.used(t, key.ID), key.Kind)
	}
	require.Zero(t, w.used(t, brief.ID))
}
