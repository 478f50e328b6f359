package tokens

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestState(t *testing.T) {
	onEach(t, func(t *testing.T, b backend) {
		one, two := newNode(t, b.dial(t)), newNode(t, b.dial(t))
		state := func() State {
			s, err := two.State(t.Context(), saintMary)
			require.NoError(t, err)
			require.NotContains(t, fmt.Sprintf("%+v", s), "token-")
			return s
		}
		assert.Equal(t, State{}, state())

		e := &endpoint{life: time.Hour, delay: 300 * time.Millisecond}
		e.fail(errors.New("secret"))
		go one.Get(context.Background(), saintMary, "", e.fetch)
		require.Eventually(t, func() bool { return state().Fetching }, 5*time.Second, time.Millisecond)
		require.Eventually(t, func() bool { return state().Failure != "" }, 5*time.Second, time.Millisecond)
		s := state()
		assert.False(t, s.Held)
		assert.False(t, s.Fetching)
		assert.Equal(t, 1, s.Attempts)
		assert.Equal(t, "the gateway could not log in to the hospital", s.Failure)
		assert.WithinDuration(t, time.Now().Add(time.Second), s.Again, time.Second)

		e.heal()
		require.Eventually(t, func() bool {
			_, err := one.Get(t.Context(), saintMary, "", e.fetch)
			return err == nil
		}, 5*time.Second, 10*time.Millisecond)
		s = state()
		assert.True(t, s.Held)
		assert.Equal(t, "system/Patient.rs", s.Scope)
		assert.WithinDuration(t, time.Now(), s.Obtained, 5*time.Second)
		assert.WithinDuration(t, time.Now().Add(time.Hour), s.Expires, 5*time.Second)
		assert.Zero(t, s.Attempts)
		assert.Empty(t, s.Failure)
	})
}

func TestStateWithoutRedis(t *testing.T) {
	var told reports
	c := newNode(t, backend{addr: "127.0.0.1:" + freePort(t)}.dial(t), told.option())
	get(t, c, &endpoint{life: time.Hour}, "", "token-1")
	s, err := c.State(t.Context(), saintMary)
	assert.Error(t, err)
	assert.True(t, s.Held)
	assert.Error(t, c.Forget(t.Context(), saintMary))
	s, _ = c.State(t.Context(), saintMary)
	assert.False(t, s.Held)
}

func TestForget(t *testing.T) {
	onEach(t, func(t *testing.T, b backend) {
		one, two := newNode(t, b.dial(t)), newNode(t, b.dial(t))
		e := &endpoint{life: time.Hour}
		get(t, one, e, "", "token-1")
		get(t, two, e, "", "token-1")
		listening(t, b, 2)
		require.NoError(t, one.Forget(t.Context(), saintMary))
		for i, c := range []*Cache{one, two} {
			require.Eventually(t, func() bool {
				token, err := c.Get(t.Context(), saintMary, "", e.fetch)
				return err == nil && token.Value == "token-2"
			}, 5*time.Second, time.Millisecond, "node %d", i)
		}
		assert.EqualValues(t, 2, e.calls.Load())

		failing := &endpoint{}
		failing.fail(ErrPermanent)
		_, err := one.Get(t.Context(), saintMary, "token-2", failing.fetch)
		require.ErrorIs(t, err, ErrPermanent)
		require.NoError(t, one.Forget(t.Context(), saintMary))
		get(t, one, e, "", "token-3")
	})
}

func TestForgetInMidFetch(t *testing.T) {
	b := startRedis(t)
	c := newNode(t, b.dial(t))
	slow := &endpoint{delay: 300 * time.Millisecond, life: time.Hour}
	answer := make(chan string)
	go func() {
		token, _ := c.Get(context.Background(), saintMary, "", slow.fetch)
		answer <- token.Value
	}()
	require.Eventually(t, func() bool { return slow.calls.Load() == 1 }, 5*time.Second, time.Millisecond)
	require.NoError(t, c.Forget(t.Context(), saintMary))
	get(t, c, slow, "", "token-2")
	require.Contains(t, []string{"token-1", "token-2"}, <-answer, "those who waited have one")
	get(t, c, slow, "", "token-2")
	require.EqualValues(t, 2, slow.calls.Load())
}
