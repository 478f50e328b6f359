package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"fhirgate/facade"
	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/engine"
	"fhirgate/internal/strict"
	"fhirgate/policies"
	"fhirgate/portal"
	portalconfig "fhirgate/portal/config"
	"fhirgate/portal/store"
)

// openPortal opens the portal of the settings; its log lines name it.
func openPortal(ctx context.Context, settings *engine.Settings, version string, log *slog.Logger) (*portal.Portal, error) {
	secret, err := adminSecret(settings.DataDir)
	if err != nil {
		return nil, err
	}
	actsKey, err := portalActsKey(settings.Portal)
	if err != nil {
		return nil, err
	}
	seal, err := symmetricKeys("portal.keys_file", settings.Portal.KeysFile)
	if err != nil {
		return nil, err
	}
	proxies, err := settings.Proxies()
	if err != nil {
		return nil, err
	}
	return portal.Open(ctx, portal.Options{
		Config:    *settings.Portal,
		Admin:     adminapi.NewClient(settings.Portal.AdminURL, secret),
		PublicURL: strings.TrimSuffix(settings.PublicURL, "/"),
		ActsKey:   actsKey,
		SealKeys:  seal,
		Address:   facade.Proxies(proxies).Address,
		Log:       log.With("part", "portal"),
		Version:   version,
	})
}

// portalActsKey returns the key of the chain of acts, made at the first start.
func portalActsKey(c *portalconfig.Config) ([]byte, error) {
	data, err := makeOnce(c.ActsKeyFile, func() ([]byte, error) { return []byte(rand.Text() + rand.Text() + "\n"), nil })
	if err != nil {
		return nil, inSetting("portal.acts_key_file", err)
	}
	return []byte(strings.TrimSpace(string(data))), nil
}

// startPortal opens the portal and its port, if there is one. The admin API
// answers already.
func (s *server) startPortal(ctx context.Context) error {
	if s.config.Settings.Portal == nil {
		return nil
	}
	p, err := openPortal(ctx, &s.config.Settings, s.options.Version, s.log)
	if err != nil {
		return err
	}
	s.portal = p
	s.closes(p.Close)
	listener, err := p.Listen()
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Serve(serving, listener); err != nil {
			s.log.Error("the portal has stopped", "error", err)
		}
	}()
	s.stopPortal = func() { stop(); <-done }
	s.closes(func() error { s.stopPortal(); return nil })
	return nil
}

// PortalOptions are what the portal was started with, or asked.
type PortalOptions struct {
	ConfigFile string
	Demo       bool // of a gateway that runs as a demo
	Version    string
	Log        io.Writer // JSON lines
}

// errNoPortal is returned where the settings have no portal.
var errNoPortal = errors.New(`there is no section "portal" in the section "fhirgate" of the configuration: see docs/portal.md`)

func (o PortalOptions) settings() (*engine.Settings, error) {
	config, err := loadConfig(o.ConfigFile, o.Demo)
	if err != nil {
		return nil, err
	}
	if config.Settings.Portal == nil {
		return nil, errNoPortal
	}
	return &config.Settings, nil
}

// ServePortal runs the portal apart from the gateway, which it reaches at
// admin_url, until ctx ends or SIGTERM or SIGINT comes.
func ServePortal(ctx context.Context, o PortalOptions) (err error) {
	settings, err := o.settings()
	if err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(settings.LogLevel)); err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(o.Log, &slog.HandlerOptions{Level: level}))
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := hasAdminSecret(settings.DataDir); err != nil {
		return err
	}
	p, err := openPortal(ctx, settings, o.Version, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	listener, err := p.Listen()
	if err != nil {
		return err
	}
	log.Info("the portal is ready", "version", o.Version, "address", listener.Addr().String(), "url", settings.Portal.PublicURL)
	return p.Serve(ctx, listener)
}

// hasAdminSecret returns an error where the secret of the gateway's admin API is
// missing. Only the gateway makes one: it would not know one that is made here.
func hasAdminSecret(dataDir string) error {
	path := filepath.Join(dataDir, AdminSecretFile)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("the secret of the gateway's admin API: %w (copy it from the gateway's data folder)", err)
	}
	return nil
}

// OpenPortalStore opens the store of the portal, for a command. It returns the
// portal's settings and the key of its chain of acts with it.
func OpenPortalStore(ctx context.Context, o PortalOptions) (*store.Store, *portalconfig.Config, error) {
	settings, err := o.settings()
	if err != nil {
		return nil, nil, err
	}
	key, err := portalActsKey(settings.Portal)
	if err != nil {
		return nil, nil, err
	}
	s, err := portal.OpenStore(ctx, *settings.Portal, key)
	return s, settings.Portal, err
}

// PortalActsKey returns the key of the portal's chain of acts, for who verifies
// an export. It makes none.
func PortalActsKey(o PortalOptions) ([]byte, error) {
	settings, err := o.settings()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(settings.Portal.ActsKeyFile); err != nil {
		return nil, fmt.Errorf("the key of the trail of acts (portal.acts_key_file): %w", err)
	}
	return portalActsKey(settings.Portal)
}

// checkPortal returns what is wrong with the files that the portal's settings name.
func checkPortal(config *engine.Config) strict.Problems {
	settings := config.Settings.Portal
	if settings == nil {
		return nil
	}
	var problems strict.Problems
	if settings.CertFile != "" && settings.KeyFile != "" { // else enough was said
		engine.CheckKeyPair(settings.CertFile, settings.KeyFile, func(setting, text string) {
			problems = append(problems, config.Problem("portal."+setting, "%s", text))
		})
	}
	return problems
}

// checkPortalPlans returns what is wrong with the portal's settings beside the plans
// that they name.
func checkPortalPlans(config *engine.Config, plans strict.Folder[*policies.Plan]) strict.Problems {
	settings := config.Settings.Portal
	if settings == nil {
		return nil
	}
	sandbox := func(id string) bool {
		plan := plans.Right[id] // nil = its file has mistakes, of which enough is said
		return plan == nil || slices.Equal(plan.Environments, []string{"sandbox"})
	}
	var problems strict.Problems
	for _, m := range settings.CheckPlans(func(id string) string { return plans.Missing("plan", id) }, sandbox) {
		problems = append(problems, config.Problem("portal."+m.Place, "%s", m.Text))
	}
	return problems
}
