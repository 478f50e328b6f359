package tokens

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// holderEnv makes the test binary a node that hangs in a fetch: its value is
// the address and the password of Redis.
const holderEnv = "TOKENS_TEST_HOLDER"

func TestMain(m *testing.M) {
	logging.Disable() // go-redis' own words about a Redis that is away
	if where := os.Getenv(holderEnv); where != "" {
		hang(where)
	}
	os.Exit(m.Run())
}

func hang(where string) {
	addr, password, _ := strings.Cut(where, " ")
	c, err := New(redis.NewClient(&redis.Options{Addr: addr, Password: password}), keySet("k1"), Lease(testLease))
	if err != nil {
		panic(err)
	}
	_, err = c.Get(context.Background(), saintMary, "", func(context.Context) (Token, error) {
		fmt.Println("fetching")
		select {}
	})
	panic(err)
}

const testLease = 600 * time.Millisecond

func TestHolderKilledInMidFetch(t *testing.T) {
	for name, b := range map[string]backend{"redis": startRedis(t), "embedded": openEmbedded(t)} {
		t.Run(name, func(t *testing.T) {
			holder := exec.Command(os.Args[0])
			holder.Env = append(os.Environ(), holderEnv+"="+b.addr+" "+b.password)
			out, err := holder.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, holder.Start())
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "fetching\n", line)

			e := &endpoint{delay: 50 * time.Millisecond, life: time.Hour}
			one, two := newNode(t, b.dial(t), Lease(testLease)), newNode(t, b.dial(t), Lease(testLease))
			answers := make(chan map[string]int)
			go func() { answers <- together(t, 1000, "", e, one, two) }()
			time.Sleep(3 * testLease)
			assert.Zero(t, e.calls.Load(), "the holder extends its lease while it lives")

			require.NoError(t, holder.Process.Kill())
			_ = holder.Wait() // killed
			assert.Equal(t, map[string]int{"token-1": 1000}, <-answers)
			assert.EqualValues(t, 1, e.calls.Load())
		})
	}
}

func TestHolderThatComesLateChangesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, b backend) {
		client := b.dial(t)
		late, next := newNode(t, b.dial(t)), newNode(t, b.dial(t))
		slow, quick := &endpoint{delay: 500 * time.Millisecond, life: time.Hour}, &endpoint{life: time.Hour}
		quick.calls.Store(10)

		answer := make(chan Token)
		go func() {
			token, err := late.Get(context.Background(), saintMary, "", slow.fetch)
			assert.NoError(t, err)
			answer <- token
		}()
		require.Eventually(t, func() bool { return slow.calls.Load() == 1 }, 5*time.Second, time.Millisecond)
		lock := late.entry(saintMary).lock()
		require.EqualValues(t, 1, client.Del(t.Context(), lock).Val(), "as if the lease had ended")
		get(t, next, quick, "", "token-11")

		assert.Equal(t, "token-11", (<-answer).Value, "the late one takes the newer token")
		get(t, newNode(t, b.dial(t)), quick, "", "token-11")
		get(t, late, slow, "", "token-11")
	})
}

func TestLateFailureIsNotRemembered(t *testing.T) {
	b := startRedis(t)
	client := b.dial(t)
	late := newNode(t, b.dial(t))
	slow := &endpoint{delay: 300 * time.Millisecond}
	slow.fail(assert.AnError)
	done := make(chan error)
	go func() {
		_, err := late.Get(context.Background(), saintMary, "", slow.fetch)
		done <- err
	}()
	require.Eventually(t, func() bool { return slow.calls.Load() == 1 }, 5*time.Second, time.Millisecond)
	e := late.entry(saintMary)
	require.NoError(t, client.Set(t.Context(), e.lock(), "another", time.Minute).Err())
	require.ErrorIs(t, <-done, assert.AnError)
	assert.Zero(t, client.Exists(t.Context(), e.failing(), e.attempts()).Val())
	assert.Equal(t, "another", client.Get(t.Context(), e.lock()).Val())
}

func TestAnswerOfRedisThatWasLost(t *testing.T) {
	b := startRedis(t)
	c := newNode(t, b.dial(t))
	a := claim{entry: c.entry(saintMary), owner: newOwner()}
	for range 2 { // as when go-redis repeats a command
		got, err := c.acquire(t.Context(), a)
		require.NoError(t, err)
		assert.Equal(t, "lead", got.kind)
	}
	other := claim{entry: a.entry, owner: newOwner()}
	got, err := c.acquire(t.Context(), other)
	require.NoError(t, err)
	assert.Equal(t, "wait", got.kind)

	h := hold(Token{Value: "t", Expires: time.Now().Add(time.Hour)}, a.owner, time.Now(), false)
	_, stored := c.store(t.Context(), a, h)
	assert.True(t, stored)
	current, stored := c.store(t.Context(), a, h)
	assert.False(t, stored)
	assert.Equal(t, a.owner, current.version)
}

func TestWaitingIsBounded(t *testing.T) {
	b := startRedis(t)
	client := b.dial(t)
	c := newNode(t, b.dial(t), FetchTimeout(100*time.Millisecond), Lease(100*time.Millisecond))
	require.NoError(t, client.Set(t.Context(), c.entry(saintMary).lock(), "one that never ends", 0).Err())
	e := &endpoint{}
	_, err := c.Get(t.Context(), saintMary, "", e.fetch)
	assert.ErrorContains(t, err, "takes too long")

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = c.Get(ctx, saintMary, "", e.fetch)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Zero(t, e.calls.Load())
}
