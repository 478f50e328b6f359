package engine

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
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
// files that cannot be read or do not belong together, say.
func (c *Config) CheckListener() strict.Problems {
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

// askForCertificates makes callers that have a certificate of one of the CAs in
// file show it. One of another CA, or that has expired, ends the handshake.
func askForCertificates(config *tls.Config, file string) error {
	authorities, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(authorities) {
		return fmt.Errorf("%s holds no certificate (PEM)", file)
	}
	config.ClientAuth = tls.VerifyClientCertIfGiven
	return nil
}

// tlsConfig returns how the public address speaks TLS. It works if no problem
// comes with it.
func (c *Config) tlsConfig() (*tls.Config, strict.Problems) {
	options := c.tyk.HttpServerOptions
	var problems strict.Problems
	config := &tls.Config{MinVersion: options.MinVersion, MaxVersion: options.MaxVersion}
	for _, name := range options.Ciphers {
		id, ok := cipherID(name)
		if !ok {
			problems = append(problems, c.tykProblem("http_server_options.ssl_ciphers", "%q is unknown or insecure", name))
			continue
		}
		config.CipherSuites = append(config.CipherSuites, id)
	}
	var pairs []*keyPair
	for _, files := range options.Certificates {
		pair := &keyPair{certFile: files.CertFile, keyFile: files.KeyFile}
		if _, err := pair.load(); err != nil {
			problems = append(problems, c.tykProblem("http_server_options.certificates", "%s", err))
		}
		pairs = append(pairs, pair)
	}
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		for _, pair := range pairs {
			if certificate, err := pair.load(); err == nil && hello.SupportsCertificate(certificate) == nil {
				return certificate, nil
			}
		}
		return pairs[0].load()
	}
	return config, problems
}

func cipherID(name string) (uint16, bool) {
	for _, suite := range tls.CipherSuites() {
		if suite.Name == name {
			return suite.ID, true
		}
	}
	return 0, false
}

// keyPair is a certificate that is read again when its file has changed.
type keyPair struct {
	certFile, keyFile string

	mu       sync.Mutex
	modified time.Time
	current  *tls.Certificate
}

// load returns the certificate of the files as they are now. While they don't
// fit together, as in the middle of a renewal, the one before stays.
func (p *keyPair) load() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := os.Stat(p.certFile)
	if err == nil && p.current != nil && info.ModTime().Equal(p.modified) {
		return p.current, nil
	}
	certificate, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		if p.current != nil {
			return p.current, nil
		}
		return nil, err
	}
	p.current, p.modified = &certificate, info.ModTime()
	return p.current, nil
}
