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

// many compares many hospitals and keys with a few.
func (b *bench) many(ctx context.Context) error {
	few, err := b.crowd(ctx, 3, 3)
	if err != nil {
		return err
	}
	crowd, err := b.crowd(ctx, b.hospitals, b.keys)
	if err != nil {
		return err
	}
	load := workload{name: "Many hospitals: Patient read, 3 KB, each request for another hospital with another key"}
	results, err := b.measure(ctx, []*row{few.row, crowd.row}, load)
	if err != nil {
		return err
	}
	b.table(load.name, results)
	all := ratios(results[1], results[0])
	fmt.Fprintf(b.out, "\n- Many serve %.3f (%.3f–%.3f) of what few serve; the bar is 0.95: %s.\n", median(all), slices.Min(all), slices.Max(all), met(median(all) >= 0.95))
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
	row     *row
	key     string
	idle    int64 // MiB before the first call
	keysIn  time.Duration
	hospice string // one of the hospitals
}

func (b *bench) crowd(ctx context.Context, hospitals, keys int) (*crowded, error) {
	ids := make([]string, hospitals)
	for n := range ids {
		ids[n] = fmt.Sprintf("h%03d", n)
	}
	i, err := b.install(ctx, ids, true)
	if err != nil {
		return nil, err
	}
	if err := i.start(ctx); err != nil {
		return nil, err
	}
	c := &crowded{installation: i, idle: i.process.rss(), hospice: ids[0]}
	secrets := make([]string, keys)
	began := time.Now()
	for n := range secrets {
		if secrets[n], err = i.createKey(ctx); err != nil {
			return nil, err
		}
	}
	c.key, c.keysIn = secrets[0], time.Since(began)
	// As many requests in the script for few as for many, so that wrk has the
	// same to do.
	targets := make([]target, max(keys, b.keys))
	for n := range targets {
		targets[n] = target{"/fhir/" + ids[n%hospitals] + readPath, "Bearer " + secrets[n%keys]}
	}
	rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
	c.row = &row{name: fmt.Sprintf("fhirgate, %d hospitals, %d keys", hospitals, keys), base: "http://" + i.address, gateway: i.process, redis: i.redis, script: targets}
	return c, nil
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
	starts, err := c.timeStarts(ctx, c.hospice, c.key)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.bench.out, "- %s: start to first answer %s, reload %s, resident memory %d MiB idle and %d MiB under load, its keys made in %s.\n",
		c.row.name, middle(starts), middle(reloads), c.idle, busy, short(c.keysIn))
	return nil
}

func middle(times []time.Duration) string {
	return short(slices.Sorted(slices.Values(times))[len(times)/2])
}

func short(d time.Duration) string { return d.Round(time.Millisecond).String() }
