package usage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/store"
)

var errAway = errors.New("away")

// fakeGateway tells changes in the order in which they came.
type fakeGateway struct {
	mu     sync.Mutex
	counts map[string]int64 // by consumer
	places map[string]int   // of the last changes
	last   int
	page   int // rows an answer; 0 = all
	asked  []string
	err    error
}

func newGateway() *fakeGateway {
	return &fakeGateway{counts: map[string]int64{}, places: map[string]int{}}
}

func (g *fakeGateway) call(consumer string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last++
	g.counts[consumer]++
	g.places[consumer] = g.last
}

// fails makes every answer be err.
func (g *fakeGateway) fails(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
}

func (g *fakeGateway) Usage(_ context.Context, since string) (*adminapi.Used, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, since)
	if g.err != nil {
		return nil, g.err
	}
	seen := 0
	if since != "" {
		var err error
		if seen, err = strconv.Atoi(since); err != nil {
			return nil, &adminapi.Refusal{Status: 400, Text: "no cursor"}
		}
	}
	changed := slices.SortedFunc(maps.Keys(g.places), func(a, b string) int { return cmp.Compare(g.places[a], g.places[b]) })
	used := &adminapi.Used{Next: since}
	for _, consumer := range changed {
		if g.places[consumer] <= seen {
			continue
		}
		if used.More = g.page > 0 && len(used.Rows) == g.page; used.More {
			break
		}
		used.Rows = append(used.Rows, adminapi.Usage{Consumer: consumer, Day: "2026-11-22", Hospital: "harbor", Interaction: "read", Status: 200, Calls: g.counts[consumer]})
		used.Next = strconv.Itoa(g.places[consumer])
	}
	return used, nil
}

// fakeStore keeps what it is given.
type fakeStore struct {
	counts  map[string]int64 // by consumer
	cursor  string
	dropped []store.Day
	err     error
}

func newStore() *fakeStore { return &fakeStore{counts: map[string]int64{}} }

func (s *fakeStore) Cursor(_ context.Context, name string) (string, error) {
	if name != "usage" {
		return "", errors.New("another name")
	}
	return s.cursor, s.err
}

func (s *fakeStore) SetCursor(_ context.Context, _, value string) error {
	if s.err == nil {
		s.cursor = value
	}
	return s.err
}

func (s *fakeStore) PutUsage(_ context.Context, rows []store.UsageRow) error {
	if s.err != nil {
		return s.err
	}
	for _, r := range rows {
		s.counts[r.KeyID] = r.Calls
	}
	return nil
}

func (s *fakeStore) DropUsage(_ context.Context, before store.Day) error {
	if s.err == nil {
		s.dropped = append(s.dropped, before)
	}
	return s.err
}

func TestAllPagesAreCollected(t *testing.T) {
	g, s := newGateway(), newStore()
	c := New(Options{Gateway: g, Store: s})
	for i := range 10 {
		g.call("key_" + strconv.Itoa(i))
	}
	g.page = 3
	require.NoError(t, c.collect(t.Context()))
	require.Equal(t, g.counts, s.counts)
	require.Equal(t, []string{"", "3", "6", "9"}, g.asked)
	require.Equal(t, "10", s.cursor)

	g.call("key_3")
	require.NoError(t, c.collect(t.Context()))
	require.Equal(t, g.counts, s.counts)
	g.asked = nil
	require.NoError(t, New(Options{Gateway: g, Store: s}).collect(t.Context()), "the next start goes on")
	require.Equal(t, []string{"11"}, g.asked)
}

// Until a change is stored the cursor stays before it.
func TestFailuresLoseNothing(t *testing.T) {
	g, s := newGateway(), newStore()
	c := New(Options{Gateway: g, Store: s})
	s.err = errAway
	require.ErrorIs(t, c.collect(t.Context()), errAway)
	require.Empty(t, g.asked, "without the cursor there is nothing to ask for")
	s.err = nil
	for range 3 {
		g.call("key_1")
		g.fails(errAway)
		require.ErrorIs(t, c.collect(t.Context()), errAway)
		g.fails(nil)
		s.err = errAway
		require.ErrorIs(t, c.collect(t.Context()), errAway)
		s.err = nil
		require.NoError(t, c.collect(t.Context()))
		require.Equal(t, g.counts, s.counts)
	}
}

