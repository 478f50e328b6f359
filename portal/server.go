package portal

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"fhirgate/portal/config"
)

// contentPolicy lets pages load what the portal itself serves and nothing else:
// no inline script, no inline style, no frame around them (CSP Level 3).
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// secured adds what every answer carries, and refuses requests that another site
// has made in a reader's name (CSRF): by Sec-Fetch-Site, or Origin where a
// browser does not send that.
func secured(next http.Handler, c *config.Config) (http.Handler, error) {
	guard := http.NewCrossOriginProtection()
	if err := guard.AddTrustedOrigin(c.PublicURL); err != nil {
		return nil, fmt.Errorf("portal.public_url: %w", err)
	}
	guarded := guard.Handler(next)
	https := strings.HasPrefix(c.PublicURL, "https://")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		if https {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		guarded.ServeHTTP(w, r)
	}), nil
}

// Timeouts of requests: pages and forms are small.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	answerTimeout = 2 * time.Minute // an export of all acts may take a while
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 10 * time.Second
)

// Listen opens the portal's port.
func (p *Portal) Listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", p.config.Listen)
	if err != nil {
		return nil, fmt.Errorf("the portal (fhirgate.portal.listen in tyk.conf): %w", err)
	}
	if p.config.CertFile == "" {
		return listener, nil
	}
	pair, err := tls.LoadX509KeyPair(p.config.CertFile, p.config.KeyFile)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the portal's certificate (fhirgate.portal.cert_file in tyk.conf): %w", err), listener.Close())
	}
	return tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}), nil
}

// Serve answers on listener and keeps the portal in step with the gateway until
// ctx ends. Requests under way then finish, within ten seconds.
func (p *Portal) Serve(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := p.background(ctx)
	server := &http.Server{
		Handler: p.handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: answerTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: 64 << 10, ErrorLog: p.errorLog,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		drain, end := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer end()
		err = server.Shutdown(drain)
	}
	cancel()
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
