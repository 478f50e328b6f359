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
	Proxy          *url.URL    // nil = the hospital is called directly
	RedirectHosts  []string    // host[:port] that a read may be redirected to, without the credential
	MaxAnswer      int64       // bytes of one answer, decompressed; default 4 GiB
	Resilience     Resilience
	Budget         Budget
}

// Timeouts bound a call; a zero value takes the default.
type Timeouts struct {
	Connect   time.Duration // TCP and TLS handshake each; default 5s
	FirstByte time.Duration // from the request's end to the answer's headers; default 30s
	Idle      time.Duration // between two pieces of an answer's body; default 60s
	Total     time.Duration // of a call with its retries, to the end of the answer's body; 0 = none
}

const defaultMaxAnswer = 4 << 30

// Client sends requests to one hospital. It is safe for concurrent use.
type Client struct {
	headers   map[string]string
	transport *http.Transport
	timeouts  Timeouts
	maxAnswer int64
	login     login
	redirects redirects
	budget    Budget
	policies  *policies
	seen      seen
}

// New returns a client for the hospital, or an error when its credentials
// cannot be used (a key that does not parse, an algorithm that does not go
// with it).
func New(cfg Config) (*Client, error) {
	c := &Client{
		headers:   cfg.Headers,
		timeouts:  cfg.Timeouts.withDefaults(),
		maxAnswer: cfg.MaxAnswer,
		redirects: newRedirects(cfg.BaseURL, cfg.RedirectHosts),
		budget:    cfg.Budget,
	}
	if c.maxAnswer == 0 {
		c.maxAnswer = defaultMaxAnswer
	}
	c.transport = newTransport(cfg, c.timeouts)
	c.policies = newPolicies(cfg.Resilience, c.once)
	var err error
	c.login, err = newLogin(cfg.Auth, cfg.BaseURL, c.budget.forTokens(c.transport))
	return c, err
}

