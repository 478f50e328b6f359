package store

import (
	"os"
	"path/filepath"
)

// segment is a journal file in the making.
type segment struct {
	file     file
	path     string
	size     int64
	unsynced int64
}

func (j *journal) newSegment() (*segment, error) {
	s := &segment{path: j.path + ".new"}
	var err error
	if s.file, err = j.create(s.path); err != nil {
		return nil, err
	}
	return s, s.write([]byte(magic))
}

func (s *segment) write(data []byte) error {
	if _, err := s.file.Write(data); err != nil {
		return err
	}
	s.size += int64(len(data))
	if s.unsynced += int64(len(data)); s.unsynced < syncBytes {
		return nil
	}
	s.unsynced = 0
	return s.file.Sync()
}

// discard removes an unfinished segment.
func (s *segment) discard() {
	if s.file != nil {
		_ = s.file.Close()
	}
	_ = os.Remove(s.path)
}

// compact replaces the journal by one that holds each live key once.
//
// Commands and their commits go on meanwhile: a batch is written to the old
// file and then also to the new one. A key's entries reach the new file in the
// order of its changes, whether they come from a batch or from the snapshot,
// since a batch is never older than what was copied before it was written.
func (j *journal) compact() error {
	s, err := j.newSegment()
	if err == nil {
		err = j.fill(s)
	}
	if err == nil {
		err = j.replace(s)
	}
	if err != nil && s != nil {
		s.discard()
	}
	return err
}

// fill writes all keys to s.
func (j *journal) fill(s *segment) error {
	keys := j.source.liveKeys()
	for len(keys) > 0 {
		n := min(len(keys), chunkKeys)
		frame := j.source.appendStates(newFrame(), keys[:n])
		sealFrame(frame)
		if err := s.write(frame); err != nil {
			return err
		}
		select {
		case <-j.flush.C:
			j.source.takeCounters(chunkKeys)
		default:
		}
		if err := j.commit(s); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return s.file.Sync()
}

// replace makes s the journal: after a crash either the old file or all of the new one is there.
func (j *journal) replace(s *segment) error {
	if err := os.Rename(s.path, j.path); err != nil {
		return err
	}
	if j.file != nil {
		_ = j.file.Close() // all of it was fsynced, and its name is gone
	}
	j.file, j.size, j.base = s.file, s.size, s.size
	if err := syncDir(filepath.Dir(j.path)); err != nil {
		j.fail(err) // a crash could bring the old file back, without what comes now
		return err
	}
	return nil
}

// compactRunning compacts while commands run. That it cannot is no failure of
// the store as long as the old file is in place: it is tried again after more growth.
func (j *journal) compactRunning() {
	before := j.size
	err := j.compact()
	switch {
	case err == nil:
		j.log.Info("compacted the store's journal", "bytes_before", before, "bytes", j.size)
	case j.failure() != nil: // already told
	default:
		j.log.Warn("could not compact the store's journal", "error", err)
		j.base = j.size
	}
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
