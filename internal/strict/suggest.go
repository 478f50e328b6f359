package strict

import (
	"slices"
	"strings"
)

// suggestion returns what to tell a user who wrote word where only allowed
// words may stand: the nearest one, or all of them.
func suggestion(word string, allowed []string) string {
	best, distance := "", 3
	for _, candidate := range allowed {
		if d := editDistance(word, candidate); d < distance {
			best, distance = candidate, d
		}
	}
	if best != "" {
		return `; did you mean "` + best + `"?`
	}
	return "; allowed are " + strings.Join(slices.Sorted(slices.Values(allowed)), ", ")
}

// Unknown returns the text for a value that is not one of allowed.
func Unknown(what, word string, allowed []string) string {
	return "unknown " + what + ` "` + word + `"` + suggestion(word, allowed)
}

// editDistance is the Levenshtein distance of two short words.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := previous
			if a[i] != b[j] {
				cost++
			}
			previous = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, cost)
		}
	}
	return row[len(b)]
}
