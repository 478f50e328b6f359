package audit

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
)

func TestComplete(t *testing.T) {
	c := Config{}
	require.Empty(t, c.Complete("data"))
	require.Equal(t, Config{Sink: SinkFile, Folder: "data/audit", KeysFile: "data/audit-keys", WhenDown: Refuse, RotateMB: 64}, c)

	c = Config{Sink: SinkSyslog, Syslog: Syslog{Address: "syslog.example:6514"}}
	require.Empty(t, c.Complete("data"))
	require.Equal(t, "syslog.example", c.Syslog.ServerName)

	c = Config{Sink: "fil", WhenDown: "go on", RotateMB: -1, KeepDays: -1}
	require.Equal(t, []Mistake{
		{"sink", `unknown sink "fil"; did you mean "file"?`},
		{"when_down", `unknown way "go on"; allowed are continue, refuse`},
		{"rotate_mb", "must be positive"},
		{"keep_days", "must not be negative; 0 keeps files for ever"},
	}, c.Complete("data"))

	c = Config{Syslog: Syslog{Address: "x:1"}}
	require.Equal(t, []Mistake{{"syslog", `is used by the sink "syslog" only`}}, c.Complete("data"))
	c = Config{Sink: SinkSyslog, Syslog: Syslog{KeyFile: "key"}}
	require.Equal(t, []Mistake{
		{"syslog.address", "is missing: host:port of a server that takes syslog over TLS"},
		{"syslog.cert_file", "cert_file and key_file belong together"},
	}, c.Complete("data"))
	for _, address := range []string{"syslog.example", ":6514", "syslog.example:", "https://syslog.example:1", "a b:1"} {
		c = Config{Sink: SinkSyslog, Syslog: Syslog{Address: address}}
		require.Len(t, c.Complete("data"), 1, address)
	}
}

func TestOneWriterForANode(t *testing.T) {
	o := Options{Config: completed(t, nil), Keys: envelope.NewSet()}
	trail := opened(t, o)
	_, err := Open(o)
	require.ErrorIs(t, err, ErrInUse)
	closed(t, trail)
	closed(t, opened(t, o))
	o.Node = "another"
	closed(t, opened(t, o))
	o.Node = "../x"
	_, err = Open(o)
	require.ErrorContains(t, err, "letters, digits")
}

func TestNodeKeepsItsName(t *testing.T) {
	o := Options{Config: completed(t, nil), Keys: envelope.NewSet()}
	var names []string
	for range 2 {
		trail := opened(t, o)
		trail.Record(read("1"))
		closed(t, trail)
		names = append(names, intact(t, o.Config.Folder, o.Keys).Node)
	}
	require.Equal(t, names[0], names[1])
	require.Len(t, names[0], 10)
}

// TestRotationAndAge lets files of a megabyte grow over days.
func TestRotationAndAge(t *testing.T) {
	now := read("").Time
	o := Options{
		Config: completed(t, func(c *Config) { c.RotateMB, c.KeepDays = 1, 5 }), Keys: envelope.NewSet(),
		Now: func() time.Time { return now },
	}
	for day := range 12 {
		now = read("").Time.Add(time.Duration(day) * 24 * time.Hour)
		trail := opened(t, o)
		for range 300 {
			trail.Record(read("1"))
		}
		closed(t, trail)
	}
	last := intact(t, o.Config.Folder, o.Keys)
	require.Equal(t, uint64(12*300), last.Last)
	require.Greater(t, last.First, uint64(1), "old files were removed")
	require.Equal(t, last.First-1, last.Removed)
	require.Equal(t, uint64(12*300)-last.Removed, last.Records)
	require.GreaterOrEqual(t, last.Records, uint64(5*300), "nothing younger was removed")
	require.Less(t, last.Records, uint64(9*300))
	require.Greater(t, last.Files, 1)

	// Someone removes one file more, and says it was its age.
	found, err := list(o.Config.Folder)
	require.NoError(t, err)
	require.NoError(t, os.Remove(found.files[last.Node][0].path))
	chains, err := Verify(t.Context(), o.Config.Folder, o.Keys)
	require.NoError(t, err)
	require.False(t, Intact(chains))
}

func TestRemovalThatWasCutShort(t *testing.T) {
	s := newSpecimen(t)
	ring, err := newKeyring(s.keys)
	require.NoError(t, err)
	h, err := readHead(ring, headPath(s.folder, "one"), "one")
	require.NoError(t, err)
	first := firstRecord(ring, s.file(1))
	h.First, h.Previous = first.Sequence, first.Previous
	require.NoError(t, h.write(ring, s.folder, time.Now()))
	chains, err := Verify(t.Context(), s.folder, s.keys)
	require.NoError(t, err)
	require.True(t, Intact(chains), "%v", chains)
	require.Equal(t, uint64(8), chains[0].Records)
}

func TestList(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{
		"audit-a-1.log", "audit-a-10.log", "audit-a-9.log", "audit-b-c-1.log", "audit-a.head", "audit-z.head", "audit-a.lock", "node",
		"audit-a.head.tmp1", "audit-.log", "audit-a-01.log", "audit-a-x.log", "notes.txt",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), nil, 0o600))
	}
	found, err := list(folder)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b-c", "z"}, found.nodes())
	require.Len(t, found.other, 3)
	var order []uint64
	for _, file := range found.files["a"] {
		order = append(order, file.first)
	}
	require.Equal(t, []uint64{1, 9, 10}, order)
}
