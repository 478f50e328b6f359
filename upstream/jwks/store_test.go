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

func TestHashesAreApart(t *testing.T) {
	l := newLab(t)
	hospitals := l.node()
	tokens := l.node(func(o *Options) { o.Hash = "fhirgate:other" })
	create(t, hospitals, "r")
	create(t, tokens, "r")
	create(t, tokens, "s")

	require.Len(t, published(t, hospitals, ""), 1)
	require.Len(t, published(t, tokens, ""), 2)
	require.NotEqual(t, signing(t, hospitals, "r"), signing(t, tokens, "r"))

	_, err := tokens.Rotate(t.Context(), "s", 0)
	require.NoError(t, err)
	require.Len(t, published(t, tokens, "s"), 2)
	require.Len(t, published(t, hospitals, ""), 1)
}

// TestCreateAfterAnother has two nodes make the same ring, neither of which has
// read of the other's: the slower one can use it at once.
func TestCreateAfterAnother(t *testing.T) {
	l := newLab(t)
	first, second := l.node(), l.node()
	_, err := second.Signer("r").SigningKey(t.Context())
	require.ErrorIs(t, err, ErrNoRing)

	create(t, first, "r")
	_, err = second.Create(t.Context(), New{Name: "r", Alg: jose.ES256})
	require.ErrorIs(t, err, ErrExists)
	require.Equal(t, signing(t, first, "r"), signing(t, second, "r"))
}
