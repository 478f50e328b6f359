package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway"
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
	key.Hospitals = []string{"harbor", "lakeside"}
	var out bytes.Buffer
	printDetails(&out, key)
	require.Equal(t, `narrowed to harbor, lakeside
allowed from 192.0.2.0/24, 2001:db8::7
secret ending in wxyz, made 2026-01-02 03:04, expires 2026-01-02 03:04
certificate ab, added 2026-01-02 03:04
certificate cd, added 2026-01-02 03:04, valid until 2026-01-02 03:04, taken until 2026-01-02 03:04
public keys at https://client.example/jwks
`, out.String())
}

// What --hospital and --allow-from say to the admin API.
func TestListsOfKeysCommands(t *testing.T) {
	dir := t.TempDir()
	var got []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, `{"id":"key_1","hospitals":["harbor"]}`)
	}))
	t.Cleanup(server.Close)
	require.NoError(t, os.WriteFile(filepath.Join(dir, gateway.AdminSecretFile), []byte("x"), 0o600))
	config := filepath.Join(dir, "tyk.conf")
	shipped, err := os.ReadFile("../../tyk.conf")
	require.NoError(t, err)
	text := strings.NewReplacer(`"data_dir": "data"`, `"data_dir": "`+dir+`"`, "127.0.0.1:8081", server.Listener.Addr().String()).Replace(string(shipped))
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	for name, tc := range map[string]struct {
		args []string
		body string
	}{
		"made for two":    {[]string{"create", "--name", "x", "--plan", "p", "--hospital", "harbor", "--hospital", "lakeside"}, `{"name":"x","plan":"p","hospitals":["harbor","lakeside"],"life":"0s","kind":"key"}`},
		"made for all":    {[]string{"create", "--name", "x", "--plan", "p"}, `{"name":"x","plan":"p","life":"0s","kind":"key"}`},
		"narrowed":        {[]string{"update", "key_1", "--hospital", "harbor"}, `{"hospitals":["harbor"]}`},
		"widened":         {[]string{"update", "key_1", "--hospital", "*"}, `{"hospitals":[]}`},
		"both":            {[]string{"update", "key_1", "--hospital", "*", "--hospital", "harbor"}, `{"hospitals":["*","harbor"]}`},
		"from everywhere": {[]string{"update", "key_1", "--allow-from", "everywhere"}, `{"allow_from":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := newRoot()
			var out bytes.Buffer
			cmd.SetOut(&out)
			cmd.SetArgs(append([]string{"keys", "--json", "--config", config}, tc.args...))
			require.NoError(t, cmd.Execute())
			require.JSONEq(t, tc.body, string(got))
			require.Contains(t, out.String(), `"hospitals": [`)
		})
	}
}
