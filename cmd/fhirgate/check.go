package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fhirgate/gateway"
)

func newCheck() *cobra.Command {
	var live, demo bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check all configuration, and with --live every hospital",
		Long: `Check tyk.conf and every hospital, vendor and plan file: all mistakes at once,
each with file, line and column. With --live, also log in to every hospital and
read its CapabilityStatement.`,
		Example: `  fhirgate check
  fhirgate check --live -c /etc/fhirgate/tyk.conf`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checked, err := gateway.Check(configFile(cmd), demo)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "%d %s, %d %s, %d %s: no mistake found\n",
				len(checked.Files.Routes), plural(len(checked.Files.Routes), "hospital", "hospitals"),
				len(checked.Files.Vendors), plural(len(checked.Files.Vendors), "vendor", "vendors"),
				len(checked.Files.Plans), plural(len(checked.Files.Plans), "plan", "plans"))
			if !live {
				return nil
			}
			return printLive(cmd, checked)
		},
	}
	cmd.Flags().BoolVar(&live, "live", false, "log in to every hospital and read its metadata")
	addDemoFlag(cmd, &demo)
	return cmd
}

func printLive(cmd *cobra.Command, checked *gateway.Checked) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
	defer cancel()
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "HOSPITAL\tLOGIN\tMETADATA\tFHIR\tTIME")
	failed := 0
	for _, result := range checked.Live(ctx) {
		if !result.OK() {
			failed++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", result.Hospital, result.Login, result.Metadata, result.FHIRVersion, result.Took.Round(time.Millisecond))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d hospitals cannot be used as configured", failed, len(checked.Files.Routes))
	}
	return nil
}
