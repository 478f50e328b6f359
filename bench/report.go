package main

import (
	"fmt"
	"slices"
	"time"
)

// result is all rounds of a row.
type result struct {
	row     *row
	samples []sample
}

func (r *result) of(value func(sample) float64) []float64 {
	out := make([]float64, len(r.samples))
	for i, s := range r.samples {
		out[i] = value(s)
	}
	return out
}

func rate(s sample) float64 { return s.rate }

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// median returns the middle of values, which are not empty.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func (r *result) rate() float64 { return median(r.of(rate)) }

func (r *result) cpu() float64 {
	return median(r.of(func(s sample) float64 { return microseconds(s.cpu) }))
}

// find returns the measured row of a name, or nil.
func find(results []*result, name string) *result {
	for _, r := range results {
		if r.row.name == name && len(r.samples) > 0 {
			return r
		}
	}
	return nil
}

// ratios returns a's rate as parts of b's, round by round: what disturbs a
// round disturbs both.
func ratios(a, b *result) []float64 {
	out := make([]float64, len(a.samples))
	for i := range out {
		out[i] = a.samples[i].rate / b.samples[i].rate
	}
	return out
}

// table prints the rows of one workload.
func (b *bench) table(title string, results []*result) {
	fmt.Fprintf(b.out, "\n## %s\n\n", title)
	fmt.Fprintln(b.out, "| row | requests/s (min–max) | × keyed Tyk (min–max) | gateway CPU µs/request | Redis CPU µs/request | p50 ms | p99 ms |")
	fmt.Fprintln(b.out, "|---|--:|--:|--:|--:|--:|--:|")
	base := find(results, baseline)
	for _, r := range results {
		if r.row.missing != "" {
			fmt.Fprintf(b.out, "| %s | %s | | | | | |\n", r.row.name, r.row.missing)
			continue
		}
		rates := r.of(rate)
		ratio, cpu, store := "", "", ""
		if base != nil {
			all := ratios(r, base)
			ratio = fmt.Sprintf("%.2f (%.2f–%.2f)", median(all), slices.Min(all), slices.Max(all))
		}
		if r.row.gateway != nil {
			cpu = fmt.Sprintf("%.0f", r.cpu())
		}
		if r.row.redis != nil {
			store = fmt.Sprintf("%.0f", median(r.of(func(s sample) float64 { return microseconds(s.store) })))
		}
		fmt.Fprintf(b.out, "| %s | %.0f (%.0f–%.0f) | %s | %s | %s | %.2f | %.2f |\n", r.row.name, r.rate(), slices.Min(rates), slices.Max(rates), ratio, cpu, store,
			median(r.of(func(s sample) float64 { return microseconds(s.p50) / 1000 })),
			median(r.of(func(s sample) float64 { return microseconds(s.p99) / 1000 })))
	}
}

// bars says which bars of a workload are met.
func (b *bench) bars(load workload, results []*result) {
	ours := find(results, "fhirgate")
	if ours == nil {
		return
	}
	fmt.Fprintln(b.out)
	if tyk := find(results, baseline); tyk != nil {
		got := median(ratios(ours, tyk))
		fmt.Fprintf(b.out, "- fhirgate is %.2f of keyed Tyk; the bar is %.1f: %s.\n", got, load.bar, met(got >= load.bar))
	}
	for _, name := range []string{"fhirgate, pre", "fhirgate, auth_check", "fhirgate, auth_key", "fhirgate of -against"} {
		if other := find(results, name); other != nil {
			fmt.Fprintf(b.out, "- fhirgate (3 wrappers) serves %.2f times as much as %s.\n", median(ratios(ours, other)), name)
		}
	}
	if peer := find(results, "nginx + Lua"); peer != nil {
		fmt.Fprintf(b.out, "- fhirgate is %.2f of nginx + Lua; its gateway costs %.0f µs of CPU a request more.\n", median(ratios(ours, peer)), ours.cpu()-peer.cpu())
	}
}

// chains says what the names of chains mean.
func (b *bench) chains() {
	fmt.Fprintln(b.out, "\nfhirgate passes 3 of Tyk's wrappers; pre 2, auth_check 8, auth_key 9. Rows of Tyk and fhirgate keep their state in a Redis of their own unless they say otherwise.")
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "NOT met"
}
