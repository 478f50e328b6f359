package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/freeport"
	"fhirgate/internal/logbuffer"
)

// hostSetup is how a test wants the real engine to run. Tyk can only be started
// once in a process, so each runs in one of its own: this test binary again.
type hostSetup struct {
	Conf  string // path of tyk.conf
	Chain Chain
	Drain time.Duration
}

const hostVariable = "ENGINE_TEST_HOST"

func TestMain(m *testing.M) {
	if raw, ok := os.LookupEnv(hostVariable); ok {
		os.Exit(hostMain(raw))
	}
	os.Exit(m.Run())
}

func hostMain(raw string) int {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	var setup hostSetup
	if err := json.Unmarshal([]byte(raw), &setup); err != nil {
		log.Error(err.Error())
		return 1
	}
	config, err := LoadConfig(setup.Conf)
	if err != nil {
		log.Error(err.Error())
		return 1
	}
	behaviour := &hostBehaviour{}
	e, err := Start(context.Background(), Options{
		Config: config, Log: log, Chain: setup.Chain,
		Policies: map[string]json.RawMessage{"plan": json.RawMessage(`{"access_rights": {"fhir": {}}, "quota_max": -1, "rate": 1000, "per": 1}`)},
		Handlers: Handlers{FHIR: behaviour, Root: http.HandlerFunc(behaviour.root)},
	})
	if err != nil {
		log.Error(err.Error())
		return 1
	}
	behaviour.engine.set(e)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	fmt.Println("listening", e.Address())
	for got := range signals {
		if got == syscall.SIGHUP {
			if err := e.Reload(context.Background()); err != nil {
				log.Error(err.Error())
				return 1
			}
			fmt.Println("reloaded")
			continue
		}
		break
	}
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), setup.Drain)
		defer cancel()
		stopped <- e.Shutdown(ctx)
	}()
	select {
	case err := <-stopped:
		fmt.Println("stopped", err)
	case <-signals:
		fmt.Println("stopped at once")
	}
	return 0
}

// hostBehaviour is an answer for each test's need, by path.
type hostBehaviour struct{ engine once[*Engine] }

// once is a value that becomes known later.
type once[T any] struct {
	mu    sync.Mutex
	value T
}

func (o *once[T]) set(value T) { o.mu.Lock(); o.value = value; o.mu.Unlock() }
func (o *once[T]) get() T      { o.mu.Lock(); defer o.mu.Unlock(); return o.value }

var threeKilobytes = bytes.Repeat([]byte("0123456789abcdef"), 192)

