// Package upstream talks to one hospital: it logs in, sends a request with its
// own connection pool and timeouts, and says in FHIR's terms what went wrong.
package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"fhirgate/fhir"
)

// Config is how one hospital is reached. BaseURL is required.
type Config struct {
	BaseURL        *url.URL
	Auth           Auth
	Headers        map[string]string // fixed headers of every call
	Timeouts       Timeouts
	PrivateNetwork bool        // allow loopback, private and link-local addresses
	TLS            *tls.Config // nil = system roots, TLS 1.2 or newer
}

// Timeouts bound a call; a zero value takes the default.
type Timeouts struct {
	Connect   time.Duration // TCP and TLS handshake each; default 5s
	FirstByte time.Duration // from the request's end to the answer's headers; default 30s
	Idle      time.Duration // between two pieces of an answer's body; default 60s
}

// Client sends requests to one hospital. It is safe for concurrent use.
type Client struct {
	headers   map[string]string
	transport *http.Transport
	idle      time.Duration
	login     login
}

// New returns a client for the hospital, or an error when its credentials
// cannot be used (a key that does not parse, an algorithm that does not go
// with it).
func New(cfg Config) (*Client, error) {
	timeouts := cfg.Timeouts.withDefaults()
	dialer := &net.Dialer{Timeout: timeouts.Connect, KeepAlive: 30 * time.Second}
	if !cfg.PrivateNetwork {
		dialer.Control = refusePrivate
	}
	tlsConfig := cfg.TLS
	if tlsConfig == nil {
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c := &Client{
		headers: cfg.Headers,
		idle:    timeouts.Idle,
		transport: &http.Transport{
			DialContext:           dialer.DialContext,
			TLSClientConfig:       tlsConfig,
			TLSHandshakeTimeout:   timeouts.Connect,
			ResponseHeaderTimeout: timeouts.FirstByte,
			ExpectContinueTimeout: time.Second,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   64,
			ForceAttemptHTTP2:     true,
			WriteBufferSize:       32 << 10,
			ReadBufferSize:        32 << 10,
		},
	}
	var err error
	c.login, err = newLogin(cfg.Auth, cfg.BaseURL, c.transport)
	return c, err
}

func (t Timeouts) withDefaults() Timeouts {
	if t.Connect == 0 {
		t.Connect = 5 * time.Second
	}
	if t.FirstByte == 0 {
		t.FirstByte = 30 * time.Second
	}
	if t.Idle == 0 {
		t.Idle = time.Minute
	}
	return t
}

// Close drops the idle connections. Calls under way go on.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// CheckLogin obtains a credential as a call would, and returns what went wrong.
func (c *Client) CheckLogin(ctx context.Context) error {
	_, err := c.login.authorization(ctx, "")
	return err
}

// Do sends r with the hospital's credential and fixed headers, and returns its
// answer whatever the status. Redirects are answers too. When the hospital says
// 401 to a token, one fresh token is fetched and r is sent once more, if it has
// no body or a GetBody. Otherwise the 401 is the answer, and the next call
// fetches the fresh token.
//
// Errors are *fhir.Error: 502 when the hospital cannot be reached or logged
// in to, 504 when it is too slow. When r's context ends its error is returned.
// The caller must close the answer's body; reading it fails when the hospital
// stays silent for longer than the idle timeout.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	for name, value := range c.headers {
		r.Header.Set(name, value)
	}
	authorization, err := c.login.authorization(r.Context(), "")
	if err != nil {
		return nil, err
	}
	resp, err := c.send(r, authorization)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !c.login.renewable() {
		return resp, err
	}
	if !replayable(r) {
		c.login.forget(authorization)
		return resp, nil
	}
	_ = resp.Body.Close() // its 401 is of no further use
	if authorization, err = c.login.authorization(r.Context(), authorization); err != nil {
		return nil, err
	}
	if r.GetBody != nil {
		if r.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	return c.send(r, authorization)
}

func replayable(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
}

func (c *Client) send(r *http.Request, authorization string) (*http.Response, error) {
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, failure(r.Context(), err)
	}
	resp.Body = newIdleBody(resp.Body, c.idle)
	return resp, nil
}

// failure says what a failed round trip means for the caller. The cause names
// hosts and is for the log only.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var netErr net.Error
	var fhirErr *fhir.Error
	switch {
	case errors.As(err, &fhirErr):
		return fhirErr
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return fhir.NewError(http.StatusGatewayTimeout, fhir.IssueTimeout, "the hospital did not answer in time").Because(tell(err))
	default:
		return fhir.NewError(http.StatusBadGateway, fhir.IssueTransient, "the hospital could not be reached, or broke the connection off before it answered").Because(tell(err))
	}
}

var errIdle = errors.New("the hospital stayed silent in the middle of its answer")

// idleBody is an answer's body that fails when nothing comes for too long. The
// time runs during a Read only: a caller may take its time between two.
type idleBody struct {
	io.ReadCloser
	timer *time.Timer
	idle  time.Duration
	late  atomic.Bool // the time is over
}

func newIdleBody(body io.ReadCloser, idle time.Duration) *idleBody {
	b := &idleBody{ReadCloser: body, idle: idle}
	b.timer = time.AfterFunc(idle, b.giveUp)
	b.timer.Stop()
	return b
}

// giveUp ends a Read that waits: closing an answer's body in the middle closes
// its connection or stream.
func (b *idleBody) giveUp() {
	b.late.Store(true)
	_ = b.ReadCloser.Close() // the Read tells
}

// Read reads the next piece within the idle time. Its errors have a text for
// the log.
func (b *idleBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.idle)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	switch {
	case err == nil || err == io.EOF: //nolint:errorlint // only a bare EOF is the end
		return n, err
	case b.late.Load():
		return n, errIdle
	default:
		return n, tell(err)
	}
}

// Close releases the connection.
func (b *idleBody) Close() error {
	b.timer.Stop()
	return b.ReadCloser.Close()
}
