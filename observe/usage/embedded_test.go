package usage

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/store"
)

// The embedded store keeps usage over a restart, and readers go on where they
// were.
func TestTheEmbeddedStoreKeepsUsage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	at := clockAt(time.Now())
	want := map[adminapi.Usage]int64{}
	cursor := ""
	for life := range 3 {
		opened := openEmbedded(t, dir)
		r := newRecorder(opened.Client(), quiet, at.now)
		p := newPortal(opened.Client())
		p.cursor, p.counts = cursor, want
		r.Record(line("key_1", "clinic", "read", 200))
		require.NoError(t, r.flush(t.Context()))
		require.Equal(t, map[adminapi.Usage]int64{at.row("key_1", "clinic", "read", 200): int64(life + 1)}, p.catchUp(t))
		cursor = p.cursor
		require.NoError(t, opened.Close())
	}
}

// A flush waits for no disk, and what changes all the time is written to it twice
// a second at most.
func TestUsageIsACounter(t *testing.T) {
	require.Contains(t, store.DefaultCounters(), Prefix)
}

func BenchmarkFlushEmbedded(b *testing.B) {
	opened := openEmbedded(b, filepath.Join(b.TempDir(), "store"))
	defer opened.Close()
	r := newRecorder(opened.Client(), quiet, time.Now)
	for b.Loop() {
		for consumer := range 100 {
			for hospital := range 5 {
				r.Record(line(fmt.Sprintf("key_%016d", consumer), fmt.Sprintf("hospital-%d", hospital), "read", 200))
			}
		}
		if err := r.flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
