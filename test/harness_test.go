package test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/internal/freeport"
	"fhirgate/internal/logbuffer"
	"fhirgate/sandbox"
	"fhirgate/sandbox/demo"
)

// options say how a gateway differs from the usual one.
type options struct {
	redis     *redisServer           // nil = the embedded store
	hospitals *demo.Hospitals        // nil = three of its own
	change    func(*sandbox.Options) // of its own hospitals
	dir       string                 // of an earlier gateway; "" = a new one
	settings  map[string]any         // of the section "fhirgate", over the usual ones
	env       []string               // added to the process's environment
	prepared  func(*gateway)         // called before the gateway starts, to write further files
	grumbles  bool                   // lines of level ERROR are expected
}

// gateway is a running fhirgate with its folder and, usually, three simulated
// hospitals.
type gateway struct {
	*demo.Hospitals
	*process
	t        *testing.T
	dir      string
	conf     string
	url      string
	admin    string
	grumbles bool
	over     bool // the test has ended it
}

// bothStores runs a scenario with the embedded store and with a real Redis, side
// by side: much of their time is waiting.
func bothStores(t *testing.T, scenario func(t *testing.T, redis *redisServer)) {
	t.Run("embedded", func(t *testing.T) { t.Parallel(); scenario(t, nil) })
	t.Run("redis", func(t *testing.T) { t.Parallel(); scenario(t, startRedis(t)) })
}

// startGateway starts fhirgate and waits until it is ready. At the end of the
// test it must stop cleanly at SIGTERM, without an error in its log.
func startGateway(t *testing.T, o options) *gateway {
	t.Helper()
	g := prepare(t, o)
	if o.prepared != nil {
		o.prepared(g)
	}
	g.process = serve(t, g.conf, o.env...)
	t.Cleanup(func() {
		if !g.over {
			g.stopCleanly()
		}
	})
	g.waitReady()
	return g
}

// stopCleanly ends the gateway by SIGTERM.
func (g *gateway) stopCleanly() {
	g.t.Helper()
	g.over = true
	if err := g.stop(); err != nil {
		g.t.Errorf("the gateway did not stop cleanly: %v\n%s", err, g.output())
	}
	for _, line := range g.logged("ERROR") {
		if !g.grumbles {
			g.t.Errorf("the gateway logged an error: %s", line)
		}
	}
}

// crash ends the gateway as a power failure would.
func (g *gateway) crash() {
	g.over = true
	g.kill()
}

// prepare writes everything that a gateway reads, without starting it.
func prepare(t *testing.T, o options) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: o.dir, Hospitals: o.hospitals, grumbles: o.grumbles}
	if g.dir == "" {
		g.dir = t.TempDir()
	}
	g.conf = filepath.Join(g.dir, "tyk.conf")
	if g.Hospitals == nil {
		var err error
		g.Hospitals, err = demo.Start(g.dir, demo.Addresses{}, o.change)
		require.NoError(t, err)
		t.Cleanup(func() { _ = g.Hospitals.Close() })
	}
	copyFiles(t, filepath.Join(root, "transforms"), g.file("transforms"), ".yaml")
	copyFiles(t, filepath.Join(root, "policies"), g.file("policies"), ".json")
	if g.Hospitals.Routes != g.file("routes") {
		copyFiles(t, g.Hospitals.Routes, g.file("routes"), ".yaml")
	}
	g.writePlan("e2e", 100_000, 0)
	public, admin := freeAddress(t), freeAddress(t)
	g.url, g.admin = "http://"+public, "http://"+admin
	settings := map[string]any{
		"public_url": g.url, "data_dir": g.file("data"), "routes": g.file("routes"), "transforms": g.file("transforms"),
		"policies": g.file("policies"), "admin_listen": admin, "link_keys_file": g.file("data/link-keys"), "drain_seconds": 10,
	}
	for name, value := range o.settings {
		settings[name] = value
	}
	g.writeConf(public, settings, o.redis)
	return g
}

