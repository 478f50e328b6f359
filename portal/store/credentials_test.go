package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

func TestCredential(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		app := w.app(t, by, "Viewer")
		request := w.granted(t, by, app, "north", "south")
		c, err := w.BeginCredential(ctx, by, store.Credential{
			AppID: app.ID, RequestID: request.ID, KeyID: "key_one", Name: "One", Kind: "client", Plan: "trial", Hospitals: []string{"south"},
			State: store.CredentialActive, Note: "mine",
		})
		require.NoError(t, err)
		want := store.Credential{
			ID: c.ID, AppID: app.ID, AppName: "Viewer", TeamID: app.TeamID, TeamName: app.TeamName, RequestID: request.ID, KeyID: "key_one",
			Name: "One", Kind: "client", Plan: "trial", Hospitals: []string{"south"}, Origin: store.OriginPortal, State: store.CredentialCreating,
			CreatedBy: by.UserID, Created: w.seconds(), Changed: w.seconds(),
		}
		require.Equal(t, want, c)
		_, err = w.BeginCredential(ctx, by, store.Credential{KeyID: "key_one"})
		require.ErrorIs(t, err, store.ErrConflict, "the key id is known")

		w.now = w.now.Add(time.Minute)
		want.Expires, want.Hints = w.seconds().AddDate(1, 0, 0), []store.SecretHint{{Hash: "h1", Hint: "abcd", Created: w.seconds()}}
		done, err := w.FinishCredential(ctx, c.ID, want.Expires, want.Hints)
		require.NoError(t, err)
		require.True(t, done)
		want.State, want.Changed = store.CredentialActive, w.seconds()
		for name, find := range map[string]func() (store.Credential, error){
			"id": func() (store.Credential, error) { return w.Credential(ctx, c.ID) }, "key": func() (store.Credential, error) { return w.CredentialByKey(ctx, "key_one") },
		} {
			found, err := find()
			require.NoError(t, err, name)
			require.Equal(t, want, found, name)
		}
		require.NoError(t, w.UpdateCredential(ctx, by, c.ID, "Uno"))
		require.ErrorIs(t, w.UpdateCredential(ctx, by, "cred_none", "x"), store.ErrNotFound)
		ofApp, err := w.CredentialsOfApp(ctx, app.ID)
		require.NoError(t, err)
		want.Name = "Uno"
		require.Equal(t, []store.Credential{want}, ofApp)
		ofTeams, err := w.CredentialsOf(ctx, by.UserID)
		require.NoError(t, err)
		require.Equal(t, []store.Credential{want}, ofTeams)
		ofTeams, err = w.CredentialsOf(ctx, "user_other")
		require.NoError(t, err)
		require.Empty(t, ofTeams)
	})
}

func TestWorkingByApp(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		_, stranger := w.user(t, "eve", store.RoleDeveloper)
		app, other := w.app(t, by, "Viewer"), w.app(t, by, "Other")
		for n, of := range []store.App{app, app, other, other, w.app(t, stranger, "Theirs")} {
			c := w.credential(t, by, of, fmt.Sprint("key_", n))
			if n == 1 {
				require.NoError(t, w.BeginRotation(ctx, by, c.ID))
			}
			if n == 3 {
				require.NoError(t, w.BeginRevocation(ctx, by, c.ID, "lost"))
			}
		}
		_, err := w.raw(t).ExecContext(ctx, "UPDATE credentials SET expires = "+fmt.Sprint(w.now.Add(time.Hour).Unix())+" WHERE key_id = 'key_0'")
		require.NoError(t, err)
		counts := func(user string) map[string]int {
			working, err := w.WorkingByApp(ctx, user)
			require.NoError(t, err)
			return working
		}
		require.Equal(t, map[string]int{app.ID: 2, other.ID: 1}, counts(by.UserID))
		w.now = w.now.Add(2 * time.Hour)
		require.Equal(t, map[string]int{app.ID: 1, other.ID: 1}, counts(by.UserID), "key_0 has ended")
		require.Empty(t, counts("user_none"))
	})
}

