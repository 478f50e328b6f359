// Package gateway puts the parts together: it reads the configuration, opens
// the store, starts the engine with the facade in it, serves the admin API, and
// takes everything down again in order.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"fhirgate/facade"
	"fhirgate/gateway/engine"
	"fhirgate/gateway/keys"
	"fhirgate/gateway/oauth"
	"fhirgate/gateway/store"
	"fhirgate/internal/strict"
	"fhirgate/observe"
	"fhirgate/observe/usage"
	"fhirgate/policies"
	"fhirgate/portal"
	"fhirgate/upstream/tokens"
)

// Options are what serve was called with.
type Options struct {
	ConfigFile string
	Demo       bool      // start simulated hospitals and print what to paste
	Version    string    // of this build
	Out        io.Writer // for people; the demo's greeting goes here
	Log        io.Writer // JSON lines: the log and the access log
	Chain      engine.Chain
	Answer     Answer
}

// Serve runs the gateway until ctx ends or SIGTERM or SIGINT comes, and then
// drains: calls in flight finish, within the configured time. A second signal
// ends the process at once. Every error means that nothing was served, or that
// the drain ended before the last call.
func Serve(ctx context.Context, o Options) (err error) {
	began := time.Now()
	tuneCollector()
	s := &server{options: o, began: began}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.configure(); err != nil {
		return err
	}
	if err := s.openStore(ctx); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.startPortal(ctx); err != nil {
		return err
	}
	return s.run(ctx)
}

// server is a gateway that is being started, runs or is being stopped.
type server struct {
	options Options
	began   time.Time
	config  *engine.Config
	log     *slog.Logger
	metrics *observe.Metrics
	demo    *demoHospitals
	store   *store.Store
	files   *Files
	shared  *shared
	facade  *facade.Facade
	engine  *engine.Engine
	keeper  *keys.Keeper
	limits  limits
	oauth   *oauth.Server
	reload  *reloader
	admin   *http.Server
	portal  *portal.Portal // nil = there is none
	closers []func() error

	stopPortal func() // ends the portal's pages; nil = there is none
}

// closes registers what close calls, the last one first.
func (s *server) closes(f func() error) { s.closers = append(s.closers, f) }

func (s *server) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// configure reads tyk.conf and, for a demo, starts the hospitals.
func (s *server) configure() error {
	var err error
	if s.options.Demo {
		s.config, err = demoConfig(s.options.ConfigFile)
	} else {
		s.config, err = engine.LoadConfig(s.options.ConfigFile)
	}
	if err != nil {
		return s.withFiles(err)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.config.Settings.LogLevel)); err != nil {
		return err
	}
	s.log = slog.New(slog.NewJSONHandler(s.options.Log, &slog.HandlerOptions{Level: level}))
	redis.SetLogger(redisLog{s.log})
	quietLibraries(s.log)
	s.metrics = observe.NewMetrics(s.options.Version)
	if err := os.MkdirAll(s.config.Settings.DataDir, 0o700); err != nil {
		return inSetting("data_dir", err)
	}
	if !s.options.Demo {
		return nil
	}
	if s.demo, err = startDemo(&s.config.Settings); err != nil {
		return err
	}
	s.closes(s.demo.Close)
	return nil
}

// withFiles adds the mistakes of all other files to those of tyk.conf.
func (s *server) withFiles(err error) error {
	if s.config == nil || s.options.Demo {
		return err
	}
	if _, all := Check(s.options.ConfigFile, false); all != nil {
		return all
	}
	return err
}

// openStore opens Redis, or the embedded store, and tells Tyk where it is.
func (s *server) openStore(ctx context.Context) error {
	options := store.Options{Logger: s.log}
	if s.config.Embedded() {
		options.Dir = filepath.Join(s.config.Settings.DataDir, "store")
	} else {
		options.Redis = redisConfig(s.config.Storage())
	}
	var err error
	if s.store, err = store.Open(ctx, options); err != nil {
		if options.Dir != "" {
			return inSetting("data_dir", err)
		}
		return err
	}
	s.closes(s.store.Close)
	for _, warning := range s.store.Warnings() {
		s.log.Warn("the store's settings put something at risk", "warning", warning)
	}
	if s.store.Embedded() {
		host, port, password := s.store.Addr()
		s.config.UseStorage(engine.Storage{Addrs: []string{net.JoinHostPort(host, fmt.Sprint(port))}, Password: password})
	}
	return nil
}

