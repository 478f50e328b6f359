package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	tykctx "github.com/TykTechnologies/tyk/ctx"
	"github.com/TykTechnologies/tyk/gateway"
	"github.com/TykTechnologies/tyk/user"

	tyk "github.com/TykTechnologies/tyk/config"
)

// startTimeout bounds how long Tyk may take until its chain answers.
const startTimeout = 30 * time.Second

// derivedConfig is the configuration that Tyk is started with: the one of
// tyk.conf, and what the engine owns.
func derivedConfig(c *Config, w *workspace, secret, nodeSecret string) tyk.Config {
	d := c.tyk
	d.ListenAddress, d.ListenPort, d.ControlAPIPort = tykHost, dataPort, controlPort
	d.Secret, d.NodeSecret = secret, nodeSecret
	d.AppPath = w.path("apis")
	d.TemplatePath = w.path("templates")
	d.Policies.PolicySource, d.Policies.PolicyPath = "file", w.path("policies")
	d.PIDFileLocation = w.path("tyk.pid")
	d.HttpServerOptions.UseSSL = false // the public server does TLS
	d.HttpServerOptions.SkipURLCleaning = true
	return d
}

// tykProcess is Tyk in this process.
type tykProcess struct {
	log   *tykLog
	ended chan struct{} // closed when Tyk has returned or died
	taken func()        // gives the environment back
	conf  string
}

// confName is what Tyk reads from its working directory before it looks at
// --conf; where there is no such file it writes one.
const confName = "tyk.conf"

// startTyk starts Tyk in a goroutine. handler must be called next.
func startTyk(c *Config, w *workspace, secret, nodeSecret string, log *slog.Logger) (*tykProcess, error) {
	if err := w.writeJSON(confName, derivedConfig(c, w, secret, nodeSecret)); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	p := &tykProcess{ended: make(chan struct{}), conf: w.path(confName)}
	end := sync.OnceFunc(func() { close(p.ended) })
	p.log = routeTykLog(log, func() {
		end()
		runtime.Goexit()
	})
	taken, err := w.offerSockets()
	if err != nil {
		return nil, err
	}
	restore, err := borrowProcess(p.conf)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	p.taken = func() { taken(); restore() }
	// Tyk catches this one, among others, when it has nothing left to start.
	signal.Ignore(syscall.SIGUSR2)
	go func() {
		defer end()
		defer func() {
			if value := recover(); value != nil {
				p.log.fatal(panicCause(value))
			}
		}()
		gateway.Start()
	}()
	return p, nil
}

// borrowProcess lends Tyk what it takes from the process: arguments, the
// working directory, the environment without the settings that its
// configuration already holds, and a standard output for a line that nobody
// needs.
func borrowProcess(conf string) (restore func(), err error) {
	folder, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	if err := os.Chdir(filepath.Dir(conf)); err != nil {
		null.Close()
		return nil, err
	}
	args, stdout := os.Args, os.Stdout
	os.Args, os.Stdout = []string{args[0], "--conf=" + conf}, null
	hidden := make(map[string]string)
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "TYK_GW_") || strings.HasPrefix(name, "TYK_LOG") {
			hidden[name] = value
			os.Unsetenv(name)
		}
	}
	return func() {
		os.Args, os.Stdout = args, stdout
		null.Close()
		for name, value := range hidden {
			os.Setenv(name, value)
		}
		// The folder was there when we left it; without it relative paths fail
		// by themselves.
		_ = os.Chdir(folder)
	}, nil
}

// handler waits until Tyk serves both definitions and its control API, and
// returns the handler of its server. The process is our own again afterwards.
func (p *tykProcess) handler(ctx context.Context, probe *probe, control *control) (http.Handler, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	server, err := probe.run(ctx, p.ended)
	if err == nil {
		err = p.settled(ctx, control)
	}
	p.taken()
	os.Remove(p.conf) // it holds secrets, and Tyk reads it once
	if err != nil {
		return nil, fmt.Errorf("engine: Tyk did not start: %w (Tyk's last error: %s)", err, p.log.lastError())
	}
	p.log.quiet()
	// Its handler is all that is needed of this server.
	if err := server.Shutdown(ctx); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return server.Handler, nil
}

