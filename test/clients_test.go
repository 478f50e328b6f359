package test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// TestRealClients works at a hospital with FHIR clients that others wrote, as
// they come from npm, with a key and with a token that openid-client gets.
func TestRealClients(t *testing.T) {
	installClients(t)
	for _, name := range []string{"fhirclient", "fhir-kit-client"} {
		t.Run(name+" with a key", func(t *testing.T) {
			g := startGateway(t, options{})
			workAsClient(t, g, name, g.newClient(t, "e2e").key)
		})
		t.Run(name+" with a token", func(t *testing.T) {
			g := startGateway(t, options{})
			c := g.newSigner(t, jose.ES384, inline(t))
			given := []scriptClient{{Method: "private_key_jwt", ID: c.keyID, JWK: &c.key}}
			got := gjson.Parse(node(t, "openid-client.mjs", g.url, g.url+somewhere, "system/*.cruds", encode(t, given)))
			workAsClient(t, g, name, got.Get("0.token").Str)
		})
	}
}

// workAsClient runs the script of a FHIR client and compares what it saw with
// what the hospital has.
func workAsClient(t *testing.T, g *gateway, name, credential string) {
	want := len(g.Harbor.IDs("Patient"))
	require.Greater(t, want, 100)
	calls := len(g.Harbor.Calls())

	saw := gjson.Parse(node(t, name+".mjs", g.url+"/fhir/harbor", credential))
	t.Logf("%s: %s", name, saw.Raw)
	require.EqualValues(t, want, saw.Get("patients").Int())
	require.EqualValues(t, want, saw.Get("distinct").Int(), "each patient once")
	require.EqualValues(t, (want+29)/30, saw.Get("pages").Int())
	require.NotEmpty(t, saw.Get("asked").Str)
	require.Equal(t, saw.Get("asked").Str, saw.Get("read").Str)
	require.Equal(t, "After", saw.Get("family").Str)
	require.Equal(t, "2", saw.Get("version").Str)
	require.JSONEq(t, `{"status": 404, "resourceType": "OperationOutcome", "code": "not-found"}`, saw.Get("refusal").Raw)
	require.Equal(t, g.url+"/oauth/token", saw.Get("tokenURL").Str, "it found where tokens come from")

	require.Len(t, g.Harbor.IDs("Patient"), want+1)
	stored, found := g.Harbor.Resource("Patient", saw.Get("created").Str)
	require.True(t, found, "the hospital has the new patient")
	require.Equal(t, "After", gjson.GetBytes(stored, "name.0.family").Str)
	require.Equal(t, "from-"+name, gjson.GetBytes(stored, "identifier.0.value").Str)

	stored, found = g.Harbor.Resource("DocumentReference", saw.Get("document").Str)
	require.True(t, found, "the hospital has the report")
	require.Equal(t, "Patient/"+saw.Get("created").Str, gjson.GetBytes(stored, "subject.reference").Str)
	pdf, err := base64.StdEncoding.DecodeString(saw.Get("pdf").Str)
	require.NoError(t, err)
	require.Equal(t, "%PDF-1.7 a report of the tests", string(pdf), "the client has it back")

	conditions := 0
	for _, call := range g.Harbor.Calls()[calls:] {
		if call.Header.Get("If-Match") == `W/"1"` {
			conditions++
		}
	}
	require.Equal(t, 1, conditions, "the update was a conditional one")
}

// installClients installs the packages of the folder clients, in the versions
// of its lock file, unless they are there.
func installClients(t *testing.T) {
	t.Helper()
	require.NoError(t, installOnce())
}

var installOnce = sync.OnceValue(func() error {
	wanted, err := os.Stat(filepath.Join(clients(), "package-lock.json"))
	if err != nil {
		return err
	}
	installed, err := os.Stat(filepath.Join(clients(), "node_modules", ".package-lock.json"))
	if err == nil && !installed.ModTime().Before(wanted.ModTime()) {
		return nil
	}
	npm := exec.Command("npm", "ci")
	npm.Dir = clients()
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	return nil
})

// clients is the folder of the Node scripts.
func clients() string { return filepath.Join(root, "test", "clients") }

// node runs a script of the folder clients and returns what it printed.
func node(t *testing.T, script string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{script}, args...)...)
	cmd.Dir = clients()
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		require.FailNow(t, script+" failed", "%s", failed.Stderr)
	}
	require.NoError(t, err)
	require.True(t, gjson.ValidBytes(out), "%s", out)
	return strings.TrimSpace(string(out))
}
