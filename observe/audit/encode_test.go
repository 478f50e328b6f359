package audit

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEncoding compares with encoding/json, also for texts that need escapes or
// are no UTF-8, which callers can send in headers.
func TestEncoding(t *testing.T) {
	all := records(t)
	require.NotEmpty(t, all)
	for _, strange := range []string{`a"b\c`, "tab\tline\n\x01", "<&>\u2028ü", "\xff\xfe cut \xc3"} {
		event := read("1")
		event.OnBehalfOf, event.Purpose, event.RequestID = strange, strange, strange
		all[strange] = &Record{Kind: KindCall, Event: event, Sequence: 3}
	}
	for name, record := range all {
		t.Run(name, func(t *testing.T) {
			want, err := json.Marshal(record.resource(server))
			require.NoError(t, err)
			require.JSONEq(t, string(want), string(record.encode(server)))
		})
	}
}
