package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

func TestApprovedBySystem(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		app := w.app(t, by, "viewer")
		w.granted(t, by, app, "north")
		request := func(decide func(id string) error) string {
			w.now = w.now.Add(time.Second)
			r, err := w.CreateRequest(ctx, by, store.AccessRequest{AppID: app.ID, Plan: "trial", Hospitals: []string{"north"}, Purpose: "a test"})
			require.NoError(t, err)
			require.NoError(t, decide(r.ID))
			return r.ID
		}
		approve := func(id string) error { return w.Approve(ctx, store.System, id, "simulated", time.Time{}) }
		first, second, ended := request(approve), request(approve), request(approve)
		require.NoError(t, w.EndAccess(ctx, by, ended, "over"))
		request(func(string) error { return nil })
		request(func(id string) error { return w.Refuse(ctx, store.System, id, "no") })

		found, err := w.ApprovedBySystem(ctx)
		require.NoError(t, err)
		require.Len(t, found, 2)
		require.Equal(t, []string{first, second}, []string{found[0].ID, found[1].ID})
		require.Equal(t, []string{"north"}, found[0].Hospitals)
	})
}

func TestOwnCredentials(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		w.credential(t, by, w.app(t, by, "viewer"), "key_of_an_app")
		_, err := w.Adopt(ctx, store.Credential{KeyID: "key_commandline", Name: "backend", Plan: "trial", Kind: "key"})
		require.NoError(t, err)
		own := func(keyID string, expires time.Time) string {
			w.now = w.now.Add(time.Second)
			c, err := w.BeginCredential(ctx, store.System, store.Credential{KeyID: keyID, Name: "try it", Kind: "key", Plan: "trial", Hospitals: []string{"north"}})
			require.NoError(t, err)
			_, err = w.FinishCredential(ctx, c.ID, expires, []store.SecretHint{{Hash: "h"}})
			require.NoError(t, err)
			return c.ID
		}
		first, second := own("key_first", time.Time{}), own("key_second", w.now.Add(time.Hour))
		own("key_over", w.now)
		require.NoError(t, w.BeginRevocation(ctx, store.System, own("key_revoked", time.Time{}), "over"))
		require.NoError(t, w.BeginRotation(ctx, store.System, second))

		ids := func() []string {
			found, err := w.OwnCredentials(ctx)
			require.NoError(t, err)
			ids := make([]string, len(found))
			for i, c := range found {
				ids[i] = c.ID
			}
			return ids
		}
		require.Equal(t, []string{second, first}, ids())
		_, err = w.Lost(ctx, first, "gone")
		require.NoError(t, err)
		require.Equal(t, []string{second, first}, ids(), "it may come back")
		w.now = w.now.Add(time.Hour)
		require.Equal(t, []string{first}, ids())
	})
}
