package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fhirgate/gateway"
)

func newRoute() *cobra.Command {
	var plan string
	var demo bool
	cmd := &cobra.Command{
		Use:   "route METHOD URL",
		Short: "Tell where a call would go, and why",
		Long: `Tell where a call would go, with which rules, and what would refuse it, without
sending anything. URL is a path such as /fhir/st-mary/Patient/1, or the whole
URL at the gateway.`,
		Example: `  fhirgate route GET '/fhir/st-mary/Appointment?date=2026-11-22&location=A' --plan screening-day`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			checked, err := gateway.Check(configFile(cmd), demo)
			if err != nil {
				return err
			}
			explanation, passes, err := checked.Explain(strings.ToUpper(args[0]), args[1], plan)
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), explanation)
			if !passes {
				return errors.New("the call would be refused")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&plan, "plan", "", "also ask whether this plan's keys may")
	addDemoFlag(cmd, &demo)
	return cmd
}
