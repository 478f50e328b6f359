package audit

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
)

// completed is a configuration with its defaults, in a folder of the test.
func completed(t testing.TB, change func(*Config)) Config {
	t.Helper()
	c := Config{}
	if change != nil {
		change(&c)
	}
	require.Empty(t, c.Complete(t.TempDir()))
	return c
}

// opened is a trail with these options.
func opened(t testing.TB, o Options) *Trail {
	t.Helper()
	trail, err := Open(o)
	require.NoError(t, err)
	return trail
}

func closed(t testing.TB, trail *Trail) {
	t.Helper()
	require.NoError(t, trail.Close(t.Context()))
}

// read is the event of a read of one patient.
func read(patient string) Event {
	return Event{
		Time: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), RequestID: "req-1", Consumer: "key_pacs", Plan: "screening", Way: "token",
		OnBehalfOf: "dr-who", Purpose: "TREAT", Address: netip.MustParseAddr("192.0.2.7"),
		Hospital: "st-mary", Interaction: "read", Type: "Patient", Status: 200, Entry: -1,
		Patients: []string{"Patient/" + patient}, Resources: []string{"Patient/" + patient},
	}
}

func found(t testing.TB, o FindOptions) []*Found {
	t.Helper()
	var all []*Found
	for one, err := range Find(t.Context(), o) {
		require.NoError(t, err)
		all = append(all, one)
	}
	return all
}

// intact verifies a folder and returns its only chain.
func intact(t testing.TB, folder string, keys jose.JSONWebKeySet) Chain {
	t.Helper()
	chains, err := Verify(t.Context(), folder, keys)
	require.NoError(t, err)
	require.Len(t, chains, 1)
	require.Empty(t, chains[0].Problems)
	require.True(t, Intact(chains))
	return chains[0]
}

func TestRecordFindVerify(t *testing.T) {
	o := Options{Config: completed(t, nil), Keys: envelope.NewSet(), Server: "https://gateway.example/fhir"}
	for range 2 { // the second goes on where the first ended
		trail := opened(t, o)
		require.NoError(t, trail.Ready())
		for _, patient := range []string{"123", "124", "125"} {
			trail.Record(read(patient))
		}
		closed(t, trail)
		closed(t, trail) // once more is nothing
		require.Equal(t, Stats{Written: 3}, trail.Stats())
	}
	chain := intact(t, o.Config.Folder, o.Keys)
	require.Equal(t, uint64(6), chain.Records)
	require.Equal(t, uint64(6), chain.Sealed)
	require.Equal(t, 1, chain.Files)
	require.Empty(t, chain.Restarts)

	all := found(t, FindOptions{Folder: o.Config.Folder, Keys: o.Keys, Hospital: "st-mary", Patient: "Patient/124"})
	require.Len(t, all, 2)
	want := read("124")
	want.Patients, want.Resources = all[0].Event.Patients, all[0].Event.Resources // hashes
	require.Equal(t, want, all[0].Event)
	require.Equal(t, uint64(2), all[0].Sequence)

	names, err := filepath.Glob(filepath.Join(o.Config.Folder, "*"))
	require.NoError(t, err)
	for _, name := range names {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
}