// settled waits until Tyk has nothing left to start and takes its signals away:
// stopping and reloading are our business, and Tyk would fork on SIGUSR2.
func (p *tykProcess) settled(ctx context.Context, control *control) error {
	for signal.Ignored(syscall.SIGUSR2) {
		if err := pause(ctx, p.ended); err != nil {
			return err
		}
	}
	signal.Reset(syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	signal.Ignore(syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	var definitions []struct {
		ID string `json:"api_id"`
	}
	if err := control.do(ctx, http.MethodGet, "/tyk/apis", nil, &definitions); err != nil {
		return err
	}
	if len(definitions) != 2 {
		return fmt.Errorf("it loaded %d of 2 definitions", len(definitions))
	}
	return nil
}

var errEnded = errors.New("it ended")

// pause waits a little, unless there is nothing to wait for any more.
func pause(ctx context.Context, ended <-chan struct{}) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-ended:
		return errEnded
	case <-time.After(5 * time.Millisecond):
		return nil
	}
}

// probe is the first request through the real chain. Tyk's server is only to
// be had from a request that it serves.
type probe struct {
	client *http.Client
	nonce  string
	found  chan *http.Server
	paths  []string // one of each definition
}

const probeHeader = "Fhirgate-Probe"

func newProbe(socket string, chain Chain) *probe {
	paths := []string{FHIRPath, "/"}
	if chain == ChainAuthKey || chain == ChainAuthKeyLimits { // no key of ours exists yet
		paths = paths[1:]
	}
	dialer := &net.Dialer{}
	return &probe{
		nonce: randomHex(),
		found: make(chan *http.Server, 1),
		paths: paths,
		client: &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", socket)
			},
			DisableKeepAlives: true,
		}},
	}
}

// run sends probes until each definition's hook has answered one.
func (p *probe) run(ctx context.Context, ended <-chan struct{}) (server *http.Server, err error) {
	for _, path := range p.paths {
		for server = nil; server == nil; {
			if server = p.once(ctx, path); server != nil {
				break
			}
			if err := pause(ctx, ended); err != nil {
				return nil, err
			}
		}
	}
	return server, nil
}

func (p *probe) once(ctx context.Context, path string) *http.Server {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://tyk"+path, http.NoBody)
	if err != nil {
		return nil
	}
	request.Header.Set(probeHeader, p.nonce)
	response, err := p.client.Do(request)
	if err != nil {
		return nil
	}
	response.Body.Close()
	select {
	case server := <-p.found:
		return server
	default:
		return nil
	}
}

// answer is the hook's part of the probe. Requests that come to Tyk's own
// socket in any other way get nothing.
func (p *probe) answer(w http.ResponseWriter, r *http.Request) {
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok || r.Header.Get(probeHeader) != p.nonce {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	select {
	case p.found <- server:
	default:
	}
	w.WriteHeader(http.StatusNoContent)
}

// hook returns what Tyk's hook runs: our handler on the exchange that the
// public server began.
func hook(handler http.Handler, probe *probe) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(r)
		if x == nil {
			probe.answer(w, r)
			return
		}
		x.serve(handler, r)
		// Tyk goes on to its own proxy unless it sees an answer. This one ends
		// at the exchange.
		w.WriteHeader(http.StatusOK)
	}
}

// acceptAll is the auth_check hook of ChainAuthCheck.
func acceptAll(_ http.ResponseWriter, r *http.Request) {
	definition := tykctx.GetDefinition(r)
	tykctx.SetSession(r, &user.SessionState{
		OrgID: orgID,
		AccessRights: map[string]user.AccessDefinition{
			definition.APIID: {APIID: definition.APIID, Versions: []string{"Default"}},
		},
	}, false)
}
