package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// profiles writes a CPU and an allocation profile of fhirgate for each
// workload. Read them with go tool pprof -top.
func (b *bench) profiles(ctx context.Context) error {
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	i, err := b.install(ctx, []string{"harbor"}, true)
	if err != nil {
		return err
	}
	pprof, err := freeAddress()
	if err != nil {
		return err
	}
	if err := i.startBinary(ctx, filepath.Join(b.bin, "bench-profile"), "-c", i.dir+"/tyk.conf", "-pprof", pprof); err != nil {
		return err
	}
	key, err := i.createKey(ctx)
	if err != nil {
		return err
	}
	r := &row{name: "fhirgate", base: i.base("harbor"), key: "Bearer " + key, rewrite: true, gateway: i.process, redis: i.redis}
	for _, load := range workloads {
		if err := b.verify(ctx, []*row{r}, load); err != nil {
			return err
		}
		for _, kind := range []string{"profile", "allocs"} {
			if err := b.profileOne(ctx, r, load, "http://"+pprof+"/debug/pprof/"+kind, kind); err != nil {
				return err
			}
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
