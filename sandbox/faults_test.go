package sandbox

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFaults(t *testing.T) {
	h := hapiHospital(t)
	target := h.BaseURL() + "/Patient/100000"
	healthy := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"resourceType":"Patient"}`)) })
	cases := map[string]struct {
		fault  http.Handler
		status int  // 0 when there is no answer at all
		whole  bool // the body arrives to its declared end
		json   bool
	}{
		"reset before":   {ResetBefore(), 0, false, false},
		"reset mid body": {ResetMidBody(100_000, 50_000), 200, false, false},
		"half body":      {HalfBody(100_000), 200, false, false},
		"wrong length":   {WrongLength(1_000, 400), 200, false, false},
		"garbage":        {GarbageJSON(), 200, true, false},
		"HTML":           {HTMLError(502), 502, true, false},
		"too many":       {Refuse(429, "7"), 429, true, true},
		"unavailable":    {Refuse(503, ""), 503, true, true},
		"slow":           {Slow(20*time.Millisecond, healthy), 200, true, true},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			h.Fail(func(r *http.Request) http.Handler {
				if strings.Contains(r.URL.Path, "/Patient/") {
					return test.fault
				}
				return nil
			})
			defer h.Fail(nil)
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			response, err := client.Get(target)
			if test.status == 0 {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			require.Equal(t, test.status, response.StatusCode)
			require.Equal(t, test.whole, err == nil)
			require.Equal(t, test.json, json.Valid(body))
			require.Equal(t, 200, call(t, http.MethodGet, h.BaseURL()+"/Patient?_count=1", "").status, "other requests are well")
		})
	}
	require.Equal(t, 200, call(t, http.MethodGet, target, "").status)
}

func TestHangEndsWithTheClient(t *testing.T) {
	h := hapiHospital(t)
	ended := make(chan struct{})
	h.Fail(func(*http.Request) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			Hang().ServeHTTP(w, r)
			close(ended)
		})
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.BaseURL()+"/Patient", strings.NewReader("{}"))
	require.NoError(t, err)
	_, err = http.DefaultClient.Do(request)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	<-ended
}

func TestCallsAreRecorded(t *testing.T) {
	h := hapiHospital(t)
	call(t, http.MethodPost, h.BaseURL()+"/Patient/_search?_count=1", "family=Bauer", "Content-Type", formType, "X-Request-Id", "r-1")
	call(t, http.MethodPost, h.BaseURL()+"/Binary", strings.Repeat("x", maxCallBody+1), "Content-Type", "text/plain")
	calls := h.Calls()
	require.Len(t, calls, 2)
	require.Equal(t, "/fhir/Patient/_search", calls[0].Path)
	require.Equal(t, "r-1", calls[0].Header.Get("X-Request-Id"))
	require.Equal(t, "family=Bauer", string(calls[0].Body))
	require.Equal(t, "Bauer", calls[0].Form().Get("family"))
	require.Equal(t, "1", calls[0].Form().Get("_count"))
	require.Nil(t, calls[1].Body)
	require.EqualValues(t, maxCallBody+1, calls[1].BodyBytes)
	h.ResetCalls()
	require.Empty(t, h.Calls())
}

func TestManyClientsAtOnce(t *testing.T) {
	h := hapiHospital(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 10 {
				created := call(t, http.MethodPost, h.BaseURL()+"/Patient", `{"resourceType":"Patient"}`, "Content-Type", fhirJSON)
				if created.status != http.StatusCreated {
					t.Errorf("status %d", created.status)
				}
				first := call(t, http.MethodGet, h.BaseURL()+"/Patient?_count=20", "")
				call(t, http.MethodGet, first.get(`link.#(relation=="next").url`).Str, "")
				h.Calls()
				h.Resource("Patient", created.get("id").Str)
			}
		})
	}
	group.Wait()
	require.Len(t, h.IDs("Patient"), 280)
}

func TestStartReportsATakenPort(t *testing.T) {
	first := hapiHospital(t)
	taken := strings.TrimSuffix(strings.TrimPrefix(first.BaseURL(), "http://"), hapiBase)
	require.Error(t, NewEpic(Options{}).Start(taken))
	require.NoError(t, NewEpic(Options{}).Close(), "a hospital that never started closes")
}
