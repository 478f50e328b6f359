package gateway

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/strict"
)

// TestCheckSeesWhatWouldKeepServeFromStarting: who checks before a restart must
// not learn of it by the restart.
func TestCheckSeesWhatWouldKeepServeFromStarting(t *testing.T) {
	t.Setenv("CHECK_TEST_DATABASE", "mysql://canary@db/portal")
	conf, err := os.ReadFile("../tyk.conf")
	require.NoError(t, err)
	for name, tc := range map[string]struct{ old, new, want string }{
		"as it is":                        {"", "", ""},
		"client certificates, but no TLS": {`"drain_seconds": 30`, `"drain_seconds": 30, "client_ca_file": "ca.pem"`, "tyk.conf:49:44: fhirgate.client_ca_file: client certificates need TLS"},
		"a certificate that is not there": {`"certificates": []`, `"certificates": [{"domain_name": "*", "cert_file": "none.pem", "key_file": "none.key"}]`, "tyk.conf:7:43: http_server_options.certificates.0.cert_file: open "},
		"a plan that there is not":        {`"auto_approve": ["trial"]`, `"auto_approve": ["trail"]`, `tyk.conf:45:24: fhirgate.portal.auto_approve.0: unknown plan "trail"`},
		"a plan for real hospitals":       {`"auto_approve": ["trial"]`, `"auto_approve": ["screening-day"]`, "an administrator must decide"},
		"no plan to try with":             {`"auto_approve": ["trial"]`, `"try_plan": "trail"`, `portal.try_plan: unknown plan "trail"`},
		"two listeners at one address":    {`"listen": "127.0.0.1:8082"`, `"listen": "127.0.0.1:8081"`, "portal.listen: takes the port of admin_listen"},
		"a portal at the public port":     {`"listen": "127.0.0.1:8082"`, `"listen": "localhost:8080"`, "tyk.conf:43:17: fhirgate.portal.listen: takes the port of the public address"},
		"the admin API at the public one": {`"admin_listen": "127.0.0.1:8081"`, `"admin_listen": ":8080"`, "tyk.conf:41:21: fhirgate.admin_listen: takes the port of the public address"},
		"a database of another kind":      {`"auto_approve": ["trial"]`, `"database_url": {"env": "CHECK_TEST_DATABASE"}`, "fhirgate.portal.database_url: must be a URL that begins with postgres://"},
		"a portal's certificate":          {`"auto_approve": ["trial"]`, `"cert_file": "none.pem", "key_file": "none.key"`, "/none.key: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			changed := strings.Replace(string(conf), tc.old, tc.new, 1)
			if strings.Contains(tc.old, "certificates") {
				changed = strings.NewReplacer(`"use_ssl": false`, `"use_ssl": true`, "http://localhost:8080", "https://localhost:8080").Replace(changed)
			}
			for _, folder := range []string{"transforms", "policies"} {
				changed = strings.Replace(changed, `"`+folder+`": "`+folder+`"`, `"`+folder+`": "../`+folder+`"`, 1)
			}
			changed = strings.Replace(changed, `"routes": "routes"`, `"routes": "`+filepath.Join(dir, "routes")+`"`, 1)
			require.NoError(t, os.Mkdir(filepath.Join(dir, "routes"), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "routes", "harbor.yaml"), []byte(harborFile), 0o600))
			file := filepath.Join(dir, "tyk.conf")
			require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
			_, err := Check(file, false)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "canary")
		})
	}
}

// TestEveryMistakeIsToldAtOnce holds what check tells of an installation with a
// mistake of every kind: none hides another, and none is told of what only
// follows from another.
func TestEveryMistakeIsToldAtOnce(t *testing.T) {
	conf, err := os.ReadFile("../tyk.conf")
	require.NoError(t, err)
	text := string(conf)
	for _, change := range [][2]string{
		{`"hash_keys": true`, `"hash_keys": false`},
		{`"auto_approve": ["trial"]`, `"auto_approve": ["nihgt", "night", "day"], "try_plan": "dya", "cert_file": "none.pem", "key_file": "none.key"`},
		{`"drain_delay_seconds": 0`, `"drain_delay_secs": 0, "client_ca_file": "none.pem"`},
	} {
		text = replaceOnce(t, text, change[0], change[1])
	}
	// All in one folder: what is told is sorted by path, wherever this tree stands.
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/mistakes")))
	t.Chdir(dir)
	file := filepath.Join(dir, "tyk.conf")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	golden, err := os.ReadFile("want.txt")
	require.NoError(t, err)

	_, err = Check(file, false)
	var problems strict.Problems
	require.ErrorAs(t, err, &problems)
	got := strings.ReplaceAll(problems.Error(), dir+"/", "")
	require.Equal(t, string(golden), got+"\n")
	require.EqualError(t, Serve(t.Context(), Options{ConfigFile: file}), problems.Error(), "and so does serve")
}

