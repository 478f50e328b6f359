package upstream

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	for value, want := range map[string]struct {
		wait time.Duration
		told bool
	}{
		"":                              {0, false},
		"soon":                          {0, false},
		"-1":                            {0, false},
		"0":                             {0, true},
		"7":                             {7 * time.Second, true},
		"9223372037":                    {MaxRetryAfter, true}, // times a second this is beyond an int64
		"99999999999999":                {MaxRetryAfter, true},
		"Sun, 22 Nov 2026 06:00:30 GMT": {30 * time.Second, true},
		"Sun, 22 Nov 2020 06:00:30 GMT": {0, true},
		"Sun, 22 Nov 2126 06:00:30 GMT": {MaxRetryAfter, true},
	} {
		wait, told := RetryAfter(http.Header{"Retry-After": {value}}, now)
		require.Equal(t, want.wait, wait, value)
		require.Equal(t, want.told, told, value)
	}
}