func (b *hostBehaviour) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	controller := http.NewResponseController(w)
	switch strings.TrimPrefix(r.URL.Path, FHIRPath) {
	case "3k":
		w.Header().Set("Content-Type", "application/fhir+json")
		_, _ = w.Write(threeKilobytes)
	case "seen":
		fmt.Fprintf(w, "%s %s %s length=%d type=%T %s", r.Proto, r.Method, r.URL.RequestURI(), r.ContentLength, r.Body, r.RemoteAddr)
	case "forbidden":
		http.Error(w, "own words", http.StatusForbidden)
	case "count":
		before := residentKB()
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d %v %d", n, err, residentKB()-before)
	case "download":
		n, _ := strconv.Atoi(r.URL.Query().Get("mb"))
		for range n {
			_, _ = w.Write(bytes.Repeat([]byte{'x'}, 1<<20))
		}
	case "panic":
		panic("canary-value")
	case "panic-late":
		_, _ = w.Write([]byte(`{"half":`))
		_ = controller.Flush()
		panic("canary-value")
	case "abort":
		_, _ = w.Write([]byte(`{"half":`))
		_ = controller.Flush()
		panic(http.ErrAbortHandler)
	case "abort-buffered":
		_, _ = w.Write([]byte(`{"half":`))
		panic(http.ErrAbortHandler)
	case "abort-length":
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"half":`))
		_ = controller.Flush()
		panic(http.ErrAbortHandler)
	case "abort-early":
		panic(http.ErrAbortHandler)
	case "nothing":
	case "deadline":
		err := controller.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		_, readErr := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%v %v", err, readErr != nil)
	case "slow":
		for range 20 {
			_, _ = w.Write([]byte("tick\n"))
			_ = controller.Flush()
			select {
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			case <-time.After(100 * time.Millisecond):
			}
		}
		_, _ = w.Write([]byte("end"))
	default:
		http.NotFound(w, r)
	}
}

func (b *hostBehaviour) root(w http.ResponseWriter, r *http.Request) {
	e := b.engine.get()
	switch r.URL.Path {
	case "/ready":
		fmt.Fprint(w, e.Ready())
	case "/panic":
		panic("canary-value")
	case "/keys":
		token := NewToken()
		err := e.CreateKey(r.Context(), token, Session{Alias: "pacs", Policies: []string{"plan"}, Metadata: map[string]any{"app": "a1"}})
		fmt.Fprintf(w, "%s %v", token, err)
	case "/keys/without-plan":
		fmt.Fprint(w, e.CreateKey(r.Context(), NewToken(), Session{Alias: "pacs", Policies: []string{"unknown"}}))
	case "/keys/odd":
		fmt.Fprint(w, e.CreateKey(r.Context(), `fg_","org":"x`, Session{Policies: []string{"plan"}}))
	case "/keys/list":
		hashes, err := e.Keys(r.Context())
		fmt.Fprintf(w, "%v %v", hashes, err)
	case "/keys/update":
		fmt.Fprint(w, e.UpdateKey(r.Context(), r.URL.Query().Get("hash"), Session{Alias: "renamed", Policies: []string{"plan"}}))
	case "/keys/show":
		session, err := e.Key(r.Context(), r.URL.Query().Get("hash"))
		fmt.Fprintf(w, "%s %v", session.Alias, err)
	case "/keys/delete":
		fmt.Fprint(w, e.DeleteKey(r.Context(), r.URL.Query().Get("hash")))
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, "root %s", r.URL.Path)
	}
}

func residentKB() int {
	data, _ := os.ReadFile("/proc/self/status")
	for line := range strings.SplitSeq(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// host is a running engine in a process of its own.
type host struct {
	address string
	dir     string
	command *exec.Cmd
	output  *logbuffer.Buffer
	redis   string
}

func (h *host) url(path string) string { return "http://" + h.address + path }

// edit changes the tyk.conf of a host before it is started.
type edit func(conf map[string]any)

// startHost runs the engine against a real Redis and waits until it listens.
func startHost(t *testing.T, chain Chain, edits ...edit) *host {
	t.Helper()
	h := launchHost(t, chain, startRedis(t), edits...)
	h.waitFor(t, "listening")
	for line := range strings.Lines(h.output.String()) {
		if address, ok := strings.CutPrefix(line, "listening "); ok {
			_, port, err := net.SplitHostPort(strings.TrimSpace(address))
			require.NoError(t, err)
			h.address = "127.0.0.1:" + port
		}
	}
	return h
}

func launchHost(t *testing.T, chain Chain, redis string, edits ...edit) *host {
	t.Helper()
	dir := t.TempDir()
	redisHost, redisPort, err := net.SplitHostPort(redis)
	require.NoError(t, err)
	port, err := strconv.Atoi(redisPort)
	require.NoError(t, err)
	conf := map[string]any{}
	data, err := os.ReadFile("../../tyk.conf")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &conf))
	conf["listen_address"], conf["listen_port"] = "127.0.0.1", freePort(t)
	conf["storage"] = map[string]any{"type": "redis", "host": redisHost, "port": port}
	conf["fhirgate"].(map[string]any)["data_dir"] = filepath.Join(dir, "data")
	for _, change := range edits {
		change(conf)
	}
	data, err = json.Marshal(conf)
	require.NoError(t, err)
	path := filepath.Join(dir, "tyk.conf")
	require.NoError(t, os.WriteFile(path, data, 0o600))

	setup, err := json.Marshal(hostSetup{Conf: path, Chain: chain, Drain: 3 * time.Second})
	require.NoError(t, err)
	h := &host{dir: dir, output: &logbuffer.Buffer{}, redis: redis}
	h.command = exec.Command(os.Args[0])
	h.command.Env = append(os.Environ(), hostVariable+"="+string(setup))
	h.command.Stdout, h.command.Stderr = h.output, h.output
	require.NoError(t, h.command.Start())
	t.Cleanup(func() {
		_ = h.command.Process.Kill()
		_ = h.command.Wait()
		if t.Failed() {
			t.Log(h.output.String())
		}
	})
	return h
}

// waitFor waits until the host has written text.
func (h *host) waitFor(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(h.output.String(), text) },
		40*time.Second, 10*time.Millisecond, "the host never wrote %q", text)
}

func (h *host) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	require.NoError(t, h.command.Process.Signal(s))
}

func startRedis(t *testing.T) string {
	t.Helper()
	port := freePort(t)
	command := exec.Command("redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir())
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
		}
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	return address
}

func freePort(t *testing.T) int {
	t.Helper()
	address, err := freeport.Address()
	require.NoError(t, err)
	_, text, _ := strings.Cut(address, ":")
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	return port
}

// get returns the status and body of a request by the default client.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}
