package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"fhirgate/gateway"
	"fhirgate/gateway/engine"
)

func newServe() *cobra.Command {
	var demo bool
	var chain, answer string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: `Run the gateway until SIGTERM or SIGINT, then let calls in flight finish.
SIGHUP, and any change of a file in routes/, transforms/ or policies/, reloads
them: all are checked first, and on a mistake the ones in force stay.

The log and the access log go to standard error as JSON lines.

With --demo the hospitals are simulated and everything is kept in data/demo, so
that no real key or file is touched; tyk.conf may be missing.`,
		Example: `  fhirgate serve --demo 2>demo.log
  fhirgate serve -c /etc/fhirgate/tyk.conf`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := os.Stat(configFile(cmd)); demo && err != nil && cmd.Flags().Changed("config") {
				return fmt.Errorf("the configuration file: %w", err)
			}
			return gateway.Serve(cmd.Context(), gateway.Options{
				ConfigFile: configFile(cmd),
				Demo:       demo,
				Version:    buildVersion(),
				Out:        os.Stdout,
				Log:        os.Stderr,
				Chain:      engine.Chain(chain),
				Answer:     gateway.Answer(answer),
			})
		},
	}
	cmd.Flags().BoolVar(&demo, "demo", false, "start three simulated hospitals and print a call to paste")
	cmd.Flags().StringVar(&chain, "chain", "", "chain of the engine, for benchmarks: post, auth_check, auth_key or auth_key_limits")
	cmd.Flags().StringVar(&answer, "answer", "", "answer without asking hospitals, for benchmarks: at-once or when-admitted")
	_ = cmd.Flags().MarkHidden("chain") // both flags exist
	_ = cmd.Flags().MarkHidden("answer")
	return cmd
}
