package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"fhirgate/internal/strict"
)

// Bounds of the public server. How long a body or an answer may take is up to
// the handlers (http.ResponseController), because exports take hours.
const (
	readHeaderTimeout = 10 * time.Second
	bodyTimeout       = 10 * time.Second // unless a handler sets another
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// listenPublic takes the public port, or says who can't have it.
func listenPublic(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is already in use by another process: it is the public address (listen_port in tyk.conf)", address)
	}
	if err != nil {
		return nil, fmt.Errorf("the public address: %w", err)
	}
	return listener, nil
}

// CheckListener returns what would keep the public listener from serving: TLS
// files that cannot be read or do not belong together, say. It tells nothing where
// some of Tyk's settings could not be decoded.
func (c *Config) CheckListener() strict.Problems {
	if c.partly {
		return nil
	}
	_, problems := publicServer(c, slog.New(slog.DiscardHandler))
	return problems
}

// publicServer returns the server for the public listener, without its handler.
func publicServer(c *Config, log *slog.Logger) (*http.Server, strict.Problems) {
	options := c.tyk.HttpServerOptions
	server := &http.Server{
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       time.Duration(options.ReadTimeout) * time.Second,
		WriteTimeout:      time.Duration(options.WriteTimeout) * time.Second,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(quietly{log.Handler()}, slog.LevelError),
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	if !options.UseSSL {
		if c.Settings.ClientCAFile != "" {
			return nil, strict.Problems{c.Problem("client_ca_file", "client certificates need TLS: set http_server_options.use_ssl")}
		}
		server.Protocols.SetUnencryptedHTTP2(true)
		return server, nil
	}
	server.Protocols.SetHTTP2(options.EnableHttp2)
	var problems strict.Problems
	server.TLSConfig, problems = c.tlsConfig()
	if c.Settings.ClientCAFile != "" {
		if err := askForCertificates(server.TLSConfig, c.Settings.ClientCAFile); err != nil {
			problems = append(problems, c.Problem("client_ca_file", "%s", err))
		}
	}
	return server, problems
}