func newTransport(cfg Config, timeouts Timeouts) *http.Transport {
	dialer := &net.Dialer{Timeout: timeouts.Connect, KeepAlive: 30 * time.Second}
	if !cfg.PrivateNetwork && cfg.Proxy == nil { // a proxy resolves names itself
		dialer.Control = refusePrivate
	}
	tlsConfig := cfg.TLS
	if tlsConfig == nil {
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t := &http.Transport{
		DialContext:           dialer.DialContext,
		TLSClientConfig:       tlsConfig,
		TLSHandshakeTimeout:   timeouts.Connect,
		ResponseHeaderTimeout: timeouts.FirstByte,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   64,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // asked for and undone by ourselves, with bounds (decode.go)
	}
	if cfg.Proxy != nil {
		t.Proxy = http.ProxyURL(cfg.Proxy)
	}
	return t
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
	_, err := c.authorization(ctx, "")
	return err
}

// authorization returns the value of the Authorization header, see login.
func (c *Client) authorization(ctx context.Context, stale string) (string, error) {
	value, err := c.login.authorization(ctx, stale)
	if err != nil {
		c.noteNoLogin(ctx, err)
	}
	return value, err
}

// Do sends r with the hospital's credential and fixed headers, and returns its
// answer whatever the status. Reads are repeated where that is safe, and follow
// redirects to hosts that are allowed; other redirects are answers. When the
// hospital says 401 to a token, one fresh token is fetched and r is sent once
// more, if it has no body or a GetBody. Otherwise the 401 is the answer, and the
// next call fetches the fresh token.
//
// Errors are *fhir.Error: 502 when the hospital cannot be reached or logged in
// to, or redirects elsewhere, 503 when it is left alone after failures, 504 when
// it is too slow, 429 when its budget is used up. When r's context ends its error
// is returned. The caller must close the answer's body; reading it fails when the
// hospital stays silent for longer than the idle timeout, or sends more than is
// allowed.
func (c *Client) Do(r *http.Request) (*http.Response, error) { return c.call(r, c.policies.do) }

// Probe is Do for somebody's explicit question how the hospital is: it calls once,
// even while the hospital is left alone after failures. It counts in the budget,
// and neither for nor against the hospital's breaker.
func (c *Client) Probe(r *http.Request) (*http.Response, error) { return c.call(r, c.once) }

func (c *Client) call(r *http.Request, do roundTrip) (*http.Response, error) {
	for name, value := range c.headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	ctx, cancel := r.Context(), context.CancelFunc(nil)
	if c.timeouts.Total > 0 {
		ctx, cancel = context.WithTimeout(ctx, c.timeouts.Total)
		r = r.WithContext(ctx)
	}
	resp, err := do(r)
	if err != nil {
		if cancel != nil {
			cancel()
		}
		return nil, failure(r.Context(), err)
	}
	if cancel != nil {
		resp.Body = &closingBody{ReadCloser: resp.Body, closed: cancel}
	}
	return resp, nil
}

// once makes one attempt: with the credential, a fresh one if need be, and to
// where the hospital redirects.
func (c *Client) once(r *http.Request) (*http.Response, error) {
	authorization, err := c.authorization(r.Context(), "")
	if err != nil {
		return nil, err
	}
	sent := r.Clone(r.Context()) // attempts must not see one another's headers
	resp, err := c.send(sent, authorization)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusUnauthorized && c.login.renewable() {
		if resp, err = c.renewed(sent, resp, authorization); err != nil {
			return nil, err
		}
	}
	for range maxRedirects {
		next, err := c.redirects.next(sent, resp)
		if next == nil && err == nil {
			return resp, nil
		}
		discard(resp)
		if err != nil {
			return nil, err
		}
		sent = next
		if resp, err = c.send(sent, sent.Header.Get("Authorization")); err != nil {
			return nil, err
		}
	}
	if next, _ := c.redirects.next(sent, resp); next == nil {
		return resp, nil
	}
	discard(resp)
	return nil, refusedRedirect("the hospital redirects again and again")
}

// renewed sends r again with a fresh credential, or returns refused, the 401,
// when r cannot be sent again.
func (c *Client) renewed(r *http.Request, refused *http.Response, stale string) (*http.Response, error) {
	if !replayable(r) {
		c.login.forget(stale)
		return refused, nil
	}
	discard(refused)
	authorization, err := c.authorization(r.Context(), stale)
	if err != nil {
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

// send makes one request within the budget and reads what the answer tells of
// it. The answer's body is bounded in time and size.
func (c *Client) send(r *http.Request, authorization string) (*http.Response, error) {
	release, err := c.budget.acquire(r.Context())
	if err != nil {
		return nil, err
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if s, ok := c.login.(requestSigner); ok && Authority(r.URL) == Authority(c.redirects.base) {
		if err := s.sign(r); err != nil {
			release()
			return nil, err
		}
	}
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		release()
		c.noteFailure(r.Context(), err)
		if r.Context().Err() != nil {
			err = &abandoned{err}
		}
		return nil, err
	}
	c.noteAnswer(r, resp)
	resp.Body = newIdleBody(resp.Body, c.timeouts.Idle)
	if err := decode(resp, c.maxAnswer); err != nil {
		release()
		return nil, err
	}
	resp.Body = &closingBody{ReadCloser: resp.Body, closed: release}
	if err := c.budget.learn(resp); err != nil {
		_ = resp.Body.Close() // what it said is in err
		return nil, err
	}
	return resp, nil
}

// closingBody is a body whose close ends something else too.
type closingBody struct {
	io.ReadCloser
	closed func()
}

// Close closes the body.
func (b *closingBody) Close() error {
	err := b.ReadCloser.Close()
	b.closed()
	return err
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
	case errors.Is(err, errTooLarge):
		return fhir.NewError(http.StatusBadGateway, fhir.IssueTooLong, errTooLarge.Error())
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
	case err == nil:
		return n, nil
	case b.late.Load(): // whatever err is: a body that was closed may look ended
		return n, errIdle
	case err == io.EOF: //nolint:errorlint // only a bare EOF is the end
		return n, err
	default:
		return n, tell(err)
	}
}

// Close releases the connection.
func (b *idleBody) Close() error {
	b.timer.Stop()
	return b.ReadCloser.Close()
}
