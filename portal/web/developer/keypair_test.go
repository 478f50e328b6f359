package developer

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the page says is run as it is, and the form takes what comes of it.
func TestTheKeyPairOfThePageCanBeRegistered(t *testing.T) {
	dir := t.TempDir()
	run := func() ([]byte, error) {
		command := exec.CommandContext(t.Context(), "bash", "-c", makeKeyPair)
		command.Dir = dir
		return command.CombinedOutput()
	}
	said, err := run()
	require.NoError(t, err, "%s", said)

	public, err := os.ReadFile(filepath.Join(dir, "jwks.json"))
	require.NoError(t, err)
	require.Empty(t, keysProblem(string(public)))

	private, err := os.ReadFile(filepath.Join(dir, "private.json"))
	require.NoError(t, err)
	var key struct{ D, Kid, Alg string }
	require.NoError(t, json.Unmarshal(private, &key))
	require.NotEmpty(t, key.D)
	require.Equal(t, "key-1", key.Kid)
	require.Equal(t, "ES384", key.Alg)

	_, err = run()
	require.Error(t, err, "a private key that is there is not overwritten")
}
