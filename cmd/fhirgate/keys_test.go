package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys"
)

// Mistakes that are seen before anything is sent to the gateway.
func TestMistakesInKeysCommands(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	private := write("client.pem", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n")
	broken := write("jwks.json", "{")
	create := []string{"keys", "create", "--name", "x", "--plan", "trial"}
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"unknown kind":    {append(create, "--kind", "robot"), "--kind is one of key, client, external and certificate"},
		"a private key":   {append(create, "--certificate", private), "stays with the client"},
		"no such file":    {append(create, "--certificate", "nowhere.pem"), "neither a file nor a SHA-256 fingerprint"},
		"no JSON":         {append(create, "--jwks-file", broken), "is not JSON"},
		"no JWKS":         {append(create, "--jwks-file", filepath.Join(dir, "none.json")), "the JWK set"},
		"changes nothing": {[]string{"keys", "update", "key_abc"}, "nothing is to be changed"},
		"json is nothing": {[]string{"keys", "update", "key_abc", "--json"}, "nothing is to be changed"},
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot()
			root.SetArgs(append(tc.args[:len(tc.args):len(tc.args)], "--config", filepath.Join(dir, "none.conf")))
			require.ErrorContains(t, root.Execute(), tc.says)
		})
	}
}

func TestWhatIsPrintedOfANewConsumer(t *testing.T) {
	key := keys.Key{ID: "key_1", Name: "x", Plan: "trial"}
	for name, tc := range map[string]struct {
		issued adminapi.IssuedKey
		kind   keys.Kind
		want   string
	}{
		"key": {adminapi.IssuedKey{Secret: "fg_s"}, keys.KindKey, `key     key_1 (x, plan trial, expires never)
secret  fg_s

The secret is shown this once. Send it as  Authorization: Bearer fg_s
`},
		"client": {adminapi.IssuedKey{Secret: "fg_s", TokenURL: "https://gw.example/oauth/token"}, keys.KindClient, `client         key_1 (x, plan trial, expires never)
client_id      key_1
client_secret  fg_s

The secret is shown this once. The client gets a token with

  curl -sS -u key_1:fg_s -d grant_type=client_credentials https://gw.example/oauth/token
`},
		"client with keys of its own": {adminapi.IssuedKey{TokenURL: "https://gw.example/oauth/token"}, keys.KindClient, `client     key_1 (x, plan trial, expires never)
client_id  key_1

The client signs an assertion with its own key (private_key_jwt), with the
client_id as iss and sub, and gets a token for it at  https://gw.example/oauth/token
`},
		"external": {adminapi.IssuedKey{}, keys.KindExternal, `external  key_1 (x, plan trial, expires never)
subject "s" of https://idp.example
`},
	} {
		t.Run(name, func(t *testing.T) {
			shown := key
			shown.Kind = tc.kind
			if tc.kind == keys.KindExternal {
				shown.Issuer, shown.Subject = "https://idp.example", "s"
			}
			tc.issued.Key = &shown
			cmd := newKeys()
			var out bytes.Buffer
			cmd.SetOut(&out)
			require.NoError(t, printIssued(cmd, &tc.issued))
			require.Equal(t, tc.want, out.String())
		})
	}
}

func TestDetailsOfAKey(t *testing.T) {
	network, err := keys.ParseAllowed("192.0.2.0/24")
	require.NoError(t, err)
	address, err := keys.ParseAllowed("2001:db8::7")
	require.NoError(t, err)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	key := &keys.Key{
		Kind: keys.KindClient, Secrets: []keys.Secret{{Hint: "wxyz", Created: at, Expires: at}}, JWKSURL: "https://client.example/jwks",
		Certificates: []keys.Certificate{{SHA256: "ab", Added: at}, {SHA256: "cd", Added: at, NotAfter: at, Until: at}},
	}
	key.AllowFrom = append(key.AllowFrom, network, address)
	var out bytes.Buffer
	printDetails(&out, key)
	require.Equal(t, `allowed from 192.0.2.0/24, 2001:db8::7
secret ending in wxyz, made 2026-01-02 03:04, expires 2026-01-02 03:04
certificate ab, added 2026-01-02 03:04
certificate cd, added 2026-01-02 03:04, valid until 2026-01-02 03:04, taken until 2026-01-02 03:04
public keys at https://client.example/jwks
`, out.String())
}
