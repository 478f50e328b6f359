// Command bench measures fhirgate beside its peers: no gateway at all, Go's
// reverse proxy, Tyk without our plugin, and nginx with Lua doing the same job.
//
// Every row is a process of its own on the gateway core; wrk, the hospital and
// Redis share the other core. Rounds go through all rows in a new order each,
// so that what disturbs the machine disturbs every row. Requests a second tell
// how the rows compare; CPU a request, read from /proc, tells what they cost
// and does not depend on how busy the other core was.
//
// make bench builds all parts and runs it. BENCH_SECONDS and BENCH_ROUNDS make
// it shorter or longer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	seconds   int    // a row a round
	rounds    int    // of each table
	bin       string // folder of fhirgate, bench-tyk and bench-profile
	rows      string // names of the rows to run, joined by ";"; "" = all
	tables    string // names of the tables to print, joined by ","
	against   string // folder with another fhirgate to compare with; "" = none
	write     string // file to write the tables to; "" = none
	profile   string // folder to write profiles to, instead of measuring; "" = none
	hospitals int    // of the table of many
	keys      int
}

func main() {
	// Two small servers that the benchmark starts of itself.
	if len(os.Args) == 3 {
		switch os.Args[1] {
		case "hospital":
			fail(serveHospital(os.Args[2]))
		case "proxy":
			fail(serveProxy(os.Args[2]))
		}
	}
	var o options
	flag.IntVar(&o.seconds, "seconds", 4, "seconds a row a round")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each table")
	flag.StringVar(&o.bin, "bin", "bin", "folder of the built binaries")
	flag.StringVar(&o.rows, "rows", "", "run only these rows, joined by ;")
	flag.StringVar(&o.tables, "tables", "inbound,read,searchset,start,many", "print only these tables, joined by commas")
	flag.StringVar(&o.against, "against", "", "folder with another fhirgate, which becomes a row beside the one of -bin")
	flag.StringVar(&o.write, "write", "", "write the tables to this file, too")
	flag.StringVar(&o.profile, "profile", "", "write profiles of fhirgate to this folder instead of measuring")
	flag.IntVar(&o.hospitals, "hospitals", 500, "hospitals of the table of many")
	flag.IntVar(&o.keys, "keys", 1000, "keys of the table of many")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	if ctx.Err() != nil {
		err = errors.New("stopped")
	}
	stop()
	fail(err)
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// bench is one run.
type bench struct {
	options
	dir       string // of configurations and logs; removed at the end
	out       io.Writer
	processes []*process
	hospital  string // host:port of the hospital
	noAudit   bool   // what install writes keeps no audit trail
}

// run does everything and stops every process that it started.
func run(ctx context.Context, o options) (err error) {
	if runtime.NumCPU() < 2 {
		return fmt.Errorf("two cores are needed: one for the gateway, one for everything else")
	}
	if o.bin, err = filepath.Abs(o.bin); err != nil {
		return err
	}
	b := &bench{options: o, out: os.Stdout}
	if b.dir, err = os.MkdirTemp("", "fhirgate-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	defer b.stopAll()
	if o.write != "" {
		file, err := os.Create(o.write)
		if err != nil {
			return err
		}
		defer file.Close()
		b.out = io.MultiWriter(os.Stdout, file)
	}
	if err := b.startHospital(ctx); err != nil {
		return err
	}
	if o.profile != "" {
		return b.profiles(ctx)
	}
	b.describe()
	if err := b.compare(ctx); err != nil {
		return err
	}
	if b.wants("inbound") {
		if err := b.inbound(ctx); err != nil {
			return err
		}
	}
	if b.wants("start") {
		if err := b.starts(ctx); err != nil {
			return err
		}
	}
	if b.wants("many") {
		return b.many(ctx)
	}
	return nil
}

// wants reports whether a table is to be printed.
func (b *bench) wants(table string) bool {
	return slices.Contains(strings.Split(b.tables, ","), table)
}

// describe says where and when the figures come from.
func (b *bench) describe() {
	load, _ := os.ReadFile("/proc/loadavg") // for people only
	fmt.Fprintf(b.out, "# Benchmark\n\n%s, %s, %d cores, load before: %.14s. wrk -t1 -c%d, %d rounds of %d s a row in a new order each; every gateway on one core, GOMAXPROCS=1.\n",
		time.Now().UTC().Format("2006-01-02 15:04 MST"), runtime.Version(), runtime.NumCPU(), load, connections, b.rounds, b.seconds)
}
