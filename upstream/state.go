package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"fhirgate/fhir"
	"fhirgate/upstream/budget"
	"fhirgate/upstream/tokens"
)

// State is how a hospital is, as its client has seen it. It holds nothing secret.
type State struct {
	Breaker      string         // see BreakerState
	LastAnswer   time.Time      // any answer below 500; zero = none yet
	LastFailure  time.Time      // no login, no answer, or one of 500 and above; zero = none yet
	FailureIssue fhir.IssueCode // of it, "" = none yet
	FailureCause string         // of it in a few words, without an address or what was sent; "" = none yet

	Token  *tokens.State // nil = the login has none
	Budget *budget.State // nil = there is none

	OwnCertificate    *x509.Certificate // of ours, towards the hospital; nil = none
	ServerCertificate *x509.Certificate // that the hospital showed last; nil = none yet
}

// State returns how the hospital is, and counts nothing for it. Token and budget
// are those of all nodes; the error is that these cannot be read.
func (c *Client) State(ctx context.Context) (State, error) {
	s := State{
		Breaker:           c.BreakerState(),
		OwnCertificate:    ownCertificate(c.transport.TLSClientConfig),
		ServerCertificate: c.seen.server.Load(),
	}
	if at := c.seen.answered.Load(); at != 0 {
		s.LastAnswer = time.Unix(0, at).UTC()
	}
	if f := c.seen.failed.Load(); f != nil {
		s.LastFailure, s.FailureIssue, s.FailureCause = f.at, f.issue, f.cause
	}
	var errs [2]error
	if login, ok := c.login.(*tokenLogin); ok {
		var token tokens.State
		token, errs[0] = login.cache.State(ctx, login.identity)
		s.Token = &token
	}
	if c.budget.Shared != nil {
		var left budget.State
		left, errs[1] = c.budget.Shared.State(ctx)
		s.Budget = &left
	}
	return s, errors.Join(errs[:]...)
}

// ownCertificate returns the first client certificate of a configuration.
func ownCertificate(cfg *tls.Config) *x509.Certificate {
	if len(cfg.Certificates) == 0 {
		return nil
	}
	pair := cfg.Certificates[0]
	if pair.Leaf != nil || len(pair.Certificate) == 0 {
		return pair.Leaf
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil
	}
	return leaf
}

// seen is what a client remembers of its hospital's answers. It is on every
// call's way, where it costs an atomic store.
type seen struct {
	answered atomic.Int64 // Unix nanoseconds; 0 = never
	failed   atomic.Pointer[failed]
	server   atomic.Pointer[x509.Certificate]
}

type failed struct {
	at    time.Time
	issue fhir.IssueCode
	cause string
}

func (s *seen) fail(issue fhir.IssueCode, cause string) {
	s.failed.Store(&failed{at: time.Now().UTC(), issue: issue, cause: cause})
}

// noteAnswer remembers an answer, and the certificate of the hospital's own host.
func (c *Client) noteAnswer(r *http.Request, resp *http.Response) {
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		leaf := resp.TLS.PeerCertificates[0]
		if leaf != c.seen.server.Load() && Authority(r.URL) == Authority(c.redirects.base) {
			c.seen.server.Store(leaf)
		}
	}
	switch status := resp.StatusCode; {
	case status < http.StatusInternalServerError:
		c.seen.answered.Store(time.Now().UnixNano())
	default:
		c.seen.fail(issueOf(status), "status "+strconv.Itoa(status))
	}
}

// issueOf returns the issue code of an answer of 500 and above.
func issueOf(status int) fhir.IssueCode {
	switch status {
	case http.StatusServiceUnavailable:
		return fhir.IssueTransient
	case http.StatusGatewayTimeout:
		return fhir.IssueTimeout
	default:
		return fhir.IssueException
	}
}

// noteFailure remembers that the hospital could not be reached.
func (c *Client) noteFailure(ctx context.Context, err error) {
	if issue, speaks := failureIssue(ctx, err); speaks {
		c.seen.fail(issue, callReason(err))
	}
}

// noteNoLogin remembers that the hospital could not be logged in to. A failure that
// is only remembered says no more why, and leaves what is known of it.
func (c *Client) noteNoLogin(ctx context.Context, err error) {
	issue, speaks := failureIssue(ctx, err)
	if !speaks {
		return
	}
	cause := loginReason(err)
	if before := c.seen.failed.Load(); before != nil && errors.Is(err, tokens.ErrRemembered) && strings.HasPrefix(before.cause, "login ") {
		cause = before.cause
	}
	c.seen.fail(issue, cause)
}

// failureIssue returns the issue code of a failure that speaks of the hospital.
// What a caller ended, and what the gateway itself refused, does not.
func failureIssue(ctx context.Context, err error) (issue fhir.IssueCode, speaks bool) {
	var refusal *fhir.Error
	if ctx.Err() == nil && errors.As(failure(ctx, err), &refusal) &&
		(refusal.Status == http.StatusBadGateway || refusal.Status == http.StatusGatewayTimeout) {
		return refusal.Code, true
	}
	return "", false
}
