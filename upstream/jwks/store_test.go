package jwks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"fhirgate/gateway/store"
	"fhirgate/internal/envelope"
)

// TestTheEmbeddedStoreKeepsRings closes and opens the store between the changes,
// and looks for private keys in its files.
func TestTheEmbeddedStoreKeepsRings(t *testing.T) {
	dir, seal := t.TempDir(), envelope.NewSet()
	with := func(do func(*Rings)) {
		t.Helper()
		embedded, err := store.Open(t.Context(), store.Options{Dir: dir})
		require.NoError(t, err)
		defer func() { require.NoError(t, embedded.Close()) }()
		rings, err := Open(Options{Redis: embedded.Client(), SealKeys: seal})
		require.NoError(t, err)
		do(rings)
	}
	var first, second string
	var private struct{ D string }
	with(func(r *Rings) {
		first = create(t, r, "r").Keys[0].KID
		key, err := r.Signer("r").SigningKey(t.Context())
		require.NoError(t, err)
		data, err := key.Key.(jose.JSONWebKey).MarshalJSON()
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &private))
		require.NotEmpty(t, private.D)
		_, err = r.Create(t.Context(), New{Name: "r"})
		require.ErrorIs(t, err, ErrExists)
	})
	with(func(r *Rings) {
		require.Equal(t, first, signing(t, r, "r"))
		status, err := r.Rotate(t.Context(), "r", 0)
		require.NoError(t, err)
		second = status.Keys[1].KID
		_, err = r.Rotate(t.Context(), "r", 0)
		require.ErrorIs(t, err, ErrRotating)
	})
	with(func(r *Rings) { require.Equal(t, []string{first, second}, published(t, r, "r")) })

	found := false
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || len(data) > 0
		require.NotContains(t, string(data), private.D)
		return err
	}))
	require.True(t, found)
}
