package test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/sandbox/demo"
)

// refusesStart starts a gateway that must end by itself, and returns what it
// said.
func refusesStart(t *testing.T, g *gateway) string {
	t.Helper()
	p := serve(t, g.conf)
	require.Error(t, p.wait(20*time.Second))
	require.Equal(t, 1, p.cmd.ProcessState.ExitCode(), p.output())
	require.Empty(t, p.out.String())
	return p.err.String()
}

// TestStartRefused breaks one thing at a time. The gateway must not start, and
// say what is wrong.
func TestStartRefused(t *testing.T) {
	hospitals, err := demo.Start(t.TempDir(), demo.Addresses{}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = hospitals.Close() })
	edit := func(file, old, changed string) func(*testing.T, *gateway) {
		return func(t *testing.T, g *gateway) {
			text := g.read(file)
			require.Contains(t, text, old)
			g.write(file, strings.Replace(text, old, changed, 1))
		}
	}
	occupy := func(address func(g *gateway) string) func(*testing.T, *gateway) {
		return func(t *testing.T, g *gateway) {
			listener, err := net.Listen("tcp", strings.TrimPrefix(address(g), "http://"))
			require.NoError(t, err)
			t.Cleanup(func() { _ = listener.Close() })
		}
	}
	for name, tc := range map[string]struct {
		redis    *redisServer
		breakIt  func(*testing.T, *gateway)
		says     []string
		saysNone []string
	}{
		"public port in use":    {breakIt: occupy(func(g *gateway) string { return g.url }), says: []string{"is already in use by another process"}},
		"admin port in use":     {breakIt: occupy(func(g *gateway) string { return g.admin }), says: []string{"the admin API", "address already in use"}},
		"unknown key":           {breakIt: edit("tyk.conf", `"hash_keys"`, `"hash_keyz"`), says: []string{"tyk.conf:", `unknown key "hash_keyz"`}},
		"unknown own key":       {breakIt: edit("tyk.conf", `"data_dir"`, `"data_dirr"`), says: []string{"tyk.conf:", "data_dirr"}},
		"unsafe setting":        {breakIt: edit("tyk.conf", `"hash_keys": true`, `"hash_keys": false`), says: []string{"tyk.conf:", "hash_keys: must be true"}},
		"no configuration":      {breakIt: func(_ *testing.T, g *gateway) { _ = os.Remove(g.conf) }, says: []string{"the configuration file", "name another with -c"}},
		"no hospitals' folder":  {breakIt: func(_ *testing.T, g *gateway) { _ = os.RemoveAll(g.file("routes")) }, says: []string{"routes"}},
		"secret not set":        {breakIt: edit("routes/harbor.yaml", "{file: ", "{env: E2E_NOT_SET, file: "), says: []string{"harbor.yaml:"}},
		"variable not set":      {breakIt: secretFromEnv, says: []string{"harbor.yaml:12:", "E2E_NOT_SET"}},
		"unknown vendor":        {breakIt: edit("routes/harbor.yaml", "vendor: hapi", "vendor: hapy"), says: []string{"harbor.yaml:6:9", `"hapy"`, "hapi"}},
		"unknown hospital":      {breakIt: edit("policies/e2e.json", `["*"]`, `["harbour"]`), says: []string{"e2e.json:1:", `"harbour"`, "harbor"}},
		"readable link keys":    {breakIt: readableLinkKeys, says: []string{"link-keys", "chmod"}},
		"Redis not there":       {redis: &redisServer{addr: freeAddress(t)}, says: []string{"fhirgate: "}, saysNone: []string{redisPassword}},
		"mistakes in all files": {breakIt: breakEverything, says: []string{"harbor.yaml:6:", "harbor.yaml:7:", "st-mary.yaml:", "hapi.yaml:4:", "e2e.json:", " mistakes in the configuration"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := prepare(t, options{hospitals: hospitals, redis: tc.redis})
			if tc.breakIt != nil {
				tc.breakIt(t, g)
			}
			said := refusesStart(t, g)
			for _, want := range tc.says {
				require.Contains(t, said, want)
			}
			for _, secret := range tc.saysNone {
				require.NotContains(t, said, secret)
			}
			if name != "public port in use" {
				_, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
				require.Error(t, err, "nothing is served")
			}
		})
	}
}

func secretFromEnv(t *testing.T, g *gateway) {
	text := g.read("routes/harbor.yaml")
	start := strings.Index(text, "client_secret: {")
	require.Positive(t, start)
	end := start + strings.Index(text[start:], "}")
	g.write("routes/harbor.yaml", text[:start]+"client_secret: {env: E2E_NOT_SET"+text[end:])
}

func readableLinkKeys(t *testing.T, g *gateway) {
	require.NoError(t, os.MkdirAll(g.file("data"), 0o700))
	require.NoError(t, os.WriteFile(g.file("data/link-keys"), []byte("{}"), 0o644))
}

// breakEverything makes five mistakes in four files.
func breakEverything(_ *testing.T, g *gateway) {
	g.write("routes/harbor.yaml", strings.Replace(strings.Replace(g.read("routes/harbor.yaml"),
		"vendor: hapi", "vendr: hapi", 1), "environment: sandbox", "environment: playground", 1))
	g.write("routes/st-mary.yaml", strings.Replace(g.read("routes/st-mary.yaml"), "America/Chicago", "America/Chikago", 1))
	g.write("transforms/hapi.yaml", "version: 1\nvendor: hapi\nrequest:\n  - whenn: {}\n")
	g.write("policies/e2e.json", strings.Replace(g.read("policies/e2e.json"), `"rate"`, `"rat"`, 1))
}

// TestDataDirInUse starts a second gateway in the folder of a first one.
func TestDataDirInUse(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis})
		second := prepare(t, options{redis: redis, hospitals: g.Hospitals, settings: map[string]any{"data_dir": g.file("data")}})
		require.Contains(t, refusesStart(t, second), "another")
		g.newClient(t, "e2e").get(somewhere).ok(http.StatusOK)
	})
}

// TestPluginMissing builds fhirgate as "go build" alone does: without the
// plugin in it, it must say so instead of answering 500 to everything.
func TestPluginMissing(t *testing.T) {
	target := filepath.Join(t.TempDir(), "fhirgate")
	build := exec.Command("go", "build", "-trimpath", "-tags", "goplugin", "-o", target, "./cmd/fhirgate")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	g := prepare(t, options{})
	cmd := exec.Command(target, "serve", "-c", g.conf)
	out, err = cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "make build")
}
