package test

import (
	"bufio"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// identityProvider is an OAuth server that others wrote, at a fixed address. It
// knows one client.
type identityProvider struct {
	issuer, clientID, secret string
	keys                     jose.JSONWebKeySet // the first one signs
	cmd                      *exec.Cmd
}

// startIdentityProvider starts one with a fresh key.
func startIdentityProvider(t *testing.T) *identityProvider {
	t.Helper()
	installClients(t)
	p := &identityProvider{issuer: "http://" + freeAddress(t), clientID: "portal-backend", secret: "a secret of the tests"}
	p.keys.Keys = []jose.JSONWebKey{newSigningKey(t, jose.ES256)}
	p.run(t)
	t.Cleanup(p.stop)
	return p
}

func (p *identityProvider) run(t *testing.T) {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(p.issuer, "http://"))
	require.NoError(t, err)
	p.cmd = exec.Command("node", "oidc-provider.mjs", port, p.clientID, p.secret, encode(t, p.keys))
	p.cmd.Dir = clients()
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the identity provider starts")
	require.Equal(t, "ready\n", line)
}

func (p *identityProvider) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // killed
}

// rotate restarts the provider with a new key that signs from now on; tokens of
// the key before stay good.
func (p *identityProvider) rotate(t *testing.T) {
	t.Helper()
	p.stop()
	p.keys.Keys = append([]jose.JSONWebKey{newSigningKey(t, jose.ES256)}, p.keys.Keys...)
	p.run(t)
}

// settings is the provider as an entry of identity_providers.
func (p *identityProvider) settings() map[string]any {
	return map[string]any{"identity_providers": []any{
		map[string]any{"issuer": p.issuer, "algorithms": []string{"ES256"}, "private_network": true},
	}}
}

// register makes a consumer of the provider's client and returns a caller without
// a token.
func (p *identityProvider) register(t *testing.T, g *gateway, args ...string) *client {
	t.Helper()
	out := g.mustCLI(t, append([]string{"keys", "create", "--json", "--name", "tests", "--plan", "e2e", "--kind", "external", "--issuer", p.issuer, "--subject", p.clientID}, args...)...)
	require.Empty(t, gjson.Get(out, "secret").Str)
	return &client{gateway: g, t: t, keyID: gjson.Get(out, "id").Str}
}

// token gets a token for an audience with a scope.
func (p *identityProvider) token(t *testing.T, audience string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, p.issuer+"/token", strings.NewReader("grant_type=client_credentials&scope=system/Patient.rs&resource="+audience))
	require.NoError(t, err)
	r.SetBasicAuth(p.clientID, strings.ReplaceAll(p.secret, " ", "+"))
	r.Header.Set("Content-Type", formType)
	response, err := plainHTTP.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body := new(strings.Builder)
	_, err = bufio.NewReader(response.Body).WriteTo(body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, body)
	return gjson.Get(body.String(), "access_token").Str
}

// TestOutsideIdentityProvider calls with the tokens of an OAuth server that others
// wrote, before and after it has another signing key.
func TestOutsideIdentityProvider(t *testing.T) {
	t.Parallel() // it waits for half a minute
	p := startIdentityProvider(t)
	g := startGateway(t, options{settings: p.settings()})
	token := p.token(t, g.url+"/fhir")
	require.Equal(t, 2, strings.Count(token, "."), "a JWT")

	nobody := &client{gateway: g, t: t, key: token}
	nobody.get(somewhere).refused(http.StatusUnauthorized, "login")
	c := p.register(t, g)
	caller := c.with(token)
	require.Eventually(t, func() bool { return caller.get(somewhere).StatusCode == http.StatusOK }, 5*time.Second, 100*time.Millisecond,
		"its subject is registered")
	caller.get("/fhir/harbor/Observation").refused(http.StatusForbidden, "forbidden")

	for _, audience := range []string{"http://elsewhere.example/fhir", g.url, g.url + "/fhir/harbor"} {
		c.with(p.token(t, audience)).get(somewhere).refused(http.StatusUnauthorized, "login")
	}

	p.rotate(t)
	caller.get(somewhere).ok(http.StatusOK)
	rotated := c.with(p.token(t, g.url+"/fhir"))
	at := time.Now()
	require.Eventually(t, func() bool { return rotated.get(somewhere).StatusCode == http.StatusOK }, 45*time.Second, 3*time.Second,
		"a token of the new key")
	t.Logf("the provider's new key counts after %s", time.Since(at).Round(time.Second))
	caller.get(somewhere).ok(http.StatusOK)

	p.stop()
	rotated.get(somewhere).ok(http.StatusOK)
	g.mustCLI(t, "keys", "revoke", c.keyID)
	require.Eventually(t, func() bool { return rotated.get(somewhere).StatusCode == http.StatusUnauthorized }, 5*time.Second, 100*time.Millisecond)
}
