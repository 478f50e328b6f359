package engine

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAPluginThatDoesNotFit: Tyk would start all the same.
func TestAPluginThatDoesNotFit(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.so")
	require.NoError(t, os.WriteFile(garbage, []byte("no shared object"), 0o700))
	assert.ErrorContains(t, tryPlugin(garbage), "run make build")
	assert.ErrorContains(t, tryPlugin(filepath.Join(dir, "none.so")), "run make build")
}

// TestAPluginOfAnotherBuild is opened in a process of its own, because the
// runtime never forgets a plugin.
func TestAPluginOfAnotherBuild(t *testing.T) {
	stale := filepath.Join(t.TempDir(), "stale.so")
	// Without -trimpath the paths inside differ, as in a moved checkout.
	build := exec.Command("go", "build", "-buildmode=plugin", "-tags", "goplugin", "-o", stale, "fhirgate/plugins/fhir")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.ErrorContains(t, tryPlugin(stale), "does not fit this binary (run make build)")
}

// TestStartWritesNothingElsewhere: Tyk writes a default configuration into the
// working directory when it finds none there.
func TestStartWritesNothingElsewhere(t *testing.T) {
	folder, err := os.Getwd()
	require.NoError(t, err)
	before, err := os.ReadDir(folder)
	require.NoError(t, err)
	startHost(t, ChainPost)
	after, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, after, len(before))
}

// TestTheInstallationKeepsItsNames over restarts, and its files are private.
func TestTheInstallationKeepsItsNames(t *testing.T) {
	dir := t.TempDir()
	first, err := loadInstall(dir)
	require.NoError(t, err)
	assert.NotEqual(t, first.FHIR, first.Root)
	second, err := loadInstall(dir)
	require.NoError(t, err)
	assert.Equal(t, first, second)
	info, err := os.Stat(filepath.Join(dir, installFile))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, os.WriteFile(filepath.Join(dir, installFile), []byte("{}"), 0o600))
	_, err = loadInstall(dir)
	assert.ErrorContains(t, err, "damaged")
}

// TestALongDataFolder: a unix socket's path has 108 bytes at most.
func TestALongDataFolder(t *testing.T) {
	long := filepath.Join(t.TempDir(), "a-folder-with-a-very-long-name-that-goes-on-and-on-and-on-and-on-and-on", "with:colon")
	w, err := openWorkspace(long)
	require.NoError(t, err)
	assert.NotEqual(t, w.dir, w.socket)
	fd, err := listenUnix(w.socketPath(controlPort))
	require.NoError(t, err)
	assert.GreaterOrEqual(t, fd, adoptedFrom)
	w.close()
	_, err = os.Stat(w.socket)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestPolicies(t *testing.T) {
	w, err := openWorkspace(t.TempDir())
	require.NoError(t, err)
	defer w.close()
	policy := func(s string) map[string]json.RawMessage {
		return map[string]json.RawMessage{"plan": json.RawMessage(s)}
	}
	for name, c := range map[string]struct{ in, want string }{
		"no access right":   {`{}`, `must hold "fhir" and nothing else`},
		"another right":     {`{"access_rights": {"fhir": {}, "x": {}}}`, `must hold "fhir" and nothing else`},
		"no JSON":           {`{`, `policy "plan"`},
		"a right of fhir's": {`{"access_rights": {"fhir": {}}}`, ""},
	} {
		err := w.writePolicies(policy(c.in), "0123")
		if c.want == "" {
			require.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, c.want, name)
		}
	}
	data, err := os.ReadFile(w.path("policies/plan.json"))
	require.NoError(t, err)
	assert.Contains(t, string(data), `"0123"`)
	assert.Error(t, w.writePolicies(map[string]json.RawMessage{"../x": json.RawMessage(`{"access_rights": {"fhir": {}}}`)}, "0123"))
	require.NoError(t, w.writePolicies(nil, "0123"))
	_, err = os.Stat(w.path("policies/plan.json"))
	assert.ErrorIs(t, err, os.ErrNotExist, "a policy that is gone is removed")
}
