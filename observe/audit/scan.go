package audit

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"os"
)

// maxLine is more than the line of any record takes.
const maxLine = 4 << 20

// scanned is a line of a file. Record is nil when err says what is wrong.
type scanned struct {
	number int // of the line, from 1
	offset int64
	size   int // bytes, with the line feed
	plain  []byte
	record *Record
	whole  bool // it ends with a line feed
	err    error
}

var errTooLong = errors.New("is longer than any record")

// scan returns the lines of a file, each opened with the keys of the ring. An
// error of the file itself ends it, as a line without number.
func scan(ring *keyring, path string) iter.Seq[scanned] {
	return func(yield func(scanned) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(scanned{err: err})
			return
		}
		defer file.Close()
		scanLines(ring, file, yield)
	}
}

func scanLines(ring *keyring, from io.Reader, yield func(scanned) bool) {
	in := bufio.NewReaderSize(from, 64<<10)
	offset := int64(0)
	for number := 1; ; number++ {
		line, size, err := readLine(in)
		if size == 0 {
			if err != nil && !errors.Is(err, io.EOF) {
				yield(scanned{err: err})
			}
			return
		}
		text, whole := bytes.CutSuffix(line, []byte("\n"))
		found := scanned{number: number, offset: offset, size: size, whole: whole}
		if size > maxLine {
			found.err = errTooLong
		} else if found.plain, found.err = ring.seal.Open(string(text)); found.err == nil {
			found.record, found.err = decodeRecord(found.plain)
		}
		if found.record != nil && ring.byID[found.record.Key] == nil {
			found.record, found.err = nil, errNoRecord
		}
		if !yield(found) {
			return
		}
		offset += int64(size)
	}
}

// readLine returns the next line and its size. Of a line that is too long it
// returns the beginning.
func readLine(in *bufio.Reader) (line []byte, size int, err error) {
	for {
		part, err := in.ReadSlice('\n')
		size += len(part)
		if len(line) <= maxLine {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, size, err
		}
	}
}
