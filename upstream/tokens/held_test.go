package tokens

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestWhenATokenIsRenewedAndEnds(t *testing.T) {
	for _, c := range []struct{ life, ahead, skew time.Duration }{
		{2 * time.Second, time.Second, 200 * time.Millisecond},
		{30 * time.Second, 15 * time.Second, 3 * time.Second},
		{time.Minute, 20 * time.Second, 6 * time.Second},
		{5 * time.Minute, time.Minute, 10 * time.Second},
		{570 * time.Second, 114 * time.Second, 10 * time.Second},
		{time.Hour, 5 * time.Minute, 10 * time.Second},
		{24 * time.Hour, 5 * time.Minute, 10 * time.Second},
	} {
		obtained := time.Now()
		expires := obtained.Add(c.life)
		spread := map[int64]bool{}
		for range 100 {
			h := hold(Token{Value: "t", Expires: expires}, "v", obtained, false)
			assert.Equal(t, c.skew, expires.Sub(h.until), c.life)
			ahead := expires.Sub(time.Unix(0, h.due.Load()))
			assert.LessOrEqual(t, ahead, c.ahead, c.life)
			assert.GreaterOrEqual(t, ahead, c.ahead*3/4-1, c.life)
			assert.Greater(t, ahead, c.skew, "there is time to renew it")
			spread[h.due.Load()] = true
		}
		assert.Greater(t, len(spread), 50, "nodes do not come together")
	}
}

func TestOneCallerClaimsARenewal(t *testing.T) {
	now := time.Now()
	h := hold(Token{Value: "t", Expires: now.Add(time.Hour)}, "v", now, false)
	assert.False(t, h.claim(now))
	later := now.Add(57 * time.Minute)
	assert.True(t, h.claim(later))
	assert.False(t, h.claim(later))
	h.postpone(later.Add(time.Second))
	assert.False(t, h.claim(later))
	assert.True(t, h.claim(later.Add(time.Second)))
}

func TestReplacementThatIsRefusedAgain(t *testing.T) {
	now := time.Now()
	token := Token{Value: "t", Expires: now.Add(5 * time.Second)}
	assert.True(t, hold(token, "v", now, false).settled(now))
	h := hold(token, "v", now, true)
	assert.False(t, h.settled(now))
	assert.True(t, h.settled(token.Expires), "it has ended: the hospital was right")
	token.Expires = now.Add(time.Hour)
	h = hold(token, "v", now, true)
	assert.False(t, h.settled(now.Add(refusalPause-1)))
	assert.True(t, h.settled(now.Add(refusalPause)))
}
