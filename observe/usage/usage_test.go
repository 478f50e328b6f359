package usage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/observe"
)

// What two nodes count at the same time, while both flush and a portal reads, is
// all there in the end, and no more.
func TestEveryCallIsCountedOnce(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		at := clockAt(time.Now())
		nodes := [2]*Recorder{newRecorder(client, quiet, at.now), newRecorder(client, quiet, at.now)}
		p := newPortal(client)
		const callers, each = 8, 1000
		var calls, flushes sync.WaitGroup
		for caller := range callers {
			calls.Go(func() {
				for i := range each {
					nodes[caller%2].Record(line(fmt.Sprint("key_", i%3), "clinic", "read", 200+i%2))
				}
			})
		}
		done := make(chan struct{})
		errs := make(chan error, len(nodes))
		for _, node := range nodes {
			flushes.Go(func() {
				for {
					if err := node.flush(context.Background()); err != nil {
						errs <- err
						return
					}
					select {
					case <-done:
						return
					default:
					}
				}
			})
		}
		p.catchUp(t)
		calls.Wait()
		close(done)
		flushes.Wait()
		require.Empty(t, errs)
		for _, node := range nodes {
			require.NoError(t, node.flush(t.Context()))
		}
		want := map[adminapi.Usage]int64{}
		for i := range each {
			want[at.row(fmt.Sprint("key_", i%3), "clinic", "read", 200+i%2)] += callers
		}
		require.Equal(t, want, p.catchUp(t))
		require.Equal(t, want, newPortal(client).catchUp(t), "who comes later reads the same")
	})
}

// Everything that is written ends by itself.
func TestNothingIsKeptForEver(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		r := newRecorder(client, quiet, time.Now)
		r.Record(line("key_1", "clinic", "read", 200))
		r.Record(line("key_1", "clinic", "read", 404))
		require.NoError(t, r.flush(t.Context()))
		names := client.Keys(t.Context(), Prefix+"*").Val()
		require.Len(t, names, 4)
		for _, name := range names {
			left := client.TTL(t.Context(), name).Val()
			require.Greater(t, left, 6*24*time.Hour, name)
			require.LessOrEqual(t, left, 8*24*time.Hour, name)
		}
	})
}

func TestADayEndsAtMidnightUTC(t *testing.T) {
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		midnight := time.Now().UTC().Truncate(24 * time.Hour)
		at := clockAt(midnight.Add(-time.Nanosecond).In(time.FixedZone("", 5*3600)))
		r := newRecorder(client, quiet, at.now)
		p := newPortal(client)
		want := map[adminapi.Usage]int64{}
		call := func() {
			r.Record(line("key_1", "clinic", "read", 200))
			want[at.row("key_1", "clinic", "read", 200)]++
		}
		call()
		at.forward(time.Nanosecond)
		call()
		call()
		require.NoError(t, r.flush(t.Context()))
		require.Len(t, want, 2)
		require.Equal(t, want, p.catchUp(t), "one flush writes both days")
		call()
		require.NoError(t, r.flush(t.Context()))
		require.Equal(t, want, p.catchUp(t))
	})
}

func TestOnlyKnownConsumersAreCounted(t *testing.T) {
	client := connect(t, startRedis(t))
	r := newRecorder(client, quiet, time.Now)
	r.Record(line("", "clinic", "read", 401))
	require.NoError(t, r.flush(t.Context()))
	require.Empty(t, client.Keys(t.Context(), "*").Val())
}

// What belongs to no hospital or interaction is counted too.
func TestCallsOfNoHospital(t *testing.T) {
	client := connect(t, startRedis(t))
	at := clockAt(time.Now())
	r := newRecorder(client, quiet, at.now)
	r.Record(line("key_1", "", "", 404))
	r.Record(line("key_1", "clinic", "search-type", 0))
	require.NoError(t, r.flush(t.Context()))
	require.Equal(t, map[adminapi.Usage]int64{at.row("key_1", "", "", 404): 1, at.row("key_1", "clinic", "search-type", 0): 1}, newPortal(client).catchUp(t))
	failed, err := NewReader(client).HospitalErrors(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, failed)
}

// The recorder that runs by itself writes the rest when it is closed.
func TestCloseWritesTheRest(t *testing.T) {
	client := connect(t, startRedis(t))
	r := NewRecorder(client, quiet)
	r.Record(line("key_1", "clinic", "read", 200))
	require.NoError(t, r.Close(t.Context()))
	p := newPortal(client)
	require.Len(t, p.catchUp(t), 1)
	require.Equal(t, 1, p.pages)
}

