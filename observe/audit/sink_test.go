package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
)

// fakeSink keeps what is written and fails when it is told to.
type fakeSink struct {
	mu     sync.Mutex
	broken error
	stored []item // safely
	fresh  []item // written since the last sync
}

func (s *fakeSink) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

func (s *fakeSink) reopen(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = nil
	return s.broken
}

func (s *fakeSink) write(items []item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = append(s.fresh, items[:len(items)/2]...) // the first half arrives even when it fails
	if s.broken != nil {
		return s.broken
	}
	s.fresh = append(s.fresh, items[len(items)/2:]...)
	return nil
}

func (s *fakeSink) sync() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return 0, s.broken
	}
	n := len(s.fresh)
	s.stored, s.fresh = append(s.stored, s.fresh...), nil
	return n, nil
}

func (s *fakeSink) close(context.Context) error { return nil }

// records are those that are safely stored, in order, each once.
func (s *fakeSink) records(t *testing.T) []*Record {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Record
	for i, one := range s.stored {
		r, err := decodeRecord(one.plain)
		require.NoError(t, err)
		require.Equal(t, uint64(i+1), r.Sequence)
		if i > 0 {
			require.Equal(t, s.stored[i-1].hash, r.Previous)
		}
		all = append(all, r)
	}
	return all
}

var errFull = errors.New("no space left on device")

func faked(t *testing.T, whenDown string) (*Trail, *fakeSink) {
	fake := &fakeSink{}
	return opened(t, Options{
		Config: completed(t, func(c *Config) { c.WhenDown = whenDown }), Keys: envelope.NewSet(),
		sink: fake, retry: time.Millisecond,
	}), fake
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 30*time.Second, time.Millisecond, what)
}

func TestRefuseWhileDown(t *testing.T) {
	trail, fake := faked(t, Refuse)
	fake.set(errFull)
	trail.Record(read("1"))
	eventually(t, "calls are refused", func() bool { return errors.Is(trail.Ready(), ErrDown) })
	require.True(t, trail.Stats().Down)
	trail.Record(read("2")) // a call that was under way
	fake.set(nil)
	eventually(t, "the sink is noticed by itself", func() bool { return trail.Ready() == nil })
	closed(t, trail)
	require.Len(t, fake.records(t), 2)
	require.Equal(t, Stats{Written: 2}, trail.Stats())
}

func TestContinueWhileDown(t *testing.T) {
	trail, fake := faked(t, Continue)
	fake.set(errFull)
	first := read("0")
	for n := range maxQueued + maxQueued/2 {
		e := first
		e.Time = first.Time.Add(time.Duration(n) * time.Second)
		trail.Record(e)
		require.NoError(t, trail.Ready())
	}
	lost := trail.Stats().Lost
	require.NotZero(t, lost)
	require.LessOrEqual(t, lost, uint64(maxQueued/2))
	fake.set(nil)
	closed(t, trail)

	records := fake.records(t)
	require.Len(t, records, maxQueued+maxQueued/2-int(lost)+1)
	var gaps []*Record
	for _, r := range records {
		if r.Kind == KindGap {
			gaps = append(gaps, r)
		}
	}
	require.Len(t, gaps, 1)
	require.Equal(t, lost, gaps[0].Lost)
	require.Equal(t, first.Time.Add(time.Duration(maxQueued+maxQueued/2-1)*time.Second), gaps[0].Until)
	require.Equal(t, first.Time.Add(time.Duration(maxQueued+maxQueued/2-int(lost))*time.Second), gaps[0].From)
}

// A burst of entries of batches must be no way to have other calls not recorded.
func TestABurstLosesNothing(t *testing.T) {
	trail, fake := faked(t, Continue)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for range maxQueued {
				trail.Record(read("1"))
			}
		})
	}
	senders.Wait()
	closed(t, trail)
	require.Zero(t, trail.Stats().Lost)
	require.Len(t, fake.records(t), 4*maxQueued)
}

func TestNearlyFullRefuses(t *testing.T) {
	q := newQueue()
	trail := &Trail{refuses: true, queue: q}
	e := read("1")
	for !q.nearlyFull() {
		require.NoError(t, trail.Ready())
		q.put(&e, 0)
	}
	require.ErrorIs(t, trail.Ready(), ErrDown)
	trail.refuses = false
	require.NoError(t, trail.Ready())
}

