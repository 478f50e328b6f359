package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
)

// specimen is a folder with the trails of two nodes, each of three files with
// four records.
type specimen struct {
	t      *testing.T
	folder string
	keys   jose.JSONWebKeySet
}

// file is the n-th file of the node "one".
func (s *specimen) file(n int) string { return logPath(s.folder, "one", uint64(1+4*n)) }

func (s *specimen) lines(path string) [][]byte {
	data, err := os.ReadFile(path)
	require.NoError(s.t, err)
	return bytes.SplitAfter(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
}

// put writes lines to a file, each with a line feed.
func (s *specimen) put(path string, lines ...[]byte) {
	var data []byte
	for _, line := range lines {
		data = append(append(data, bytes.TrimSuffix(line, []byte("\n"))...), '\n')
	}
	require.NoError(s.t, os.WriteFile(path, data, 0o600))
}

func (s *specimen) copy(from, to string) {
	data, err := os.ReadFile(from)
	require.NoError(s.t, err)
	require.NoError(s.t, os.WriteFile(to, data, 0o600))
}

// sealed is a line that someone with the keys of another installation made.
func (s *specimen) sealed(keys jose.JSONWebKeySet, r Record) []byte {
	ring, err := newKeyring(keys)
	require.NoError(s.t, err)
	r.Key = ring.active.id
	line, err := ring.seal.Seal(r.encode(""))
	require.NoError(s.t, err)
	return []byte(line)
}

func newSpecimen(t *testing.T) *specimen {
	s := &specimen{t: t, keys: envelope.NewSet()}
	config := completed(t, nil)
	s.folder = config.Folder
	for _, node := range []string{"one", "two"} {
		trail := opened(t, Options{Config: config, Keys: s.keys, Node: node})
		for n := range 12 {
			trail.Record(read(fmt.Sprint(n)))
		}
		closed(t, trail)
		// The writer begins files at megabytes; the chain does not mind where.
		lines := s.lines(logPath(s.folder, node, 1))
		for n := range 3 {
			s.put(logPath(s.folder, node, uint64(1+4*n)), lines[4*n:4*n+4]...)
		}
	}
	return s
}

func TestUntouchedChains(t *testing.T) {
	s := newSpecimen(t)
	chains, err := Verify(t.Context(), s.folder, s.keys)
	require.NoError(t, err)
	require.True(t, Intact(chains), "%v", chains)
	require.Len(t, chains, 2)
	require.Equal(t, 3, chains[0].Files)
	require.Equal(t, uint64(12), chains[0].Records)
}

func TestTampering(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(s *specimen)
		want string
	}{
		{"a byte changed", func(s *specimen) {
			lines := s.lines(s.file(1))
			lines[2][len(lines[2])/2] ^= 1
			s.put(s.file(1), lines...)
		}, "not sealed, or changed since"},
		{"a line replaced by text", func(s *specimen) {
			lines := s.lines(s.file(1))
			lines[2] = []byte(`{"resourceType":"AuditEvent"}`)
			s.put(s.file(1), lines...)
		}, "not sealed, or changed since"},
		{"a record removed in the middle", func(s *specimen) {
			s.put(s.file(1), slices.Delete(s.lines(s.file(1)), 1, 2)...)
		}, "records 6 to 6 are missing"},
		{"the first record removed", func(s *specimen) { s.put(s.file(0), s.lines(s.file(0))[1:]...) }, "records 1 to 1 are missing"},
		{"a file's last record removed", func(s *specimen) { s.put(s.file(1), s.lines(s.file(1))[:3]...) }, "records 8 to 8 are missing"},
		{"the trail's last record removed", func(s *specimen) { s.put(s.file(2), s.lines(s.file(2))[:3]...) }, "records 12 to 12 are missing at the end"},
		{"the trail's last record cut off", func(s *specimen) {
			require.NoError(s.t, os.Truncate(s.file(2), int64(len(bytes.Join(s.lines(s.file(2)), nil))-20)))
		}, "is cut off"},
		{"a file cut within a record", func(s *specimen) {
			require.NoError(s.t, os.Truncate(s.file(0), int64(len(s.lines(s.file(0))[0])+10)))
		}, "is cut off"},
		{"a file emptied", func(s *specimen) { s.put(s.file(1)) }, "records 5 to 8 are missing"},
		{"the first file missing", func(s *specimen) { require.NoError(s.t, os.Remove(s.file(0))) }, "records 1 to 4 are missing"},
		{"a file in the middle missing", func(s *specimen) { require.NoError(s.t, os.Remove(s.file(1))) }, "records 5 to 8 are missing"},
		{"the last file missing", func(s *specimen) { require.NoError(s.t, os.Remove(s.file(2))) }, "records 9 to 12 are missing at the end"},
		{"all files missing", func(s *specimen) {
			for n := range 3 {
				require.NoError(s.t, os.Remove(s.file(n)))
			}
		}, "records 1 to 12 are missing at the end"},
		{"two records exchanged", func(s *specimen) {
			lines := s.lines(s.file(1))
			lines[1], lines[2] = lines[2], lines[1]
			s.put(s.file(1), lines...)
		}, "out of order"},
		{"two files exchanged", func(s *specimen) {
			a, b := s.lines(s.file(0)), s.lines(s.file(1))
			s.put(s.file(0), b...)
			s.put(s.file(1), a...)
		}, "but the file's name says"},
		{"a record repeated", func(s *specimen) {
			lines := s.lines(s.file(1))
			s.put(s.file(1), slices.Insert(lines, 2, lines[1])...)
		}, "stands here again"},
		{"a file repeated", func(s *specimen) { s.copy(s.file(1), logPath(s.folder, "one", 13)) }, "stands here again"},
		{"a record of another node put in", func(s *specimen) {
			foreign := s.lines(logPath(s.folder, "two", 5))
			s.put(s.file(1), slices.Insert(s.lines(s.file(1)), 2, foreign[2])...)
		}, "is a record of the node two"},
		{"a record replaced by that of another node", func(s *specimen) {
			lines := s.lines(s.file(1))
			lines[2] = s.lines(logPath(s.folder, "two", 5))[2]
			s.put(s.file(1), lines...)
		}, "is a record of the node two"},
		{"a record made with other keys", func(s *specimen) {
			lines := s.lines(s.file(1))
			lines[2] = s.sealed(envelope.NewSet(), Record{Node: "one", Sequence: 7, Kind: KindCall, Written: time.Now()})
			s.put(s.file(1), lines...)
		}, "sealed with an unknown key"},
		{"a record made with the keys, by someone who does not know the chain", func(s *specimen) {
			lines := s.lines(s.file(1))
			lines[2] = s.sealed(s.keys, Record{Node: "one", Sequence: 7, Kind: KindCall, Written: time.Now(), Previous: "x"})
			s.put(s.file(1), lines...)
		}, "does not follow from the one before it"},
		{"the last record made with the keys", func(s *specimen) {
			lines := s.lines(s.file(2))
			ring, err := newKeyring(s.keys)
			require.NoError(s.t, err)
			plain, err := ring.seal.Open(strings.TrimSpace(string(lines[2])))
			require.NoError(s.t, err)
			lines[3] = s.sealed(s.keys, Record{Node: "one", Sequence: 12, Kind: KindCall, Written: time.Now(), Previous: ring.active.link(plain)})
			s.put(s.file(2), lines...)
		}, "is not the one that the sealed head names"},
		{"an empty line put in", func(s *specimen) {
			s.put(s.file(1), slices.Insert(s.lines(s.file(1)), 2, nil)...)
		}, "not sealed, or changed since"},
		{"a line of megabytes put in", func(s *specimen) {
			s.put(s.file(1), slices.Insert(s.lines(s.file(1)), 2, bytes.Repeat([]byte("x"), maxLine+1))...)
		}, "longer than any record"},
		{"the head missing", func(s *specimen) { require.NoError(s.t, os.Remove(headPath(s.folder, "one"))) }, "the sealed head is missing"},
		{"the head changed", func(s *specimen) {
			require.NoError(s.t, os.WriteFile(headPath(s.folder, "one"), []byte("x"), 0o600))
		}, "the sealed head is not sealed, or changed since"},
		{"the head of another node", func(s *specimen) { s.copy(headPath(s.folder, "two"), headPath(s.folder, "one")) }, "is not that of this node"},
		{"the tail and the head missing, and a new start", func(s *specimen) {
			require.NoError(s.t, os.Remove(headPath(s.folder, "one")))
			s.put(s.file(2), s.lines(s.file(2))[:2]...)
			s.restart()
		}, "the sealed head was missing when the gateway started"},
		{"the tail missing, and a new start", func(s *specimen) {
			s.put(s.file(2), s.lines(s.file(2))[:2]...)
			s.restart()
		}, "records 11 to 12 are missing"},
		{"the tail cut off, and a new start", func(s *specimen) {
			require.NoError(s.t, os.Truncate(s.file(2), 700))
			s.restart()
		}, "is cut off"},
		{"a file renamed", func(s *specimen) {
			require.NoError(s.t, os.Rename(s.file(1), logPath(s.folder, "one", 6)))
		}, "but the file's name says"},
		{"a file with a name of our kind", func(s *specimen) { s.put(filepath.Join(s.folder, "audit-x.log")) }, "but is none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSpecimen(t)
			tc.do(s)
			chains, err := Verify(t.Context(), s.folder, s.keys)
			require.NoError(t, err)
			require.False(t, Intact(chains))
			var texts []string
			for _, chain := range chains {
				if chain.Node == "two" {
					require.Empty(t, chain.Problems, "the other node is untouched")
				}
				for _, p := range chain.Problems {
					texts = append(texts, p.String())
				}
			}
			require.Contains(t, strings.Join(texts, "\n"), tc.want)
		})
	}
}

// restart opens the trail of "one" once more, for one record.
func (s *specimen) restart() {
	config := Config{Folder: s.folder}
	require.Empty(s.t, config.Complete(""))
	trail := opened(s.t, Options{Config: config, Keys: s.keys, Node: "one"})
	trail.Record(read("new"))
	closed(s.t, trail)
}
