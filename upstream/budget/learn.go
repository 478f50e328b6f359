package budget

import (
	"context"
	"net/http"
	"time"
)

// Habit is how a vendor's hospitals behave beyond the RFCs, and what the caller
// has found in an answer's body.
type Habit struct {
	// BareUntilMinute says that a 429 without Retry-After ends when the minute
	// turns (eClinicalWorks).
	BareUntilMinute bool
	// DailyQuotaUsed says that the body of this answer, a 403, holds the text which
	// proves that the day's quota is used up; it ends at 00:00 GMT (athenahealth).
	DailyQuotaUsed bool
}

const (
	// FirstPause is how long a 429 that says nothing closes the budget; each
	// repetition doubles it, up to LongestPause. One that comes later after the
	// pause's end than the pause was long is the first again.
	FirstPause = 30 * time.Second
	// LongestPause is the longest pause that the gateway chooses by itself.
	LongestPause = 15 * time.Minute
	// LongestTold is the longest pause that a hospital is believed: a day.
	LongestTold = 24 * time.Hour
)

// Learn looks at a hospital's answer and closes the budget, on all nodes, for as
// long as the hospital asks for:
//
//   - 429 or 503 with Retry-After, in seconds or as a date (RFC 9110 section 10.2.3),
//     or with Azure's x-ms-retry-after-ms;
//   - any status with RateLimit-Remaining: 0, until RateLimit-Reset
//     (draft-ietf-httpapi-ratelimit-headers-06; athenahealth);
//   - 429 without either, by the habit or for [FirstPause];
//   - 403 when Habit.DailyQuotaUsed, until 00:00 GMT.
//
// A date is counted from the answer's own Date, when it has one. Answers that say
// none of these cost nothing. A failure to tell Redis is logged.
func (b *Budget) Learn(status int, header http.Header, rule Habit) {
	p := pauseOf(status, header, rule, time.Now())
	if p == (pause{}) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	err := closeScript.Run(ctx, b.client, []string{b.keys.closed, b.keys.guesses},
		p.length.Microseconds(), p.guessed, LongestPause.Microseconds()).Err()
	if err != nil {
		b.log.Warn("a pause that the hospital asked for could not be kept", "error", err)
	}
}