// TestAFileThatCannotBeMadeNamesItsSetting: a path alone does not tell which setting
// to change, least of all one that is a default.
func TestAFileThatCannotBeMadeNamesItsSetting(t *testing.T) {
	for setting, section := range map[string]string{
		"data_dir":                 `"data_dir": "tyk.conf/data"`,
		"key_encryption_keys_file": `"data_dir": "data", "key_encryption_keys_file": "tyk.conf/keys"`,
		"link_keys_file":           `"data_dir": "data", "link_keys_file": "tyk.conf/keys"`,
		"portal.acts_key_file":     `"data_dir": "data", "portal": {"acts_key_file": "tyk.conf/keys"}`,
		"portal.keys_file":         `"data_dir": "data", "portal": {"keys_file": "tyk.conf/keys"}`,
		"portal.database":          `"data_dir": "data", "portal": {"database": "tyk.conf/portal.db"}`,
	} {
		t.Run(setting, func(t *testing.T) {
			conf, err := os.ReadFile("../tyk.conf")
			require.NoError(t, err)
			tyks, _, _ := strings.Cut(string(conf), `"fhirgate"`)
			t.Chdir(t.TempDir())
			for file, text := range map[string]string{
				"routes/bay.yaml": routeFile, "transforms/unused.yaml": vendorFile, "policies/day.json": planFile, "tyk.conf": tyks + `"fhirgate": {` + section + "}}",
			} {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
				require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			}
			if settings, _ := (PortalOptions{ConfigFile: "tyk.conf"}).settings(); settings != nil {
				_, err = openPortal(t.Context(), settings, "test", slog.New(slog.DiscardHandler))
			} else {
				err = Serve(t.Context(), Options{ConfigFile: "tyk.conf", Log: io.Discard})
			}
			require.ErrorContains(t, err, "fhirgate."+setting)
		})
	}
}

func TestAddressesThatClash(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1:8080", "127.0.0.1:8080", true},
		{"127.0.0.1:8080", "127.0.0.1:8081", false},
		{":8080", "127.0.0.1:8080", true},
		{"10.0.0.1:8080", "0.0.0.0:8080", true},
		{"[::]:8080", "10.0.0.1:8080", true},
		{"localhost:8080", "127.0.0.1:8080", true},
		{"10.0.0.1:8080", "127.0.0.1:8080", false},
		{"[::1]:8080", "[0::1]:8080", true},
		{"127.0.0.1:0", "127.0.0.1:0", false},
		{"8080", "8080", false},
	} {
		require.Equal(t, tc.want, clash(tc.a, tc.b), "%s and %s", tc.a, tc.b)
		require.Equal(t, tc.want, clash(tc.b, tc.a), "%s and %s", tc.b, tc.a)
	}
}

// TestATykConfThatCannotBeReadStopsTheCheck: it names the folders of the rest.
func TestATykConfThatCannotBeReadStopsTheCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tyk.conf")
	_, err := Check(file, false)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	_, err = Check(file, false)
	require.EqualError(t, err, file+":1:1: unexpected EOF")

	require.NoError(t, os.WriteFile(file, []byte(`{"hash_kees": true, "fhirgate": {"routes": "none"}}`), 0o600))
	_, err = Check(file, false)
	require.ErrorContains(t, err, `unknown key "hash_kees"`)
	require.ErrorContains(t, err, "none: there is no such folder")
	_, err = Check(file, true)
	require.ErrorContains(t, err, `unknown key "hash_kees"`)
	require.ErrorContains(t, err, "demo/routes: there is no such folder")
}

const harborFile = `version: 1
id: harbor
environment: sandbox
upstream: {base_url: "https://ehr.harbor.example/fhir"}
interactions: {Patient: [read]}
`
