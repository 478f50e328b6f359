package test

import (
	"bufio"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// TestLoginAtTheCompany logs people in at an OpenID provider that we did not
// write, on its own pages: with the address of a domain that may sign up, by an
// invitation, and not otherwise.
func TestLoginAtTheCompany(t *testing.T) {
	installClients(t)
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	t.Setenv("PORTAL_OIDC_SECRET", "a secret of the tests")
	p := startPortal(t, false, map[string]any{
		"signup_domains": []string{"pacs.example"},
		"oidc": map[string]any{
			"issuer": "http://" + address, "client_id": "portal", "client_secret": map[string]any{"env": "PORTAL_OIDC_SECRET"},
			"name": "Pacs Company", "private_network": true,
		},
	})
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{newSigningKey(t, jose.ES256)}}
	provider := exec.Command("node", "oidc-login.mjs", port, "portal", "a secret of the tests", p.home+"/login/oidc/callback", encode(t, keys))
	provider.Dir = clients()
	out, err := provider.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, provider.Start())
	t.Cleanup(func() { _ = provider.Process.Kill(); _ = provider.Wait() })
	ready, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", ready)

	login := func(t *testing.T, as string) *browser {
		b := openBrowser(t, p.home)
		b.open("/teams")
		b.press("Sign in with Pacs Company")
		b.do(chromedp.SendKeys(chromedp.CSS("[name=login]"), as), chromedp.SendKeys(chromedp.CSS("[name=password]"), "anything"))
		b.press("Sign-in")
		b.press("Continue")
		return b
	}

	t.Run("an address of a domain that may sign up", func(t *testing.T) {
		b := login(t, "dora")
		require.Equal(t, "/teams", b.path(), "where the way began")
		b.sees("dora of the company")
		b.press("Sign out")
		again := login(t, "dora")
		require.Equal(t, "/teams", again.path(), "the account is found again")
	})
	t.Run("an address that the provider has not verified", func(t *testing.T) {
		b := login(t, "unverified-eve")
		require.NotEqual(t, "/teams", b.path())
		b.open("/teams")
		require.Equal(t, "/login", b.path())
	})
	t.Run("an administrator still needs the portal's second factor", func(t *testing.T) {
		b := openBrowser(t, p.home)
		b.open(p.command("portal", "invite", "--admin", "grace@pacs.example"))
		b.press("Continue with Pacs Company")
		b.do(chromedp.SendKeys(chromedp.CSS("[name=login]"), "grace"), chromedp.SendKeys(chromedp.CSS("[name=password]"), "anything"))
		b.press("Sign-in")
		b.press("Continue")
		b.open("/console")
		require.Equal(t, "/account/second-factor", b.path())
	})
	require.NotContains(t, strings.ToLower(p.output()), "@pacs.example", "the log names nobody")
}
