package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fhirgate/gateway"
)

func newRoute() *cobra.Command {
	var plan string
	cmd := &cobra.Command{
		Use:   "route METHOD URL",
		Short: "Tell where a call would go, and why",
		Long: `Tell where a call would go, with which rules, and what would refuse it, without
sending anything. URL is a path such as /fhir/st-mary/Patient/1, or the whole
URL at the gateway.`,
		Example: `  fhirgate route GET '/fhir/st-mary/Appointment?date=2026-11-22&location=A' --plan screening-day`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			checked, err := gateway.Check(configFile(cmd))
			if err != nil {
				return err
			}
			explanation, err := checked.Explain(strings.ToUpper(args[0]), args[1], plan)
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), explanation)
			return nil
		},
	}
	cmd.Flags().StringVar(&plan, "plan", "", "also ask whether this plan's keys may")
	return cmd
}
