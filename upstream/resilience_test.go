package upstream

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

// failing answers with the statuses in turn, the last one for ever.
func failing(header http.Header, statuses ...int) http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request) {
		i := min(int(n.Add(1))-1, len(statuses)-1)
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(statuses[i])
		_, _ = io.WriteString(w, "{}")
	}
}

func TestWhatIsTriedAgain(t *testing.T) {
	soon, late := http.Header{"Retry-After": {"0"}}, http.Header{"Retry-After": {"3600"}}
	for name, tc := range map[string]struct {
		method  string
		answer  http.HandlerFunc
		retries int
		status  int
		calls   int32
	}{
		"a read, 502 then fine":        {"GET", failing(nil, 502, 200), 0, 200, 2},
		"a read, 503 then fine":        {"GET", failing(nil, 503, 200), 0, 200, 2},
		"a read, 504 for ever":         {"GET", failing(nil, 504), 0, 504, 3},
		"a read, 429 that ends soon":   {"GET", failing(soon, 429, 200), 0, 200, 2},
		"a read, 429 that lasts":       {"GET", failing(late, 429, 200), 0, 429, 1},
		"a read, bare 429":             {"GET", failing(nil, 429, 200), 0, 429, 1},
		"a read, 503 that lasts":       {"GET", failing(late, 503, 200), 0, 503, 1},
		"a read, 500":                  {"GET", failing(nil, 500, 200), 0, 500, 1},
		"a read, 404":                  {"GET", failing(nil, 404, 200), 0, 404, 1},
		"a read, retries switched off": {"GET", failing(nil, 502, 200), -1, 502, 1},
		"a create, 502":                {"POST", failing(nil, 502, 200), 0, 502, 1},
		"a create, 503":                {"POST", failing(soon, 503, 200), 0, 503, 1},
		"an update, 504":               {"PUT", failing(nil, 504, 200), 0, 504, 1},
		"a delete, 502":                {"DELETE", failing(nil, 502, 200), 0, 502, 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			h.set(nil, tc.answer)
			c := h.client(t, func(cfg *Config) { cfg.Auth, cfg.Resilience.Retries = Auth{}, tc.retries })
			var body io.Reader
			if tc.method == "POST" || tc.method == "PUT" {
				body = strings.NewReader("{}")
			}
			resp, err := do(t.Context(), t, c, tc.method, h.URL+"/fhir/Patient/1", body)
			require.NoError(t, err)
			require.Equal(t, tc.status, resp.StatusCode)
			require.Equal(t, tc.calls, h.calls.Load())
		})
	}
}

// A write is sent again only when no connection was made.
func TestAWriteThatNeverLeftIsSentAgain(t *testing.T) {
	h := newHospital(t)
	h.set(nil, failing(nil, 201))
	for name, tc := range map[string]struct {
		replayable bool
		ok         bool
	}{"JSON": {true, true}, "a stream": {false, false}} {
		t.Run(name, func(t *testing.T) {
			h.calls.Store(0)
			c := h.client(t, func(cfg *Config) { cfg.Auth = Auth{} })
			var dials atomic.Int64
			dial := c.transport.DialContext
			c.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				if dials.Add(1) == 1 {
					return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
				}
				return dial(ctx, network, address)
			}
			r, err := http.NewRequestWithContext(t.Context(), "POST", h.URL+"/fhir/Patient", strings.NewReader("{}"))
			require.NoError(t, err)
			if !tc.replayable {
				r.GetBody = nil
			}
			resp, err := c.Do(r)
			if !tc.ok {
				require.Error(t, err)
				require.Zero(t, h.calls.Load())
				return
			}
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, 201, resp.StatusCode)
			require.EqualValues(t, 1, h.calls.Load(), "once, never twice")
		})
	}
}

func TestTheBreakerOpensAndLetsProbesThrough(t *testing.T) {
	h := newHospital(t)
	var healthy atomic.Bool
	h.set(nil, func(w http.ResponseWriter, _ *http.Request) {
		if !healthy.Load() {
			w.WriteHeader(503)
		}
		_, _ = io.WriteString(w, "{}")
	})
	c := h.client(t, func(cfg *Config) {
		cfg.Auth = Auth{}
		cfg.Resilience = Resilience{Retries: -1, Breaker: Breaker{Calls: 4, Window: time.Minute, Pause: 200 * time.Millisecond}}
	})
	for range 4 {
		resp, err := get(t, c, h.URL+"/fhir/Patient/1")
		require.NoError(t, err)
		require.Equal(t, 503, resp.StatusCode)
	}
	require.Equal(t, "open", c.BreakerState())
	_, err := get(t, c, h.URL+"/fhir/Patient/1")
	var refusal *fhir.Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, 503, refusal.Status)
	require.Positive(t, refusal.RetryAfter)
	require.EqualValues(t, 4, h.calls.Load(), "an open breaker leaves the hospital alone")

	require.False(t, safeToRepeat(nil, circuitbreaker.ErrOpen), "an open breaker is no reason to wait and ask again")
	_, err = do(t.Context(), t, c, "POST", h.URL+"/fhir/Patient", strings.NewReader("{}"))
	require.ErrorAs(t, err, &refusal)

	healthy.Store(true)
	require.Eventually(t, func() bool {
		resp, err := get(t, c, h.URL+"/fhir/Patient/1")
		return err == nil && resp.StatusCode == 200 && c.BreakerState() == "closed"
	}, 5*time.Second, 50*time.Millisecond)
}

