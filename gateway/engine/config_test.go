package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fhirgate/internal/strict"
)

func rootConf(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../tyk.conf")
	require.NoError(t, err)
	return string(data)
}

func TestTheShippedConfiguration(t *testing.T) {
	c, err := LoadConfig("../../tyk.conf")
	require.NoError(t, err)
	assert.Equal(t, ":8080", c.Address())
	assert.True(t, c.Embedded())
	assert.False(t, c.TLS())
	assert.Equal(t, "http://localhost:8080", c.Settings.PublicURL)
	assert.Equal(t, 30*time.Second, c.Settings.Drain)
	assert.True(t, filepath.IsAbs(c.Settings.DataDir))
}

func TestDefaults(t *testing.T) {
	_, section, _ := strings.Cut(rootConf(t), `"fhirgate"`)
	c, err := parseConfig("tyk.conf", []byte(strings.Replace(rootConf(t), section, ": {}\n}", 1)))
	require.NoError(t, err)
	assert.Equal(t, "127.0.0.1:8081", c.Settings.AdminListen)
	assert.Equal(t, 30*time.Second, c.Settings.Drain)
	assert.Equal(t, filepath.Join(c.Settings.DataDir, "link-keys"), c.Settings.LinkKeysFile)
	assert.Equal(t, "info", c.Settings.LogLevel)
	assert.Equal(t, "http://localhost:8080", c.Settings.PublicURL)
}

