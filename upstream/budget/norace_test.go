//go:build !race

package budget

const raceShare = 1
