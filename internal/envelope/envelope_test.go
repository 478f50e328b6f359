package envelope

import (
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

func TestKeysRotate(t *testing.T) {
	first, second := NewSet().Keys[0], NewSet().Keys[0]
	old, err := New(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{first}})
	require.NoError(t, err)
	rotated, err := New(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{second, first}})
	require.NoError(t, err)
	retired, err := New(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{second}})
	require.NoError(t, err)

	sealed, err := old.Seal([]byte("secret"))
	require.NoError(t, err)
	plain, err := rotated.Open(sealed)
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))
	_, err = retired.Open(sealed)
	require.ErrorIs(t, err, ErrUnknownKey)

	fresh, err := rotated.Seal(plain)
	require.NoError(t, err)
	_, err = old.Open(fresh)
	require.ErrorIs(t, err, ErrUnknownKey, "the new key is the one that seals")
}

func TestWhatIsNotOpened(t *testing.T) {
	keys, err := New(NewSet())
	require.NoError(t, err)
	sealed, err := keys.Seal([]byte("secret"))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"nothing":       "",
		"no JWE":        "secret",
		"cut":           sealed[:len(sealed)-4],
		"changed":       sealed[:len(sealed)-4] + "AAAA",
		"alg none":      "eyJhbGciOiJub25lIn0.." + sealed[len(sealed)-20:],
		"one more part": sealed + ".x",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := keys.Open(text)
			require.ErrorIs(t, err, ErrBroken)
		})
	}
}

func TestSetsThatAreRefused(t *testing.T) {
	good := NewSet().Keys[0]
	short, unnamed := good, good
	short.Key, unnamed.KeyID = []byte("short"), ""
	for name, set := range map[string][]jose.JSONWebKey{"empty": nil, "short": {short}, "unnamed": {unnamed}, "twice": {good, good}} {
		t.Run(name, func(t *testing.T) {
			_, err := New(jose.JSONWebKeySet{Keys: set})
			require.Error(t, err)
		})
	}
}
