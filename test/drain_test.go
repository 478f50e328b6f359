package test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// trickle answers every read of the Patient "slow": more than the gateway holds
// back at once, and then a piece each 100 ms until it has sent as many as asked
// for, or the client leaves.
func trickle(pieces int) func(*http.Request) http.Handler {
	return func(r *http.Request) http.Handler {
		if !strings.HasSuffix(r.URL.Path, "/Patient/slow") {
			return nil
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", fhirJSON)
			_, _ = io.WriteString(w, `{"resourceType":"Patient","id":"slow","name":[{"text":"`)
			_, _ = w.Write(bytes.Repeat([]byte("x"), 3<<20))
			for range pieces {
				_, _ = w.Write(bytes.Repeat([]byte("y"), 64<<10))
				_ = http.NewResponseController(w).Flush()
				select {
				case <-time.After(100 * time.Millisecond):
				case <-r.Context().Done():
					return
				}
			}
			_, _ = io.WriteString(w, `"}]}`)
		})
	}
}

// slowRead begins a read of the Patient "slow" and returns once its answer has
// begun; the channel tells how it went on.
func slowRead(t *testing.T, c *client) (body *bytes.Buffer, done chan error) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, c.url+"/fhir/harbor/Patient/slow", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+c.key)
	response, err := plainHTTP.Do(r)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	body, done = new(bytes.Buffer), make(chan error, 1)
	_, err = io.CopyN(body, response.Body, 1<<20)
	require.NoError(t, err)
	go func() {
		defer response.Body.Close()
		_, err := io.Copy(body, response.Body)
		done <- err
	}()
	return body, done
}

// TestDrain stops a gateway while a slow answer is on its way. Readiness is
// denied first, and calls are still taken; then new connections are refused;
// the answer comes to its end.
func TestDrain(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis, settings: map[string]any{"drain_delay_seconds": 1}})
		c := g.newClient(t, "e2e")
		g.Harbor.Fail(trickle(30))
		body, done := slowRead(t, c)
		g.signal(syscall.SIGTERM)
		within(t, "readiness is denied", func() bool { return c.get("/readyz").StatusCode == http.StatusServiceUnavailable })
		c.get(somewhere).ok(http.StatusOK)
		within(t, "the port closes", func() bool {
			conn, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
			if err == nil {
				conn.Close()
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		})
		select {
		case <-done:
			require.Fail(t, "the answer is to outlast the port")
		case <-g.ended:
			require.Fail(t, "the process ended before its last answer")
		default:
		}
		require.NoError(t, <-done)
		require.True(t, gjson.Valid(body.String()), "the answer is whole")
		require.Len(t, body.String(), 3<<20+30*64<<10+len(`{"resourceType":"Patient","id":"slow","name":[{"text":""}]}`))
		require.NoError(t, g.wait(5*time.Second))
		require.Contains(t, g.output(), "draining")
		g.stopCleanly()
	})
}

// TestDrainDeadline stops a gateway while an answer has no end. It is cut off,
// so that the client cannot take it for a whole one.
func TestDrainDeadline(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis, settings: map[string]any{"drain_seconds": 1}})
		c := g.newClient(t, "e2e")
		g.Harbor.Fail(trickle(1_000_000))
		_, done := slowRead(t, c)
		g.signal(syscall.SIGTERM)
		g.over = true
		require.Error(t, g.wait(4*time.Second))
		require.Equal(t, 1, g.cmd.ProcessState.ExitCode(), g.output())
		require.Contains(t, g.output(), "cut off")
		require.ErrorIs(t, <-done, io.ErrUnexpectedEOF)
	})
}

// TestSecondSignal stops a gateway that waits for an endless answer at once.
func TestSecondSignal(t *testing.T) {
	g := startGateway(t, options{})
	c := g.newClient(t, "e2e")
	g.Harbor.Fail(trickle(1_000_000))
	_, done := slowRead(t, c)
	g.over = true
	g.signal(syscall.SIGTERM)
	within(t, "it drains", func() bool { return strings.Contains(g.output(), "draining") })
	g.signal(syscall.SIGTERM)
	require.Error(t, g.wait(2*time.Second))
	require.Error(t, <-done)
}
