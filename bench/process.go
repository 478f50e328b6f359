package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The two cores.
const (
	gatewayCore = 0
	otherCore   = 1
)

// startLimit bounds every wait for a process.
const startLimit = 60 * time.Second

// process is a child that runs until stop.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   string // file with what it wrote
	ended chan struct{}
}

// start starts a command pinned to a core; env is added to ours. Its output
// goes to a file.
func (b *bench) start(name string, core int, env []string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(b.dir, fmt.Sprintf("%s-%d.log", name, len(b.processes))), ended: make(chan struct{})}
	file, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p.cmd = exec.Command("taskset", append([]string{"-c", strconv.Itoa(core)}, args...)...)
	p.cmd.Dir = b.dir
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = file, file
	// A group of its own, so that ctrl-C reaches us alone and we stop it in
	// order; if we are killed, the kernel stops it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	b.processes = append(b.processes, p)
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.ended)
	}()
	return p, nil
}

// stop asks the process to end, and makes it after a while.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // its children, too
		<-p.ended
	}
}

func (b *bench) stopAll() {
	for _, p := range b.processes {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // all at once: each takes a while
	}
	for _, p := range b.processes {
		p.stop()
	}
}

// tail returns the end of what the process wrote.
func (p *process) tail() string {
	data, _ := os.ReadFile(p.log)
	return string(data[max(0, len(data)-1500):])
}

// until polls ready until it is true, the process ends, or time is up.
func (p *process) until(ctx context.Context, what string, every time.Duration, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for !ready() {
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended before it was %s: %s", p.name, what, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s was not %s: %w: %s", p.name, what, ctx.Err(), p.tail())
		case <-time.After(every):
		}
	}
	return nil
}

// answers waits until url answers with a status.
func (p *process) answers(ctx context.Context, url, key string, status int) error {
	return p.until(ctx, "serving", 5*time.Millisecond, func() bool {
		answer, err := fetch(ctx, url, key)
		return err == nil && answer.status == status
	})
}

// accepts waits until address takes connections.
func (p *process) accepts(ctx context.Context, address string) error {
	return p.until(ctx, "listening", 5*time.Millisecond, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// hertz is the unit of times in /proc/PID/stat (USER_HZ, 100 on Linux).
const hertz = 100

// cpu returns the CPU time that the process and its children have used.
func (p *process) cpu() (time.Duration, error) {
	pid := p.cmd.Process.Pid
	pids := []string{strconv.Itoa(pid)}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	pids = append(pids, strings.Fields(string(children))...)
	var ticks int64
	for _, pid := range pids {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			return 0, err
		}
		// The name in parentheses may hold spaces; utime and stime are the
		// 12th and 13th fields behind it (proc_pid_stat(5)).
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 13 {
			return 0, errors.New("/proc/PID/stat has an unknown form")
		}
		for _, field := range fields[11:13] {
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, err
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / hertz, nil
}

// rss returns the resident memory of the process in MiB.
func (p *process) rss() int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib >> 10
		}
	}
	return 0
}

func port(address string) int {
	_, text, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(text)
	return n
}

// answer is what a row answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// client never keeps a connection, so that each fetch stands by itself.
var client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}

func fetch(ctx context.Context, url, key string) (*answer, error) {
	return call(ctx, http.MethodGet, url, map[string]string{"Authorization": key}, nil)
}

func call(ctx context.Context, method, url string, header map[string]string, body []byte) (*answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range header {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var buf bytes.Buffer
	_, err = buf.ReadFrom(resp.Body)
	return &answer{resp.StatusCode, resp.Header, buf.Bytes()}, err
}
