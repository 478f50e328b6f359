package tokens

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

func TestBrokenEndpointIsNotHammered(t *testing.T) {
	onEach(t, func(t *testing.T, b backend) {
		e := &endpoint{life: time.Hour, delay: 20 * time.Millisecond}
		e.fail(fhir.NewError(504, fhir.IssueTimeout, "the login took too long").Because(errors.New("dial 10.0.0.7")))
		one, two := newNode(t, b.dial(t)), newNode(t, b.dial(t))

		var told *fhir.Error
		for until := time.Now().Add(2500 * time.Millisecond); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
			for _, c := range []*Cache{one, two} {
				_, err := c.Get(t.Context(), saintMary, "", e.fetch)
				require.ErrorAs(t, err, &told)
				require.Equal(t, 504, told.Status)
				require.Equal(t, fhir.IssueTimeout, told.Code)
				require.Equal(t, "the login took too long", told.Text)
				if errors.Is(err, ErrRemembered) {
					require.Positive(t, told.RetryAfter)
					require.NotContains(t, err.Error(), "10.0.0.7", "causes are told once")
					require.NotErrorIs(t, err, ErrPermanent)
				}
			}
		}
		assert.EqualValues(t, 2, e.calls.Load(), "at once, after 1 s, and not before another 2 s")
		e.heal()
		require.Eventually(t, func() bool {
			token, err := two.Get(t.Context(), saintMary, "", e.fetch)
			return err == nil && token.Value == "token-3"
		}, 3*time.Second, 5*time.Millisecond)
		get(t, one, e, "", "token-3")
	})
}

func TestFailureOfAFetchThatOthersWaitFor(t *testing.T) {
	b := startRedis(t)
	e := &endpoint{delay: 200 * time.Millisecond}
	e.fail(errors.New("connection refused"))
	got := together(t, 1000, "", e, newNode(t, b.dial(t)), newNode(t, b.dial(t)))
	assert.EqualValues(t, 1, e.calls.Load())
	total := 0
	for text, n := range got {
		assert.Contains(t, text, "the gateway could not log in to the hospital")
		total += n
	}
	assert.Equal(t, 1000, total)
}

func TestPermanentFailuresAreRememberedLonger(t *testing.T) {
	b := startRedis(t)
	e := &endpoint{}
	refused := fhir.NewError(502, fhir.IssueSecurity, "the hospital refuses the gateway's credential")
	for name, err := range map[string]error{
		"around": fmt.Errorf("%w: %w", ErrPermanent, refused),
		"inside": fhir.NewError(refused.Status, refused.Code, refused.Text).Because(ErrPermanent),
	} {
		id := saintMary
		id.Key = name
		e.fail(err)
		for _, c := range []*Cache{newNode(t, b.dial(t)), newNode(t, b.dial(t))} {
			for range 2 {
				_, err := c.Get(t.Context(), id, "", e.fetch)
				var told *fhir.Error
				require.ErrorAs(t, err, &told)
				assert.Equal(t, refused.Text, told.Text)
				assert.ErrorIs(t, err, ErrPermanent)
				if errors.Is(err, ErrRemembered) {
					assert.InDelta(t, 30, told.RetryAfter.Seconds(), 5)
				}
			}
		}
	}
	assert.EqualValues(t, 2, e.calls.Load())
}

func TestRetryAfterOfTheEndpointIsKept(t *testing.T) {
	b := startRedis(t)
	e := &endpoint{}
	e.fail(fhir.NewError(429, fhir.IssueThrottled, "the hospital's token endpoint is overloaded").After(20 * time.Second))
	one, two := newNode(t, b.dial(t)), newNode(t, b.dial(t))
	_, err := one.Get(t.Context(), saintMary, "", e.fetch)
	require.NotErrorIs(t, err, ErrRemembered)
	for _, c := range []*Cache{one, two} {
		_, err := c.Get(t.Context(), saintMary, "", e.fetch)
		var told *fhir.Error
		require.ErrorAs(t, err, &told)
		assert.InDelta(t, 20, told.RetryAfter.Seconds(), 3)
	}
}

func TestPausesGrow(t *testing.T) {
	// The script and the memory of one process must agree.
	b := startRedis(t)
	for name, f := range map[string]failure{"transient": {Text: "t"}, "permanent": {Text: "p", Permanent: true}} {
		want := map[string][]time.Duration{
			"transient": {1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second},
			"permanent": {30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute},
		}[name]
		c := newNode(t, b.dial(t))
		id := saintMary
		id.Key = name
		cause := errors.New("text")
		if f.Permanent {
			cause = ErrPermanent
		}
		var alone *remembered
		for i, pause := range want {
			now := time.Now()
			alone = f.after(alone, 0, now)
			assert.Equal(t, pause, alone.until.Sub(now), "%s %d", name, i)
			assert.Equal(t, i+1, alone.attempts)

			a := claim{entry: c.entry(id), owner: newOwner()}
			require.NoError(t, c.client.Set(t.Context(), a.entry.lock(), a.owner, 0).Err())
			shared := c.fail(t.Context(), a, cause)
			assert.InDelta(t, pause.Seconds(), time.Until(shared.until).Seconds(), 0.9, "%s %d", name, i)
			assert.Equal(t, i+1, shared.attempts)
		}
	}
	old := &remembered{attempts: 5, until: time.Now().Add(-2 * attemptsMemory)}
	assert.Equal(t, 1, failure{}.after(old, 0, time.Now()).attempts, "long ago")
}

func TestEmptyOrEndedTokenIsAFailure(t *testing.T) {
	b := startRedis(t)
	c := newNode(t, b.dial(t))
	e := &endpoint{life: -time.Second}
	_, err := c.Get(t.Context(), saintMary, "", e.fetch)
	require.ErrorContains(t, err, "ended before it arrived")
	other := saintMary
	other.Key = "other"
	_, err = c.Get(t.Context(), other, "", empty)
	require.ErrorContains(t, err, "holds no token")
}

func empty(context.Context) (Token, error) { return Token{}, nil }
