package audit

import (
	"bytes"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
)

// TestRecovery starts over what a kill or a power cut leaves: the head names
// record 8, the last of the second file, and was not closed.
func TestRecovery(t *testing.T) {
	for _, tc := range []struct {
		name    string
		leave   func(s *specimen)
		records uint64 // with the note of the recovery and one more
		cut     bool
	}{
		{"all of the last file", func(*specimen) {}, 14, false},
		{"a file that was only begun", func(s *specimen) { s.put(s.file(2)) }, 10, false},
		{"no last file", func(s *specimen) { require.NoError(s.t, os.Remove(s.file(2))) }, 10, false},
		{"half a line in a new file", func(s *specimen) { require.NoError(s.t, os.Truncate(s.file(2), 100)) }, 10, true},
		{"half a line", func(s *specimen) {
			require.NoError(s.t, os.Truncate(s.file(2), int64(len(s.lines(s.file(2))[0])+100)))
		}, 11, true},
		{"a hole", func(s *specimen) {
			lines := s.lines(s.file(2))
			clear(lines[1])
			s.put(s.file(2), lines...)
		}, 11, true},
		{"a record that did not arrive", func(s *specimen) {
			lines := s.lines(s.file(2))
			s.put(s.file(2), lines[0], lines[2], lines[3])
		}, 11, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSpecimen(t)
			ring, err := newKeyring(s.keys)
			require.NoError(t, err)
			second := s.lines(s.file(1))
			plain, err := ring.seal.Open(string(bytes.TrimSpace(second[3])))
			require.NoError(t, err)
			h := &head{Node: "one", First: 1, Sequence: 8, Hash: ring.active.link(plain)}
			require.NoError(t, h.write(ring, s.folder, time.Now()))
			tc.leave(s)
			s.restart()

			chains, err := Verify(t.Context(), s.folder, s.keys)
			require.NoError(t, err)
			require.True(t, Intact(chains), "%v", chains)
			require.Equal(t, tc.records, chains[0].Records)
			require.Len(t, chains[0].Restarts, 1)
			require.Equal(t, tc.cut, chains[0].Restarts[0].Cut > 0)
			s.restart()
			chains, err = Verify(t.Context(), s.folder, s.keys)
			require.NoError(t, err)
			require.Len(t, chains[0].Restarts, 1, "a normal stop is no news")
		})
	}
}

// TestVerifyWhileWriting checks and searches a trail that grows and begins
// files.
func TestVerifyWhileWriting(t *testing.T) {
	o := Options{Config: completed(t, func(c *Config) { c.RotateMB = 1 }), Keys: envelope.NewSet()}
	trail := opened(t, o)
	ended := make(chan struct{})
	var writing sync.WaitGroup
	for range 2 {
		writing.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
					trail.Record(read("1"))
					time.Sleep(2 * time.Millisecond)
				}
			}
		})
	}
	for files := 0; files < 2; {
		files = intact(t, o.Config.Folder, o.Keys).Files
		found(t, FindOptions{Folder: o.Config.Folder, Keys: o.Keys})
	}
	close(ended)
	writing.Wait()
	closed(t, trail)
	require.Zero(t, trail.Stats().Lost)
	require.Equal(t, trail.Stats().Written, intact(t, o.Config.Folder, o.Keys).Records)
}
