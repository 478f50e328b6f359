package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	journalName = "store.journal"
	// flushEvery is how often counters are written; with the time of a write
	// and fsync it keeps the promise of losing at most a second.
	flushEvery = 500 * time.Millisecond
	// A journal is compacted when it is compactFactor times as big as after the
	// last compaction, and compactMinimum bytes or more.
	compactFactor  = 4
	compactMinimum = 16 << 20
	// chunkKeys is how many keys are collected while commands wait.
	chunkKeys = 256
	// syncBytes is how much of a compacted journal is written between two
	// fsyncs, so that commits in between are not held up by one long fsync.
	syncBytes = 4 << 20
)

// errClosed says that the store was closed before a change could be written.
var errClosed = errors.New("the store is closed")

// source is where a journal takes states from; each call is one moment of the store.
type source interface {
	// liveKeys returns the names of all keys.
	liveKeys() []string
	// appendStates appends the entries of the given keys.
	appendStates(frame []byte, keys []string) []byte
	// takeCounters appends up to limit changed counters to the journal, which
	// then count as unchanged, and says whether more have changed.
	takeCounters(limit int) (more bool)
}

// file is what a journal needs of an *os.File.
type file interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// createFile makes an empty journal file for its owner only.
func createFile(path string) (file, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND|os.O_TRUNC, 0o600)
}

// journal writes frames to a file, from one goroutine, which alone touches the file.
type journal struct {
	path    string
	source  source
	log     *slog.Logger
	create  func(path string) (file, error)
	minimum int64 // compactMinimum, less in tests

	file file
	size int64 // of the file
	base int64 // size after the last compaction

	mu      sync.Mutex
	pending *batch
	err     error // why nothing is accepted any more

	broken   atomic.Bool // set when writing has failed
	failures chan error

	flush *time.Ticker
	wake  chan struct{}
	stop  chan struct{}
	done  chan struct{}
}

// batch is the changes that wait for the next fsync.
type batch struct {
	frame []byte
	done  chan struct{}
	err   error // set before done is closed
}

// wait returns once the batch is on disk, or why it is not.
func (b *batch) wait() error {
	<-b.done
	return b.err
}

// readJournal returns the keys of the journal in dir; none when there is no journal.
func readJournal(dir string, log *slog.Logger) (map[string]entry, error) {
	path := filepath.Join(dir, journalName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	states, torn, err := replay(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if torn > 0 {
		log.Warn("the store was stopped in the middle of a write: dropped the unfinished record, which was never acknowledged",
			"file", path, "offset", len(data)-torn, "bytes", torn)
	}
	return states, nil
}

// newJournal prepares a journal in dir; start makes it run.
func newJournal(dir string, src source, log *slog.Logger) *journal {
	return &journal{
		path:     filepath.Join(dir, journalName),
		source:   src,
		log:      log,
		create:   createFile,
		minimum:  compactMinimum,
		flush:    time.NewTicker(flushEvery),
		wake:     make(chan struct{}, 1),
		stop:     make(chan struct{}),
		done:     make(chan struct{}),
		failures: make(chan error, 1),
	}
}

// start writes the source's keys to a new file, which replaces the old one, and begins to take changes.
func (j *journal) start() error {
	if err := j.compact(); err != nil {
		return fmt.Errorf("write %s: %w", j.path, err)
	}
	go j.run()
	return nil
}

// append adds a change to the batch that is written next. It is called in the
// order in which the changes happened; whoever acknowledges one waits for its batch.
func (j *journal) append(add func(frame []byte) []byte) *batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		b := &batch{done: make(chan struct{}), err: j.err}
		close(b.done)
		return b
	}
	if j.pending == nil {
		j.pending = &batch{frame: newFrame(), done: make(chan struct{})}
	}
	j.pending.frame = add(j.pending.frame)
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return j.pending
}

func (j *journal) run() {
	defer close(j.done)
	defer j.flush.Stop()
	for {
		select {
		case <-j.wake:
			_ = j.commit(nil) // those who wait for the batch get the error
		case <-j.flush.C:
			j.flushCounters()
		case <-j.stop:
			j.flushCounters()
			j.refuse(errClosed)
			return
		}
		if j.failure() == nil && j.size > max(j.minimum, compactFactor*j.base) {
			j.compactRunning()
		}
	}
}

// flushCounters writes the counters that changed since the last time.
func (j *journal) flushCounters() {
	for more := true; more && j.failure() == nil; {
		more = j.source.takeCounters(chunkKeys)
		_ = j.commit(nil) // nobody waits for counters; the journal has failed
	}
}

// commit puts the pending batch on disk and lets those who wait for it go on.
// With a copy, a compacted journal in the making, it goes there too, and the
// error is that of the copy.
func (j *journal) commit(copied *segment) error {
	j.mu.Lock()
	b := j.pending
	j.pending = nil
	j.mu.Unlock()
	if b == nil {
		return nil
	}
	defer close(b.done)
	if len(b.frame) == frameHeader {
		return nil
	}
	sealFrame(b.frame)
	if b.err = j.write(b.frame); b.err != nil {
		j.fail(b.err)
		return b.err
	}
	if copied != nil {
		return copied.write(b.frame)
	}
	return nil
}

// write appends to the file and fsyncs it.
func (j *journal) write(frame []byte) error {
	_, err := j.file.Write(frame)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		// Best effort: take back what was not acknowledged.
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += int64(len(frame))
	return nil
}

// fail makes the journal refuse everything from now on.
func (j *journal) fail(err error) {
	err = fmt.Errorf("write %s: %w", j.path, err)
	j.log.Error("the store cannot write to its disk and refuses all commands until a restart", "error", err)
	j.broken.Store(true)
	j.refuse(err)
	j.failures <- err // has room for the one failure there can be
}

// refuse fails the pending batch and all later ones. Only the first reason counts.
func (j *journal) refuse(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err = err
	}
	if j.pending != nil {
		j.pending.err = err
		close(j.pending.done)
		j.pending = nil
	}
}

// failure returns why the journal refuses changes, or nil.
func (j *journal) failure() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// close writes what is pending and closes the file. No change may be appended any more.
func (j *journal) close() error {
	close(j.stop)
	<-j.done
	err := j.file.Close()
	if failure := j.failure(); !errors.Is(failure, errClosed) {
		return failure
	}
	return err
}
