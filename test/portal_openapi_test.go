package test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// TestOpenAPIDocument has a validator that we did not write check the reference
// that the portal makes of three hospitals.
func TestOpenAPIDocument(t *testing.T) {
	installClients(t)
	p := startPortal(t, false, nil)
	dev := p.join(p.command("portal", "invite", "dev@pacs.example"), "dev@pacs.example", "Dev Eloper", false)
	document := script[string](dev.browser, `fetch("/openapi.json").then(answer => answer.text())`)
	require.Equal(t, "3.1", gjson.Get(document, "openapi").Str[:3])

	check := func(text string) gjson.Result {
		file := filepath.Join(t.TempDir(), "openapi.json")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return gjson.Parse(node(t, "validate-openapi.mjs", file))
	}
	said := check(document)
	require.True(t, said.Get("valid").Bool(), said.Get("errors").Raw)
	require.Equal(t, "3.1", said.Get("version").Str)
	require.Greater(t, said.Get("paths").Int(), int64(20))
	t.Logf("OpenAPI %s, %d paths: valid", said.Get("version"), said.Get("paths").Int())
	require.False(t, check(`{"openapi":"3.1.0","info":{"title":"x"},"paths":{}}`).Get("valid").Bool(), "the validator finds mistakes")
}
