package store

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// kind is the type of a key's value. The values are part of the file format.
type kind byte

const (
	kindDeleted kind = 0
	kindString  kind = 's'
	kindHash    kind = 'h'
	kindList    kind = 'l'
	kindSet     kind = 't'
	kindZSet    kind = 'z'
)

// errEntry says that bytes are not an entry.
var errEntry = errors.New("malformed entry")

// entry is the whole state of one key at one moment.
type entry struct {
	key  string
	kind kind
	// deadline is the expiry in Unix milliseconds, 0 for none.
	deadline int64
	// values holds one string; a list's or set's members; a hash's fields and
	// values in turn; a sorted set's members and 8-byte scores in turn.
	values []string
}

// appendEntry appends e in the file format.
func appendEntry(dst []byte, e entry) []byte {
	dst = append(dst, byte(e.kind))
	dst = appendString(dst, e.key)
	if e.kind == kindDeleted {
		return dst
	}
	dst = binary.AppendVarint(dst, e.deadline)
	dst = binary.AppendUvarint(dst, uint64(len(e.values)))
	for _, v := range e.values {
		dst = appendString(dst, v)
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// decodeEntry reads the entry at the start of src and returns what follows.
func decodeEntry(src []byte) (entry, []byte, error) {
	if len(src) == 0 {
		return entry{}, nil, errEntry
	}
	e := entry{kind: kind(src[0])}
	var err error
	if e.key, src, err = decodeString(src[1:]); err != nil {
		return entry{}, nil, err
	}
	if e.kind == kindDeleted {
		return e, src, nil
	}
	deadline, n := binary.Varint(src)
	if n <= 0 {
		return entry{}, nil, errEntry
	}
	e.deadline, src = deadline, src[n:]
	count, n := binary.Uvarint(src)
	if n <= 0 || count > uint64(len(src)) { // a string takes at least one byte
		return entry{}, nil, errEntry
	}
	src = src[n:]
	e.values = make([]string, count)
	for i := range e.values {
		if e.values[i], src, err = decodeString(src); err != nil {
			return entry{}, nil, err
		}
	}
	return e, src, e.check()
}

func decodeString(src []byte) (string, []byte, error) {
	size, n := binary.Uvarint(src)
	if n <= 0 || size > uint64(len(src)-n) {
		return "", nil, errEntry
	}
	end := n + int(size)
	return string(src[n:end]), src[end:], nil
}

// check reports a value that no key can have.
func (e entry) check() error {
	n := len(e.values)
	ok := n > 0
	switch e.kind {
	case kindString:
		ok = n == 1
	case kindHash:
		ok = ok && n%2 == 0
	case kindZSet:
		ok = ok && n%2 == 0
		for i := 1; ok && i < n; i += 2 {
			ok = len(e.values[i]) == 8
		}
	case kindList, kindSet:
	default:
		return fmt.Errorf("%w: unknown kind %d", errEntry, e.kind)
	}
	if !ok {
		return fmt.Errorf("%w: %d values in kind %c", errEntry, n, e.kind)
	}
	return nil
}
