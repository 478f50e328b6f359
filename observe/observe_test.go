package observe

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, w.Code)
	text, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return string(text)
}

func TestCallsAreCountedByHospitalInteractionAndStatus(t *testing.T) {
	m := NewMetrics("v1.2.3")
	end := m.Begin()
	require.Contains(t, scrape(t, m), "fhirgate_requests_in_flight 1")
	end()
	m.Record(&Call{Hospital: "harbor", Interaction: "read", Type: "Patient", Consumer: "key_canary", RequestID: "canary", Cause: "canary", Status: 200, Total: 30 * time.Millisecond, Upstream: 20 * time.Millisecond})
	m.Record(&Call{Hospital: "harbor", Interaction: "read", Status: 200, Total: 2 * time.Millisecond, Aborted: true})
	m.Record(&Call{Status: 404})
	m.Record(&Call{})
	text := scrape(t, m)
	for _, line := range []string{
		`fhirgate_requests_total{hospital="harbor",interaction="read",status="200"} 2`,
		`fhirgate_requests_total{hospital="",interaction="",status="404"} 1`,
		`fhirgate_requests_total{hospital="",interaction="",status="0"} 1`,
		`fhirgate_gateway_seconds_count{hospital="harbor",interaction="read"} 2`,
		`fhirgate_gateway_seconds_bucket{hospital="harbor",interaction="read",le="0.01"} 2`,
		`fhirgate_gateway_seconds_bucket{hospital="harbor",interaction="read",le="0.001"} 0`,
		`fhirgate_upstream_seconds_count{hospital="harbor",interaction="read"} 1`,
		`fhirgate_aborted_answers_total{hospital="harbor",interaction="read"} 1`,
		"fhirgate_requests_in_flight 0",
		`fhirgate_build_info{version="v1.2.3"} 1`,
		"fhirgate_config_last_reload_successful 1",
	} {
		require.Contains(t, text, line+"\n")
	}
	require.NotContains(t, text, "canary", "no metric names a caller or a cause")

	m.Reloaded(false)
	require.Contains(t, scrape(t, m), "fhirgate_config_last_reload_successful 0\n")
	m.Reloaded(true)
	text = scrape(t, m)
	require.Contains(t, text, "fhirgate_config_last_reload_successful 1\n")
	require.Contains(t, text, `fhirgate_config_reloads_total{outcome="kept-old"} 1`)
	require.Contains(t, text, `fhirgate_config_reloads_total{outcome="taken"} 1`)
}

func TestACallIsOneLine(t *testing.T) {
	var out bytes.Buffer
	log := NewAccessLog(slog.NewJSONHandler(&out, nil))
	log.Record(&Call{
		RequestID: "r1", Hospital: "harbor", Interaction: "read", Type: "Patient", Consumer: "key_1", Status: 502, Issue: "transient",
		Cause: "EOF", Bytes: 17, Aborted: true, Total: 1500 * time.Microsecond, Upstream: time.Millisecond,
	})
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.NotEmpty(t, line["time"])
	delete(line, "time")
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "call", "request_id": "r1", "hospital": "harbor", "interaction": "read", "type": "Patient", "consumer": "key_1",
		"status": 502.0, "issue": "transient", "cause": "EOF", "bytes": 17.0, "aborted": true, "gateway_ms": 0.5, "upstream_ms": 1.0,
	}, line)

	out.Reset()
	log.Record(&Call{})
	require.NotContains(t, out.String(), "issue")
	require.NotContains(t, out.String(), "aborted")
}

// A call has no place for a path, a query or a reference, and whoever adds a
// field must say here that it holds none.
func TestACallHasNoPlaceForAPath(t *testing.T) {
	var names []string
	for field := range reflect.TypeFor[Call]().Fields() {
		names = append(names, field.Name)
	}
	require.Equal(t, []string{"RequestID", "Hospital", "Interaction", "Type", "Consumer", "Status", "Issue", "Cause", "Bytes", "Aborted", "Total", "Upstream", "UpstreamID"}, names)
}

func TestTheAuditTrailIsWatched(t *testing.T) {
	m := NewMetrics("test")
	m.WatchTrail(func() TrailState { return TrailState{Written: 7, Lost: 2, Queued: 3, Down: true} })
	m.Guessed("token")
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		"fhirgate_audit_records_total 7", "fhirgate_audit_lost_total 2", "fhirgate_audit_queued 3", "fhirgate_audit_down 1",
		`fhirgate_unknown_credentials_total{way="token"} 1`,
	} {
		require.Contains(t, answer.Body.String(), line)
	}
}
