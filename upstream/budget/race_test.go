//go:build race

package budget

// raceShare is the part of the calls that the race detector leaves time for.
const raceShare = 5
