//go:build race

package budget

// share is the part of the calls that the race detector leaves time for.
const share = 5
