package budget

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestPauseOf(t *testing.T) {
	now := time.Date(2026, 11, 22, 13, 14, 15, 500_000_000, time.UTC)
	const date, later = "Sun, 22 Nov 2026 13:00:50 GMT", "Sun, 22 Nov 2026 13:01:50 GMT"
	guess := pause{length: FirstPause, guessed: true}
	for name, c := range map[string]struct {
		status int
		header http.Header
		habit  Habit
		want   pause
	}{
		"200":                          {200, headers(), Habit{}, pause{}},
		"200, habits":                  {200, headers(), Habit{BareUntilMinute: true, DailyQuotaUsed: true}, pause{}},
		"200 with Retry-After":         {200, headers("Retry-After", "7"), Habit{}, pause{}},
		"429 bare":                     {429, headers(), Habit{}, guess},
		"429 in seconds":               {429, headers("Retry-After", "7"), Habit{}, pause{length: 7 * time.Second}},
		"429 at once":                  {429, headers("Retry-After", "0"), Habit{}, pause{length: time.Second}},
		"429, nonsense":                {429, headers("Retry-After", "soon"), Habit{}, guess},
		"429, negative":                {429, headers("Retry-After", "-3"), Habit{}, guess},
		"429, for ever":                {429, headers("Retry-After", "4611686018427387903"), Habit{}, pause{length: LongestTold}},
		"429, date, our clock":         {429, headers("Retry-After", "Sun, 22 Nov 2026 13:14:20 GMT"), Habit{}, pause{length: 4500 * time.Millisecond}},
		"429, date, their clock":       {429, headers("Retry-After", later, "Date", date), Habit{}, pause{length: time.Minute}},
		"429, past date":               {429, headers("Retry-After", date, "Date", later), Habit{}, pause{length: time.Second}},
		"429, milliseconds":            {429, headers("x-ms-retry-after-ms", "1500"), Habit{}, pause{length: 1500 * time.Millisecond}},
		"503":                          {503, headers(), Habit{BareUntilMinute: true}, pause{}},
		"503 in seconds":               {503, headers("Retry-After", "7"), Habit{}, pause{length: 7 * time.Second}},
		"500 with Retry-After":         {500, headers("Retry-After", "7"), Habit{}, pause{}},
		"nothing remains":              {200, headers("RateLimit-Remaining", "0", "RateLimit-Reset", "30"), Habit{}, pause{length: 30 * time.Second}},
		"nothing remains, Unix time":   {200, headers("RateLimit-Remaining", "0", "RateLimit-Reset", "1795353285"), Habit{}, pause{length: 30 * time.Second}},
		"nothing remains, no reset":    {200, headers("RateLimit-Remaining", "0"), Habit{}, pause{}},
		"something remains":            {200, headers("RateLimit-Remaining", "1", "RateLimit-Reset", "30"), Habit{}, pause{}},
		"429, the longer of both":      {429, headers("RateLimit-Remaining", "0", "RateLimit-Reset", "30", "Retry-After", "7"), Habit{}, pause{length: 30 * time.Second}},
		"429 until the minute, theirs": {429, headers("Date", date), Habit{BareUntilMinute: true}, pause{length: 10 * time.Second}},
		"429 until the minute, ours":   {429, headers(), Habit{BareUntilMinute: true}, pause{length: 45500 * time.Millisecond}},
		"429 told, with the habit":     {429, headers("Retry-After", "7"), Habit{BareUntilMinute: true}, pause{length: 7 * time.Second}},
		"403":                          {403, headers(), Habit{}, pause{}},
		"403 over quota":               {403, headers("Date", date), Habit{DailyQuotaUsed: true}, pause{length: 11*time.Hour - 50*time.Second}},
		"404 over quota":               {404, headers("Date", date), Habit{DailyQuotaUsed: true}, pause{}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, pauseOf(c.status, c.header, c.habit, now))
		})
	}
}

func FuzzPauseOf(f *testing.F) {
	f.Add(429, "120", "Sun, 22 Nov 2026 13:00:50 GMT", "0", "30", "", false, false)
	f.Add(503, "Sun, 22 Nov 2026 13:00:50 GMT", "", "1", "1795353285", "1500", true, false)
	f.Add(403, "-1", "x", "99999999999999999999", "+5", " 7 ", false, true)
	now := time.Date(2026, 11, 22, 13, 14, 15, 0, time.UTC)
	f.Fuzz(func(t *testing.T, status int, after, date, left, reset, ms string, minute, day bool) {
		h := http.Header{"Retry-After": {after}, "Date": {date}, "Ratelimit-Remaining": {left}, "Ratelimit-Reset": {reset}, "X-Ms-Retry-After-Ms": {ms}}
		p := pauseOf(status, h, Habit{BareUntilMinute: minute, DailyQuotaUsed: day}, now)
		if p.length < 0 || p.length > LongestTold {
			t.Fatalf("a pause of %v", p.length)
		}
		if p.guessed && (status != http.StatusTooManyRequests || p.length != FirstPause) {
			t.Fatalf("guessed at %d: %v", status, p.length)
		}
		if status == http.StatusTooManyRequests && p.length <= 0 {
			t.Fatal("a 429 that pauses nothing")
		}
	})
}
