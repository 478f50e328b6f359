package store

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// journalOf returns a journal's bytes with some frames after the first, and where each frame begins.
func journalOf(t *testing.T, keys int) (data []byte, starts []int) {
	t.Helper()
	dir := t.TempDir()
	s := open(t, dir)
	for i := range keys {
		require.NoError(t, s.Client().Set(t.Context(), "key"+strconv.Itoa(i), "value", 0).Err())
	}
	require.NoError(t, s.Close())
	data, err := os.ReadFile(filepath.Join(dir, journalName))
	require.NoError(t, err)
	for at := len(magic); at < len(data); {
		starts = append(starts, at)
		_, size, ok := openFrame(data[at:])
		require.True(t, ok)
		at += size
	}
	require.Len(t, starts, keys)
	return data, starts
}

// openWith opens a store whose journal holds the given bytes.
func openWith(t *testing.T, journal []byte, log io.Writer) (*Store, error) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, journalName), journal, 0o600))
	return Open(t.Context(), Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(log, nil))})
}

func TestATornTailIsDropped(t *testing.T) {
	data, starts := journalOf(t, 3)
	last := starts[2]
	for _, test := range []struct {
		name string
		tail []byte
	}{
		{"cut in the header", data[last : last+5]},
		{"cut after the header", data[last : last+frameHeader]},
		{"cut in the payload", data[last : len(data)-1]},
		{"zeros that were never written", make([]byte, 4096)},
		{"header written, payload not", append(bytes.Clone(data[last:last+frameHeader]), make([]byte, len(data)-last-frameHeader)...)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			s, err := openWith(t, append(bytes.Clone(data[:last]), test.tail...), &log)
			require.NoError(t, err)
			defer s.Close()
			assert.ElementsMatch(t, []string{"key0", "key1"}, s.Client().Keys(t.Context(), "*").Val())
			assert.Contains(t, log.String(), fmt.Sprintf("offset=%d bytes=%d", last, len(test.tail)))
			assert.NotContains(t, log.String(), "key0")

			require.NoError(t, s.Client().Set(t.Context(), "after", "v", 0).Err())
		})
	}
}

func TestCorruptionIsRefused(t *testing.T) {
	data, starts := journalOf(t, 3)
	refused := func(t *testing.T, damaged []byte, offset int) {
		t.Helper()
		_, err := openWith(t, damaged, io.Discard)
		require.ErrorIs(t, err, ErrCorrupt)
		assert.ErrorContains(t, err, journalName)
		assert.ErrorContains(t, err, fmt.Sprintf("offset %d:", offset))
	}
	t.Run("any damaged byte before the last record", func(t *testing.T) {
		for at := range starts[2] {
			start := 0
			for _, s := range starts {
				if s <= at {
					start = s
				}
			}
			damaged := bytes.Clone(data)
			damaged[at] ^= 0x10
			_, _, err := replay(damaged)
			require.ErrorIs(t, err, ErrCorrupt, "byte %d", at)
			require.ErrorContains(t, err, fmt.Sprintf("offset %d:", start))
		}
	})
	t.Run("damaged payload", func(t *testing.T) {
		damaged := bytes.Clone(data)
		damaged[starts[1]+frameHeader] ^= 1
		refused(t, damaged, starts[1])
	})
	t.Run("missing bytes", func(t *testing.T) {
		refused(t, append(bytes.Clone(data[:starts[1]+3]), data[starts[2]:]...), starts[1])
	})
	t.Run("sound frame with a malformed entry", func(t *testing.T) {
		frame := append(newFrame(), 'x', 1, 'k', 0, 0)
		sealFrame(frame)
		refused(t, append(bytes.Clone(data[:starts[1]]), frame...), starts[1])
	})
	t.Run("another file", func(t *testing.T) { refused(t, []byte("REDIS0011"), 0) })
	t.Run("empty file", func(t *testing.T) { refused(t, nil, 0) })
}

// fakeFile is a disk with faults: what is not fsynced is not there, and it may be full or broken.
type fakeFile struct {
	file
	cached bytes.Buffer
	disk   *fakeDisk
}

func (f *fakeFile) Write(p []byte) (int, error) {
	if err := f.disk.writeErr.Load(); err != nil {
		n, _ := f.cached.Write(p[:len(p)/2])
		return n, *err
	}
	return f.cached.Write(p)
}

