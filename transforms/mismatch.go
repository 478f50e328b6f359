package transforms

import (
	"bytes"
	"strings"
)

// Mismatch is one thing that came otherwise than a test wants.
type Mismatch struct {
	What      string // such as " answer" or " Accept"; empty for the request itself
	Want, Got string // JSON without white space between values, if it is some

	File    string // the file that holds what is wanted; empty = the test itself
	Content []byte // what File has to hold for the test to pass; nil = no file can help
}

// String returns the mismatch in two lines. Of long texts they show where they
// begin to differ.
func (m *Mismatch) String() string {
	want, got := m.Want, m.Got
	if len(want)+len(got) > maxShown {
		want, got = around(want, got), around(got, want)
	}
	return "want" + m.What + ": " + want + "\n got" + m.What + ": " + got
}

// What is shown of long texts, in bytes: together, and before and behind the
// first difference.
const (
	maxShown    = 480
	shownBefore = 60
	shownBehind = 120
)

// around returns the part of text where it begins to differ from other.
func around(text, other string) string {
	at := 0
	for at < len(text) && at < len(other) && text[at] == other[at] {
		at++
	}
	begin, end := max(0, at-shownBefore), min(len(text), at+shownBehind)
	out := strings.ToValidUTF8(text[begin:end], "")
	if begin > 0 {
		out = "…" + out
	}
	if end < len(text) {
		out += "…"
	}
	return out
}

func joined(mismatches []Mismatch) string {
	parts := make([]string, len(mismatches))
	for i := range mismatches {
		parts[i] = mismatches[i].String()
	}
	return strings.Join(parts, "\n")
}

func (r *testRun) differ(what, want, got string) {
	r.mismatches = append(r.mismatches, Mismatch{What: what, Want: want, Got: got})
}

// compare notes it when got, which was made of sent, is not what is wanted.
func (r *testRun) compare(what string, want golden, sent, got []byte) {
	wanted := want.text
	if want.same {
		wanted = sent
	}
	if compacted := compact(wanted); wanted == nil || !bytes.Equal(compacted, compact(got)) {
		m := Mismatch{What: what, Want: string(compacted), Got: string(compact(got)), File: want.file}
		if want.file != "" {
			m.Content = got
		}
		if wanted == nil {
			m.Want = "what is in " + want.file + ", which does not exist yet"
		}
		r.mismatches = append(r.mismatches, m)
	}
}
