package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fhirgate/internal/freeport"
)

// profiles writes a CPU and an allocation profile of fhirgate for each
// workload, and for many hospitals. Read them with go tool pprof -top.
func (b *bench) profiles(ctx context.Context) error {
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	pprof := ""
	start := func(i *installation) (err error) {
		if pprof, err = freeport.Address(); err != nil {
			return err
		}
		return i.startBinary(ctx, filepath.Join(b.bin, "bench-profile"), "-c", i.dir+"/tyk.conf", "-pprof", pprof)
	}
	one, err := b.crowd(ctx, 1, 1, start)
	if err != nil {
		return err
	}
	r := &row{name: "fhirgate", base: one.base(one.hospitals[0]), key: "Bearer " + one.keys[0], gateway: one.process, redis: one.redis}
	for _, load := range workloads {
		if err := b.profileBoth(ctx, r, load, pprof); err != nil {
			return err
		}
	}
	crowd, err := b.crowd(ctx, b.hospitals, b.keys, start)
	if err != nil {
		return err
	}
	return b.profileBoth(ctx, crowd.row(b.hospitals, b.keys), workload{name: "many"}, pprof)
}

func (b *bench) profileBoth(ctx context.Context, r *row, load workload, pprof string) error {
	if _, err := b.sample(ctx, r, load, 2); err != nil { // warm it up
		return err
	}
	for _, kind := range []string{"profile", "allocs"} {
		if err := b.profileOne(ctx, r, load, "http://"+pprof+"/debug/pprof/"+kind, kind); err != nil {
			return err
		}
	}
	return nil
}

// profileOne takes one profile in the middle of a sample.
func (b *bench) profileOne(ctx context.Context, r *row, load workload, url, kind string) error {
	taken := make(chan error, 1)
	name, _, _ := strings.Cut(load.name, " ")
	file := filepath.Join(b.profile, name+"-"+strings.Replace(kind, "profile", "cpu", 1)+".prof")
	go func() {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s?seconds=%d", url, b.seconds), http.NoBody)
		if err != nil {
			taken <- err
			return
		}
		patient := http.Client{Timeout: time.Duration(b.seconds)*time.Second + startLimit}
		resp, err := patient.Do(request)
		if err != nil {
			taken <- err
			return
		}
		defer resp.Body.Close()
		out, err := os.Create(file)
		if err != nil {
			taken <- err
			return
		}
		defer out.Close()
		_, err = out.ReadFrom(resp.Body)
		taken <- err
	}()
	s, err := b.sample(ctx, r, load, b.seconds+2)
	if err != nil {
		return err
	}
	if err := <-taken; err != nil {
		return err
	}
	fmt.Fprintf(b.out, "%s: %.0f requests/s while profiled\n", file, s.rate)
	return nil
}
