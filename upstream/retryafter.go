package upstream

import (
	"net/http"
	"strconv"
	"time"
)

// MaxRetryAfter is the longest wait that a hospital is believed to ask for.
const MaxRetryAfter = 24 * time.Hour

// RetryAfter reads Retry-After (RFC 9110 section 10.2.3: seconds, or a date), as
// a wait of 0 to MaxRetryAfter from now. told is false where there is none that
// can be read.
func RetryAfter(header http.Header, now time.Time) (wait time.Duration, told bool) {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 62); err == nil {
		return time.Duration(min(seconds, uint64(MaxRetryAfter/time.Second))) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(date.Sub(now), 0), MaxRetryAfter), true
	}
	return 0, false
}
