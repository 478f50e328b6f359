package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"os"

	"fhirgate/routes"
	"fhirgate/upstream"
)

// newClient returns the client of a route's hospital; on an error place names
// the key of the route at fault.
func newClient(route *routes.Route) (client *upstream.Client, place string, err error) {
	up := route.Upstream
	base, err := url.Parse(up.BaseURL)
	if err != nil {
		return nil, "upstream.base_url", err
	}
	tlsConfig, err := trust(up.CAFile)
	if err != nil {
		return nil, "upstream.ca_file", err
	}
	reveal := func(s interface{ Reveal() (string, error) }) string {
		value, _ := s.Reveal() // the loader has reported what cannot be read
		return value
	}
	client, err = upstream.New(upstream.Config{
		BaseURL: base,
		Auth: upstream.Auth{
			Kind:         up.Auth.Kind,
			Token:        reveal(up.Auth.Token),
			Username:     reveal(up.Auth.Username),
			Password:     reveal(up.Auth.Password),
			TokenURL:     up.Auth.TokenURL,
			ClientID:     reveal(up.Auth.ClientID),
			ClientSecret: reveal(up.Auth.ClientSecret),
			Key:          reveal(up.Auth.Key),
			KeyID:        up.Auth.KeyID,
			Alg:          up.Auth.Alg,
			Scope:        up.Auth.Scope,
		},
		Headers:        up.Headers,
		Timeouts:       upstream.Timeouts{Connect: up.Timeouts.Connect, FirstByte: up.Timeouts.FirstByte, Idle: up.Timeouts.Idle},
		PrivateNetwork: up.PrivateNetwork,
		TLS:            tlsConfig,
	})
	return client, "upstream.auth", err
}

// trust returns a TLS configuration that trusts the certificates of a PEM file
// instead of the system's, or nil for no file.
func trust(caFile string) (*tls.Config, error) {
	if caFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, errors.New("cannot be read")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("holds no certificate in PEM form")
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, nil
}