// inSetting names the setting of the section "fhirgate" that err comes from.
func inSetting(name string, err error) error { return fmt.Errorf("fhirgate.%s: %w", name, err) }

// redisLog takes what the Redis client has to say into our log.
type redisLog struct{ log *slog.Logger }

// Printf logs what the client says: connections that failed, and their
// addresses.
func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.log.WarnContext(ctx, "the Redis client reports", "text", fmt.Sprintf(format, v...))
}

func redisConfig(s engine.Storage) *store.Config {
	return &store.Config{
		Type: "redis", Addrs: s.Addrs, EnableCluster: s.Cluster, MasterName: s.MasterName,
		SentinelPassword: s.SentinelPassword, Username: s.Username, Password: s.Password,
		Database: s.Database, MaxActive: s.PoolSize,
		UseSSL: s.TLS, SSLInsecureSkipVerify: s.InsecureSkipVerify,
		CAFile: s.CAFile, CertFile: s.CertFile, KeyFile: s.KeyFile,
	}
}

// load reads hospitals, vendors and plans and makes the facade.
func (s *server) load() error {
	settings := s.config.Settings
	read := readFolders(strict.Disk{}, foldersOf(settings))
	var err error
	if s.files, err = read.files(checkSettings(s.config, read.plans)); err != nil {
		return err
	}
	if err := s.openShared(); err != nil {
		return err
	}
	snapshot, err := s.files.Snapshot(settings.PublicURL, nil, s.shared)
	if err != nil {
		return err
	}
	sealer, err := newSealer(settings.LinkKeysFile)
	if err != nil {
		return err
	}
	proxies, err := settings.Proxies()
	if err != nil {
		return err
	}
	consumers, err := s.openConsumers(proxies)
	if err != nil {
		return err
	}
	s.openLimits()
	options := facade.Options{
		Consumers: consumers,
		Proxies:   proxies,
		Limiter:   s.limits,
		Sealer:    sealer,
		Access:    observe.NewAccessLog(slog.NewJSONHandler(s.options.Log, nil)),
		Metrics:   s.metrics,
		Usage:     s.openUsage(),
		Log:       s.log,
		People:    len(settings.IdentityProviders) > 0,
	}
	if trail, err := s.openAudit(); err != nil {
		return err
	} else if trail != nil {
		options.Trail = trail
	}
	s.facade = facade.New(snapshot, options)
	return nil
}