func TestQueueIsBoundedInBytes(t *testing.T) {
	q := newQueue()
	e := read("1")
	for range maxReferences {
		e.Patients = append(e.Patients, "Patient/"+fmt.Sprint(len(e.Patients)))
	}
	for range maxQueued {
		q.put(&e, 0)
	}
	waiting, lost := q.numbers()
	require.Less(t, waiting, maxQueued)
	require.LessOrEqual(t, waiting*e.size(), maxQueuedBytes)
	require.Equal(t, uint64(maxQueued-waiting), lost)
	events, losses := q.take(waiting)
	require.Len(t, events, waiting)
	require.Equal(t, lost, losses.count)
	require.Zero(t, q.bytes)
}

func TestPutWaitsForRoom(t *testing.T) {
	q := newQueue()
	e := read("1")
	for range maxQueued {
		q.put(&e, 0)
	}
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		q.put(&e, time.Minute)
	}()
	q.take(1)
	<-waited
	waiting, lost := q.numbers()
	require.Equal(t, maxQueued, waiting)
	require.Zero(t, lost)

	q.put(&e, time.Millisecond)
	q.put(&e, time.Minute) // does not wait for what another has waited for in vain
	q.close()
	q.put(&e, time.Minute) // nor for what can't come
	_, lost = q.numbers()
	require.Equal(t, uint64(3), lost)
}

func TestCloseTellsWhatIsLost(t *testing.T) {
	trail, fake := faked(t, Refuse)
	fake.set(errFull)
	trail.Record(read("1"))
	trail.Record(read("2"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := trail.Close(ctx)
	require.ErrorIs(t, err, ErrDown)
	require.ErrorContains(t, err, "2 records are lost")
}

func TestOff(t *testing.T) {
	trail := opened(t, Options{Config: completed(t, func(c *Config) { c.Sink = SinkOff })})
	trail.Record(read("1"))
	require.NoError(t, trail.Ready())
	require.Zero(t, trail.Stats())
	closed(t, trail)
}

// items are records of a chain of their own.
func items(t *testing.T, w *writer, n int) []item {
	t.Helper()
	for range n {
		w.add(&Record{Kind: KindCall, Event: read("1")})
	}
	made := w.pending
	w.pending = nil
	return made
}

func TestFileIsWrittenAgainFromWhatIsSafe(t *testing.T) {
	config, keys := completed(t, nil), envelope.NewSet()
	ring, err := newKeyring(keys)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(config.Folder, 0o700))
	w := &writer{ring: ring, now: time.Now, head: &head{Node: "n", First: 1}, next: 1}
	all := items(t, w, 9)
	s := &fileSink{seal: ring.seal, folder: config.Folder, node: "n", limit: 1 << 30}
	ctx := t.Context()

	require.NoError(t, s.reopen(ctx))
	require.NoError(t, s.write(all[:3]))
	n, err := s.sync()
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.NoError(t, s.write(all[3:5]))
	require.NoError(t, s.file.Close()) // what comes now fails
	require.Error(t, s.write(all[5:6]))
	require.NoError(t, s.reopen(ctx))
	require.NoError(t, s.write(all[3:6]))
	n, err = s.sync()
	require.NoError(t, err)
	require.Equal(t, 3, n)

	require.NoError(t, os.Remove(s.path)) // somebody takes the file away
	require.NoError(t, s.write(all[6:7]))
	_, err = s.sync()
	require.Error(t, err)
	require.NoError(t, s.reopen(ctx))
	require.NoError(t, s.write(all[6:7]))
	_, err = s.sync()
	require.NoError(t, err)
	require.Equal(t, logPath(config.Folder, "n", 7), s.path)

	require.NoError(t, os.WriteFile(s.path, nil, 0o600)) // somebody empties it
	require.NoError(t, s.reopen(ctx))
	require.NoError(t, s.write(all[7:]))
	n, err = s.sync()
	require.NoError(t, err)
	require.Equal(t, 2, n)
	w.head.Sequence, w.head.Hash = 9, all[8].hash
	require.NoError(t, w.head.write(ring, config.Folder, time.Now()))
	chains, err := Verify(ctx, config.Folder, keys)
	require.NoError(t, err)
	require.Equal(t, "records 1 to 7 are missing before this one", chains[0].Problems[0].Text)
}
