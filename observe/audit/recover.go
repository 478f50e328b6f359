package audit

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
)

// chainEnd is where the chain of a node goes on.
type chainEnd struct {
	head     *head
	sequence uint64 // of the last record; 0 for none
	hash     string
	path     string  // the file to go on in; "" for a new one
	size     int64   // of that file
	cut      int     // bytes of it that were cut away
	note     *Record // to be written first, or nil
}

// recoverChain finds the end of a node's chain. What stands unfinished behind
// the sealed head, after a kill, is cut away. Whatever else is wrong is left as
// it is, for Verify, and the chain goes on behind it.
func recoverChain(ring *keyring, folder, node string, files bool, log *slog.Logger) (*chainEnd, error) {
	h, err := readHead(ring, headPath(folder, node), node)
	if err != nil && !errors.Is(err, errNoHead) {
		return nil, fmt.Errorf("%s: %w", headPath(folder, node), err)
	}
	missing := err != nil
	if missing {
		h = &head{Node: node, First: 1}
	}
	end := &chainEnd{head: h, sequence: h.Sequence, hash: h.Hash}
	if !missing && !h.Closed {
		end.note = &Record{Kind: KindRecovered}
	}
	h.Closed = false
	if !files {
		return end, nil
	}
	found, err := list(folder)
	if err != nil {
		return nil, err
	}
	if err := end.followFile(ring, found.files[node], log); err != nil {
		return nil, err
	}
	if end.note != nil {
		end.note.Cut = end.cut
	}
	if missing && len(found.files[node]) > 0 {
		log.Error("the sealed head of the audit trail is missing", "node", node)
		end.note = &Record{Kind: KindRecovered, Cut: end.cut, HeadMissing: true}
	}
	return end, nil
}

// followFile takes up the chain in the last file, if that is where it ends.
func (c *chainEnd) followFile(ring *keyring, files []logFile, log *slog.Logger) error {
	if len(files) == 0 {
		return nil
	}
	file := files[len(files)-1]
	last, good, bad := c.head.Sequence, int64(0), 0
	sequence, hash, size := uint64(0), "", int64(0)
	for line := range scan(ring, file.path) {
		if line.number == 0 {
			return line.err
		}
		size = line.offset + int64(line.size)
		if bad > 0 || line.record == nil || !line.whole || sequence > 0 && line.record.Previous != hash {
			bad++
			continue
		}
		sequence, hash, good = line.record.Sequence, ring.byID[line.record.Key].link(line.plain), size
	}
	switch {
	case sequence == 0 && file.first == last+1: // nothing in it was finished
	case sequence < last || sequence == last && hash != c.head.Hash:
		log.Error("the audit trail was changed: see fhirgate audit verify", "file", file.path)
		return nil
	case sequence > last:
		c.sequence, c.hash = sequence, hash
	}
	c.path, c.size = file.path, good
	if cut := size - good; cut > 0 {
		log.Warn("unfinished audit records were cut away", "file", file.path, "bytes", cut)
		c.cut = int(cut)
		return os.Truncate(file.path, good)
	}
	return nil
}
