// Package portal is the developers' portal and the administrators' console: a web
// server of its own beside the gateway, which it knows by its admin API alone.
// People, apps, requests for access and usage are in a SQL store; keys are the
// gateway's.
package portal

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/gateway/adminapi"
	"fhirgate/internal/envelope"
	"fhirgate/portal/config"
	"fhirgate/portal/credentials"
	"fhirgate/portal/identity"
	"fhirgate/portal/openapi"
	"fhirgate/portal/store"
	"fhirgate/portal/trail"
	"fhirgate/portal/tryit"
	"fhirgate/portal/usage"
	"fhirgate/portal/web/console"
	"fhirgate/portal/web/developer"
	"fhirgate/portal/web/docs"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/signin"
	"fhirgate/portal/web/ui"
)

// Options are what a portal is made of. All but Address are required.
type Options struct {
	Config    config.Config // completed
	Admin     *adminapi.Client
	PublicURL string                         // the gateway's, which programs call, without a slash at the end
	ActsKey   []byte                         // at least 32 bytes
	SealKeys  jose.JSONWebKeySet             // seal second factors
	Address   func(*http.Request) netip.Addr // the client's, behind proxies; nil = the connection's
	Log       *slog.Logger
	Version   string
}

// Portal is an open portal.
type Portal struct {
	config      config.Config
	store       *store.Store
	gateway     *adminapi.Client
	people      *identity.Service
	credentials *credentials.Service
	usage       *usage.Collector
	trail       *trail.Verifier
	handler     http.Handler
	log         *slog.Logger
	errorLog    *log.Logger
}

// OpenStore opens the portal's SQL store, and brings its tables up to date.
func OpenStore(ctx context.Context, c config.Config, actsKey []byte) (*store.Store, error) {
	options, setting := store.Options{SQLite: c.Database, ActsKey: actsKey}, "database"
	if c.DatabaseURL.Given() {
		var err error
		if options.Postgres, err = c.DatabaseURL.Reveal(); err != nil {
			return nil, fmt.Errorf("portal.database_url: %w", err)
		}
		options.SQLite, setting = "", "database_url"
	}
	s, err := store.Open(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("the portal's store (fhirgate.portal.%s): %w", setting, err)
	}
	return s, nil
}

// Open opens the store and makes the pages. It asks the gateway for nothing yet.
func Open(ctx context.Context, o Options) (p *Portal, err error) {
	records, err := OpenStore(ctx, o.Config, o.ActsKey)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, records.Close())
		}
	}()
	people, err := openIdentity(o, records)
	if err != nil {
		return nil, err
	}
	p = &Portal{
		config: o.Config, store: records, gateway: o.Admin, people: people, log: o.Log,
		credentials: credentials.New(records, o.Admin, o.Log),
		usage:       usage.New(usage.Options{Gateway: o.Admin, Store: records, Keep: o.Config.UsageDays, Log: o.Log}),
		trail:       trail.New(trail.Options{Store: records, Log: o.Log}),
		errorLog:    slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	p.handler, err = p.pages(o)
	return p, err
}

func openIdentity(o Options, records *store.Store) (*identity.Service, error) {
	keys, err := envelope.New(o.SealKeys)
	if err != nil {
		return nil, fmt.Errorf("portal.keys_file: %w", err)
	}
	options := identity.Options{
		Store: records, PublicURL: o.Config.PublicURL, Keys: keys, SignupDomains: o.Config.SignupDomains, Log: o.Log,
	}
	if m := o.Config.Mail; m != nil {
		password, err := m.Password.Reveal()
		if err != nil {
			return nil, fmt.Errorf("portal.mail.password: %w", err)
		}
		if options.Mailer, err = identity.NewMailer(identity.MailOptions{
			Address: m.Address, From: m.From, Username: m.Username, Password: password, Plain: m.Plain,
		}); err != nil {
			return nil, fmt.Errorf("portal.mail: %w", err)
		}
	}
	if c := o.Config.OIDC; c != nil {
		secret, err := c.ClientSecret.Reveal()
		if err != nil {
			return nil, fmt.Errorf("portal.oidc.client_secret: %w", err)
		}
		options.OIDC = &identity.OIDCOptions{
			Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: secret, Name: c.Name, PrivateNetwork: c.PrivateNetwork,
		}
	}
	return identity.New(options)
}

// ownKeyLife is how long the portal's own key lives.
const ownKeyLife = 24 * time.Hour

