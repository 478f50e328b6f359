package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newReload() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have a running gateway read its files again",
		Long: `Have the gateway that runs on this machine read its hospital, vendor and plan
files again, as SIGHUP does, and tell what came of it. On a mistake the ones in
force stay.`,
		Example: `  fhirgate reload`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			loaded, err := client.Reload(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "reloaded: %d %s, %d %s\n",
				loaded.Hospitals, plural(loaded.Hospitals, "hospital", "hospitals"), loaded.Plans, plural(loaded.Plans, "plan", "plans"))
			return nil
		},
	}
	addDemoFlag(cmd, new(bool))
	return cmd
}
