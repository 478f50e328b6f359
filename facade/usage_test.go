package facade

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/observe"
)

// countedUsage keeps the calls that it counts.
type countedUsage struct {
	mu    sync.Mutex
	calls []observe.Call
}

func (u *countedUsage) Record(c *observe.Call) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls = append(u.calls, *c)
}

// Every call of a known consumer is told to those who count usage, whatever became
// of it. That a hospital exists is not told to those who do not reach it.
func TestUsageIsToldOfCalls(t *testing.T) {
	b := newBench(t, nil)
	usage := &countedUsage{}
	b.facade.usage = usage
	for _, call := range []struct {
		path, credential string
		status           int
	}{
		{"/fhir/harbor/Patient?_count=1", "Bearer " + aliceKey, 200},
		{"/fhir/harbor/Patient/none", "Bearer " + aliceKey, 404},
		{"/fhir/nowhere/Patient", "Bearer " + aliceKey, 404},
		{"/fhir/lakeside/Patient", "Bearer harbor-only", 404},
		{"/fhir/harbor/Patient", "Bearer no-plan", 403},
		{"/fhir/harbor/Patient", "", 401},
	} {
		require.Equal(t, call.status, b.call("GET", call.path, "", "Authorization", call.credential).StatusCode, call)
	}
	b.server.Close() // waits for calls that were answered a moment ago
	type counted struct {
		consumer, hospital, interaction, kind string
		status                                int
	}
	var got []counted
	for _, c := range usage.calls {
		got = append(got, counted{c.Consumer, c.Hospital, c.Interaction, c.Type, c.Status})
	}
	require.ElementsMatch(t, []counted{
		{"key_alice", "harbor", "search-type", "Patient", 200},
		{"key_alice", "harbor", "read", "Patient", 404},
		{"key_alice", "", "search-type", "Patient", 404},
		{"key_harbor", "", "search-type", "Patient", 404},
		{"key_no_plan", "", "search-type", "Patient", 403},
	}, got)
}
