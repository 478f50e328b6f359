package upstream

import (
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/upstream/budget"
)

// sharedBudget returns a node's view of one hospital's budget in store. A call
// that has no turn is refused at once.
func sharedBudget(t *testing.T, store *miniredis.Miniredis, limits budget.Limits) *budget.Budget {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: store.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	limits.MaxWait = -1
	return budget.New(client, "north", limits, budget.WithLogger(slog.New(slog.DiscardHandler)))
}

func limited(b Budget) func(*Config) {
	return func(cfg *Config) {
		withoutLogin(cfg)
		cfg.Budget = b
	}
}

func TestA403OverQuotaIsA429(t *testing.T) {
	const quota = "Developer Over Rate"
	for name, tc := range map[string]struct {
		body string
		over bool
	}{
		"the quota's text":  {`{"error":"` + quota + `"}`, true},
		"any other refusal": {`{"error":"not for you"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			h.set(nil, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", "Sun, 22 Nov 2026 12:00:00 GMT") // the day does not end during the test
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, tc.body)
			})
			c := h.client(t, limited(Budget{Shared: sharedBudget(t, miniredis.RunT(t), budget.Limits{}), QuotaText: quota}))
			resp, err := get(t, c, h.URL+"/fhir/Patient/1")
			if !tc.over {
				require.NoError(t, err)
				require.Equal(t, http.StatusForbidden, resp.StatusCode)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.Equal(t, tc.body, string(body), "what was searched is still there")
				_, err = get(t, c, h.URL+"/fhir/Patient/1")
				require.NoError(t, err)
				return
			}
			after := refusal(t, err, http.StatusTooManyRequests).RetryAfter
			require.Positive(t, after)
			require.LessOrEqual(t, after, 24*time.Hour)
			_, err = get(t, c, h.URL+"/fhir/Patient/1")
			require.Greater(t, refusal(t, err, http.StatusTooManyRequests).RetryAfter, 11*time.Hour)
			require.EqualValues(t, 1, h.calls.Load(), "the hospital is left alone for the rest of its day")
		})
	}
}

func TestAPauseOfOneNodeHoldsForAll(t *testing.T) {
	h := newHospital(t)
	h.set(nil, failing(http.Header{"Retry-After": {"90"}}, 429, 200))
	store := miniredis.RunT(t)
	one := h.client(t, limited(Budget{Shared: sharedBudget(t, store, budget.Limits{})}))
	other := h.client(t, limited(Budget{Shared: sharedBudget(t, store, budget.Limits{})}))
	resp, err := get(t, one, h.URL+"/fhir/Patient/1")
	require.NoError(t, err)
	require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
	for _, node := range []*Client{one, other} {
		_, err = get(t, node, h.URL+"/fhir/Patient/1")
		require.InDelta(t, 90, refusal(t, err, http.StatusTooManyRequests).RetryAfter.Seconds(), 30)
	}
	require.EqualValues(t, 1, h.calls.Load())
}

func TestTokenCallsInTheBudget(t *testing.T) {
	for name, tc := range map[string]struct {
		counted bool
		calls   int32 // of FHIR that two requests leave room for
	}{
		"counted":     {true, 1},
		"not counted": {false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			shared := sharedBudget(t, miniredis.RunT(t), budget.Limits{Requests: 2, Per: time.Hour})
			c := h.client(t, func(cfg *Config) {
				cfg.Budget = Budget{Shared: shared, CountsTokens: tc.counted}
			})
			for range tc.calls {
				resp, err := get(t, c, h.URL+"/fhir/Patient/1")
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, resp.StatusCode)
			}
			_, err := get(t, c, h.URL+"/fhir/Patient/1")
			refusal(t, err, http.StatusTooManyRequests)
			require.Equal(t, tc.calls, h.calls.Load())
			require.EqualValues(t, 1, h.tokens.Load())
		})
	}
}