func TestACallerWhoLeavesDoesNotOpenTheBreaker(t *testing.T) {
	h := newHospital(t)
	h.set(nil, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c := h.client(t, func(cfg *Config) {
		cfg.Auth, cfg.Resilience = Auth{}, Resilience{Retries: -1, Breaker: Breaker{Calls: 2}}
	})
	for range 4 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := do(ctx, t, c, "GET", h.URL+"/fhir/Patient/1", nil)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	require.Equal(t, "closed", c.BreakerState())
}

func TestAHedgedReadTakesTheFasterAnswer(t *testing.T) {
	h := newHospital(t)
	h.set(nil, func(w http.ResponseWriter, r *http.Request) {
		if h.calls.Load() == 1 {
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
			return
		}
		_, _ = io.WriteString(w, strings.Repeat(" ", 100_000)+"{}")
	})
	c := h.client(t, func(cfg *Config) {
		cfg.Auth, cfg.Resilience.HedgeAfter = Auth{}, 30*time.Millisecond
		cfg.Timeouts.FirstByte = 5 * time.Second
	})
	resp, err := get(t, c, h.URL+"/fhir/Patient/1")
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err, "the loser's end must not end the winner's body")
	require.Len(t, body, 100_002)
	require.EqualValues(t, 2, h.calls.Load())

	h.calls.Store(1)
	_, err = do(t.Context(), t, c, "POST", h.URL+"/fhir/Patient", strings.NewReader("{}"))
	require.NoError(t, err)
	require.EqualValues(t, 2, h.calls.Load(), "a write is never hedged")
}

func TestRedirects(t *testing.T) {
	var elsewhere http.Header
	storage := newHospital(t)
	storage.set(nil, func(w http.ResponseWriter, r *http.Request) {
		elsewhere = r.Header.Clone()
		_, _ = io.WriteString(w, "file")
	})
	allowed := mustHost(t, storage.URL)
	for name, tc := range map[string]struct {
		location string
		method   string
		hosts    []string
		status   int // 0 = refused
		body     string
	}{
		"own host":            {"/fhir/Patient/2", "GET", nil, 200, "{}"},
		"an allowed host":     {storage.URL + "/file", "GET", []string{allowed}, 200, "file"},
		"another host":        {storage.URL + "/file", "GET", nil, 0, ""},
		"metadata of a cloud": {"http://169.254.169.254/latest", "GET", []string{allowed}, 0, ""},
		"a user in the URL":   {"http://a:b@" + allowed + "/", "GET", []string{allowed}, 0, ""},
		"no http":             {"file:///etc/passwd", "GET", []string{allowed}, 0, ""},
		"nothing":             {"", "GET", []string{allowed}, 0, ""},
		"a write":             {"/fhir/Patient/2", "POST", nil, 307, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			elsewhere = nil
			h.set(nil, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/1") {
					w.Header().Set("Location", tc.location)
					w.WriteHeader(http.StatusTemporaryRedirect)
					return
				}
				_, _ = io.WriteString(w, "{}")
			})
			c := h.client(t, func(cfg *Config) {
				cfg.RedirectHosts, cfg.Headers = tc.hosts, map[string]string{"Epic-Client-Id": "abc"}
			})
			resp, err := do(t.Context(), t, c, tc.method, h.URL+"/fhir/Patient/1", nil)
			if tc.status == 0 {
				var refusal *fhir.Error
				require.ErrorAs(t, err, &refusal)
				require.Equal(t, 502, refusal.Status)
				require.Nil(t, elsewhere)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.status, resp.StatusCode)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, tc.body, string(body))
			require.Empty(t, elsewhere.Get("Authorization"), "the credential stays with the hospital")
			require.Empty(t, elsewhere.Get("Epic-Client-Id"))
		})
	}
}

func mustHost(t *testing.T, s string) string {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return u.Host
}

func TestBoundsOfAnAnswer(t *testing.T) {
	pack := func(b []byte) []byte {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(b)
		_ = w.Close()
		return packed.Bytes()
	}
	json := []byte(strings.Repeat(`{"resourceType":"Patient","id":"1"},`, 2000))
	bomb := pack(make([]byte, 64<<20))
	for name, tc := range map[string]struct {
		body  []byte
		gzip  bool
		limit int64
		want  error
	}{
		"plain":                   {json, false, 0, nil},
		"gzip":                    {pack(json), true, 0, nil},
		"empty gzip":              {nil, true, 0, nil},
		"too large":               {json, false, 1000, errTooLarge},
		"too large once unpacked": {pack(json), true, 1000, errTooLarge},
		"a bomb":                  {bomb, true, 0, errBomb},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			h.set(nil, func(w http.ResponseWriter, _ *http.Request) {
				if tc.gzip {
					w.Header().Set("Content-Encoding", "gzip")
				}
				if len(tc.body) == 0 {
					w.WriteHeader(http.StatusNoContent)
					return
				}
				_ = http.NewResponseController(w).Flush() // without a length
				_, _ = w.Write(tc.body)
			})
			c := h.client(t, func(cfg *Config) { cfg.Auth, cfg.MaxAnswer = Auth{}, tc.limit })
			resp, err := get(t, c, h.URL+"/fhir/Patient/1")
			require.NoError(t, err)
			require.Empty(t, resp.Header.Get("Content-Encoding"))
			n, err := io.Copy(io.Discard, resp.Body)
			if tc.want != nil {
				require.ErrorContains(t, err, tc.want.Error())
				require.Less(t, n, int64(8<<20))
				return
			}
			require.NoError(t, err)
			if len(tc.body) > 0 {
				require.EqualValues(t, len(json), n)
			}
		})
	}
}

func TestTheTotalTimeBoundsACallWithItsBody(t *testing.T) {
	h := newHospital(t)
	h.set(nil, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(20 * time.Millisecond)
		}
	})
	c := h.client(t, func(cfg *Config) { cfg.Auth, cfg.Timeouts.Total = Auth{}, 300*time.Millisecond })
	resp, err := get(t, c, h.URL+"/fhir/Patient/1")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
