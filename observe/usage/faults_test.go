package usage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
)

var errFault = errors.New("the connection broke")

// faults breaks a client's connections: before a command has arrived, or after
// Redis has executed it, or in the middle of a pipeline.
type faults struct{ next func() fault }

type fault int

const (
	none fault = iota
	notSent
	answerLost
	halfSent
)

func (f *faults) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (f *faults) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		which := f.next()
		if which != notSent {
			if err := next(ctx, cmd); err != nil || which == none {
				return err
			}
		}
		cmd.SetErr(errFault)
		return errFault
	}
}

func (f *faults) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		var sent int
		switch which := f.next(); which {
		case none:
			return next(ctx, cmds)
		case answerLost:
			sent = len(cmds)
		case halfSent:
			sent = len(cmds) / 2
		}
		if sent > 0 {
			_ = next(ctx, cmds[:sent])
		}
		for _, cmd := range cmds {
			cmd.SetErr(errFault)
		}
		return errFault
	}
}

// faulty returns a client of addr that meets the faults that next returns.
func faulty(t *testing.T, addr string, next func() fault) *redis.Client {
	client := connect(t, addr)
	client.AddHook(&faults{next})
	return client
}

// Whatever becomes of a flush, each call is counted once.
func TestABrokenFlushIsTriedAgain(t *testing.T) {
	addr := startRedis(t)
	for name, which := range map[string]fault{"nothing arrived": notSent, "all arrived": answerLost, "half arrived": halfSent} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, connect(t, addr).FlushAll(t.Context()).Err())
			now := none
			client := faulty(t, addr, func() fault { return now })
			at := clockAt(time.Now())
			r := newRecorder(client, quiet, at.now)
			want := map[adminapi.Usage]int64{}
			call := func(consumer string) {
				r.Record(line(consumer, "clinic", "read", 500))
				want[at.row(consumer, "clinic", "read", 500)]++
			}
			call("key_1")
			require.NoError(t, r.flush(t.Context()))
			now = which
			for range 3 {
				call("key_1")
				call("key_2")
				require.ErrorIs(t, r.flush(t.Context()), errFault)
			}
			now = none
			call("key_3")
			require.NoError(t, r.flush(t.Context()))
			require.NoError(t, r.flush(t.Context()), "what was counted during the failures has a flush of its own")
			require.Equal(t, want, newPortal(client).catchUp(t))
			require.Empty(t, r.backlog.accounts)
			require.Empty(t, r.backlog.announced)
			require.Empty(t, r.backlog.errors)
			failed, err := NewReader(client).ConsumerErrors(t.Context(), "key_1")
			require.NoError(t, err)
			require.Len(t, failed, 1, "errors of one request id and time are one")
		})
	}
}

// A flush that the network held back may arrive after the one that took its place.
func TestALateFlushIsNothing(t *testing.T) {
	client := connect(t, startRedis(t))
	count := func(recorder string, number int) {
		require.NoError(t, client.Eval(t.Context(), countScript, []string{"x"}, mark(recorder), number, 60, "a|b|200", 1).Err())
	}
	count("A", 9)
	count("A", 10)
	count("A", 9)
	count("A", 10)
	count("B", 1)
	require.Equal(t, "3", client.HGet(t.Context(), "x", "a|b|200").Val())
}

// Two nodes whose connections break as they like: a portal that reads a page now
// and then has everything as soon as both have flushed.
func TestNoChangeIsMissed(t *testing.T) {
	addr := startRedis(t)
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			require.NoError(t, connect(t, addr).FlushAll(t.Context()).Err())
			random := rand.New(rand.NewPCG(seed, 1))
			broken := true
			next := func() fault {
				if !broken || random.IntN(3) > 0 {
					return none
				}
				return fault(1 + random.IntN(3))
			}
			clocks := [2]*clock{clockAt(time.Now()), clockAt(time.Now().Add(-time.Minute))}
			nodes := [2]*Recorder{
				newRecorder(faulty(t, addr, next), quiet, clocks[0].now),
				newRecorder(faulty(t, addr, next), quiet, clocks[1].now),
			}
			p := newPortal(connect(t, addr))
			p.reader.rows = 3
			want := map[adminapi.Usage]int64{}
			for range 20 {
				for range 60 {
					node := random.IntN(2)
					switch random.IntN(8) {
					case 0:
						_ = nodes[node].flush(t.Context()) // that it fails is the point
					case 1:
						p.read(t)
					default:
						consumer, status := fmt.Sprint("key_", random.IntN(6)), 200+random.IntN(2)
						nodes[node].Record(line(consumer, "clinic", "read", status))
						want[clocks[node].row(consumer, "clinic", "read", status)]++
					}
				}
				broken = false
				for _, node := range nodes {
					require.NoError(t, node.flush(t.Context()))
					require.NoError(t, node.flush(t.Context()))
				}
				require.Equal(t, want, p.catchUp(t))
				broken = true
			}
		})
	}
}

// A Redis that has lost its data does not stop readers who are further on.
func TestPlacesRiseAfterALoss(t *testing.T) {
	client := connect(t, startRedis(t))
	r := newRecorder(client, quiet, time.Now)
	p := newPortal(client)
	for range 3 {
		r.Record(line("key_1", "clinic", "read", 200))
		require.NoError(t, r.flush(t.Context()))
		require.Len(t, p.catchUp(t), 1)
		clear(p.counts)
		require.NoError(t, client.FlushAll(t.Context()).Err())
		begun := time.Now() // places are milliseconds: what comes next is in another one
		require.Eventually(t, func() bool { return time.Since(begun) > 2*time.Millisecond }, time.Second, time.Millisecond)
	}
}

// While Redis is away the backlog grows with what there is to count, not with
// how often it is counted.
func TestTheBacklogIsBounded(t *testing.T) {
	r := newRecorder(faulty(t, "127.0.0.1:1", func() fault { return notSent }), quiet, time.Now)
	for range 3 {
		for i := range maxNames + 100 {
			for range 2 {
				r.Record(line(fmt.Sprint("key_", i%(maxNames+50)), "clinic", "read", 500))
			}
		}
		for range 3 * keptErrors {
			r.Record(line("key_0", "clinic", "read", 500))
		}
		require.LessOrEqual(t, len(r.tally.errors), maxNames)
		require.Error(t, r.flush(t.Context()))
		require.LessOrEqual(t, len(r.backlog.errors), maxNames)
		for _, kept := range r.backlog.errors {
			require.LessOrEqual(t, len(kept), keptErrors)
		}
	}
	require.Len(t, r.backlog.accounts, maxNames+50)
}