// writeConf writes the tyk.conf of the project, with this gateway's addresses
// and folders.
func (g *gateway) writeConf(public string, settings map[string]any, redis *redisServer) {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "tyk.conf"))
	require.NoError(g.t, err)
	var conf map[string]any
	require.NoError(g.t, json.Unmarshal(text, &conf))
	host, port, err := net.SplitHostPort(public)
	require.NoError(g.t, err)
	conf["listen_address"] = host
	conf["listen_port"], err = strconv.Atoi(port)
	require.NoError(g.t, err)
	conf["fhirgate"] = settings
	if redis != nil {
		conf["storage"] = redis.storage()
	}
	text, err = json.MarshalIndent(conf, "", "  ")
	require.NoError(g.t, err)
	require.NoError(g.t, os.WriteFile(g.conf, text, 0o600))
}

// writePlan writes a plan for the simulated hospitals; a quota of 0 is none.
func (g *gateway) writePlan(id string, rate, quota int) {
	plan := map[string]any{
		"id": id, "name": id, "active": true, "rate": rate, "per": 1, "quota_max": quota, "quota_renewal_rate": 3600,
		"access_rights": map[string]any{"fhir": map[string]any{"api_id": "fhir", "api_name": "fhir", "versions": []string{"Default"}}},
		"meta_data":     map[string]any{"fhirgate": map[string]any{"hospitals": []string{"*"}, "environments": []string{"sandbox"}, "scopes": []string{"system/*.cruds"}, "burst": rate}},
	}
	if quota == 0 {
		plan["quota_max"] = -1
	}
	text, err := json.Marshal(plan)
	require.NoError(g.t, err)
	g.write("policies/"+id+".json", string(text))
}

func (g *gateway) file(name string) string { return filepath.Join(g.dir, name) }

// write replaces a file of the gateway's folder at once, as deployments do.
func (g *gateway) write(name, content string) {
	g.t.Helper()
	require.NoError(g.t, os.WriteFile(g.file(name+".new"), []byte(content), 0o600))
	require.NoError(g.t, os.Rename(g.file(name+".new"), g.file(name)))
}

func (g *gateway) read(name string) string {
	g.t.Helper()
	text, err := os.ReadFile(g.file(name))
	require.NoError(g.t, err)
	return string(text)
}

func (g *gateway) waitReady() {
	g.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		answer, err := http.Get(g.url + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-g.ended:
			require.FailNow(g.t, "the gateway ended instead of getting ready", g.output())
		default:
		}
	}
	require.FailNow(g.t, "the gateway is not ready after 30 s", g.output())
}

func copyFiles(t *testing.T, from, to, suffix string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(to, 0o700))
	entries, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, entry := range entries {
		if entry.IsDir() || !strings.HasSuffix(entry.Name(), suffix) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(from, entry.Name()))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, entry.Name()), data, 0o600))
	}
}

// freeAddress returns a loopback address that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	require.NoError(t, err)
	return address
}

// process is a running fhirgate.
type process struct {
	cmd      *exec.Cmd
	out, err logbuffer.Buffer
	ended    chan struct{} // closed at the end
	result   error         // of the process, once it has ended
}

// serve starts "fhirgate serve" and returns at once.
func serve(t *testing.T, conf string, env ...string) *process {
	t.Helper()
	p := start(t, env, "serve", "-c", conf)
	t.Cleanup(p.kill)
	return p
}

func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	p.cmd.Env = append(os.Environ(), env...)
	require.NoError(t, p.cmd.Start())
	go func() {
		p.result = p.cmd.Wait()
		close(p.ended)
	}()
	return p
}

// wait returns the process's result, or an error when it does not end in time.
func (p *process) wait(limit time.Duration) error {
	select {
	case <-p.ended:
		return p.result
	case <-time.After(limit):
		return errors.New("it still runs after " + limit.String())
	}
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) } // it may have ended

// stop ends the process by SIGTERM and returns how it ended.
func (p *process) stop() error {
	p.signal(syscall.SIGTERM)
	return p.wait(15 * time.Second)
}

// kill ends the process as a power failure would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// output is everything that the process wrote.
func (p *process) output() string { return p.out.String() + p.err.String() }

// logged returns the lines of its log of this level, up to its last words:
// Tyk says that the embedded store is gone when the process ends.
func (p *process) logged(level string) []string {
	var found []string
	for line := range strings.Lines(p.err.String()) {
		if gjson.Get(line, "msg").Str == "stopped" {
			break
		}
		if gjson.Get(line, "level").Str == level {
			found = append(found, line)
		}
	}
	return found
}
