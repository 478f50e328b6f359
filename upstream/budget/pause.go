package budget

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// pause is how long a hospital wants no calls. The zero value is no pause.
type pause struct {
	length  time.Duration
	guessed bool // the hospital did not say for how long
}

// pauseOf reads what an answer says of a pause. now is our clock.
func pauseOf(status int, header http.Header, rule Habit, now time.Time) pause {
	theirs, dated := now, false
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		theirs, dated = date, true
	}
	told := remaining(header, theirs)
	switch status {
	case http.StatusTooManyRequests:
		if after, ok := retryAfter(header, theirs); ok {
			told = max(told, after, time.Second) // a pause of nothing cannot be meant
		}
	case http.StatusServiceUnavailable:
		after, _ := retryAfter(header, theirs)
		told = max(told, after)
	case http.StatusForbidden:
		if rule.DailyQuotaUsed {
			told = max(told, untilNext(theirs, 24*time.Hour, dated))
		}
	}
	switch {
	case told > 0:
		return pause{length: min(told, LongestTold)}
	case status != http.StatusTooManyRequests:
		return pause{}
	case rule.BareUntilMinute:
		return pause{length: untilNext(theirs, time.Minute, dated)}
	default:
		return pause{length: FirstPause, guessed: true}
	}
}

// retryAfter returns what Retry-After says, and whether it says anything.
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	if ms, ok := count(header.Get("X-Ms-Retry-After-Ms")); ok {
		return scaled(ms, time.Millisecond), true
	}
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, ok := count(value); ok {
		return scaled(seconds, time.Second), true
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(date.Sub(now), 0), true
	}
	return 0, false
}

// unixTimes is where a RateLimit-Reset is no longer a number of seconds to wait
// but, with some servers, a time since 1970.
const unixTimes = 1_000_000_000

// remaining returns when a RateLimit-Remaining of nothing ends, 0 when something is
// left or nothing is said.
func remaining(header http.Header, now time.Time) time.Duration {
	if left, ok := count(header.Get("RateLimit-Remaining")); !ok || left > 0 {
		return 0
	}
	reset, ok := count(header.Get("RateLimit-Reset"))
	switch {
	case !ok:
		return 0
	case reset >= unixTimes:
		return max(scaled(reset-now.Unix(), time.Second), 0)
	default:
		return scaled(reset, time.Second)
	}
}

// untilNext returns how long it is until the next whole period since 1970. The
// hospital's own Date is cut off to the second, which makes the pause longer, if
// anything; for our clock's difference from it a second is added.
func untilNext(now time.Time, period time.Duration, dated bool) time.Duration {
	length := now.Truncate(period).Add(period).Sub(now)
	if !dated {
		length += time.Second
	}
	return length
}

// count parses a number without a sign, as the header fields have it.
func count(text string) (int64, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 62)
	return int64(n), err == nil
}

// scaled returns n units, at most LongestTold.
func scaled(n int64, unit time.Duration) time.Duration {
	return time.Duration(min(n, int64(LongestTold/unit))) * unit
}