// openShared opens what the hospitals' clients share: tokens and signing keys,
// encrypted in Redis.
func (s *server) openShared() error {
	path := s.config.Settings.KeyEncryptionKeysFile
	encryption, err := symmetricKeys("key_encryption_keys_file", path)
	if err != nil {
		return err
	}
	s.shared = &shared{redis: s.store.Client(), log: s.log, encryption: encryption}
	report := tokens.OnError(func(err error) { s.log.Warn("a hospital's token could not be shared or renewed", "error", err) })
	if s.shared.tokens, err = tokens.New(s.store.Client(), encryption, report); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s.closes(func() error { s.shared.tokens.Close(); return nil })
	if s.shared.rings, err = s.openRings(encryption); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// start starts the engine and the admin API.
func (s *server) start(ctx context.Context) error {
	settings := s.config.Settings
	secret, err := adminSecret(settings.DataDir)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", settings.AdminListen)
	if err != nil {
		return fmt.Errorf("the admin API (fhirgate.admin_listen in tyk.conf): %w", err)
	}
	s.closes(func() error { _ = listener.Close(); return nil }) // closed by the server when that ran
	if addr, ok := listener.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() {
		s.log.Warn("the admin API can be reached from other machines: its secret is all that guards the keys", "admin_listen", settings.AdminListen)
	}
	nodeSecret, err := sharedNodeSecret(ctx, s.store.Client())
	if err != nil {
		return err
	}
	root := &root{ready: func() bool { return s.engine != nil && s.engine.Ready() }, rings: s.shared.rings, oauth: s.oauth}
	if s.engine, err = engine.Start(ctx, engine.Options{
		Config:   s.config,
		Handlers: engine.Handlers{FHIR: s.options.Answer.handler(s.facade), Root: root, Refuse: refuse},
		Policies: s.files.tykPolicies(),
		Chain:    s.options.Chain,

		NodeSecret: nodeSecret,
		Log:        s.log,
	}); err != nil {
		return err
	}
	s.keeper = keys.NewKeeper(s.engine, s.store.Client())
	s.reload = &reloader{
		fsys: strict.Disk{}, folders: foldersOf(settings), publicURL: settings.PublicURL,
		linkKeys: settings.LinkKeysFile, shared: s.shared, facade: s.facade,
		portal: func(plans strict.Folder[*policies.Plan]) strict.Problems {
			return checkPortalPlans(s.config, plans)
		},
		policies: func(ctx context.Context, files *Files) error { return s.engine.SetPolicies(ctx, files.tykPolicies()) },
		metrics:  s.metrics, log: s.log, requests: make(chan chan error),
	}
	s.reload.note(nil)
	s.metrics.Watch(s.hospitals)
	api := &admin{
		secret: secret, keeper: s.keeper, snapshot: s.facade.Snapshot, reload: s.reload.ask, metrics: s.metrics.Handler(),
		rings: s.shared.rings, public: settings.PublicURL, version: s.options.Version, lastReload: s.reload.lastReload,
		usage: usage.NewReader(s.store.Client()), limits: s.limits, capabilities: s.facade.ServeCapabilities,
	}
	s.admin = &http.Server{Handler: api.handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := s.admin.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the admin API has stopped", "error", err)
		}
	}()
	return nil
}

// hospitals tells how the hospitals are.
func (s *server) hospitals() []observe.HospitalState {
	snapshot := s.facade.Snapshot()
	states := make([]observe.HospitalState, 0, len(snapshot.Hospitals))
	for id, h := range snapshot.Hospitals {
		states = append(states, observe.HospitalState{ID: id, BreakerOpen: h.Client.BreakerState() != "closed"})
	}
	return states
}

// run waits for the end, reloading meanwhile, and drains.
func (s *server) run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	reloading, endReloading := context.WithCancel(ctx)
	defer endReloading()
	failed := make(chan error, 1)
	go func() { failed <- s.reload.run(reloading) }()

	s.log.Info("ready", "version", s.options.Version, "address", s.engine.Address().String(), "admin", s.config.Settings.AdminListen,
		"hospitals", len(s.files.Routes), "started_in", time.Since(s.began).Round(time.Millisecond).String())
	if s.demo != nil {
		if err := s.demo.greet(ctx, s); err != nil {
			return err
		}
	}
	var cause error
	select {
	case <-ctx.Done():
	case <-s.engine.Done():
		cause = fmt.Errorf("the public listener failed: %w", s.engine.Err())
	case err := <-s.store.Failed():
		cause = fmt.Errorf("the store failed: %w", err)
	case err := <-failed:
		cause = err
	}
	stop() // from here on a second signal ends the process at once
	return errors.Join(cause, s.drain())
}

// drain stops listening and lets calls in flight finish.
func (s *server) drain() error {
	limit := s.config.Settings.Drain
	if delay := s.config.Settings.DrainDelay; delay > 0 {
		s.engine.Drain()
		s.log.Info("not ready any more: calls are still taken", "for", delay.String())
		time.Sleep(delay)
	}
	s.log.Info("draining: calls in flight may finish", "within", limit.String())
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if s.stopPortal != nil {
		s.stopPortal()
	}
	err := s.engine.Shutdown(ctx)
	err = errors.Join(err, s.admin.Shutdown(ctx))
	s.log.Info("stopped")
	return err
}
