package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"fhirgate/plugins/hookreg"
)

// Handlers are what the gateway answers with.
type Handlers struct {
	// FHIR answers everything below /fhir/, in a hook of Tyk's chain. It owns
	// the upstream call.
	FHIR http.Handler
	// Root answers all other paths, "/fhir" without a slash among them.
	Root http.Handler
	// Refuse answers where neither of the two could: Tyk refused the request
	// (401, 403, 404, 500…), or a handler failed before it wrote anything (500).
	// Default: an OperationOutcome that says no more than the status.
	Refuse func(w http.ResponseWriter, r *http.Request, status int)
}

// Options are what an engine is started with.
type Options struct {
	Config   *Config
	DataDir  string // private files; default Config.Settings.DataDir
	Handlers Handlers
	Policies map[string]json.RawMessage // see SetPolicies
	Chain    Chain                      // default ChainPost
	// NodeSecret signs what Tyk's nodes tell one another through Redis. All nodes
	// must have the same; default: one of this node's own.
	NodeSecret string
	Log        *slog.Logger // default slog.Default()
}

// Engine is a running Tyk and the public server in front of it.
type Engine struct {
	log       *slog.Logger
	workspace *workspace
	install   install
	control   *control
	server    *http.Server
	address   net.Addr
	cancel    context.CancelFunc // cancels the contexts of requests
	ready     atomic.Bool
	done      chan struct{} // closed when nothing is served any more
	failure   error         // why, set before
}

// lastMoment is what cancelled requests get to abort in.
const lastMoment = 500 * time.Millisecond

// running is true once a process has handed itself to Tyk, which keeps its
// state in package variables.
var running atomic.Bool

// Start starts Tyk and returns when a request has passed the real chain of
// both definitions and the public address is served. Any error means that
// nothing is served; after one that Tyk caused the process should exit.
//
// While Start runs it owns os.Args, os.Stdout, the working directory and the
// TYK_GW_* variables. It takes all signals away from Tyk: calls of
// signal.Notify must come after it.
func Start(ctx context.Context, o Options) (*Engine, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.DataDir == "" {
		o.DataDir = o.Config.Settings.DataDir
	}
	if o.NodeSecret == "" {
		o.NodeSecret = randomHex()
	}
	if o.Handlers.Refuse == nil {
		o.Handlers.Refuse = refuse
	}
	if !running.CompareAndSwap(false, true) {
		return nil, errors.New("engine: a process can start one engine only")
	}
	e := &Engine{log: o.Log, done: make(chan struct{})}
	listener, err := listenPublic(o.Config.Address())
	if err != nil {
		running.Store(false)
		return nil, err
	}
	if err := e.prepare(&o); err != nil {
		listener.Close()
		running.Store(false)
		return nil, err
	}
	if err := e.serve(ctx, &o, listener); err != nil {
		listener.Close()
		e.workspace.close()
		return nil, err
	}
	return e, nil
}

// prepare does everything that can fail before Tyk is started.
func (e *Engine) prepare(o *Options) (err error) {
	server, problems := publicServer(o.Config, o.Log)
	if err := problems.Err(); err != nil {
		return err
	}
	e.server = server
	if e.workspace, err = openWorkspace(o.DataDir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			e.workspace.close()
		}
	}()
	if e.install, err = loadInstall(o.DataDir); err != nil {
		return err
	}
	if err := e.workspace.writePlugin(); err != nil {
		return err
	}
	if err := e.workspace.writeDefinitions(e.install, o.Chain, e.workspace.path(pluginPath)); err != nil {
		return err
	}
	return e.workspace.writePolicies(o.Policies, e.install.FHIR)
}

// serve starts Tyk, finds its handler and puts it behind the public listener.
func (e *Engine) serve(ctx context.Context, o *Options, listener net.Listener) error {
	probe := newProbe(e.workspace.socketPath(dataPort), o.Chain)
	hookreg.FHIR = hook(o.Handlers.FHIR, probe)
	hookreg.Root = hook(o.Handlers.Root, probe)
	hookreg.Auth = acceptAll

	secret := randomHex() + randomHex()
	e.control = newControl(e.workspace.socketPath(controlPort), secret)
	tyk, err := startTyk(o.Config, e.workspace, secret, o.NodeSecret, o.Log)
	if err != nil {
		return err
	}
	go e.watch(tyk)
	handler, err := tyk.handler(ctx, probe, e.control)
	if err != nil {
		return err
	}
	e.server.Handler = &front{tyk: handler, refuse: o.Handlers.Refuse, log: o.Log}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.cancel = cancel
	e.server.BaseContext = func(net.Listener) context.Context { return base }
	e.address = listener.Addr()
	e.ready.Store(true)
	go e.accept(listener)
	return nil
}

func (e *Engine) accept(listener net.Listener) {
	var err error
	if e.server.TLSConfig != nil {
		err = e.server.ServeTLS(listener, "", "")
	} else {
		err = e.server.Serve(listener)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		e.log.Error("the public listener failed", "error", err)
		e.ready.Store(false)
		e.failure = err
		close(e.done)
	}
}

// watch notices when Tyk ends by itself, which it never should.
func (e *Engine) watch(tyk *tykProcess) {
	<-tyk.ended
	if e.ready.Swap(false) {
		e.log.Error("Tyk has stopped", "error", tyk.log.lastError())
	}
}

// Address is the public address that is served.
func (e *Engine) Address() net.Addr { return e.address }

// Ready reports whether requests are answered: true from the end of Start to
// the beginning of Shutdown, unless Tyk stops or the listener fails.
func (e *Engine) Ready() bool { return e.ready.Load() }

// Done is closed when the public listener has failed. The process should exit.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Err returns why the public listener has failed. Done is closed.
func (e *Engine) Err() error { return e.failure }

// Drain makes Ready false and keeps serving: answers say Connection: close, so
// that clients and balancers turn to other nodes.
func (e *Engine) Drain() {
	e.ready.Store(false)
	e.server.SetKeepAlivesEnabled(false)
}

// Shutdown stops listening and waits for requests in flight until ctx ends;
// then it cancels their contexts, gives them a moment to abort and closes what
// is left. It returns ctx's error when it had to.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.Drain()
	defer e.workspace.close()
	err := e.server.Shutdown(ctx)
	e.cancel()
	if err == nil {
		return nil
	}
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), lastMoment)
	defer stop()
	if e.server.Shutdown(last) != nil {
		e.server.Close()
	}
	return fmt.Errorf("engine: requests were cut off at the end of the drain: %w", err)
}
