package usage

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/observe"
)

func requestIDs(failed []adminapi.CallError) []string {
	var ids []string
	for _, e := range failed {
		ids = append(ids, e.RequestID)
	}
	return ids
}

// The newest errors of a consumer and of a hospital are kept, whichever node met
// them and in how many flushes.
func TestTheNewestErrorsAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		for _, perFlush := range []int{1, 7, 500} {
			require.NoError(t, client.Del(t.Context(), subject{id: "key_1"}.name()).Err())
			at := clockAt(time.Now())
			nodes := [2]*Recorder{newRecorder(client, quiet, at.now), newRecorder(client, quiet, at.now)}
			var want []string
			for i := range 180 {
				call := line("key_1", fmt.Sprint("clinic-", i%2), "read", 500)
				call.RequestID = fmt.Sprint(perFlush, "-", i)
				nodes[i%2].Record(call)
				want = append(want, call.RequestID)
				at.forward(time.Millisecond)
				if i%perFlush == 0 {
					require.NoError(t, nodes[i%2].flush(t.Context()))
				}
			}
			for _, node := range nodes {
				require.NoError(t, node.flush(t.Context()))
			}
			slices.Reverse(want)
			failed, err := NewReader(client).ConsumerErrors(t.Context(), "key_1")
			require.NoError(t, err)
			require.Equal(t, want[:keptErrors], requestIDs(failed))
			failed, err = NewReader(client).HospitalErrors(t.Context(), "clinic-1")
			require.NoError(t, err)
			require.Len(t, failed, keptErrors)
			require.Equal(t, want[0], failed[0].RequestID)
			require.Equal(t, int64(keptErrors), client.ZCard(t.Context(), subject{hospital: true, id: "clinic-1"}.name()).Val())
		}
	})
}

func TestWhatIsAnError(t *testing.T) {
	client := connect(t, startRedis(t))
	at := clockAt(time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC))
	r := newRecorder(client, quiet, at.now)
	for _, c := range []observe.Call{
		{RequestID: "good", Status: 200},
		{RequestID: "moved", Status: 399},
		{RequestID: "refused", Status: 400, Issue: "invalid"},
		{RequestID: "left", Status: 0},
		{RequestID: "broken-off", Status: 200, Aborted: true},
	} {
		c.Consumer, c.Hospital, c.Interaction, c.Type, c.Cause = "key_1", "clinic", "read", "Patient", "dial tcp: refused"
		r.Record(&c)
		at.forward(time.Millisecond)
	}
	require.NoError(t, r.flush(t.Context()))
	failed, err := NewReader(client).ConsumerErrors(t.Context(), "key_1")
	require.NoError(t, err)
	require.Equal(t, []string{"broken-off", "left", "refused"}, requestIDs(failed))
	require.Equal(t, adminapi.CallError{
		At: time.Date(2026, 11, 22, 10, 0, 0, 125e6, time.UTC), RequestID: "refused", Consumer: "key_1", Hospital: "clinic",
		Interaction: "read", Type: "Patient", Status: 400, Issue: "invalid",
	}, failed[2])
	for _, member := range client.ZRange(t.Context(), subject{id: "key_1"}.name(), 0, -1).Val() {
		require.False(t, strings.Contains(member, "dial tcp"), "the cause is for the operator's log alone")
	}
	none, err := NewReader(client).ConsumerErrors(t.Context(), "key_2")
	require.NoError(t, err)
	require.NotNil(t, none)
	require.Empty(t, none)
}
