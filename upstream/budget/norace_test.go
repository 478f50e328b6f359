//go:build !race

package budget

const share = 1
