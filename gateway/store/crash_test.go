package store

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// crashDir names the environment variable that makes this binary a process to be killed.
const crashDir = "STORE_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled changes keys in all ways and writes a line for what was
// acknowledged: "set KEY", "deleted KEY", "counter N UNIXMILLI".
func writeUntilKilled(dir string) error {
	s, err := Open(context.Background(), Options{Dir: dir, compactMinimum: 32 << 10, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	ctx, c := context.Background(), s.Client()
	run := strconv.FormatInt(time.Now().UnixNano(), 36)
	ways := []func(key string) error{
		func(key string) error { return c.Set(ctx, key, key, time.Hour).Err() },
		func(key string) error {
			return c.Eval(ctx, "return redis.call('SET', KEYS[1], ARGV[1])", []string{key}, key).Err()
		},
		func(key string) error {
			_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Incr(ctx, "limit:in-tx")
				p.Set(ctx, key, key, 0)
				return nil
			})
			return err
		},
		func(key string) error {
			return s.Update([]string{key}, func(tx *Tx) error { return tx.Set(key, key, 0) })
		},
	}
	failed := make(chan error)
	for i, set := range ways {
		for writer := range 2 {
			go func() {
				for n := 0; ; n++ {
					key := fmt.Sprintf("%s-%d-%d-%d", run, i, writer, n)
					if err := set(key); err != nil {
						failed <- err
					}
					fmt.Printf("set %s\n", key)
					if n%3 != 0 {
						continue
					}
					if err := c.Del(ctx, key).Err(); err != nil {
						failed <- err
					}
					fmt.Printf("deleted %s\n", key)
				}
			}()
		}
	}
	go func() {
		for {
			n, err := c.Incr(ctx, "limit:n").Result()
			if err != nil {
				failed <- err
			}
			fmt.Printf("counter %d %d\n", n, time.Now().UnixMilli())
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return <-failed
}

// runAndKill lets a process write for a while, kills it, and returns its lines.
func runAndKill(t *testing.T, dir string, after time.Duration) (lines []string, killed time.Time) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	var stderr bytes.Buffer
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
			lines = append(lines, strings.TrimSpace(line))
		}
	})
	<-started
	time.Sleep(after)
	killed = time.Now()
	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	reading.Wait()
	require.EqualError(t, cmd.Wait(), "signal: killed", stderr.String())
	return lines, killed
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	want := map[string]string{} // key to the last line about it
	for round := range 6 {
		after := 100*time.Millisecond + rand.N(300*time.Millisecond)
		if round == 5 {
			after = 2 * time.Second // long enough for counters to reach the disk
		}
		lines, killed := runAndKill(t, dir, after)
		counter := int64(0) // its least value that must survive
		for _, line := range lines {
			what, rest, _ := strings.Cut(line, " ")
			if what != "counter" {
				want[rest] = what
				continue
			}
			var n, at int64
			_, err := fmt.Sscan(rest, &n, &at)
			require.NoError(t, err)
			if killed.Sub(time.UnixMilli(at)) > time.Second {
				counter = n
			}
		}

		s := open(t, dir)
		c, ctx := s.Client(), t.Context()
		values := map[string]string{}
		for _, key := range c.Keys(ctx, "*").Val() {
			values[key] = c.Get(ctx, key).Val()
		}
		for key, what := range want {
			value, there := values[key]
			switch {
			case what == "deleted" && there:
				t.Errorf("round %d: %s was deleted and is back", round, key)
			case what == "set" && there && value != key:
				t.Errorf("round %d: %s holds %q", round, key, value)
			case what == "set" && !there && !mayBeDeleted(key): // it may be killed between DEL and its line
				t.Errorf("round %d: %s was acknowledged and is lost", round, key)
			}
		}
		got, err := c.Get(ctx, "limit:n").Int64()
		if err != redis.Nil {
			require.NoError(t, err)
		}
		assert.GreaterOrEqual(t, got, counter)
		require.NoError(t, s.Close())
		t.Logf("round %d: killed after %v, %d lines, %d keys known, counter %d of at least %d",
			round, after.Round(time.Millisecond), len(lines), len(want), got, counter)
	}
	assert.Greater(t, len(want), 100)
}

// mayBeDeleted says whether the process deletes the key after it has set it.
func mayBeDeleted(key string) bool {
	n, err := strconv.Atoi(key[strings.LastIndex(key, "-")+1:])
	return err == nil && n%3 == 0
}
