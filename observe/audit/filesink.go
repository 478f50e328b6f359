package audit

import (
	"context"
	"errors"
	"fmt"
	"os"

	"fhirgate/internal/envelope"
)

// fileSink appends to files, and begins a new one when one is full. It does so
// only when all is safely stored, so that what has to be written again always
// belongs into one file.
type fileSink struct {
	folder string
	node   string
	limit  int64 // bytes at which a new file begins
	seal   *envelope.Keys

	path    string // of the current file; "" = the next item begins one
	durable int64  // bytes of it that are safely stored
	file    *os.File
	size    int64
	items   int    // written since the last sync
	batch   []byte // kept from one write to the next
}

// reopen opens the current file and cuts away what may not have arrived.
func (s *fileSink) reopen(context.Context) error {
	s.shut()
	s.items = 0
	if s.path == "" {
		return nil
	}
	file, err := os.OpenFile(s.path, os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		s.path = "" // somebody took it away: Verify tells what is missing
		return nil
	}
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if info.Size() < s.durable {
		s.path = "" // somebody cut it: left as it is, for Verify
		return file.Close()
	}
	if err := file.Truncate(s.durable); err != nil {
		return errors.Join(err, file.Close())
	}
	if _, err := file.Seek(s.durable, 0); err != nil {
		return errors.Join(err, file.Close())
	}
	s.file, s.size = file, s.durable
	return nil
}

func (s *fileSink) write(items []item) error {
	if s.path == "" {
		if err := s.begin(items[0].sequence); err != nil {
			return err
		}
	}
	s.batch = s.batch[:0]
	for _, one := range items {
		sealed, err := s.seal.Seal(one.plain)
		if err != nil {
			return err
		}
		s.batch = append(append(s.batch, sealed...), '\n')
	}
	n, err := s.file.Write(s.batch)
	s.size += int64(n)
	s.items += len(items)
	return err
}

// begin makes a new file. One of that name can only be there when it was begun
// and nothing was safely stored in it.
func (s *fileSink) begin(first uint64) error {
	path := logPath(s.folder, s.node, first)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := syncFolder(s.folder); err != nil {
		return errors.Join(err, file.Close())
	}
	s.path, s.file, s.size, s.durable = path, file, 0, 0
	return nil
}

func (s *fileSink) sync() (int, error) {
	if s.file == nil {
		return 0, nil
	}
	if err := s.file.Sync(); err != nil {
		return 0, err
	}
	if err := s.inPlace(); err != nil {
		return 0, err
	}
	n := s.items
	s.items, s.durable = 0, s.size
	if s.size >= s.limit {
		s.shut()
		s.path = ""
	}
	return n, nil
}

// inPlace tells whether what is written can be found under its name.
func (s *fileSink) inPlace() error {
	ours, err := s.file.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if !os.SameFile(ours, named) {
		return fmt.Errorf("%s: is another file now", s.path)
	}
	return nil
}

func (s *fileSink) close(context.Context) error {
	s.shut()
	return nil
}

// shut closes the current file; what matters was synced before.
func (s *fileSink) shut() {
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}
