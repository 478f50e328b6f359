package credentials

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/store"
)

// approvedAtOnce is an access that the portal has approved itself, with a key.
func (b *bench) approvedAtOnce(hospitals ...string) (store.AccessRequest, store.Credential) {
	b.t.Helper()
	ctx := b.t.Context()
	request, err := b.store.CreateRequest(ctx, b.by, store.AccessRequest{AppID: b.request.AppID, Plan: "trial", Hospitals: hospitals, Purpose: "a first try of the API"})
	require.NoError(b.t, err)
	require.NoError(b.t, b.store.Approve(ctx, store.System, request.ID, "The plan reaches simulated hospitals only.", time.Time{}))
	issued, err := b.Issue(ctx, b.by, Wanted{RequestID: request.ID, Name: "first", Kind: "key"})
	require.NoError(b.t, err)
	return request, issued.Credential
}

func (b *bench) state(requestID string) store.RequestState {
	b.t.Helper()
	request, err := b.store.Request(b.t.Context(), requestID)
	require.NoError(b.t, err)
	return request.State
}

func hospital(id, environment string) adminapi.Hospital {
	return adminapi.Hospital{ID: id, Environment: environment}
}

// Only what the gateway knows as something else than a sandbox ends an access, and
// only one on which no person has decided.
func TestAccessWithoutAPersonEndsWithTheSandbox(t *testing.T) {
	for name, tt := range map[string]struct {
		hospitals []adminapi.Hospital
		away      error
		ends      bool
	}{
		"both are sandboxes":     {hospitals: []adminapi.Hospital{hospital("harbor", "sandbox"), hospital("lakeside", "sandbox")}},
		"one is real now":        {hospitals: []adminapi.Hospital{hospital("harbor", "sandbox"), hospital("lakeside", "production")}, ends: true},
		"one is not said to be":  {hospitals: []adminapi.Hospital{hospital("harbor", ""), hospital("lakeside", "sandbox")}, ends: true},
		"another one is real":    {hospitals: []adminapi.Hospital{hospital("harbor", "sandbox"), hospital("st-mary", "production")}},
		"one is gone":            {hospitals: []adminapi.Hospital{hospital("harbor", "sandbox")}},
		"the gateway knows none": {},
		"it does not tell":       {hospitals: []adminapi.Hospital{hospital("harbor", "production")}, away: errGone},
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(b *bench) {
				decided := b.issue().Credential // by an administrator, for harbor
				request, key := b.approvedAtOnce("harbor", "lakeside")
				b.gateway.hospitals, b.gateway.untold = tt.hospitals, tt.away
				for range 2 { // the second time there is nothing to do
					require.ErrorIs(b.t, b.Sync(b.t.Context()), tt.away)
				}

				require.Equal(b.t, store.RequestApproved, b.state(b.request.ID), "a person has decided")
				require.True(b.t, b.works(decided))
				require.Equal(b.t, !tt.ends, b.works(key))
				if !tt.ends {
					require.Equal(b.t, store.RequestApproved, b.state(request.ID))
					return
				}
				require.Equal(b.t, store.CredentialRevoked, b.credential(key.ID).State)
				ended, err := b.store.Request(b.t.Context(), request.ID)
				require.NoError(b.t, err)
				require.Equal(b.t, store.RequestEnded, ended.State)
				require.Contains(b.t, ended.Reason, "is not a simulated hospital any more")
				acts, err := b.store.Acts(b.t.Context(), store.ActFilter{Name: "access.end"}, store.Page{})
				require.NoError(b.t, err)
				require.Len(b.t, acts.Items, 1)
				require.Equal(b.t, store.System.Name, acts.Items[0].UserName)
				b.inStep()
			})
		})
	}
}

// A gateway that stops to answer just then has the key revoked as soon as it is back.
func TestAnEndThatIsBrokenOffIsCompleted(t *testing.T) {
	eachStore(t, func(b *bench) {
		request, key := b.approvedAtOnce("harbor")
		b.gateway.hospitals, b.gateway.lost = []adminapi.Hospital{hospital("harbor", "production")}, errGone
		require.ErrorIs(b.t, b.Sync(b.t.Context()), adminapi.ErrUnreachable)
		require.Equal(b.t, store.RequestEnded, b.state(request.ID))
		b.gateway.lost = nil
		require.NoError(b.t, b.restart())
		require.Equal(b.t, store.CredentialRevoked, b.credential(key.ID).State)
		b.inStep()
	})
}

