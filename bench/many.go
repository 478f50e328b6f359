package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"
)

const hangup = syscall.SIGHUP

// repeats is how often a start or a reload is timed.
const repeats = 5

// starts times the way from exec to the first answer.
func (b *bench) starts(ctx context.Context) error {
	i, err := b.install(ctx, []string{"harbor"}, false)
	if err != nil {
		return err
	}
	if err := i.start(ctx); err != nil {
		return err
	}
	key, err := i.createKey(ctx)
	if err != nil {
		return err
	}
	idle := i.process.rss()
	times, err := i.timeStarts(ctx, "harbor", key)
	if err != nil {
		return err
	}
	i.process.stop()
	fmt.Fprintf(b.out, "\n## Start to first answer\n\nFrom exec to the first 200 of a Patient read with a key, embedded store, one core: median %s of %d starts (%s–%s). Resident memory when idle: %d MiB.\n",
		middle(times), repeats, short(slices.Min(times)), short(slices.Max(times)), idle)
	return nil
}

// timeStarts stops and starts fhirgate some times; it runs afterwards.
func (i *installation) timeStarts(ctx context.Context, hospital, key string) ([]time.Duration, error) {
	var times []time.Duration
	for range repeats {
		i.process.stop()
		took, err := i.timeStart(ctx, hospital, key)
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	return times, nil
}

// many compares many hospitals and keys with a few: once with calls for a few
// of them, which tells what the size of the configuration costs, and once with
// each call for another one, which adds what it costs to keep a connection to
// each.
func (b *bench) many(ctx context.Context) error {
	start := func(i *installation) error { return i.start(ctx) }
	few, err := b.crowd(ctx, 3, 3, start)
	if err != nil {
		return err
	}
	crowd, err := b.crowd(ctx, b.hospitals, b.keys, start)
	if err != nil {
		return err
	}
	load := workload{name: fmt.Sprintf("Many hospitals: Patient read, 3 KB, beside %d hospitals and %d keys", b.hospitals, b.keys)}
	results, err := b.measure(ctx, []*row{few.row(3, 3), crowd.row(3, 3), crowd.row(3, b.keys), crowd.row(b.hospitals, b.keys)}, load)
	if err != nil {
		return err
	}
	b.table(load.name, results)
	fmt.Fprintln(b.out)
	for _, r := range results[1:] {
		all := ratios(r, results[0])
		fmt.Fprintf(b.out, "- %s: %.3f (%.3f–%.3f) of the few; the bar is 0.95: %s.\n", r.row.name, median(all), slices.Min(all), slices.Max(all), met(median(all) >= 0.95))
	}
	for _, c := range []*crowded{few, crowd} {
		if err := c.describe(ctx); err != nil {
			return err
		}
	}
	return nil
}

// crowded is a fhirgate with a number of hospitals and keys.
type crowded struct {
	*installation
	hospitals []string
	keys      []string
	idle      int64 // MiB before the first call
	keysIn    time.Duration
}

func (b *bench) crowd(ctx context.Context, hospitals, keys int, start func(*installation) error) (*crowded, error) {
	c := &crowded{hospitals: make([]string, hospitals), keys: make([]string, keys)}
	for n := range c.hospitals {
		c.hospitals[n] = fmt.Sprintf("h%03d", n)
	}
	var err error
	if c.installation, err = b.install(ctx, c.hospitals, true); err != nil {
		return nil, err
	}
	if err := start(c.installation); err != nil {
		return nil, err
	}
	c.idle = c.process.rss()
	began := time.Now()
	for n := range c.keys {
		if c.keys[n], err = c.createKey(ctx); err != nil {
			return nil, err
		}
	}
	c.keysIn = time.Since(began)
	return c, nil
}

// row is one of calls for some of the hospitals with some of the keys.
func (c *crowded) row(hospitals, keys int) *row {
	// As many requests in every script, so that wrk has the same to do.
	targets := make([]target, 3*c.bench.keys)
	for n := range targets {
		targets[n] = target{"/fhir/" + c.hospitals[n%hospitals] + readPath, "Bearer " + c.keys[n%keys]}
	}
	rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
	return &row{
		name: fmt.Sprintf("%s, calls for %d with %d keys", c, hospitals, keys),
		base: "http://" + c.address, gateway: c.process, redis: c.redis, script: targets,
	}
}

func (c *crowded) String() string {
	return fmt.Sprintf("%d hospitals, %d keys", len(c.hospitals), len(c.keys))
}

// describe prints memory, reload and start.
func (c *crowded) describe(ctx context.Context) error {
	busy := c.process.rss()
	var reloads []time.Duration
	for range repeats {
		took, err := c.timeReload(ctx)
		if err != nil {
			return err
		}
		reloads = append(reloads, took)
	}
	starts, err := c.timeStarts(ctx, c.hospitals[0], c.keys[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(c.bench.out, "- %s: start to first answer %s, reload %s, resident memory %d MiB idle and %d MiB under load, all keys made in %s.\n",
		c, middle(starts), middle(reloads), c.idle, busy, short(c.keysIn))
	return nil
}

func middle(times []time.Duration) string {
	return short(slices.Sorted(slices.Values(times))[len(times)/2])
}

func short(d time.Duration) string { return d.Round(time.Millisecond).String() }
