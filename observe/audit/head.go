package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// head is what a node sealed last about its own trail: how far it goes, and
// where it begins. A trail that ends before its head lacks records.
type head struct {
	Node     string    `json:"node"`
	Sequence uint64    `json:"sequence"` // of the last record that is safely stored; 0 for none
	Hash     string    `json:"hash"`     // its keyed hash
	First    uint64    `json:"first"`    // the first record that is kept
	Previous string    `json:"previous"` // the hash in it of the record before, which may be removed
	Removed  time.Time `json:"removed"`  // when files were last removed for their age; zero for never
	At       time.Time `json:"at"`       // when this was sealed
	Closed   bool      `json:"closed"`   // the trail was ended in order: nothing comes after Sequence
}

var errNoHead = errors.New("the sealed head is missing")

func headPath(folder, node string) string {
	return filepath.Join(folder, filePrefix+node+headSuffix)
}

// readHead opens a sealed head; the error is errNoHead when there is none.
func readHead(ring *keyring, path, node string) (*head, error) {
	sealed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoHead
	} else if err != nil {
		return nil, err
	}
	plain, err := ring.seal.Open(string(sealed))
	if err != nil {
		return nil, fmt.Errorf("the sealed head is %w", err)
	}
	h := &head{}
	if err := json.Unmarshal(plain, h); err != nil || h.Node != node || h.First == 0 {
		return nil, errors.New("the sealed head is not that of this node")
	}
	return h, nil
}

// write seals h and puts it in place of the one before.
func (h *head) write(ring *keyring, folder string, now time.Time) error {
	h.At = now.UTC()
	plain, err := json.Marshal(h)
	if err != nil {
		return err
	}
	sealed, err := ring.seal.Seal(plain)
	if err != nil {
		return err
	}
	return replaceFile(headPath(folder, h.Node), []byte(sealed))
}
