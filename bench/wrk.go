package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// connections that wrk keeps busy.
const connections = 32

// workload is what is asked for again and again.
type workload struct {
	table string // name on the command line
	name  string
	path  string  // below a row's base
	bar   float64 // what fhirgate must reach of keyed Tyk; 0 = none
}

var workloads = []workload{
	{"read", "Patient read, 3 KB", readPath, 1.4},
	{"searchset", "searchset of 20 entries, 23 KB", searchPath, 1.2},
}

// sample is one row in one round.
type sample struct {
	rate       float64 // requests a second
	p50, p99   time.Duration
	cpu, store time.Duration // a request, of the gateway and of Redis
}

// target is one request of a script.
type target struct{ path, key string }

// script makes wrk send the requests of a file in turn.
const script = `
local requests, at = {}, 0
function init(args)
  for line in io.lines(args[1]) do
    local path, key = line:match("^(%S+) (.+)$")
    requests[#requests + 1] = wrk.format("GET", path, {["Host"] = wrk.headers["Host"], ["Authorization"] = key})
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
`

// sample lets wrk ask a row for some seconds.
func (b *bench) sample(ctx context.Context, r *row, load workload, seconds int) (sample, error) {
	args := []string{"-c", strconv.Itoa(otherCore), "wrk", "-t1", "-c" + strconv.Itoa(connections), "-d" + strconv.Itoa(seconds) + "s", "--latency", "--timeout", "5s"}
	switch {
	case r.script != nil:
		file, err := b.writeScript(r)
		if err != nil {
			return sample{}, err
		}
		args = append(args, "-s", filepath.Join(b.dir, "script.lua"), r.base, "--", file)
	case r.key != "":
		args = append(args, "-H", "Authorization: "+r.key, r.base+load.path)
	default:
		args = append(args, r.base+load.path)
	}
	before, storeBefore, err := r.cpu()
	if err != nil {
		return sample{}, err
	}
	wrk := exec.CommandContext(ctx, "taskset", args...)
	wrk.Env = append(os.Environ(), "LC_ALL=C")
	out, err := wrk.CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("%s: wrk: %w: %s", r.name, err, out)
	}
	after, storeAfter, err := r.cpu()
	if err != nil {
		return sample{}, err
	}
	s, requests, err := parseWrk(out)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", r.name, err)
	}
	s.cpu, s.store = (after-before)/time.Duration(requests), (storeAfter-storeBefore)/time.Duration(requests)
	return s, nil
}

func (b *bench) writeScript(r *row) (file string, err error) {
	var lines strings.Builder
	for _, t := range r.script {
		fmt.Fprintf(&lines, "%s %s\n", t.path, t.key)
	}
	file = filepath.Join(b.dir, "targets")
	if err := os.WriteFile(filepath.Join(b.dir, "script.lua"), []byte(script), 0o600); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, []byte(lines.String()), 0o600)
}

// cpu returns what the row's gateway and Redis have used so far.
func (r *row) cpu() (gateway, store time.Duration, err error) {
	if r.gateway != nil {
		if gateway, err = r.gateway.cpu(); err != nil {
			return 0, 0, fmt.Errorf("%s: %w: %s", r.name, err, r.gateway.tail())
		}
	}
	if r.redis != nil {
		if store, err = r.redis.cpu(); err != nil {
			return 0, 0, err
		}
	}
	return gateway, store, nil
}

var (
	wrkTotal  = regexp.MustCompile(`(\d+) requests in `)
	wrkRate   = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkTiming = regexp.MustCompile(`(?m)^\s+(50|99)%\s+(\S+)$`)
	wrkFault  = regexp.MustCompile(`Non-2xx or 3xx responses: .*|Socket errors: .*`)
)

// parseWrk reads wrk's report. Any answer but a 2xx makes it worthless.
func parseWrk(out []byte) (s sample, requests int, err error) {
	if fault := wrkFault.Find(out); fault != nil {
		return s, 0, fmt.Errorf("wrk: %s", fault)
	}
	total, rate := wrkTotal.FindSubmatch(out), wrkRate.FindSubmatch(out)
	if total == nil || rate == nil {
		return s, 0, fmt.Errorf("wrk: %s", bytes.TrimSpace(out))
	}
	requests, _ = strconv.Atoi(string(total[1]))
	s.rate, _ = strconv.ParseFloat(string(rate[1]), 64)
	if requests == 0 {
		return s, 0, fmt.Errorf("wrk: no answer")
	}
	for _, m := range wrkTiming.FindAllSubmatch(out, -1) {
		d, _ := time.ParseDuration(string(m[2])) // wrk writes us, ms and s
		if string(m[1]) == "50" {
			s.p50 = d
		} else {
			s.p99 = d
		}
	}
	return s, requests, nil
}
