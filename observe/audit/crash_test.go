package audit

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// crashFolder names the environment variable that makes this binary a process
// to be killed.
const crashFolder = "AUDIT_TEST_CRASH_FOLDER"

func TestMain(m *testing.M) {
	if folder := os.Getenv(crashFolder); folder != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(folder))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// crashing are the options of the process, and of those that look at what it
// left.
func crashing(folder string) (o Options, err error) {
	o.Config = Config{Folder: filepath.Join(folder, "audit"), KeysFile: filepath.Join(folder, "keys"), RotateMB: 1}
	o.Config.Complete(folder)
	o.Keys, err = ReadKeys(o.Config.KeysFile)
	return o, err
}

// writeUntilKilled records, and tells how many records are safely stored.
func writeUntilKilled(folder string) error {
	o, err := crashing(folder)
	if err != nil {
		return err
	}
	trail, err := Open(o)
	if err != nil {
		return err
	}
	for {
		for range 2 {
			trail.Record(read("1"))
		}
		fmt.Println(trail.Stats().Written)
		time.Sleep(2 * time.Millisecond)
	}
}

// killed lets a process write for a while, kills it, and returns how many
// records it said were safely stored.
func killed(t *testing.T, folder string, after time.Duration) (safe int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashFolder+"="+folder)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	started := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		out := bufio.NewReader(stdout)
		for first := true; ; first = false {
			line, err := out.ReadString('\n')
			if first {
				close(started)
			}
			if err != nil {
				return // an unfinished line tells nothing
			}
			_, _ = fmt.Sscan(line, &safe)
		}
	})
	<-started
	time.Sleep(after)
	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	reading.Wait()
	require.EqualError(t, cmd.Wait(), "signal: killed", stderr.String())
	return safe
}

func TestKillLosesNothingSafelyStored(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "keys"), []byte(newKeys(t)), 0o600))
	o, err := crashing(folder)
	require.NoError(t, err)
	records := uint64(0)
	for round := range 4 {
		safe := records + uint64(killed(t, folder, 200*time.Millisecond+rand.N(1200*time.Millisecond)))
		torn := round%2 == 1 // as if the kill had come within a line
		if torn {
			tear(t, o)
		}
		before, err := Verify(t.Context(), o.Config.Folder, o.Keys)
		require.NoError(t, err)
		require.Empty(t, before[0].Problems, "a torn tail is no problem")
		require.True(t, before[0].Torn || !torn)

		trail := opened(t, o)
		trail.Record(read("2"))
		closed(t, trail)
		after := intact(t, o.Config.Folder, o.Keys)
		require.GreaterOrEqual(t, after.Records, safe)
		require.Len(t, after.Restarts, round+1)
		require.True(t, after.Restarts[round].Cut > 0 || !torn)
		require.False(t, after.Torn)
		records = after.Records
		t.Logf("round %d: %d records in %d files, at least %d were safe, %d bytes cut", round, after.Records, after.Files, safe, after.Restarts[round].Cut)
	}
}

// tear leaves an unfinished line at the end of the trail.
func tear(t *testing.T, o Options) {
	t.Helper()
	found, err := list(o.Config.Folder)
	require.NoError(t, err)
	files := found.files[found.nodes()[0]]
	file, err := os.OpenFile(files[len(files)-1].path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString("eyJhbGciOiJkaXIiLCJlbmMi")
	require.NoError(t, err)
	require.NoError(t, file.Close())
}
