package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"fhirgate/sandbox"
	"fhirgate/sandbox/demo"
)

func newSandbox() *cobra.Command {
	var dir, replay, listen string
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run simulated hospitals, or replay recorded answers",
		Long: `Run three simulated hospitals (like Epic, Oracle Health and HAPI) and write the
route files that reach them. With --replay, serve recorded answers of a real
server instead: one JSON object a line with method, url, status, headers, body.`,
		Example: `  fhirgate sandbox --dir /tmp/hospitals
  fhirgate sandbox --replay epic.jsonl --listen 127.0.0.1:9104`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if replay != "" {
				return runReplay(cmd, replay, listen)
			}
			return runHospitals(cmd, dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "data/sandbox", "folder for the route files and credentials")
	cmd.Flags().StringVar(&replay, "replay", "", "file of recorded answers to serve")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:9104", "address of the replayed hospital")
	return cmd
}

func runHospitals(cmd *cobra.Command, dir string) error {
	hospitals, err := demo.Start(dir, demo.Addresses{Lakeside: "127.0.0.1:9101", StMary: "127.0.0.1:9102", Harbor: "127.0.0.1:9103"}, nil)
	if err != nil {
		return err
	}
	defer hospitals.Close()
	out := cmd.OutOrStdout()
	for _, hospital := range []*sandbox.Hospital{hospitals.Lakeside, hospitals.StMary, hospitals.Harbor} {
		fmt.Fprintf(out, "%-10s like %-8s %s\n", hospital.ID(), hospital.Vendor(), hospital.BaseURL())
	}
	fmt.Fprintf(out, "Their route files are in %s. Stop with Ctrl-C.\n", hospitals.Routes)
	wait(cmd)
	return nil
}

func runReplay(cmd *cobra.Command, file, listen string) error {
	hospital, err := sandbox.OpenReplay(file)
	if err != nil {
		return err
	}
	if err := hospital.Start(listen); err != nil {
		return err
	}
	defer hospital.Close()
	fmt.Fprintf(cmd.OutOrStdout(), `%d recorded answers are served at %s
A route file reaches them with
  upstream: {base_url: %q, aliases: [%q], private_network: true}
Stop with Ctrl-C.
`, len(hospital.Entries()), hospital.BaseURL(), hospital.BaseURL(), hospital.RecordedBase())
	wait(cmd)
	return nil
}

// wait returns at SIGINT or SIGTERM.
func wait(cmd *cobra.Command) {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
}
