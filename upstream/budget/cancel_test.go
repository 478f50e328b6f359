package budget

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

var errLeft = errors.New("the client has left")

func TestACancelledWaitReturnsAtOnceAndLeavesTheLine(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		b := New(connect(), "h", Limits{Requests: 1, Per: 10 * time.Second, MaxWait: time.Minute})
		require.NoError(t, take(b, "a"))
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { cancel(errLeft) })
		start := time.Now()
		_, err := b.Acquire(ctx, "a")
		require.ErrorIs(t, err, errLeft)
		require.Less(t, time.Since(start), 5*time.Second)
		require.Eventually(t, func() bool {
			state, err := b.State(t.Context())
			return err == nil && state.Waiting == 0
		}, 5*time.Second, 10*time.Millisecond)
		_, err = b.Acquire(ctx, "a")
		require.ErrorIs(t, err, errLeft, "nothing is asked for a client that has left")
	})
}

// slowHook makes Redis answer late.
type slowHook func() time.Duration

func (slowHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (slowHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h slowHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		time.Sleep(h())
		return err
	}
}

// What Redis grants after the client has left is given back: request and lease.
func TestAGrantThatComesTooLateIsGivenBack(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		limits := Limits{Requests: 2, Per: time.Hour, Concurrency: 1, MaxWait: -1}
		fast := New(connect(), "h", limits)
		require.NoError(t, take(fast, "a")) // Redis knows the script now
		slow := connect()
		require.NoError(t, slow.Ping(t.Context()).Err())
		slow.AddHook(slowHook(func() time.Duration { return 300 * time.Millisecond }))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := New(slow, "h", limits).Acquire(ctx, "a")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(start), 250*time.Millisecond)
		state, err := fast.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, state.Used)
		require.Equal(t, 1, state.InFlight)
		require.Eventually(t, func() bool {
			state, err := fast.State(t.Context())
			return err == nil && state.Used == 1 && state.InFlight == 0
		}, 5*time.Second, 10*time.Millisecond)
		require.NoError(t, take(fast, "a"))
	})
}

func TestWithoutRedisNothingIsGranted(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	b := New(client, "h", Limits{Requests: 10}, quiet())
	_, err := b.Acquire(t.Context(), "a")
	var e *fhir.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, http.StatusServiceUnavailable, e.Status)
	var cause *net.OpError
	require.ErrorAs(t, err, &cause)
	require.NotContains(t, e.Text, "127.0.0.1")
	_, err = b.State(t.Context())
	require.ErrorAs(t, err, &e)
	require.Equal(t, http.StatusServiceUnavailable, e.Status)
	b.Learn(http.StatusTooManyRequests, nil, Habit{})
}

// A renewal that fails is tried again; without calls under way nothing runs.
func TestNothingRunsWithoutCalls(t *testing.T) {
	client := dial(t, startRedis(t), "")
	b := New(client, "h", Limits{Requests: 100, Concurrency: 10}, WithLease(600*time.Millisecond), quiet())
	for range 10 {
		release, err := b.Acquire(t.Context(), "a")
		require.NoError(t, err)
		defer release()
	}
	time.Sleep(time.Second)
	state, err := b.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, 10, state.InFlight)
	ctx, cancel := context.WithCancel(t.Context())
	for range 50 {
		go func() { _, _ = b.Acquire(ctx, "b") }()
	}
	time.Sleep(50 * time.Millisecond)
	cancel()
	for name := range b.leases.held {
		b.leases.remove(name)
	}
	nothingRuns(t)
}