func (f *fakeFile) Sync() error {
	f.disk.syncs.Add(1)
	time.Sleep(f.disk.takes)
	if err := f.disk.syncErr.Load(); err != nil {
		return *err
	}
	if _, err := f.cached.WriteTo(f.file); err != nil {
		return err
	}
	return f.file.Sync()
}

// fakeDisk makes fakeFiles.
type fakeDisk struct {
	writeErr, syncErr atomic.Pointer[error]
	syncs             atomic.Int64
	takes             time.Duration // of a sync at least
}

func (d *fakeDisk) create(path string) (file, error) {
	real, err := createFile(path)
	return &fakeFile{file: real, disk: d}, err
}

// copyOf returns a directory with the files of dir as they are on disk now.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	data, err := os.ReadFile(filepath.Join(dir, journalName))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(to, journalName), data, 0o600))
	return to
}

func TestDurableKeysAreSyncedBeforeTheAnswer(t *testing.T) {
	disk, dir := &fakeDisk{}, t.TempDir()
	s := open(t, dir, func(o *Options) { o.create = disk.create })
	fill(t, s.Client())
	atOnce := open(t, copyOf(t, dir))
	assert.Equal(t, "3", atOnce.Client().Get(t.Context(), "counted").Val())
	assert.Equal(t, int64(0), atOnce.Client().Exists(t.Context(), "limit:k").Val(), "counters are not written at once")
	require.NoError(t, atOnce.Close())

	time.Sleep(time.Second)
	aSecondLater := open(t, copyOf(t, dir))
	check(t, aSecondLater.Client())
	require.NoError(t, aSecondLater.Close())
	require.NoError(t, s.Close())
}

func TestWritersShareAnFsync(t *testing.T) {
	disk := &fakeDisk{takes: time.Millisecond}
	s := openHere(t, func(o *Options) { o.create = disk.create })
	before := disk.syncs.Load()
	const writers, each = 32, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				assert.NoError(t, s.Client().Set(t.Context(), fmt.Sprintf("%d-%d", w, i), "v", 0).Err())
			}
		})
	}
	wg.Wait()
	assert.Less(t, disk.syncs.Load()-before, int64(writers*each/2))
}

func TestAFailingDiskAcknowledgesNothing(t *testing.T) {
	for name, fault := range map[string]func(*fakeDisk) *atomic.Pointer[error]{
		"full":          func(d *fakeDisk) *atomic.Pointer[error] { return &d.writeErr },
		"failing fsync": func(d *fakeDisk) *atomic.Pointer[error] { return &d.syncErr },
	} {
		t.Run(name, func(t *testing.T) {
			disk, dir := &fakeDisk{}, t.TempDir()
			s := open(t, dir, func(o *Options) { o.create = disk.create })
			c, ctx := s.Client(), t.Context()
			require.NoError(t, c.Set(ctx, "before", "v", 0).Err())
			select {
			case err := <-s.Failed():
				t.Fatal(err)
			default:
			}

			problem := error(syscall.ENOSPC)
			fault(disk).Store(&problem)
			assert.ErrorContains(t, c.Set(ctx, "after", "v", 0).Err(), "IOERR")
			fault(disk).Store(nil) // a disk that works again changes nothing
			for _, cmd := range [][]any{{"PING"}, {"GET", "after"}, {"GET", "before"}, {"INCR", "limit:n"}, {"SET", "k", "v"}, {"MULTI"}} {
				assert.ErrorContains(t, c.Do(ctx, cmd...).Err(), "IOERR", cmd)
			}
			err := s.Update([]string{"k"}, func(tx *Tx) error { return tx.Set("k", "v", 0) })
			assert.ErrorIs(t, err, ErrFailed)
			assert.ErrorIs(t, failure(s), problem)
			assert.ErrorIs(t, s.Close(), problem)

			s = open(t, dir)
			assert.Equal(t, []string{"before"}, s.Client().Keys(ctx, "*").Val())
			require.NoError(t, s.Close())
		})
	}
	t.Run("only counters to write", func(t *testing.T) {
		disk := &fakeDisk{}
		s := open(t, t.TempDir(), func(o *Options) { o.create = disk.create })
		problem := error(syscall.EIO)
		disk.syncErr.Store(&problem)
		require.NoError(t, s.Client().Incr(t.Context(), "limit:n").Err())
		assert.ErrorIs(t, failure(s), problem)
		assert.Error(t, s.Client().Ping(t.Context()).Err())
		assert.Error(t, s.Close())
	})
	t.Run("at start", func(t *testing.T) {
		disk, dir := &fakeDisk{}, t.TempDir()
		require.NoError(t, open(t, dir).Close())
		problem := error(syscall.EROFS)
		disk.syncErr.Store(&problem)
		_, err := Open(t.Context(), Options{Dir: dir, create: disk.create})
		require.ErrorIs(t, err, problem)
		require.NoError(t, open(t, dir).Close(), "the old journal is untouched, and unlocked")
	})
}