func (b *bench) system(plan string, hospitals ...string) *Issued {
	b.t.Helper()
	issued, err := b.System(b.t.Context(), "try-it", plan, hospitals, 24*time.Hour)
	require.NoError(b.t, err)
	return issued
}

// Nobody has decided on the portal's own key, either.
func TestThePortalsOwnKeyEndsWithTheSandbox(t *testing.T) {
	eachStore(t, func(b *bench) {
		own := b.system("trial", "harbor", "lakeside").Credential
		b.gateway.hospitals = []adminapi.Hospital{hospital("harbor", "sandbox"), hospital("lakeside", "sandbox")}
		require.NoError(b.t, b.Sync(b.t.Context()))
		require.True(b.t, b.works(own))
		b.gateway.hospitals[1].Environment = "production"
		require.NoError(b.t, b.Sync(b.t.Context()))
		require.False(b.t, b.works(own))
		require.Contains(b.t, b.credential(own.ID).Note, "lakeside is not a simulated hospital any more")
		b.inStep()
	})
}

// Whatever was made for other hospitals, or under another plan, does not stay.
func TestThePortalHasOneKeyOfItsOwn(t *testing.T) {
	eachStore(t, func(b *bench) {
		first := b.system("trial", "harbor", "lakeside")
		again := b.system("trial", "lakeside", "harbor")
		require.Equal(b.t, first.Credential.ID, again.Credential.ID, "a portal that starts anew has the same key,")
		require.NotEqual(b.t, first.Secret, again.Secret, "with another secret")
		require.False(b.t, again.Credential.Hints[0].Until.IsZero(), "and that of before has an end")

		narrower := b.system("trial", "harbor").Credential
		require.Equal(b.t, []string{"harbor"}, b.gateway.keys[narrower.KeyID].Hospitals)
		require.False(b.t, b.works(first.Credential))
		wider := b.system("trial", "harbor", "lakeside").Credential
		require.False(b.t, b.works(narrower))
		other := b.system("study", "harbor", "lakeside").Credential
		require.False(b.t, b.works(wider))
		require.True(b.t, b.works(other))
		b.inStep()

		another, err := b.System(b.t.Context(), "another", "study", []string{"harbor"}, 24*time.Hour)
		require.NoError(b.t, err)
		require.True(b.t, b.works(another.Credential))
		require.True(b.t, b.works(other), "a name of its own is another key")

		_, err = b.System(b.t.Context(), "try-it", "study", nil, 24*time.Hour)
		require.Error(b.t, err, "no hospitals would be all that the plan reaches")
	})
}

// A key that cannot be ended keeps the next one from being made.
func TestThePortalsOwnKeyIsEndedFirst(t *testing.T) {
	eachStore(t, func(b *bench) {
		first := b.system("trial", "harbor", "lakeside").Credential
		b.gateway.away = errGone
		_, err := b.System(b.t.Context(), "try-it", "trial", []string{"harbor"}, 24*time.Hour)
		require.ErrorIs(b.t, err, adminapi.ErrUnreachable)
		require.Len(b.t, b.gateway.keys, 1)
		b.gateway.away = nil
		next := b.system("trial", "harbor").Credential
		require.NoError(b.t, b.repair(b.t.Context(), b.began))
		require.False(b.t, b.works(first))
		require.True(b.t, b.works(next))
		b.inStep()
	})
}

// A key that cannot be rotated just now, since another portal does, or that the gateway
// has lost, keeps nobody from calling.
func TestThePortalsOwnKeyThatCannotBeRotated(t *testing.T) {
	eachStore(t, func(b *bench) {
		first := b.system("trial", "harbor").Credential
		delete(b.gateway.keys, first.KeyID)
		next := b.system("trial", "harbor").Credential
		require.NotEqual(b.t, first.ID, next.ID)
		require.True(b.t, b.works(next))
		require.NoError(b.t, b.Sync(b.t.Context()))

		other := New(b.store, b.gateway, b.log)
		for range 20 {
			var group errgroup.Group
			for _, portal := range []*Service{b.Service, other} {
				group.Go(func() error {
					issued, err := portal.System(b.t.Context(), "try-it", "trial", []string{"harbor"}, 24*time.Hour)
					if err == nil && issued.Secret == "" {
						err = errGone
					}
					return err
				})
			}
			require.NoError(b.t, group.Wait())
		}
		b.inStep()
	})
}
