package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway"
	"fhirgate/portal/store"
)

// runBoth runs a command and returns what it wrote to both outputs.
func runBoth(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	var buf bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&buf)
	root.SetErr(&buf)
	err = root.ExecuteContext(t.Context())
	return buf.String(), err
}

// TestAnAccountThatBecomesAnAdministrators is told of: whoever typed a colleague's
// address must not lock them out without a word.
func TestAnAccountThatBecomesAnAdministrators(t *testing.T) {
	inFolder(t, nil)
	out, err := runBoth(t, "portal", "invite", "--admin", "ada@pacs.example")
	require.NoError(t, err)
	require.Regexp(t, `^http://localhost:8082/invitation/\S+\n$`, out)

	records, _, err := gateway.OpenPortalStore(t.Context(), gateway.PortalOptions{ConfigFile: "tyk.conf"})
	require.NoError(t, err)
	dev, err := records.CreateUser(t.Context(), store.System, store.User{Email: "dev@pacs.example", Name: "Dev", PasswordHash: "hash"})
	require.NoError(t, err)
	require.NoError(t, records.Disable(t.Context(), store.System, dev.ID))
	require.NoError(t, records.Close())
	const told = "dev@pacs.example has an account: its password and its second factor are taken away, and the link sets a new password."
	out, err = runBoth(t, "portal", "invite", "--admin", "dev@pacs.example")
	require.NoError(t, err)
	require.Contains(t, out, told+" It was a developer's, and is an administrator's now. It was disabled, and is not any more.\n")
	require.Contains(t, out, "http://localhost:8082/reset-password")
	out, err = runBoth(t, "portal", "invite", "--admin", "dev@pacs.example")
	require.NoError(t, err)
	require.Contains(t, out, told+"\n")
}
