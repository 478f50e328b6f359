package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// askAdmin calls the admin API.
func (g *gateway) askAdmin(t *testing.T, method, path string) answer {
	t.Helper()
	admin := &client{gateway: g, t: t, key: strings.TrimSpace(g.read("data/admin-secret"))}
	return admin.call(method, g.admin+path, "")
}

// mustReload reloads the gateway's files and waits until they are in force.
func (g *gateway) mustReload(t *testing.T) {
	t.Helper()
	a := g.askAdmin(t, http.MethodPost, "/admin/reload")
	require.Equal(t, http.StatusOK, a.StatusCode, "%s", a.body)
}