func TestWhatARequestAllows(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		app, other := w.app(t, by, "Viewer"), w.app(t, by, "Other")
		boss := store.By{UserID: "user_boss"}
		request := w.granted(t, by, app, "north", "south")
		create := func(decide func(id string) error) string {
			r, err := w.CreateRequest(ctx, by, store.AccessRequest{AppID: app.ID, Plan: "trial", Hospitals: []string{"north"}})
			require.NoError(t, err)
			require.NoError(t, decide(r.ID))
			return r.ID
		}
		good := store.Credential{AppID: app.ID, RequestID: request.ID, KeyID: "key_one", Plan: "trial", Hospitals: []string{"north"}}
		for name, change := range map[string]func(*store.Credential){
			"another plan":     func(c *store.Credential) { c.Plan = "gold" },
			"another hospital": func(c *store.Credential) { c.Hospitals = []string{"north", "west"} },
			"all hospitals":    func(c *store.Credential) { c.Hospitals = nil },
			"another app":      func(c *store.Credential) { c.AppID = other.ID },
			"pending":          func(c *store.Credential) { c.RequestID = create(func(string) error { return nil }) },
			"refused": func(c *store.Credential) {
				c.RequestID = create(func(id string) error { return w.Refuse(ctx, boss, id, "") })
			},
			"over": func(c *store.Credential) {
				c.RequestID = create(func(id string) error { return w.Approve(ctx, boss, id, "", w.now) })
			},
			"ended": func(c *store.Credential) {
				require.NoError(t, w.Approve(ctx, boss, create(func(id string) error { c.RequestID = id; return nil }), "", time.Time{}))
				require.NoError(t, w.EndAccess(ctx, boss, c.RequestID, ""))
			},
		} {
			c := good
			change(&c)
			_, err := w.BeginCredential(ctx, by, c)
			require.ErrorIs(t, err, store.ErrConflict, name)
		}
		for name, change := range map[string]func(*store.Credential){
			"no request": func(c *store.Credential) { c.RequestID = "" }, "no such app": func(c *store.Credential) { c.AppID = "app_none" },
		} {
			c := good
			change(&c)
			_, err := w.BeginCredential(ctx, by, c)
			require.ErrorIs(t, err, store.ErrNotFound, name)
		}
		_, err := w.BeginCredential(ctx, by, good)
		require.NoError(t, err)
		_, err = w.BeginCredential(ctx, store.System, store.Credential{KeyID: "key_try", Plan: "trial"})
		require.NoError(t, err, "the portal's own key is of no app")
	})
}

