package gateway

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}

func TestTheAdminSecretIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(dir, AdminSecretFile)
	secrets := make(chan string, 8)
	var group sync.WaitGroup
	for range 8 { // processes that start at the same time
		group.Go(func() {
			secret, err := adminSecret(dir)
			if err != nil {
				t.Error(err)
			}
			secrets <- secret
		})
	}
	group.Wait()
	close(secrets)
	first := <-secrets
	require.GreaterOrEqual(t, len(first), 26)
	for secret := range secrets {
		require.Equal(t, first, secret)
	}
	require.EqualValues(t, 0o600, mode(t, path))
	require.EqualValues(t, 0o700, mode(t, dir))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)

	again, err := adminSecret(dir)
	require.NoError(t, err)
	require.Equal(t, first, again)

	require.NoError(t, os.Chmod(path, 0o640))
	_, err = adminSecret(dir)
	require.ErrorContains(t, err, "chmod it to 0600")
	require.NotContains(t, err.Error(), first)

	for _, empty := range []string{"", "\n", " \t\n"} {
		require.NoError(t, os.WriteFile(path, []byte(empty), 0o600))
		require.NoError(t, os.Chmod(path, 0o600))
		_, err = adminSecret(dir)
		require.ErrorContains(t, err, "is empty", "an empty secret is one that everybody knows")
	}
}

func TestLinkKeysRotateInTheirFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "link-keys")
	_, err := newSealer(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, mode(t, path))
	var keys jose.JSONWebKeySet
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &keys))
	require.Len(t, keys.Keys, 1)

	old := keys.Keys[0]
	young := jose.JSONWebKey{Key: bytes.Repeat([]byte("y"), 32), KeyID: "young", Algorithm: "dir", Use: "enc"}
	write := func(text []byte) { require.NoError(t, os.WriteFile(path, text, 0o600)) }
	rotated, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{young, old}})
	require.NoError(t, err)
	write(rotated)
	_, err = newSealer(path)
	require.NoError(t, err)

	for name, text := range map[string]string{
		"not JSON": `canary`, "no keys": `{"keys":[]}`, "another kind": `{"keys":[{"kty":"oct","kid":"a","k":"c2hvcnQ"}]}`,
		"no kid": `{"keys":[{"kty":"oct","k":"` + strings.Repeat("A", 43) + `"}]}`, "empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			write([]byte(text))
			_, err := newSealer(path)
			require.ErrorContains(t, err, path)
			require.NotContains(t, err.Error(), "canary")
			require.NotContains(t, err.Error(), "AAAA")
		})
	}
}

func TestWhatLibrariesQuoteIsNotLogged(t *testing.T) {
	flags := log.Flags()
	t.Cleanup(func() { log.SetOutput(os.Stderr); log.SetFlags(flags) })
	var out bytes.Buffer
	quietLibraries(slog.New(slog.NewJSONHandler(&out, nil)))
	log.Printf("Unsolicited response received on idle HTTP channel starting with %q; err=%v", `{"resourceType":"canary"}`, "canary")
	log.Print("one line\ncanary")
	require.NotContains(t, out.String(), "canary")
	require.Contains(t, out.String(), "Unsolicited response received on idle HTTP channel")
}
