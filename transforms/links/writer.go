package links

import (
	"errors"
	"io"
)

// Writer rewrites the text that is written to it and passes it on. It is not
// safe for concurrent use.
//
// What it holds back is bounded: the end of a token that a Write cut, at most
// 64 KiB for a locator, next to nothing for other strings. After an error it
// stays failed, and what it passed on must not be used.
type Writer struct {
	dst  io.Writer
	s    *machine
	tail []byte // what the last Writes left: it starts at the machine's base
	wait int    // length of tail from which another run is worth it
	err  error
}

// maxSpare is the largest output buffer that is kept for another Writer.
const maxSpare = 256 << 10

var errClosed = errors.New("links: the writer is closed")

// NewWriter returns a Writer that moves locators by m and writes to dst, at
// most once for each Write and Close. Close must be called, or the Writer is
// left to the garbage collector.
func NewWriter(dst io.Writer, m *Map) *Writer {
	s, err := newMachine(m)
	if err == nil {
		s.out = s.spare[:0]
	}
	return &Writer{dst: dst, s: s, err: err}
}

// Write takes the next bytes of the text. It fails with an *Error, a
// *SignedError or an error of the destination; these bytes are then lost.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if len(w.tail) == 0 {
		w.err = w.run(p)
	} else if w.tail = append(w.tail, p...); len(w.tail) >= w.wait {
		w.err = w.run(w.tail)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// Close ends the text. It fails with an *Error if the text is not complete.
func (w *Writer) Close() error {
	if w.s == nil {
		return w.err
	}
	if w.err == nil && len(w.tail) > 0 {
		w.err = w.run(w.tail)
	}
	err := w.err
	if err == nil {
		err = w.s.finish(w.tail)
		w.err = errClosed
	}
	if cap(w.s.out) <= maxSpare {
		w.s.spare = w.s.out[:0]
	}
	w.s.release()
	w.s = nil
	return err
}

// run feeds the machine with buf, which starts at its base, passes on what is
// settled and keeps the rest as the tail.
func (w *Writer) run(buf []byte) error {
	s := w.s
	s.out = s.out[:0]
	if err := s.run(buf); err != nil {
		return err
	}
	if s.m.Edit != nil {
		if err := s.rewind(buf); err != nil {
			return err
		}
	}
	settled := s.settled()
	if passed := buf[s.last:settled]; len(s.out) > 0 {
		s.out = append(s.out, passed...)
		if _, err := w.dst.Write(s.out); err != nil {
			return err
		}
	} else if len(passed) > 0 {
		if _, err := w.dst.Write(passed); err != nil {
			return err
		}
	}
	s.advance(buf, settled)
	w.tail = append(w.tail[:0], buf[settled:]...)
	// A token that grows by small Writes is read again each time: let it grow
	// by a quarter, so that the work stays in proportion to its length.
	w.wait = 0
	if n := len(w.tail); n > 1<<10 {
		w.wait = n + n/4
	}
	return nil
}