// TestStates tries every step from every state.
func TestStates(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		by := store.By{UserID: "user_ada"}
		ok := func(done bool, err error) error {
			if err == nil && !done {
				err = store.ErrConflict
			}
			return err
		}
		type step struct {
			name string
			do   func(id string) error
			from string // states, each with where it leads
			act  string
		}
		steps := []step{
			{"finish", func(id string) error { return ok(w.FinishCredential(ctx, id, time.Time{}, nil)) }, "creating>active", ""},
			{"fail", func(id string) error { return ok(w.FailCredential(ctx, by, id, "n")) }, "creating>failed", "credential.failed"},
			{"rotate", func(id string) error { return w.BeginRotation(ctx, by, id) }, "active>rotating", "credential.rotate"},
			{"rotated", func(id string) error { return ok(w.FinishRotation(ctx, id, nil, time.Time{})) }, "rotating>active", ""},
			{"broken", func(id string) error { return ok(w.BreakRotation(ctx, by, id, "n")) }, "rotating>active", "credential.rotation-broken"},
			{"revoke", func(id string) error { return w.BeginRevocation(ctx, by, id, "n") }, "active>revoking rotating>revoking lost>revoking", "credential.revoke"},
			{"revoked", func(id string) error { return ok(w.FinishRevocation(ctx, id)) }, "revoking>revoked", ""},
			{"lost", func(id string) error { return ok(w.Lost(ctx, id, "n")) }, "active>lost", "credential.lost"},
			{"found", func(id string) error { return ok(w.Found(ctx, id)) }, "lost>active", "credential.found"},
		}
		for _, state := range []store.CredentialState{"creating", "active", "rotating", "revoking", "revoked", "failed", "lost"} {
			for _, step := range steps {
				key := "key_" + string(state) + step.name
				adopted, err := w.Adopt(ctx, store.Credential{KeyID: key, State: state})
				require.NoError(t, err)
				require.True(t, adopted)
				c, err := w.CredentialByKey(ctx, key)
				require.NoError(t, err)
				want := state
				for pair := range strings.FieldsSeq(step.from) {
					if from, to, _ := strings.Cut(pair, ">"); from == string(state) {
						want = store.CredentialState(to)
					}
				}
				err = step.do(c.ID)
				if want == state {
					require.ErrorIs(t, err, store.ErrConflict, key)
				} else {
					require.NoError(t, err, key)
				}
				c, err = w.CredentialByKey(ctx, key)
				require.NoError(t, err)
				require.Equal(t, want, c.State, key)
				newest, err := w.Acts(ctx, store.ActFilter{}, store.Page{Size: 1})
				require.NoError(t, err)
				last := newest.Items[0].Name
				if want != state && step.act != "" {
					require.Equal(t, step.act, last, key)
				} else {
					require.Equal(t, "credential.adopt", last, key)
				}
			}
		}
		require.ErrorIs(t, w.BeginRotation(ctx, by, "cred_none"), store.ErrNotFound)
		adopted, err := w.Adopt(ctx, store.Credential{KeyID: "key_activelost"})
		require.NoError(t, err)
		require.False(t, adopted)

		pending, err := w.Pending(ctx)
		require.NoError(t, err)
		for _, c := range pending {
			require.Contains(t, []store.CredentialState{"creating", "rotating", "revoking"}, c.State)
		}
		states, err := w.KeyStates(ctx)
		require.NoError(t, err)
		require.Len(t, states, 63)
		count := 0
		for _, state := range states {
			if state == "creating" || state == "rotating" || state == "revoking" {
				count++
			}
		}
		require.Len(t, pending, count)
	})
}

func TestOneRotationAtATime(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, by := w.user(t, "ada", store.RoleDeveloper)
		c := w.credential(t, by, w.app(t, by, "Viewer"), "key_one")
		errs := atOnce(6, func(int) error { return w.BeginRotation(t.Context(), by, c.ID) })
		require.Equal(t, 1, isIn(errs, nil), errs)
		require.Equal(t, 5, isIn(errs, store.ErrConflict), errs)
	})
}

func TestTheEndOfAccessEndsItsCredentials(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, by := w.user(t, "ada", store.RoleDeveloper)
		app := w.app(t, by, "Viewer")
		other := w.credential(t, by, app, "key_of_another_request")
		request := w.granted(t, by, app, "north")
		want := map[store.CredentialState]store.CredentialState{
			"creating": "revoking", "active": "revoking", "rotating": "revoking", "lost": "revoking", "revoking": "revoking",
			"revoked": "revoked", "failed": "failed",
		}
		for state := range want {
			_, err := w.Adopt(ctx, store.Credential{AppID: app.ID, RequestID: request.ID, KeyID: "key_" + string(state), State: state})
			require.NoError(t, err)
		}
		before := len(w.acts(t))
		require.NoError(t, w.EndAccess(ctx, by, request.ID, "over"))
		for state, after := range want {
			c, err := w.CredentialByKey(ctx, "key_"+string(state))
			require.NoError(t, err)
			require.Equal(t, after, c.State, state)
		}
		c, err := w.Credential(ctx, other.ID)
		require.NoError(t, err)
		require.Equal(t, store.CredentialActive, c.State)
		require.Equal(t, []string{"credential.revoke", "credential.revoke", "credential.revoke", "credential.revoke", "access.end"}, w.acts(t)[before:])
		require.ErrorIs(t, w.EndAccess(ctx, by, request.ID, "again"), store.ErrConflict)
	})
}