// ownKey is the key with which the portal itself calls: it reaches the simulated
// hospitals of its plan, and no others.
func (p *Portal) ownKey(o Options) *tryit.OwnKey {
	return tryit.NewOwnKey(tryit.KeyOptions{
		Gateway: o.Admin, Plan: o.Config.TryPlan,
		Make: func(ctx context.Context, hospitals []string) (string, time.Time, error) {
			issued, err := p.credentials.System(ctx, "portal: try it", o.Config.TryPlan, hospitals, ownKeyLife)
			if err != nil {
				return "", time.Time{}, err
			}
			return issued.Secret, issued.Credential.Expires, nil
		},
	})
}

// routes are all pages, and what their forms do.
func (p *Portal) routes(o Options) ([]page.Route, error) {
	gatewayURL := strings.TrimSuffix(o.Config.GatewayURL, "/")
	own := p.ownKey(o)
	try, err := tryit.New(tryit.Options{Keys: own, GatewayURL: gatewayURL, PublicURL: o.PublicURL})
	if err != nil {
		return nil, err
	}
	source := openapi.NewSource(openapi.Options{Gateway: o.Admin, PublicURL: o.PublicURL})
	return slices.Concat(
		signin.New(signin.Options{Store: p.store, Identity: p.people}).Routes(),
		developer.New(developer.Options{Store: p.store, Gateway: o.Admin, Credentials: p.credentials, Inviter: p.people.Inviter(), PublicURL: o.PublicURL, AutoApprove: o.Config.AutoApprove}).Routes(),
		docs.New(docs.Options{Store: p.store, Gateway: o.Admin, Source: source, Try: try, PublicURL: o.PublicURL, Log: o.Log}).Routes(),
		console.New(console.Options{Store: p.store, Gateway: o.Admin, Credentials: p.credentials, Inviter: p.people.Inviter(), Trail: p.trail}).Routes(),
	), nil
}

// pages serves the routes, and what lies around them.
func (p *Portal) pages(o Options) (http.Handler, error) {
	routes, err := p.routes(o)
	if err != nil {
		return nil, err
	}
	templates, err := ui.NewTemplates(page.Templates(), signin.Templates(), developer.Templates(), docs.Templates(), console.Templates())
	if err != nil {
		return nil, err
	}
	assets, err := ui.Assets()
	if err != nil {
		return nil, err
	}
	kit := &page.Kit{
		Store:     p.store,
		Sessions:  page.NewSessions(p.store.Sessions(), strings.HasPrefix(o.Config.PublicURL, "https://")),
		Templates: templates, Log: o.Log, Proxy: o.Address, Version: o.Version,
	}
	compressing, err := compressed(kit.Handler(routes))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /assets/", assets)
	mux.HandleFunc("GET /healthz", p.healthy)
	mux.Handle("/", compressing)
	return secured(mux, &o.Config)
}

// healthy answers 200 while the store does.
func (p *Portal) healthy(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if p.store.Ping(ctx) != nil {
		http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// startTimeout bounds how long pages wait for a gateway that does not answer when
// the portal starts.
const startTimeout = 10 * time.Second

// background brings the portal's records and the gateway's keys together, keeps
// them so, looks once at the plans of the settings, collects usage and verifies the
// trail of acts. What it returns is closed when all of that has ended after ctx.
func (p *Portal) background(ctx context.Context) (stopped <-chan struct{}) {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := p.credentials.Start(starting); err != nil {
		p.log.Warn("the portal's records and the gateway's keys are not compared yet", "problem", err)
	}
	var group sync.WaitGroup
	group.Go(func() { p.credentials.Run(ctx) })
	group.Go(func() { p.usage.Run(ctx) })
	group.Go(func() { p.trail.Run(ctx) })
	group.Go(func() { p.checkPlans(ctx) })
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	return done
}

// Close waits for mails on their way and closes the store. Serve has ended.
func (p *Portal) Close() error {
	p.people.Close()
	return p.store.Close()
}

// URL returns how browsers reach the portal.
func (p *Portal) URL() string { return p.config.PublicURL }

// FirstInvitations returns links by which an administrator and a developer make
// the first accounts; "" when there are accounts already.
func (p *Portal) FirstInvitations(ctx context.Context, administrator, developer string) (first, second string, err error) {
	if users, err := p.store.CountUsers(ctx); err != nil || users > 0 {
		return "", "", err
	}
	if first, _, err = identity.FirstAdmin(ctx, p.store, p.config.PublicURL, administrator); err != nil {
		return "", "", err
	}
	inviter := identity.NewInviter(p.store, p.config.PublicURL, nil, p.log)
	second, _, err = inviter.Invite(ctx, store.System, store.Invitation{Email: developer, Role: store.RoleDeveloper})
	return first, second, err
}
