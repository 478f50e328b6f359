package test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/sandbox"
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

// metric returns the value of a line of /metrics, such as
// `fhirgate_config_last_reload_successful`, and 0 when it is not there.
func (g *gateway) metric(t *testing.T, name string) float64 {
	t.Helper()
	a := g.askAdmin(t, http.MethodGet, "/metrics")
	require.Equal(t, http.StatusOK, a.StatusCode)
	for line := range strings.Lines(string(a.body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			number, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			require.NoError(t, err)
			return number
		}
	}
	return 0
}

const (
	reloadsTaken   = `fhirgate_config_reloads_total{outcome="taken"}`
	reloadsRefused = `fhirgate_config_reloads_total{outcome="kept-old"}`
	reloadWasGood  = "fhirgate_config_last_reload_successful"
)

// bay is a fourth hospital's file; timeout is a number of seconds.
func bay(h *sandbox.Hospital, timeout int) string {
	return fmt.Sprintf(`version: 1
id: bay
name: Bay Hospital
environment: sandbox
upstream:
  base_url: %s
  private_network: true
  timeouts: {first_byte: %ds}
interactions: {Patient: [read, search-type]}
`, h.BaseURL(), timeout)
}

func startBay(t *testing.T) *sandbox.Hospital {
	t.Helper()
	hospital := sandbox.NewHAPI(sandbox.Options{ID: "bay", Open: true})
	require.NoError(t, hospital.Start("127.0.0.1:0"))
	t.Cleanup(func() { _ = hospital.Close() })
	return hospital
}

// within waits for what a change of files brings about.
func within(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 10*time.Second, 20*time.Millisecond, what)
}

func TestReload(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis, grumbles: true})
		hospital := startBay(t)
		c := g.newClient(t, "e2e")
		const patient = "/fhir/bay/Patient/100000"
		c.get(patient).refused(http.StatusNotFound, "not-found")
		require.InDelta(t, 1, g.metric(t, reloadWasGood), 0)

		t.Run("a new file is a new hospital", func(t *testing.T) {
			g.write("routes/bay.yaml", bay(hospital, 30))
			within(t, "the hospital is reachable", func() bool { return c.get(patient).StatusCode == http.StatusOK })
		})
		t.Run("SIGHUP reloads", func(t *testing.T) {
			before := g.metric(t, reloadsTaken)
			g.signal(syscall.SIGHUP)
			within(t, "it was reloaded", func() bool { return g.metric(t, reloadsTaken) == before+1 })
		})
		for name, mistake := range map[string]struct {
			file, content, problem string
			line, column           int64
		}{
			"a hospital": {"routes/bay.yaml", strings.Replace(bay(hospital, 30), "private_network", "privat_network", 1), "privat_network", 7, 3},
			"a vendor":   {"transforms/hapi.yaml", "version: 1\nvendor: hapi\nrequest:\n  - whenn: {}\n", "whenn", 4, 5},
			"a plan":     {"policies/e2e.json", "{\"id\": \"e2e\",\n \"rat\": 1}\n", "rat", 2, 2},
			"no JSON":    {"policies/e2e.json", "{\"id\": \"e2e\",\n", "", 0, 0},
		} {
			t.Run("a mistake in "+name+" keeps the old configuration", func(t *testing.T) {
				good := g.read(mistake.file)
				refused := g.metric(t, reloadsRefused)
				logged := len(g.logged("ERROR"))
				g.write(mistake.file, mistake.content)
				within(t, "it was refused", func() bool { return g.metric(t, reloadsRefused) > refused })
				require.Zero(t, g.metric(t, reloadWasGood))
				c.get(patient).ok(http.StatusOK)
				c.get(somewhere).ok(http.StatusOK)

				line := gjson.Parse(g.logged("ERROR")[logged])
				require.Equal(t, g.file(mistake.file), line.Get("file").Str, line.Raw)
				require.Contains(t, line.Get("problem").Str, mistake.problem)
				require.Positive(t, line.Get("line").Int(), line.Raw)
				require.Positive(t, line.Get("column").Int(), line.Raw)
				if mistake.line > 0 {
					require.Equal(t, mistake.line, line.Get("line").Int(), line.Raw)
					require.Equal(t, mistake.column, line.Get("column").Int(), line.Raw)
				}
				a := g.askAdmin(t, http.MethodPost, "/admin/reload")
				require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
				require.Contains(t, string(a.body), mistake.problem)

				g.write(mistake.file, good)
				within(t, "the corrected file is taken", func() bool { return g.metric(t, reloadWasGood) == 1 })
			})
		}
		t.Run("a file that goes takes its hospital along", func(t *testing.T) {
			require.NoError(t, os.Remove(g.file("routes/bay.yaml")))
			within(t, "the hospital is gone", func() bool { return c.get(patient).StatusCode == http.StatusNotFound })
		})
		t.Run("a changed plan holds for its keys at once", func(t *testing.T) {
			g.writePlan("walking", 50_000, 0)
			g.mustReload(t)
			walker := g.newClient(t, "walking")
			for range 5 {
				walker.get(somewhere).ok(http.StatusOK)
			}
			g.writePlan("walking", 1, 0)
			g.mustReload(t)
			tooFast(t, walker)
			g.writePlan("walking", 50_000, 3)
			g.mustReload(t)
			time.Sleep(soon)
			for range 3 {
				walker.get(somewhere).ok(http.StatusOK)
			}
			a := walker.get(somewhere)
			a.refused(http.StatusTooManyRequests, "throttled")
			require.Equal(t, "0", a.Header.Get("RateLimit-Remaining"))
			c.get(somewhere).ok(http.StatusOK)
		})
	})
}

// tooFast calls until the rate of one call a second refuses, and then once more
// when the refusal says.
func tooFast(t *testing.T, c *client) {
	t.Helper()
	var a answer
	within(t, "the rate holds", func() bool {
		a = c.get(somewhere)
		return a.StatusCode != http.StatusOK
	})
	a.refused(http.StatusTooManyRequests, "throttled")
	for _, name := range []string{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} {
		require.NotEmpty(t, a.Header.Get(name), name)
	}
	require.Equal(t, "1", a.Header.Get("RateLimit-Limit"))
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.LessOrEqual(t, seconds, 1)
	time.Sleep(time.Duration(seconds) * time.Second)
	c.get(somewhere).ok(http.StatusOK)
}

// TestReloadDisturbsNobody makes calls without a pause while the hospital's way
// upstream changes with every reload.
func TestReloadDisturbsNobody(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis})
		hospital := startBay(t)
		g.write("routes/bay.yaml", bay(hospital, 30))
		g.mustReload(t)
		c := g.newClient(t, "e2e")
		var (
			stop  atomic.Bool
			calls atomic.Int64
			loops sync.WaitGroup
		)
		for n := range 4 {
			target := []string{somewhere, "/fhir/bay/Patient?_count=50", "/fhir/bay/Patient/100001", "/fhir/st-mary/Patient/12724065"}[n]
			loops.Go(func() {
				for !stop.Load() {
					if a, err := c.try(http.MethodGet, target, ""); err != nil || a.StatusCode != http.StatusOK {
						t.Errorf("a call failed during a reload: %v %.300s", err, a.body)
						return
					}
					calls.Add(1)
				}
			})
		}
		for n := range 20 {
			before := calls.Load()
			g.write("routes/bay.yaml", bay(hospital, 31+n))
			g.mustReload(t)
			within(t, "calls go on", func() bool { return calls.Load() > before+8 })
		}
		stop.Store(true)
		loops.Wait()
		t.Logf("%d calls during 20 reloads", calls.Load())
	})
}
