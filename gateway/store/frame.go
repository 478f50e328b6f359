package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// magic begins every journal file; its digit is the version of the format.
const magic = "FHIRGATE STORE 1\n"

// A frame is the unit that is written and fsynced at once: the entries of all
// commands that shared a commit. Its header is three 32-bit big-endian numbers:
// the payload's length, the payload's CRC-32C, and the CRC-32C of those eight bytes.
const frameHeader = 12

// ErrCorrupt says that the journal is damaged before its end, which a crash
// cannot cause. Restore the file from a backup, or move it away and lose the keys.
var ErrCorrupt = errors.New("the store's journal is corrupt")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// newFrame returns a buffer with room for a header, to append entries to.
func newFrame() []byte {
	return make([]byte, frameHeader, 512)
}

// sealFrame fills in the header of a buffer begun by newFrame.
func sealFrame(frame []byte) {
	payload := frame[frameHeader:]
	binary.BigEndian.PutUint32(frame[0:], uint32(len(payload)))
	binary.BigEndian.PutUint32(frame[4:], crc32.Checksum(payload, castagnoli))
	binary.BigEndian.PutUint32(frame[8:], crc32.Checksum(frame[:8], castagnoli))
}

// openFrame returns the payload of the frame at the start of data and the
// frame's size. It is false when no whole, undamaged frame is there.
func openFrame(data []byte) (payload []byte, size int, ok bool) {
	if len(data) < frameHeader || crc32.Checksum(data[:8], castagnoli) != binary.BigEndian.Uint32(data[8:]) {
		return nil, 0, false
	}
	n := binary.BigEndian.Uint32(data)
	if uint64(n) > uint64(len(data)-frameHeader) {
		return nil, 0, false
	}
	size = frameHeader + int(n)
	payload = data[frameHeader:size]
	return payload, size, crc32.Checksum(payload, castagnoli) == binary.BigEndian.Uint32(data[4:])
}

// replay returns the last state of every key in a journal's bytes, deleted keys
// left out, and how many bytes at its end are an unfinished frame.
//
// A frame is only written after the one before it is on disk, so a crash can
// damage nothing but the last. A damaged frame with a sound one anywhere after
// it is therefore corruption, and an error that wraps [ErrCorrupt] with the offset.
func replay(data []byte) (states map[string]entry, torn int, err error) {
	if len(data) < len(magic) || string(data[:len(magic)]) != magic {
		return nil, 0, fmt.Errorf("%w at offset 0: it does not begin with %q", ErrCorrupt, magic)
	}
	states = map[string]entry{}
	for at := len(magic); at < len(data); {
		payload, size, ok := openFrame(data[at:])
		if !ok {
			if next := findFrame(data, at+1); next >= 0 {
				return nil, 0, fmt.Errorf("%w at offset %d: a damaged record with a sound one after it, at offset %d", ErrCorrupt, at, next)
			}
			return states, len(data) - at, nil
		}
		if err := apply(states, payload); err != nil {
			return nil, 0, fmt.Errorf("%w at offset %d: %w", ErrCorrupt, at, err)
		}
		at += size
	}
	return states, 0, nil
}

// findFrame returns the offset of the first sound frame at or after from, or -1.
func findFrame(data []byte, from int) int {
	for at := from; at+frameHeader <= len(data); at++ {
		if _, _, ok := openFrame(data[at:]); ok {
			return at
		}
	}
	return -1
}

// apply plays the entries of one frame.
func apply(states map[string]entry, payload []byte) error {
	for len(payload) > 0 {
		e, rest, err := decodeEntry(payload)
		if err != nil {
			return err
		}
		if e.kind == kindDeleted {
			delete(states, e.key)
		} else {
			states[e.key] = e
		}
		payload = rest
	}
	return nil
}
