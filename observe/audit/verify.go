package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Problem is something in the trail that only a change from outside explains.
type Problem struct {
	File string // its path
	Line int    // from 1; 0 for the file as a whole
	Text string
}

// String returns "file:line: text".
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Chain is what Verify found of one node.
type Chain struct {
	Node     string
	Files    int
	Records  uint64
	Removed  uint64    // records before First, whose files were removed for their age
	First    uint64    // number of the first record that is kept
	Last     uint64    // number of the last record
	Hash     string    // keyed hash of the last record: note it elsewhere, to find out if all is put back to an earlier state
	Sealed   uint64    // number up to which the head vouches that nothing is missing
	SealedAt time.Time // when the head was sealed; zero without one
	Gaps     []Record  // of KindGap
	Restarts []Record  // of KindRecovered
	Torn     bool      // the last line is unfinished: it is being written, or the process was killed
	Problems []Problem
	Unlisted int // problems beyond the first maxProblems
}

// maxProblems is how many problems of a node are listed.
const maxProblems = 1000

// Verify checks the chains of all nodes in a folder. The error is that of the
// check itself. It may run while the gateway writes.
func Verify(ctx context.Context, folder string, keys jose.JSONWebKeySet) ([]Chain, error) {
	ring, err := newKeyring(keys)
	if err != nil {
		return nil, err
	}
	found, err := list(folder)
	if err != nil {
		return nil, err
	}
	var chains []Chain
	for _, node := range found.nodes() {
		chain, err := verifyNode(ctx, ring, folder, node)
		if err != nil {
			return nil, err
		}
		chains = append(chains, *chain)
	}
	if len(found.other) > 0 {
		stray := Chain{}
		for _, path := range found.other {
			stray.Problems = append(stray.Problems, Problem{File: path, Text: "is named like a file of the trail, but is none"})
		}
		chains = append(chains, stray)
	}
	return chains, nil
}

// verifyNode checks a node, and once more if files were removed for their age
// in the meantime.
func verifyNode(ctx context.Context, ring *keyring, folder, node string) (*Chain, error) {
	for {
		before, headErr := readHead(ring, headPath(folder, node), node)
		found, err := list(folder)
		if err != nil {
			return nil, err
		}
		v := verifier{ring: ring, head: before, chain: &Chain{Node: node, First: 1}}
		if headErr != nil {
			v.head = nil
			v.problem(headPath(folder, node), 0, "%s", headErr)
		} else {
			v.chain.First, v.previous = before.First, before.Previous
			v.chain.Removed, v.chain.Sealed, v.chain.SealedAt = before.First-1, before.Sequence, before.At
		}
		v.next = v.chain.First
		if err := v.files(ctx, found.files[node]); err != nil {
			return nil, err
		}
		if before == nil || !movedOn(ring, folder, before) {
			return v.chain, nil
		}
	}
}

// movedOn reports whether files were removed for their age since a head was
// read.
func movedOn(ring *keyring, folder string, before *head) bool {
	after, err := readHead(ring, headPath(folder, before.Node), before.Node)
	return err == nil && after.First != before.First
}

// verifier follows one chain.
type verifier struct {
	ring     *keyring
	head     *head // nil when it is missing or changed
	chain    *Chain
	next     uint64 // number that the next record must have
	previous string // hash that it must hold
	unknown  bool   // previous can't be told, because a record could not be read
}

func (v *verifier) problem(file string, line int, format string, args ...any) {
	if len(v.chain.Problems) == maxProblems {
		v.chain.Unlisted++
		return
	}
	v.chain.Problems = append(v.chain.Problems, Problem{file, line, fmt.Sprintf(format, args...)})
}

func (v *verifier) files(ctx context.Context, files []logFile) error {
	for len(files) > 0 && files[0].first < v.chain.First {
		files = files[1:] // a removal that was cut short: the head no longer counts it
	}
	v.chain.Files = len(files)
	for i, file := range files {
		if err := v.file(ctx, file, i == len(files)-1); err != nil {
			return err
		}
	}
	v.chain.Last = v.next - 1
	if v.head != nil && v.head.Sequence > v.chain.Last {
		v.problem(v.path(files), 0, "records %d to %d are missing at the end", v.chain.Last+1, v.head.Sequence)
	}
	return nil
}

// path is that of the last file, or of the folder when there is none.
func (v *verifier) path(files []logFile) string {
	if len(files) == 0 {
		return "the trail of " + v.chain.Node
	}
	return files[len(files)-1].path
}

func (v *verifier) file(ctx context.Context, file logFile, last bool) error {
	torn := 0 // line that could not be read at the end of the last file
	for line := range scan(v.ring, file.path) {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch {
		case line.number == 0:
			return lineError(file.path, 0, line.err)
		case line.record == nil && last && !line.whole && v.beyondHead():
			torn = line.number
		case line.record == nil:
			v.unreadable(file.path, line)
		default:
			v.record(file, line)
		}
	}
	v.chain.Torn = torn > 0
	return nil
}

// beyondHead reports whether the next record is one that the head does not
// vouch for.
func (v *verifier) beyondHead() bool { return v.head != nil && v.next > v.head.Sequence }

func (v *verifier) unreadable(path string, line scanned) {
	text := line.err.Error()
	if !line.whole {
		text = "is cut off"
	}
	v.problem(path, line.number, "%s", text)
	v.unknown = true
	v.next++
}

// record checks one record against what the chain demands, and goes on from
// it.
func (v *verifier) record(file logFile, line scanned) {
	r := line.record
	hash := v.ring.byID[r.Key].link(line.plain)
	switch {
	case r.Node != v.chain.Node:
		v.problem(file.path, line.number, "is a record of the node %s", r.Node)
		return
	case line.number == 1 && r.Sequence != file.first:
		v.problem(file.path, line.number, "is record %d, but the file's name says %d", r.Sequence, file.first)
	}
	switch {
	case r.Sequence < v.next:
		v.problem(file.path, line.number, "record %d stands here again, or out of order", r.Sequence)
		return
	case r.Sequence > v.next:
		v.problem(file.path, line.number, "records %d to %d are missing before this one", v.next, r.Sequence-1)
	case r.Previous != v.previous && !v.unknown:
		v.problem(file.path, line.number, "record %d does not follow from the one before it", r.Sequence)
	}
	if v.head != nil && r.Sequence == v.head.Sequence && hash != v.head.Hash {
		v.problem(file.path, line.number, "record %d is not the one that the sealed head names", r.Sequence)
	}
	v.next, v.previous, v.unknown = r.Sequence+1, hash, false
	v.chain.Records++
	v.chain.Hash = hash
	switch r.Kind {
	case KindGap:
		v.chain.Gaps = append(v.chain.Gaps, *r)
	case KindRecovered:
		v.chain.Restarts = append(v.chain.Restarts, *r)
		if r.HeadMissing {
			v.problem(file.path, line.number, "the sealed head was missing when the gateway started here: what was after the record before is not known")
		}
	}
}

// Intact reports whether all chains are without a problem.
func Intact(chains []Chain) bool {
	for _, chain := range chains {
		if len(chain.Problems) > 0 {
			return false
		}
	}
	return true
}