func TestRecordAllocatesNothing(t *testing.T) {
	r := newRecorder(nil, quiet, time.Now)
	good, bad := line("key_1", "clinic", "read", 200), line("key_1", "clinic", "read", 500)
	bad.Type = ""
	for range 2 * keptErrors {
		r.Record(bad)
	}
	require.Zero(t, testing.AllocsPerRun(1000, func() { r.Record(good); r.Record(bad) }))
}

// A failure is told once, and so is its end.
func TestAFailureIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	r := newRecorder(nil, slog.New(slog.NewTextHandler(&log, nil)), time.Now)
	for _, err := range []error{nil, errors.New("a"), errors.New("b"), nil, nil, errors.New("c")} {
		r.report(err)
	}
	require.Equal(t, 2, strings.Count(log.String(), "cannot be written"))
	require.Equal(t, 1, strings.Count(log.String(), "is written again"))
}

func TestPages(t *testing.T) {
	client := connect(t, startRedis(t))
	at := clockAt(time.Now().Add(-7 * 24 * time.Hour))
	r := newRecorder(client, quiet, at.now)
	want := map[adminapi.Usage]int64{}
	for range 8 {
		for consumer := range 130 {
			for _, interaction := range []string{"read", "create"} {
				name := fmt.Sprint("key_", consumer)
				r.Record(line(name, "clinic", interaction, 200))
				want[at.row(name, "clinic", interaction, 200)]++
			}
		}
		at.forward(24 * time.Hour)
	}
	require.NoError(t, r.flush(t.Context()))
	p := newPortal(client)
	p.reader.rows = 100
	require.Equal(t, want, p.catchUp(t))
	require.Equal(t, 8*130*2/100+1, p.pages)

	last := p.cursor
	require.False(t, p.read(t))
	require.Equal(t, last, p.cursor)
	used, err := p.reader.Since(t.Context(), last)
	require.NoError(t, err)
	require.Equal(t, &adminapi.Used{Rows: []adminapi.Usage{}, Next: last}, used)
	p.reader.now = func() time.Time { return time.Now().Add(20 * 24 * time.Hour) }
	used, err = p.reader.Since(t.Context(), last)
	require.NoError(t, err)
	require.Empty(t, used.Next, "days that are not kept any more are forgotten")
}

func TestCursors(t *testing.T) {
	for _, text := range []string{"", "2026-11-22_1763800000000", "2026-11-22_1763800000000,2026-11-23_0"} {
		c, err := parseCursor(text)
		require.NoError(t, err, text)
		require.Equal(t, text, c.String())
	}
	for _, text := range []string{",", "x", "2026-11-22", "2026-11-22_", "2026-11-22_x", "2026-11-22_-1", "2026-13-22_1", "2026-11-22_1,", "2026-11-22_1 "} {
		_, err := parseCursor(text)
		require.ErrorIs(t, err, ErrCursor, text)
	}
	_, err := NewReader(nil).Since(t.Context(), "x")
	require.ErrorIs(t, err, ErrCursor)
}

func FuzzCursor(f *testing.F) {
	f.Add("2026-11-22_1763800000000,2026-11-23_0")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(text)
		if err != nil {
			return
		}
		again, err := parseCursor(c.String())
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}

func FuzzField(f *testing.F) {
	f.Add("clinic", "read", 200)
	f.Fuzz(func(t *testing.T, hospital, interaction string, status int) {
		if strings.Contains(hospital+interaction, "|") {
			return
		}
		got, ok := itemOf(item{hospital, interaction, status}.field())
		require.True(t, ok)
		require.Equal(t, item{hospital, interaction, status}, got)
	})
}

func TestMarksAreNoItems(t *testing.T) {
	for _, field := range []string{mark("ABC"), "", "a|b", "a|b|c", "a|b|1|2"} {
		_, ok := itemOf(field)
		require.False(t, ok, field)
	}
}

func BenchmarkRecord(b *testing.B) {
	r := newRecorder(nil, quiet, time.Now)
	calls := make([]*observe.Call, 256)
	for i := range calls {
		calls[i] = line(fmt.Sprintf("key_%016d", i%16), fmt.Sprintf("hospital-%d", i%4), "search-type", 200)
	}
	failed := line("key_0000000000000001", "hospital-1", "search-type", 429)
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			r.Record(calls[i%len(calls)])
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				r.Record(calls[i%len(calls)])
			}
		})
	})
	b.Run("error", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Record(failed)
		}
	})
}
