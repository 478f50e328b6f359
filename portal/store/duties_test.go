package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

// An administrator leaves a team, approves its request, and comes back for the key.
func TestWhoApprovedAnAccessGetsNoSecretOfIt(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, ada := w.user(t, "ada", store.RoleDeveloper)
		_, boss := w.user(t, "boss", store.RoleAdmin)
		app := w.app(t, ada, "Viewer")
		storetest.Join(t, w.Store, ada, app.TeamID, boss.UserID, store.TeamOwner)
		request, err := w.CreateRequest(ctx, ada, store.AccessRequest{AppID: app.ID, Plan: "trial", Hospitals: []string{"north"}})
		require.NoError(t, err)
		require.NoError(t, w.RemoveMember(ctx, boss, app.TeamID, boss.UserID))
		require.NoError(t, w.Approve(ctx, boss, request.ID, "well", time.Time{}))
		storetest.Join(t, w.Store, ada, app.TeamID, boss.UserID, store.TeamOwner)

		wanted := store.Credential{AppID: app.ID, RequestID: request.ID, KeyID: "key_one", Plan: "trial", Hospitals: []string{"north"}}
		acts := len(w.acts(t))
		_, err = w.BeginCredential(ctx, boss, wanted)
		require.ErrorIs(t, err, store.ErrOwnDecision)
		require.Len(t, w.acts(t), acts)
		_, err = w.CredentialByKey(ctx, "key_one")
		require.ErrorIs(t, err, store.ErrNotFound)

		c, err := w.BeginCredential(ctx, ada, wanted)
		require.NoError(t, err)
		_, err = w.FinishCredential(ctx, c.ID, time.Time{}, nil)
		require.NoError(t, err)
		require.ErrorIs(t, w.BeginRotation(ctx, boss, c.ID), store.ErrOwnDecision)
		found, err := w.Credential(ctx, c.ID)
		require.NoError(t, err)
		require.Equal(t, store.CredentialActive, found.State)
		require.NoError(t, w.BeginRotation(ctx, ada, c.ID))
		require.NoError(t, w.BeginRevocation(ctx, boss, c.ID, "leaked"), "whoever it is")

		other := w.granted(t, ada, app, "north")
		wanted.RequestID, wanted.KeyID = other.ID, "key_two"
		_, err = w.BeginCredential(ctx, boss, wanted)
		require.NoError(t, err, "somebody else has approved this one")
	})
}

func TestWhatThePortalApprovedIsNobodysDecision(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, ada := w.user(t, "ada", store.RoleDeveloper)
		app := w.app(t, ada, "Viewer")
		request, err := w.CreateRequest(ctx, ada, store.AccessRequest{AppID: app.ID, Plan: "trial", Hospitals: []string{"north"}})
		require.NoError(t, err)
		require.NoError(t, w.Approve(ctx, store.System, request.ID, "simulated", time.Time{}))
		for _, by := range []store.By{ada, store.System} {
			c, err := w.BeginCredential(ctx, by, store.Credential{AppID: app.ID, RequestID: request.ID, KeyID: "key_" + by.Name, Plan: "trial", Hospitals: []string{"north"}})
			require.NoError(t, err)
			_, err = w.FinishCredential(ctx, c.ID, time.Time{}, nil)
			require.NoError(t, err)
			require.NoError(t, w.BeginRotation(ctx, by, c.ID))
		}
	})
}

func TestApprovedBy(t *testing.T) {
	for _, c := range []struct {
		state   store.RequestState
		decider string
		user    string
		want    bool
	}{
		{store.RequestApproved, "user_boss", "user_boss", true},
		{store.RequestEnded, "user_boss", "user_boss", true},
		{store.RequestApproved, "user_boss", "user_ada", false},
		{store.RequestRefused, "user_boss", "user_boss", false},
		{store.RequestPending, "", "", false},
		{store.RequestApproved, "", "", false},
	} {
		require.Equal(t, c.want, store.AccessRequest{State: c.state, DecidedBy: c.decider}.ApprovedBy(c.user), c)
	}
}
