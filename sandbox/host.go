package sandbox

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// host is what every simulator shares: listeners, the record of calls, and injected faults.
type host struct {
	calls callLog
	fault atomic.Pointer[func(*http.Request) http.Handler]

	mu      sync.Mutex
	servers []*http.Server
}

// serve records the request, lets an injected fault take it, and passes it on to next otherwise.
func (h *host) serve(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	r, finish := h.calls.begin(r)
	defer finish()
	if choose := h.fault.Load(); choose != nil {
		if fault := (*choose)(r); fault != nil {
			fault.ServeHTTP(w, r)
			return
		}
	}
	next(w, r)
}

// listen serves handler on addr and returns the origin (scheme and authority) under which it now answers.
func (h *host) listen(addr string, handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("sandbox: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	h.mu.Lock()
	h.servers = append(h.servers, server)
	h.mu.Unlock()
	go func() { _ = server.Serve(listener) }() // ends with http.ErrServerClosed at Close
	return "http://" + listener.Addr().String(), nil
}

// Close stops all listeners at once and cuts requests in flight. A hospital that was never started closes without an error.
func (h *host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, server := range h.servers {
		errs = append(errs, server.Close())
	}
	h.servers = nil
	return errors.Join(errs...)
}

// Calls returns the requests that arrived, oldest first, token calls included; at most the last 10,000. A request still in flight has
// no body fields yet.
func (h *host) Calls() []Call { return h.calls.list() }

// ResetCalls forgets the requests that arrived so far.
func (h *host) ResetCalls() { h.calls.reset() }

// Fail lets choose look at each request first: the handler it returns answers in the hospital's place, nil means as usual. A nil choose
// ends all faults. See [Hang], [ResetBefore], [ResetMidBody], [HTMLError], [HalfBody], [WrongLength], [GarbageJSON], [Refuse], [Slow].
func (h *host) Fail(choose func(r *http.Request) http.Handler) {
	if choose == nil {
		h.fault.Store(nil)
		return
	}
	h.fault.Store(&choose)
}
