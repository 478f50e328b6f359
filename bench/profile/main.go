// Command profile is "fhirgate serve" with net/http/pprof beside it, for
// bench -profile. The shipped binary has no such entrance.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	_ "net/http/pprof" // serves /debug/pprof/ on the default mux
	"os"
	"time"

	"fhirgate/gateway"
)

func main() {
	config := flag.String("c", "tyk.conf", "configuration file")
	address := flag.String("pprof", "127.0.0.1:6060", "address of net/http/pprof")
	flag.Parse()
	server := &http.Server{Addr: *address, ReadHeaderTimeout: 10 * time.Second}
	go func() { fmt.Fprintln(os.Stderr, "pprof:", server.ListenAndServe()) }()
	if err := gateway.Serve(context.Background(), gateway.Options{ConfigFile: *config, Out: os.Stdout, Log: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