// failure returns why the store failed, or nil if it does not within seconds.
func failure(s *Store) error {
	select {
	case err := <-s.Failed():
		return err
	case <-time.After(5 * time.Second):
		return nil
	}
}

func TestCompactionWhileWriting(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, func(o *Options) { o.compactMinimum = 4 << 10 })
	c, ctx := s.Client(), t.Context()
	fill(t, c)
	const writers, each = 8, 150
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				key := fmt.Sprintf("w%d:%d", w, i%100)
				assert.NoError(t, c.Set(ctx, key, strconv.Itoa(i), 0).Err())
				if i%10 == 0 {
					assert.NoError(t, c.Del(ctx, key).Err())
				}
				assert.NoError(t, c.Incr(ctx, "limit:many").Err())
			}
		})
	}
	wg.Wait()
	want := contents(t, c)
	require.NoError(t, s.Close())

	info, err := os.Stat(filepath.Join(dir, journalName))
	require.NoError(t, err)
	assert.Less(t, info.Size(), int64(100<<10))
	assert.NoFileExists(t, filepath.Join(dir, journalName+".new"))
	s = open(t, dir)
	got := contents(t, s.Client())
	assert.Equal(t, want, got)
	for w := range writers {
		for i := range each {
			s.Client().Del(ctx, fmt.Sprintf("w%d:%d", w, i%100))
		}
	}
	s.Client().Del(ctx, "limit:many")
	check(t, s.Client())
	require.NoError(t, s.Close())
}

// contents returns all strings.
func contents(t *testing.T, c redis.UniversalClient) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, key := range c.Keys(t.Context(), "*").Val() {
		if c.Type(t.Context(), key).Val() == "string" && key != "brief" {
			all[key] = c.Get(t.Context(), key).Val()
		}
	}
	return all
}

func TestAFailedCompactionIsNoFailure(t *testing.T) {
	var full atomic.Bool
	s := openHere(t, func(o *Options) {
		o.compactMinimum = 1 << 10
		o.create = func(path string) (file, error) {
			if full.Load() {
				return nil, syscall.ENOSPC
			}
			return createFile(path)
		}
	})
	full.Store(true)
	for i := range 200 {
		require.NoError(t, s.Client().Set(t.Context(), "k", strconv.Itoa(i), 0).Err())
	}
	assert.Equal(t, "199", s.Client().Get(t.Context(), "k").Val())
}

func FuzzEntry(f *testing.F) {
	f.Add("k", byte(kindString), int64(0), "v", "")
	f.Add("", byte(kindHash), int64(1_800_000_000_000), "f", "v")
	f.Add("z", byte(kindZSet), int64(-1), "m", "12345678")
	f.Add("d", byte(kindDeleted), int64(0), "", "")
	f.Fuzz(func(t *testing.T, key string, k byte, deadline int64, first, second string) {
		e := entry{key: key, kind: kind(k), deadline: deadline, values: []string{first, second}}
		switch e.kind {
		case kindString:
			e.values = e.values[:1]
		case kindDeleted:
			e.deadline, e.values = 0, nil
		}
		data := appendEntry(nil, e)
		got, rest, err := decodeEntry(append(data, "rest"...))
		if e.kind != kindDeleted && e.check() != nil {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		require.Equal(t, e, got)
		require.Equal(t, "rest", string(rest))
		for n := range data {
			_, _, err := decodeEntry(data[:n])
			require.Error(t, err)
		}
	})
}

func FuzzReplay(f *testing.F) {
	frame := appendEntry(newFrame(), entry{key: "k", kind: kindList, values: []string{"a", "b"}})
	sealFrame(frame)
	f.Add(frame)
	f.Add(append(frame, frame[:9]...))
	f.Fuzz(func(t *testing.T, data []byte) {
		states, torn, err := replay(append([]byte(magic), data...))
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		require.LessOrEqual(t, torn, len(data))
		e, err := newEngine()
		require.NoError(t, err)
		for _, s := range states {
			require.NoError(t, e.restore(s))
			require.Equal(t, s.kind, e.state(s.key).kind)
		}
	})
}
