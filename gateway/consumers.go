package gateway

import (
	"context"
	"net/netip"
	"time"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/facade"
	"fhirgate/gateway/engine"
	"fhirgate/gateway/keys"
	"fhirgate/gateway/oauth"
	"fhirgate/policies/smart"
)

// consumers are those that the facade finds: by keys and certificates in the
// directory, and by tokens, which the authorization server verifies and the
// directory remembers.
type consumers struct {
	*keys.Directory
	tokens *oauth.Server
}

// Token implements facade.Consumers.
func (c *consumers) Token(ctx context.Context, token string, from netip.Addr) (*facade.Consumer, error) {
	return c.Verified(ctx, token, from, func(ctx context.Context) (*facade.Consumer, time.Time, error) {
		return c.tokens.Verify(ctx, token)
	})
}

// clients are the directory's records as the authorization server sees them.
type clients struct{ *keys.Directory }

// Client implements oauth.Clients.
func (c clients) Client(ctx context.Context, id string) (*oauth.Client, error) {
	return clientOf(c.Directory.Client(ctx, id))
}

// Secret implements oauth.Clients.
func (c clients) Secret(ctx context.Context, id, secret string, from netip.Addr) error {
	_, err := c.ClientSecret(ctx, id, secret, from)
	return err
}

// External implements oauth.Clients.
func (c clients) External(ctx context.Context, issuer, subject string) (*oauth.Client, error) {
	return clientOf(c.Directory.External(ctx, issuer, subject))
}

func clientOf(key *keys.Key, err error) (*oauth.Client, error) {
	if err != nil {
		return nil, err
	}
	client := &oauth.Client{
		KeyID: key.ID, PlanID: key.Plan, Name: key.Name, Expires: key.Expires,
		Hospitals: key.Hospitals, AllowFrom: key.AllowFrom, JWKSURL: key.JWKSURL,
	}
	for _, certificate := range key.Certificates {
		client.Certificates = append(client.Certificates, certificate.SHA256)
	}
	if len(key.JWKS) == 0 {
		return client, nil
	}
	var set jose.JSONWebKeySet
	if set, err = oauth.CheckJWKS(key.JWKS); err != nil {
		return nil, err
	}
	client.JWKS = &set
	return client, nil
}

// openConsumers makes the directory and the authorization server.
func (s *server) openConsumers(proxies facade.Proxies) (*consumers, error) {
	settings := s.config.Settings
	guesses := keys.NewGuesses(s.log, func(way facade.Way) { s.metrics.Guessed(string(way)) })
	directory := keys.NewDirectory(s.store.Client(), keys.WithGuesses(guesses))
	s.closes(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return directory.Close(ctx)
	})
	var err error
	s.oauth, err = oauth.New(oauth.Options{
		PublicURL:      settings.PublicURL,
		Redis:          s.store.Client(),
		SealKeys:       s.shared.encryption,
		Clients:        clients{directory},
		Plans:          s.scopesOf,
		Address:        proxies.Address,
		Slowed:         guesses.Slowed,
		Failed:         func(from netip.Addr) { guesses.Failed(from, facade.WayToken) },
		Life:           time.Duration(settings.TokenSeconds) * time.Second,
		Providers:      providersOf(settings.IdentityProviders),
		PrivateKeySets: settings.ClientKeysPrivate,
		Log:            s.log,
	})
	return &consumers{directory, s.oauth}, err
}

// scopesOf returns the scopes of an active plan.
func (s *server) scopesOf(plan string) (*smart.Scopes, bool) {
	found := s.facade.Snapshot().Plans[plan]
	if found == nil || !found.Active {
		return nil, false
	}
	return found.Clinical, true
}

func providersOf(settings []engine.Provider) []oauth.Provider {
	out := make([]oauth.Provider, 0, len(settings))
	for _, p := range settings {
		out = append(out, oauth.Provider(p))
	}
	return out
}
