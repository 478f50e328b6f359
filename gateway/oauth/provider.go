package oauth

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Provider is an outside identity provider whose tokens (JWT) are taken.
type Provider struct {
	Issuer         string   // the claim iss, exactly
	Audience       string   // must be in the claim aud; default {public}/fhir
	Algorithms     []string // of its signatures; at least one of ProviderAlgorithms
	JWKSURL        string   // of its keys; default: as {issuer}/.well-known/openid-configuration says
	ClientClaim    string   // names the client; default: the first there is of azp, client_id and sub
	ScopeClaim     string   // holds the scopes, as text or as a list; default: scope, or else scp
	UserClaim      string   // names the person; default: fhirUser, or else sub where that is not the client
	PatientClaim   string   // holds the logical id of the patient; default "patient"
	PrivateNetwork bool     // its addresses may be private, and http
}

// ProviderAlgorithms are those that a provider's signatures may have: none of
// them takes a secret that both sides know.
var ProviderAlgorithms = []string{"RS256", "RS384", "PS256", "PS384", "ES256", "ES384", "EdDSA"}

// provider is a Provider in use.
type provider struct {
	Provider
	algorithms []jose.SignatureAlgorithm
	fetcher    *fetcher
	keys       *remote
}

func (s *Server) newProviders(list []Provider, roots *x509.CertPool) (map[string]*provider, error) {
	all := make(map[string]*provider, len(list))
	for i, settings := range list {
		p, err := s.newProvider(settings, roots)
		if err == nil && (all[p.Issuer] != nil || p.Issuer == s.issuer) {
			err = errors.New("the issuer is another one's, or ours")
		}
		if err != nil {
			return nil, fmt.Errorf("identity provider %d: %w", i+1, err)
		}
		all[p.Issuer] = p
	}
	return all, nil
}

func (s *Server) newProvider(settings Provider, roots *x509.CertPool) (*provider, error) {
	p := &provider{Provider: settings}
	if err := checkURL(p.Issuer, p.PrivateNetwork); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	if p.JWKSURL != "" {
		if err := checkURL(p.JWKSURL, p.PrivateNetwork); err != nil {
			return nil, fmt.Errorf("jwks_url: %w", err)
		}
	}
	if len(p.Algorithms) == 0 {
		return nil, errors.New("algorithms: at least one is needed")
	}
	for _, alg := range p.Algorithms {
		if !slices.Contains(ProviderAlgorithms, alg) {
			return nil, fmt.Errorf("algorithms: only %s are taken", strings.Join(ProviderAlgorithms, ", "))
		}
		p.algorithms = append(p.algorithms, jose.SignatureAlgorithm(alg))
	}
	if p.Audience == "" {
		p.Audience = s.base
	}
	if p.PatientClaim == "" {
		p.PatientClaim = "patient"
	}
	p.fetcher = newFetcher(roots, reach{private: p.PrivateNetwork, plain: p.PrivateNetwork})
	p.keys = newRemote(s.now, s.log, p.Issuer, p.load)
	return p, nil
}

// load fetches the provider's keys, from where it says they are
// (https://openid.net/specs/openid-connect-discovery-1_0.html section 4).
func (p *provider) load(ctx context.Context) ([]jose.JSONWebKey, time.Duration, error) {
	from := p.JWKSURL
	if from == "" {
		data, _, err := p.fetcher.get(ctx, strings.TrimSuffix(p.Issuer, "/")+"/.well-known/openid-configuration")
		if err != nil {
			return nil, 0, fmt.Errorf("its openid-configuration: %w", err)
		}
		var found struct {
			Issuer  string `json:"issuer"`
			JWKSURI string `json:"jwks_uri"`
		}
		if err := json.Unmarshal(data, &found); err != nil || found.Issuer != p.Issuer {
			return nil, 0, errors.New("its openid-configuration is not that of the issuer")
		}
		from = found.JWKSURI
	}
	return fetchKeys(ctx, p.fetcher, from)
}
