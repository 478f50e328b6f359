// Package linediff shows how two texts differ, in the unified form of diff -u.
package linediff

import (
	"fmt"
	"slices"
	"strings"
)

// context is the number of equal lines around a change.
const context = 3

// maxEdits bounds the search for the shortest way from one text to the other:
// texts that differ in more lines are shown as replaced from the first
// difference to the last.
const maxEdits = 1000

// Unified returns the changes that make b of a, or "" when they are equal. The
// names stand in its first two lines.
func Unified(nameA, nameB, a, b string) string {
	if a == b {
		return ""
	}
	edits := script(lines(a), lines(b))
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", nameA, nameB)
	for at := 0; ; {
		begin, end := hunk(edits, at)
		if begin == end {
			return out.String()
		}
		writeHunk(&out, edits[begin:end])
		at = end
	}
}

// edit is a line of a diff.
type edit struct {
	kind byte // ' ', '-' or '+'
	text string
	a, b int // lines of each text before it
}

// lines splits a text. The last line may lack its line feed.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// hunk returns where the next hunk begins and ends; both are equal when there
// is none. Changes with few equal lines between them share one.
func hunk(edits []edit, at int) (begin, end int) {
	for i := at; i < len(edits); i++ {
		switch changed := edits[i].kind != ' '; {
		case changed && end == 0:
			begin, end = max(at, i-context), i+1
		case changed:
			end = i + 1
		case end > 0 && i >= end+2*context:
			return begin, end + context
		}
	}
	if end > 0 {
		end = min(end+context, len(edits))
	}
	return begin, end
}

func writeHunk(out *strings.Builder, edits []edit) {
	var countA, countB int
	for _, e := range edits {
		if e.kind != '+' {
			countA++
		}
		if e.kind != '-' {
			countB++
		}
	}
	first := edits[0]
	fmt.Fprintf(out, "@@ -%s +%s @@\n", place(first.a, countA), place(first.b, countB))
	for _, e := range edits {
		out.WriteByte(e.kind)
		out.WriteString(e.text)
		out.WriteByte('\n')
	}
}

// place names count lines that follow before lines.
func place(before, count int) string {
	if count > 0 {
		before++
	}
	if count == 1 {
		return fmt.Sprint(before)
	}
	return fmt.Sprintf("%d,%d", before, count)
}

// script returns the lines of both texts as one, with what becomes of each.
func script(a, b []string) []edit {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var out []edit
	i, j := 0, 0
	keep := func(n int) {
		for range n {
			out = append(out, edit{' ', a[i], i, j})
			i, j = i+1, j+1
		}
	}
	keep(head)
	for _, kind := range path(a[head:len(a)-tail], b[head:len(b)-tail]) {
		switch kind {
		case '-':
			out = append(out, edit{'-', a[i], i, j})
			i++
		case '+':
			out = append(out, edit{'+', b[j], i, j})
			j++
		default:
			keep(1)
		}
	}
	keep(tail)
	return out
}

// path returns the shortest way from a to b, a step a line, by the algorithm of
// E. W. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986).
func path(a, b []string) []byte {
	limit := min(len(a)+len(b), maxEdits)
	reach := make([]int, 2*limit+3) // how far into a each diagonal leads, from -limit-1 on
	at := func(diagonal int) *int { return &reach[diagonal+limit+1] }
	var trace [][]int
	for edits := 0; edits <= limit; edits++ {
		trace = append(trace, slices.Clone(reach[limit-edits:limit+edits+3]))
		for k := -edits; k <= edits; k += 2 {
			x := *at(k - 1) + 1
			if k == -edits || k != edits && *at(k - 1) < *at(k + 1) {
				x = *at(k + 1)
			}
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			*at(k) = x
			if x >= len(a) && x-k >= len(b) {
				return back(trace, len(a), len(b))
			}
		}
	}
	return append(slices.Repeat([]byte{'-'}, len(a)), slices.Repeat([]byte{'+'}, len(b))...)
}

// back follows the trace of path from the end to the begin.
func back(trace [][]int, x, y int) []byte {
	var steps []byte
	for edits := len(trace) - 1; edits > 0; edits-- {
		at := func(diagonal int) int { return trace[edits][diagonal+edits+1] }
		k, step := x-y, byte('-')
		fromX := at(k-1) + 1
		if k == -edits || k != edits && at(k-1) < at(k+1) {
			step, fromX = '+', at(k+1)
		}
		for ; x > fromX; x-- {
			steps = append(steps, ' ')
		}
		steps = append(steps, step)
		if step == '-' {
			x--
			y = x - k + 1
		} else {
			y = x - k - 1
		}
	}
	for ; x > 0; x-- {
		steps = append(steps, ' ')
	}
	slices.Reverse(steps)
	return steps
}
