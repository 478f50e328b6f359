package trail_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/logbuffer"
	"fhirgate/portal/store"
	"fhirgate/portal/trail"
)

// fakeStore verifies in two steps, the second of which takes a minute.
type fakeStore struct {
	mu      sync.Mutex
	verdict store.Verdict
	err     error
	count   int
}

func (f *fakeStore) VerifyActsInSteps(ctx context.Context, _ int64, seen func(read, of int64)) (store.Verdict, error) {
	seen(500, 900)
	select {
	case <-ctx.Done():
		return store.Verdict{}, ctx.Err()
	case <-time.After(time.Minute):
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	return f.verdict, f.err
}

// finds sets what the next verifications find.
func (f *fakeStore) finds(verdict store.Verdict, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.verdict, f.err = verdict, err
}

func (f *fakeStore) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// running calls test with a Verifier that runs until the test ends.
func running(t *testing.T, test func(t *testing.T, v *trail.Verifier, f *fakeStore, log *logbuffer.Buffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, log := &fakeStore{verdict: store.Verdict{Count: 900, Head: "abc"}}, new(logbuffer.Buffer)
		v := trail.New(trail.Options{Store: f, Log: slog.New(slog.NewTextHandler(log, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { v.Run(ctx); close(ended) }()
		synctest.Wait()
		test(t, v, f, log)
		cancel()
		<-ended
	})
}

func TestTheTrailIsVerifiedAtTheStartAndEveryHour(t *testing.T) {
	running(t, func(t *testing.T, v *trail.Verifier, f *fakeStore, log *logbuffer.Buffer) {
		require.Equal(t, trail.State{Running: true, Read: 500, Of: 900}, v.State())
		began := time.Now()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, trail.State{Last: &trail.Report{Verdict: f.verdict, At: began.Add(time.Minute)}}, v.State())
		require.Nil(t, v.Broken())
		require.Contains(t, log.String(), "level=INFO msg=\"the trail of acts is intact\" acts=900 ms=60000")
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		require.Equal(t, 4, f.times())
	})
}

func TestABrokenTrailIsLoggedEachTime(t *testing.T) {
	running(t, func(t *testing.T, v *trail.Verifier, f *fakeStore, log *logbuffer.Buffer) {
		f.finds(store.Verdict{Count: 6, Broken: 7, Problem: "act 7 was changed"}, nil)
		time.Sleep(2*time.Hour + 2*time.Minute)
		synctest.Wait()
		require.EqualValues(t, 7, v.Broken().Broken)
		require.Equal(t, 3, strings.Count(log.String(), `level=ERROR msg="the trail of acts is broken" act=7 problem="act 7 was changed"`))
	})
}

func TestATrailThatCannotBeReadKeepsTheLastReport(t *testing.T) {
	running(t, func(t *testing.T, v *trail.Verifier, f *fakeStore, log *logbuffer.Buffer) {
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		last := v.State().Last
		f.finds(store.Verdict{}, errors.New("the database is away"))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, trail.State{Last: last, Failed: true}, v.State())
		require.Contains(t, log.String(), "level=WARN")
		f.finds(store.Verdict{Count: 901}, nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.False(t, v.State().Failed)
		require.EqualValues(t, 901, v.State().Last.Count)
	})
}

// TestWhoeverAsksGetsOneVerification asks while one is under way, and after it.
func TestWhoeverAsksGetsOneVerification(t *testing.T) {
	running(t, func(t *testing.T, v *trail.Verifier, f *fakeStore, _ *logbuffer.Buffer) {
		first := v.Begin()
		require.Equal(t, first, v.Begin(), "there is one for all who ask meanwhile")
		<-first
		require.Equal(t, 1, f.times())
		require.False(t, v.State().Running)
		second := v.Begin()
		require.NotEqual(t, first, second)
		<-second
		require.Equal(t, 2, f.times())
	})
}

func TestAnEndedPortalLeavesNoTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(logbuffer.Buffer)
		v := trail.New(trail.Options{Store: &fakeStore{}, Log: slog.New(slog.NewTextHandler(log, nil))})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		v.Run(ctx)
		require.Empty(t, log.String())
	})
}
