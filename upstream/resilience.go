package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"fhirgate/fhir"
)

// Resilience says how failures of a hospital are met. The zero value retries
// reads twice, breaks the circuit, and hedges nothing.
type Resilience struct {
	Retries    int           // of a read, after its first attempt; default 2, -1 = none
	HedgeAfter time.Duration // a read that has no answer yet is asked a second time; 0 = never
	Breaker    Breaker
}

// Breaker says when a hospital that fails is left alone. It opens when half of
// at least Calls calls within Window failed, and lets one call through after
// Pause to see whether the hospital is back. A zero value takes the default.
type Breaker struct {
	Calls  int           // default 20; -1 = no breaker
	Window time.Duration // default 30s
	Pause  time.Duration // default 5s
}

const (
	failureRate      = 0.5
	probesToClose    = 3
	retryDelay       = 100 * time.Millisecond
	maxRetryDelay    = time.Second
	retryJitter      = 0.5
	longestRetryWait = 2 * time.Second // a Retry-After above it is the caller's to keep
)

// policies are what a call goes through, made of failsafe-go's parts.
type policies struct {
	breaker circuitbreaker.CircuitBreaker[*http.Response] // nil = none
	reads   http.RoundTripper
	writes  failsafe.Executor[*http.Response]
	once    func(*http.Request) (*http.Response, error)
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// newPolicies puts the policies around once, which makes one attempt.
func newPolicies(cfg Resilience, once func(*http.Request) (*http.Response, error)) *policies {
	p := &policies{breaker: newBreaker(cfg.Breaker), once: once}
	var reads, writes []failsafe.Policy[*http.Response]
	if cfg.Retries >= 0 {
		retries := cfg.Retries
		if retries == 0 {
			retries = 2
		}
		reads = append(reads, newRetry(retries, safeToRepeat))
		writes = append(writes, newRetry(1, func(_ *http.Response, err error) bool { return notProcessed(err) }))
	}
	if cfg.HedgeAfter > 0 {
		reads = append(reads, hedgepolicy.NewBuilderWithDelay[*http.Response](cfg.HedgeAfter).WithMaxHedges(1).Build())
	}
	if p.breaker != nil {
		reads = append(reads, p.breaker)
		writes = append(writes, p.breaker)
	}
	p.reads = failsafehttp.NewRoundTripper(roundTrip(once), reads...)
	p.writes = failsafe.With(writes...)
	return p
}

func newBreaker(cfg Breaker) circuitbreaker.CircuitBreaker[*http.Response] {
	if cfg.Calls < 0 {
		return nil
	}
	if cfg.Calls == 0 {
		cfg.Calls = 20
	}
	if cfg.Window == 0 {
		cfg.Window = 30 * time.Second
	}
	if cfg.Pause == 0 {
		cfg.Pause = 5 * time.Second
	}
	return circuitbreaker.NewBuilder[*http.Response]().
		HandleIf(hospitalFailed).
		WithFailureRateThreshold(failureRate, uint(cfg.Calls), cfg.Window).
		WithDelay(cfg.Pause).
		WithSuccessThreshold(probesToClose).
		Build()
}

func newRetry(retries int, again func(*http.Response, error) bool) failsafe.Policy[*http.Response] {
	return retrypolicy.NewBuilder[*http.Response]().
		HandleIf(again).
		WithMaxRetries(retries).
		WithBackoff(retryDelay, maxRetryDelay).
		WithJitterFactor(retryJitter).
		WithDelayFunc(askedDelay).
		ReturnLastFailure().
		OnRetryScheduled(func(e failsafe.ExecutionScheduledEvent[*http.Response]) { discard(e.LastResult()) }).
		Build()
}

// do makes a call. Reads are those that change nothing however often they are
// made; a write is repeated only when the hospital cannot have seen it.
func (p *policies) do(r *http.Request) (*http.Response, error) {
	resp, err := p.run(r)
	if errors.Is(err, circuitbreaker.ErrOpen) {
		return nil, fhir.NewError(http.StatusServiceUnavailable, fhir.IssueTransient,
			"the hospital has failed too often: the gateway leaves it alone for a moment").After(max(p.breaker.RemainingDelay(), time.Second))
	}
	return resp, err
}

func (p *policies) run(r *http.Request) (*http.Response, error) {
	if isRead(r) {
		return p.reads.RoundTrip(r)
	}
	attempts := 0
	return p.writes.WithContext(r.Context()).GetWithExecution(func(failsafe.Execution[*http.Response]) (*http.Response, error) {
		if attempts++; attempts > 1 {
			var err error
			if r.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
		resp, err := p.once(r)
		if notProcessed(err) && !replayable(r) {
			err = &spent{err} // its body is gone
		}
		return resp, err
	})
}

// isRead reports whether a request without a body only reads. A search by POST
// has a body and is not repeated.
func isRead(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && (r.Body == nil || r.Body == http.NoBody)
}

// safeToRepeat reports whether a read that ended like this may do better when it
// is asked again at once.
func safeToRepeat(resp *http.Response, err error) bool {
	if err != nil {
		return connectionFailed(err)
	}
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		wait, told := RetryAfter(resp.Header, time.Now())
		return told && wait <= longestRetryWait || !told && resp.StatusCode == http.StatusServiceUnavailable
	}
	return false
}

// hospitalFailed reports whether an attempt speaks against the hospital. What
// the gateway itself refused, and what a caller broke off, does not.
func hospitalFailed(resp *http.Response, err error) bool {
	if err != nil {
		return connectionFailed(err) || timedOut(err)
	}
	return resp.StatusCode == http.StatusBadGateway || resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusGatewayTimeout
}

// connectionFailed reports whether the network or the hospital's server broke
// an attempt off, other than by being slow.
func connectionFailed(err error) bool {
	var refusal *fhir.Error
	var left *abandoned
	return !errors.As(err, &refusal) && !errors.As(err, &left) && !errors.Is(err, errTooLarge) &&
		!errors.Is(err, circuitbreaker.ErrOpen) && !timedOut(err)
}

func timedOut(err error) bool {
	var netErr net.Error
	var left *abandoned
	return !errors.As(err, &left) && (errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout())
}

// notProcessed reports whether an attempt failed before the hospital had any of
// it: the connection was never made.
func notProcessed(err error) bool {
	var operation *net.OpError
	var refusal *fhir.Error
	var gone *spent
	return err != nil && !errors.As(err, &gone) && !errors.As(err, &refusal) && errors.As(err, &operation) && operation.Op == "dial"
}

// spent is the failure of a request whose body cannot be sent again.
type spent struct{ error }

// Unwrap returns the failure.
func (s *spent) Unwrap() error { return s.error }

// abandoned is the failure of an attempt that its caller, or its time, ended. It
// says nothing of the hospital.
type abandoned struct{ error }

// Unwrap returns the failure.
func (a *abandoned) Unwrap() error { return a.error }

// askedDelay returns what a Retry-After asks for, or -1 for the policy's own
// delay.
func askedDelay(exec failsafe.ExecutionAttempt[*http.Response]) time.Duration {
	if resp := exec.LastResult(); resp != nil {
		if wait, told := RetryAfter(resp.Header, time.Now()); told {
			return wait
		}
	}
	return -1
}

// discard gives the connection of an answer that nobody wants back to the pool.
func discard(resp *http.Response) {
	if resp == nil || resp.Body == nil {
		return
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // what is longer costs the connection
	_ = resp.Body.Close()
}

// BreakerState tells whether the hospital is called: "closed" means it is,
// "open" that it is left alone, "half-open" that probes are let through. Without
// a breaker it is always closed.
func (c *Client) BreakerState() string {
	switch b := c.policies.breaker; {
	case b == nil || b.IsClosed():
		return "closed"
	case b.IsOpen():
		return "open"
	default:
		return "half-open"
	}
}