func TestACursorOfAnotherVersion(t *testing.T) {
	g, s := newGateway(), newStore()
	s.cursor = "otherwise"
	g.call("key_1")
	require.NoError(t, New(Options{Gateway: g, Store: s}).collect(t.Context()))
	require.Equal(t, []string{"otherwise", ""}, g.asked)
	require.Equal(t, g.counts, s.counts)
	require.Equal(t, "1", s.cursor)
}

// slowPut is a store to one portal while another portal reads and writes more.
type slowPut struct {
	*fakeStore
	meanwhile func()
}

func (s *slowPut) PutUsage(ctx context.Context, rows []store.UsageRow) error {
	s.meanwhile()
	return s.fakeStore.PutUsage(ctx, rows)
}

// slowCursor is a store that notes a cursor when the test wants it to.
type slowCursor struct {
	*fakeStore
	value string
}

func (s *slowCursor) SetCursor(_ context.Context, _, value string) error {
	s.value = value
	return nil
}

// A portal that was overtaken puts its older count right, though the store's cursor
// says that the newer one has been read.
func TestTwoPortals(t *testing.T) {
	g, s := newGateway(), newStore()
	slow, late := &slowPut{fakeStore: s}, &slowCursor{fakeStore: s}
	first, second := New(Options{Gateway: g, Store: slow}), New(Options{Gateway: g, Store: late})
	slow.meanwhile = func() {
		g.call("key_1")
		require.NoError(t, second.collect(t.Context()))
		require.Equal(t, g.counts, s.counts)
	}
	g.call("key_1")
	require.NoError(t, first.collect(t.Context()))
	require.NotEqual(t, g.counts, s.counts)
	s.cursor, slow.meanwhile = late.value, func() {}
	require.NoError(t, first.collect(t.Context()))
	require.Equal(t, g.counts, s.counts)
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		g, s := newGateway(), newStore()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			New(Options{Gateway: g, Store: s, Keep: 30, Log: slog.New(slog.NewTextHandler(&log, nil))}).Run(ctx)
			close(ended)
		}()
		synctest.Wait()
		require.Equal(t, []string{""}, g.asked, "it begins at once")
		g.call("key_1")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, g.counts, s.counts)
		for range 2 {
			g.fails(errAway)
			time.Sleep(time.Minute)
			synctest.Wait()
			g.fails(nil)
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		require.Equal(t, 2, strings.Count(log.String(), "cannot be collected"), log.String())
		require.Equal(t, 2, strings.Count(log.String(), "is collected again"))

		today := time.Now().UTC().Truncate(24 * time.Hour)
		time.Sleep(time.Until(today.Add(48 * time.Hour)))
		synctest.Wait()
		require.Equal(t, []store.Day{
			store.DayOf(today.AddDate(0, 0, -30)), store.DayOf(today.AddDate(0, 0, -29)), store.DayOf(today.AddDate(0, 0, -28)),
		}, s.dropped)
		cancel()
		<-ended
	})
}

// With the store that there is.
func TestTheStoreHasWhatTheGatewayCounted(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{SQLite: filepath.Join(t.TempDir(), "portal.db"), ActsKey: bytes.Repeat([]byte("k"), 32)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	g := newGateway()
	g.page = 2
	for range 3 {
		for _, consumer := range []string{"key_1", "key_2", "key_3", "key_1"} {
			g.call(consumer)
			require.NoError(t, New(Options{Gateway: g, Store: s}).collect(t.Context()))
		}
	}
	used, err := s.Usage(t.Context(), store.UsageQuery{From: "2026-11-21", To: "2026-11-22"})
	require.NoError(t, err)
	require.Equal(t, int64(12), used.Total)
	require.Equal(t, []store.DayCount{{Day: "2026-11-21"}, {Day: "2026-11-22", OK: 12}}, used.Days)
	used, err = s.Usage(t.Context(), store.UsageQuery{Keys: []string{"key_1"}, From: "2026-11-22", To: "2026-11-22"})
	require.NoError(t, err)
	require.Equal(t, int64(6), used.Total)

	c := New(Options{Gateway: g, Store: s, Keep: 1, now: func() time.Time { return time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC) }})
	require.NoError(t, c.drop(t.Context()))
	used, err = s.Usage(t.Context(), store.UsageQuery{From: "2026-11-22", To: "2026-11-22"})
	require.NoError(t, err)
	require.Zero(t, used.Total)
}
