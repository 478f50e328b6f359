package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/url"
	"os"

	"github.com/go-jose/go-jose/v4"
	"github.com/redis/go-redis/v9"

	"fhirgate/internal/strict"
	"fhirgate/routes"
	"fhirgate/upstream"
	"fhirgate/upstream/budget"
	"fhirgate/upstream/jwks"
	"fhirgate/upstream/tokens"
)

// shared is what the clients of all hospitals have in common, on all nodes.
type shared struct {
	redis      redis.UniversalClient
	encryption jose.JSONWebKeySet // key-encryption keys
	tokens     *tokens.Cache
	rings      *jwks.Rings
	log        *slog.Logger
}

// newClient returns the client of a route's hospital, or all that is wrong with the
// route's keys and certificates. Without anything shared, for a command that looks at
// a hospital once, it has a token of its own and no budget.
func (s *shared) newClient(route *routes.Route) (*upstream.Client, strict.Problems) {
	up := route.Upstream
	var problems strict.Problems
	note := func(place string, err error) {
		if err != nil {
			problems = append(problems, route.Problem(place, "%s", err))
		}
	}
	base, err := url.Parse(up.BaseURL)
	if err != nil {
		return nil, strict.Problems{route.Problem("upstream.base_url", "%s", err)}
	}
	cfg := upstream.Config{
		BaseURL:        base,
		Auth:           s.auth(up.Auth),
		Headers:        up.Headers,
		Timeouts:       upstream.Timeouts{Connect: up.Timeouts.Connect, FirstByte: up.Timeouts.FirstByte, Idle: up.Timeouts.Idle, Total: up.Timeouts.Total},
		PrivateNetwork: up.PrivateNetwork,
		TLS:            transportTLS(up, note),
		RedirectHosts:  up.RedirectHosts,
		MaxAnswer:      up.MaxAnswer,
		Resilience:     resilience(up.Resilience),
		Budget:         s.budget(route),
	}
	if up.Proxy.Given() {
		if cfg.Proxy, err = url.Parse(reveal(up.Proxy)); err != nil {
			note("upstream.proxy", errors.New("is not a URL"))
		}
	}
	client, err := upstream.New(cfg)
	note("upstream.auth", err)
	return client, problems
}

// reveal returns the value of a secret that the loader has found readable.
func reveal(s strict.Secret) string {
	value, _ := s.Reveal()
	return value
}

func (s *shared) auth(a routes.Auth) upstream.Auth {
	auth := upstream.Auth{
		Kind:         a.Kind,
		Token:        reveal(a.Token),
		Username:     reveal(a.Username),
		Password:     reveal(a.Password),
		TokenURL:     a.TokenURL,
		ClientID:     reveal(a.ClientID),
		ClientSecret: reveal(a.ClientSecret),
		Key:          reveal(a.Key),
		KeyID:        a.KeyID,
		Alg:          a.Alg,
		Scope:        a.Scope,
		Region:       a.Region,
		Service:      a.Service,
	}
	if s != nil {
		auth.Tokens = s.tokens
	}
	switch {
	case a.KeyRing == "":
	case s != nil:
		auth.Key, auth.Keys = "ring "+a.KeyRing, s.rings.Signer(a.KeyRing)
	default:
		auth.Keys = noRings{}
	}
	return auth
}

// noRings stands for the key rings where no gateway runs.
type noRings struct{}

// SigningKey returns an error.
func (noRings) SigningKey(context.Context) (jose.SigningKey, error) {
	return jose.SigningKey{}, errors.New("its key ring is known to a running gateway only")
}

func (s *shared) budget(route *routes.Route) upstream.Budget {
	b := route.Upstream.Budget
	if s == nil || !b.Limited() {
		return upstream.Budget{}
	}
	limits := budget.Limits{Requests: b.Requests, Per: b.Per, Concurrency: b.Concurrency, MaxWait: b.MaxWait}
	options := []budget.Option{budget.WithLogger(s.log)}
	if !b.CountsTokenCalls {
		options = append(options, budget.WithReserve(0))
	}
	return upstream.Budget{
		Shared:          budget.New(s.redis, route.ID, limits, options...),
		CountsTokens:    b.CountsTokenCalls,
		BareUntilMinute: b.Bare429 == routes.UntilMinute,
		QuotaText:       b.QuotaText,
	}
}

func resilience(r routes.Resilience) upstream.Resilience {
	out := upstream.Resilience{
		HedgeAfter: r.HedgeAfter,
		Breaker:    upstream.Breaker{Calls: r.Breaker.Calls, Window: r.Breaker.Window, Pause: r.Breaker.Pause},
	}
	if r.Breaker.Off {
		out.Breaker.Calls = -1
	}
	if r.Retries != nil {
		out.Retries = *r.Retries
		if out.Retries == 0 {
			out.Retries = -1
		}
	}
	return out
}

// transportTLS returns the TLS configuration for a hospital with its own
// authority or a certificate of ours, nil for the default. Mistakes go to note.
func transportTLS(up routes.Upstream, note func(place string, err error)) *tls.Config {
	if up.CAFile == "" && up.ClientCert == nil {
		return nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if up.CAFile != "" {
		cfg.RootCAs = x509.NewCertPool()
		if pem, err := os.ReadFile(up.CAFile); err != nil {
			note("upstream.ca_file", errors.New("cannot be read"))
		} else if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			note("upstream.ca_file", errors.New("holds no certificate in PEM form"))
		}
	}
	if up.ClientCert != nil {
		pair, err := tls.LoadX509KeyPair(up.ClientCert.CertFile, up.ClientCert.KeyFile)
		if err != nil {
			note("upstream.client_cert", errors.New("the certificate and its key cannot be read, or do not belong together"))
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg
}
