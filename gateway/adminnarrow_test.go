package gateway

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys"
)

func TestRecordsAreNarrowedByTheAdminAPI(t *testing.T) {
	b := newHospitalBench(t)
	ctx := t.Context()
	made, err := b.client.Create(ctx, adminapi.NewKey{Name: "x", Plan: "night", Hospitals: []string{"ward", "bay", "ward"}})
	require.NoError(t, err)
	require.Equal(t, []string{"bay", "ward"}, made.Hospitals, "sorted, and each once")
	wide, err := b.client.Create(ctx, adminapi.NewKey{Name: "x", Plan: "night"})
	require.NoError(t, err)
	require.Empty(t, wide.Hospitals)

	day := "day"
	for name, tc := range map[string]struct {
		do   func() error
		says string
	}{
		"made for no hospital": {func() error {
			_, err := b.client.Create(ctx, adminapi.NewKey{Name: "x", Plan: "night", Hospitals: []string{"bay", "word"}})
			return err
		}, `the plan night reaches no hospital "word": it reaches bay, ward`},
		"made beyond its plan": {func() error {
			_, err := b.client.Create(ctx, adminapi.NewKey{Name: "x", Plan: "day", Hospitals: []string{"ward"}})
			return err
		}, `the plan day reaches no hospital "ward": it reaches bay`},
		"made for all by a word": {func() error {
			_, err := b.client.Create(ctx, adminapi.NewKey{Name: "x", Plan: "night", Hospitals: []string{"*"}})
			return err
		}, `"*"`},
		"changed to no hospital": {func() error {
			_, err := b.client.Update(ctx, made.ID, adminapi.KeyChanges{Hospitals: &[]string{""}})
			return err
		}, `no hospital ""`},
		"changed beyond its new plan": {func() error {
			_, err := b.client.Update(ctx, made.ID, adminapi.KeyChanges{Plan: &day, Hospitals: &[]string{"ward"}})
			return err
		}, `it reaches bay`},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.do()
			require.True(t, adminapi.Refused(err, http.StatusUnprocessableEntity), "%v", err)
			require.ErrorContains(t, err, tc.says)
		})
	}
	all, err := b.client.List(ctx)
	require.NoError(t, err)
	require.Len(t, all, 2)

	changed, err := b.client.Update(ctx, made.ID, adminapi.KeyChanges{Hospitals: &[]string{"ward"}})
	require.NoError(t, err)
	require.Equal(t, []string{"ward"}, changed.Hospitals)
	name := "y"
	changed, err = b.client.Update(ctx, made.ID, adminapi.KeyChanges{Name: &name})
	require.NoError(t, err)
	require.Equal(t, []string{"ward"}, changed.Hospitals)
	changed, err = b.client.Update(ctx, made.ID, adminapi.KeyChanges{Plan: &day, Hospitals: &[]string{"bay"}})
	require.NoError(t, err)
	require.Equal(t, []string{"bay"}, changed.Hospitals)
	changed, err = b.client.Update(ctx, made.ID, adminapi.KeyChanges{Hospitals: &[]string{}})
	require.NoError(t, err)
	require.Empty(t, changed.Hospitals)
	_, err = b.client.Update(ctx, "key_none", adminapi.KeyChanges{Hospitals: &[]string{"bay"}})
	require.True(t, adminapi.Refused(err, http.StatusNotFound))

	// A hospital that vanishes is not reached any more, and hinders nothing.
	_, err = b.client.Update(ctx, made.ID, adminapi.KeyChanges{Hospitals: &[]string{"bay"}})
	require.NoError(t, err)
	delete(b.files, "routes/bay.yaml")
	_, err = b.client.Reload(ctx)
	require.NoError(t, err)
	changed, err = b.client.Update(ctx, made.ID, adminapi.KeyChanges{Name: &name})
	require.NoError(t, err)
	require.Equal(t, []string{"bay"}, changed.Hospitals)
}

// What the directory says of a record, the authorization server hands on.
func TestAClientOfARecordIsNarrowed(t *testing.T) {
	client, err := clientOf(&keys.Key{ID: "key_1", Hospitals: []string{"bay"}}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"bay"}, client.Hospitals)
}

func TestChosenIDsByTheAdminAPI(t *testing.T) {
	b := newAdminBench(t)
	ctx := t.Context()
	client := adminapi.NewClient(b.server.URL, adminTestSecret)
	wanted := adminapi.NewKey{ID: "key_" + strings.Repeat("a2", 8), Name: "first", Plan: "trial"}
	made, err := client.Create(ctx, wanted)
	require.NoError(t, err)
	require.Equal(t, wanted.ID, made.ID)
	wanted.Name = "second"
	_, err = client.Create(ctx, wanted)
	require.True(t, adminapi.Refused(err, http.StatusConflict), "%v", err)
	shown, err := client.Show(ctx, wanted.ID)
	require.NoError(t, err)
	require.Equal(t, made.Key, shown)
	wanted.ID = "key_../../x"
	_, err = client.Create(ctx, wanted)
	require.True(t, adminapi.Refused(err, http.StatusUnprocessableEntity), "%v", err)
}

func TestSecretsAreWithdrawnByTheAdminAPI(t *testing.T) {
	b := newAdminBench(t)
	ctx := t.Context()
	client := adminapi.NewClient(b.server.URL, adminTestSecret)
	made, err := client.Create(ctx, adminapi.NewKey{Name: "x", Plan: "trial"})
	require.NoError(t, err)
	_, err = client.WithdrawSecret(ctx, made.ID, made.Secrets[0].Hash)
	require.True(t, adminapi.Refused(err, http.StatusConflict), "%v", err)
	rotated, err := client.Rotate(ctx, made.ID, adminapi.Rotation{Grace: adminapi.Duration(1e12)})
	require.NoError(t, err)
	for range 2 {
		undone, err := client.WithdrawSecret(ctx, made.ID, rotated.Secrets[1].Hash)
		require.NoError(t, err)
		require.Equal(t, made.Key.Secrets, undone.Secrets)
	}
	for path, status := range map[string]int{
		"/admin/keys/" + made.ID + "/secrets/none":                         404,
		"/admin/keys/" + made.ID + "/secrets/" + url.PathEscape("../../x"): 404,
		"/admin/keys/" + made.ID + "/secrets/":                             404,
		"/admin/keys/key_none/secrets/" + rotated.Secrets[1].Hash:          404,
	} {
		got, text := b.call(t, "DELETE", path, "")
		require.Equal(t, status, got, "%s: %s", path, text)
	}
}