func TestMistakesHaveAPlace(t *testing.T) {
	for name, c := range map[string]struct{ old, with, want string }{
		"unknown key of ours":   {`"drain_seconds": 30`, `"drain_secs": 30`, `tyk.conf:49:5: unknown key "drain_secs"`},
		"wrong type of ours":    {`"drain_seconds": 30`, `"drain_seconds": "x"`, "tyk.conf:49:22: drain_seconds: must be a whole number"},
		"given twice":           {`"drain_seconds": 30`, `"drain_seconds": 30, "drain_seconds": 3`, `is given twice`},
		"unknown key of Tyk":    {`"hash_keys"`, `"hash_kees"`, `tyk.conf:16:3: unknown key "hash_kees"`},
		"wrong type of Tyk":     {`"listen_port": 8080`, `"listen_port": "8080"`, "tyk.conf:3:"},
		"no JSON":               {`"listen_port": 8080,`, `"listen_port": 8080`, "tyk.conf:4:"},
		"keys in plain text":    {`"hash_keys": true`, `"hash_keys": false`, "tyk.conf:16:3: hash_keys: must be true"},
		"old TLS":               {`"min_version": 771`, `"min_version": 769`, "tyk.conf:8:5: http_server_options.min_version: must be 771"},
		"a secret in the file":  {`"hash_keys": true`, `"hash_keys": true, "secret": "x"`, "secret: must not be set"},
		"debug lines of Tyk":    {`"log_level": "warn"`, `"log_level": "debug"`, "log_level: must be error, warn or info"},
		"bad public url":        {`"http://localhost:8080"`, `"localhost:8080"`, "fhirgate.public_url: must be"},
		"a token's life":        {`"drain_seconds": 30`, `"drain_seconds": 30, "token_seconds": 900`, "tyk.conf:49:43: fhirgate.token_seconds: must be 30 to 300"},
		"a proxy":               {`"drain_seconds": 30`, `"drain_seconds": 30, "trusted_proxies": ["10.0.0.0/8", "10.0.0.1/8"]`, "fhirgate.trusted_proxies.1: \"10.0.0.1/8\" has bits beyond the mask: the network is 10.0.0.0/8"},
		"an audit sink":         {`"drain_seconds": 30`, `"drain_seconds": 30, "audit": {"sink": "flie"}`, `fhirgate.audit.sink: unknown sink "flie"; did you mean "file"?`},
		"an issuer":             {`"drain_seconds": 30`, `"drain_seconds": 30, "identity_providers": [{"issuer": "http://idp.example", "algorithms": ["HS256"]}]`, `fhirgate.identity_providers.0.algorithms.0: unknown algorithm "HS256"`},
		"an issuer twice":       {`"drain_seconds": 30`, `"drain_seconds": 30, "identity_providers": [{"issuer": "https://idp.example", "algorithms": ["ES256"]}, {"issuer": "https://idp.example", "algorithms": ["ES256"]}]`, `fhirgate.identity_providers.1.issuer: stands there twice`},
		"TLS but no file":       {`"use_ssl": false`, `"use_ssl": true`, "certificates: must name at least one"},
		"bad delay":             {`"drain_delay_seconds": 0`, `"drain_delay_seconds": -1`, "drain_delay_seconds"},
		"bad admin address":     {`"127.0.0.1:8081"`, `"8081"`, "admin_listen"},
		"bad level of ours":     {`"log_level": "info"`, `"log_level": "infos"`, `unknown level "infos"`},
		"buffered bodies":       {`"max_request_body_size": 0`, `"max_request_body_size": 1`, "max_request_body_size: must be 0"},
		"analytics":             {`"enable_analytics": false`, `"enable_analytics": true`, "enable_analytics: must not be set"},
		"definitions elsewhere": {`"hash_keys": true`, `"hash_keys": true, "app_path": "x"`, "app_path: must not be set"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := strings.Replace(rootConf(t), c.old, c.with, 1)
			require.NotEqual(t, rootConf(t), broken)
			_, err := parseConfig("tyk.conf", []byte(broken))
			var problems strict.Problems
			require.ErrorAs(t, err, &problems)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

func TestPlaces(t *testing.T) {
	text := []byte("{\n  \"name\": \"list\", \"one\": {\"list\": [1]},\n\t\"list\": [\n    {\"name\": [{}, 2]},\n\n    {\"a\": \"\u20ac{[\", \"Name\" : 1}\n  ]\n}")
	for path, want := range map[string][2]int{
		"name": {2, 3}, "list": {3, 2}, "one.list": {2, 27}, "one.list.0": {2, 36}, "list.0": {4, 5}, "list.0.name": {4, 6}, "list.0.name.1": {4, 19},
		"list.1": {6, 5}, "list.1.a": {6, 6}, "list.1.name": {6, 20},
		"list.1.none": {6, 5}, "list.2": {3, 2}, "list.x": {3, 2}, "name.x": {2, 3}, "name.0": {2, 3}, "none": {0, 0}, "none.name": {0, 0},
	} {
		line, column := place(text, path)
		assert.Equal(t, want, [2]int{line, column}, path)
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	broken := strings.NewReplacer(`"hash_keys": true`, `"hash_keys": false`, `"drain_seconds"`, `"drains"`, `"allow_master_keys": false`, `"allow_master_keys": true`).Replace(rootConf(t))
	_, err := parseConfig("tyk.conf", []byte(broken))
	var problems strict.Problems
	require.ErrorAs(t, err, &problems)
	assert.Len(t, problems, 3)
}

// TestAMistakeOfTyksHidesNoneOfOurs has what could be read come beside the mistakes.
func TestAMistakeOfTyksHidesNoneOfOurs(t *testing.T) {
	for name, tc := range map[string]struct{ old, with, want string }{
		"unknown key": {`"hash_keys": true`, `"hash_kees": true`, `16:3: unknown key "hash_kees"`},
		"wrong type":  {`"listen_port": 8080`, `"listen_port": "8080"`, "3:23: listen_port: must be a whole number, not string"},
	} {
		broken := strings.NewReplacer(tc.old, tc.with, `"drain_seconds"`, `"drains"`, `"routes": "routes"`, `"routes": "/r"`).Replace(rootConf(t))
		c, err := parseConfig("tyk.conf", []byte(broken))
		var problems strict.Problems
		require.ErrorAs(t, err, &problems, name)
		require.Len(t, problems, 2, name)
		assert.Contains(t, problems[0].Error(), tc.want)
		assert.Contains(t, problems[1].Error(), `49:5: unknown key "drains"`)
		assert.Equal(t, "/r", c.Settings.Routes)
	}
	for _, text := range []string{"[1]", `{"hash_keys": tru`, `{"hash_kees": 1`, ""} {
		c, err := parseConfig("tyk.conf", []byte(text))
		require.Error(t, err)
		assert.Nil(t, c, text)
	}
}

func TestAMissingFileIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tyk.conf")
	_, err := LoadConfig(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = os.Stat(path)
	require.ErrorIs(t, err, os.ErrNotExist, "nothing is written")
}

func TestTheEnvironmentOverrides(t *testing.T) {
	t.Setenv("TYK_GW_LISTENPORT", "9999")
	t.Setenv("TYK_GW_STORAGE_ADDRS", "a:1,b:2")
	c, err := LoadConfig("../../tyk.conf")
	require.NoError(t, err)
	assert.Equal(t, ":9999", c.Address())
	assert.Equal(t, []string{"a:1", "b:2"}, c.Storage().Addrs)
	t.Setenv("TYK_GW_HASHKEYS", "false")
	_, err = LoadConfig("../../tyk.conf")
	assert.ErrorContains(t, err, "hash_keys: must be true")
}

func TestStorageOfTheFile(t *testing.T) {
	with := strings.Replace(rootConf(t), `"hash_keys": true`, `"hash_keys": true, "storage": {"type": "redis", "host": "r.example", "port": 6380, "username": "u", "password": "p", "use_ssl": true, "enable_cluster": true, "ca_file": "ca.pem"}`, 1)
	c, err := parseConfig("tyk.conf", []byte(with))
	require.NoError(t, err)
	assert.False(t, c.Embedded())
	ca, err := filepath.Abs("ca.pem")
	require.NoError(t, err)
	want := Storage{Addrs: []string{"r.example:6380"}, Username: "u", Password: "p", TLS: true, Cluster: true, CAFile: ca}
	assert.Equal(t, want, c.Storage())
	c.UseStorage(want)
	assert.Equal(t, want, c.Storage())
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"fhirgate": {"drain_seconds": 1}}`))
	f.Add([]byte("{\"a\":\t1, \"fhirgate\": {\n\t\"x\": [}"))
	f.Add([]byte(`{"fhirgate": 1}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = parseConfig("tyk.conf", data)
	})
}
